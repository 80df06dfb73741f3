"""What this process has read already: every file once for its digest, and the latest dataset once for its images."""

import hashlib
from collections.abc import Callable, Hashable
from functools import lru_cache
from pathlib import Path

from regsearch.data.kinds import Images

Stamp = tuple[str, int, int]
"""A file's path, size and time of change: while these stay as they are, so do its bytes."""

_latest: dict[Hashable, Images] = {}


def stamp(path: Path) -> Stamp:
    """The stamp of a file; its status is asked for anew."""
    status = path.stat()
    return str(path), status.st_size, status.st_mtime_ns


@lru_cache(maxsize=16)
def hash_file(file: Stamp, algorithm: str = "sha256") -> str:
    """The digest of a file's bytes, in hexadecimal digits."""
    with Path(file[0]).open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def recall_images(key: Hashable, read: Callable[[], Images]) -> Images:
    """The images under a key of files' stamps and what is made of them: read once, and held until another key's."""
    images = _latest.get(key)
    if images is None:
        _latest.clear()  # before others are read, so that two datasets are never held
        images = _latest[key] = read()
    return images


def forget() -> None:
    """Lets go of the dataset's images, which are read again where they are asked for."""
    _latest.clear()
