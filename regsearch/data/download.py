"""The files of the datasets that come over the network: found on this machine, or fetched once into a cache.

Every file is known by its checksum, wherever it lies, so that a damaged one is never read.
"""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from regsearch.data.kinds import UnusableError
from regsearch.data.memory import hash_file, stamp

CACHE_VARIABLE = "REGSEARCH_DATA"
"""The environment's variable that names the cache's folder."""
BYTES_AT_ONCE = 2**18

Watch = Callable[[str, int, int], None]
"""Called while a file comes: its name, the bytes that are here and all its bytes (0 while that is unknown)."""


class File(NamedTuple):
    """One file of a dataset: its name in the cache, and its names in Keras's; the checksum as `sha256:…`."""

    name: str
    url: str
    checksum: str
    in_keras: tuple[str, ...]


def _google(name: str, checksum: str, in_keras: str = "") -> File:
    url = f"https://storage.googleapis.com/tensorflow/tf-keras-datasets/{name}"
    return File(name, url, checksum, (f"{in_keras}{name}",))


def _cifar(number: int, python: str, sha256: str) -> File:
    name, in_keras = f"cifar-{number}-python.tar.gz", f"cifar-{number}-{python}"
    url = f"https://www.cs.toronto.edu/~kriz/{name}"
    return File(name, url, f"sha256:{sha256}", (f"{in_keras}-target_archive", f"{in_keras}.tar.gz"))


FILES: dict[str, tuple[File, ...]] = {
    "mnist": (_google("mnist.npz", "sha256:731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"),),
    "fashion_mnist": (
        _google("train-images-idx3-ubyte.gz", "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d", "fashion-mnist/"),
        _google("train-labels-idx1-ubyte.gz", "md5:25c81989df183df01b3e8a0aad5dffbe", "fashion-mnist/"),
        _google("t10k-images-idx3-ubyte.gz", "md5:bef4ecab320f06d8554ea6380940ec79", "fashion-mnist/"),
        _google("t10k-labels-idx1-ubyte.gz", "md5:bb300cfdad3c16e7a12a480ee83cd310", "fashion-mnist/"),
    ),
    "cifar10": (_cifar(10, "batches-py", "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"),),
    "cifar100": (_cifar(100, "python", "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"),),
}
"""Each dataset's files, with the checksums of Keras 3.15's source and, of Fashion-MNIST, of its authors' README."""


def find_cache() -> Path:
    """The folder that downloads are kept in: `$REGSEARCH_DATA`, or else in the user's folder for caches.

    A user without a home, as in a container, has one among the temporary files.
    """
    if folder := os.environ.get(CACHE_VARIABLE):
        return _expand(folder)
    if not os.path.isabs(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~")):  # noqa: PTH111, PTH117
        return Path(tempfile.gettempdir(), f"regsearch-{os.getuid()}")
    import pooch

    return Path(pooch.os_cache("regsearch"))


def fetch(dataset: str, watch: Watch | None = None) -> list[Path]:
    """A dataset's files: from the cache, from Keras's cache or, once, by download.

    Args:
        dataset: its name.
        watch: told of a download as it goes on.

    Raises:
        UnusableError: a file cannot be had; what was there before is left as it was, and nothing half done.
    """
    return [_find(dataset, file) or _download(dataset, file, watch) for file in FILES[dataset]]


def check(dataset: str, path: Path) -> list[Path]:
    """A dataset's files at a path of the user's: the file, or the folder of them where there are several.

    Raises:
        UnusableError: one is not there, or is not the file it should be.
    """
    files = FILES[dataset]
    paths = [path] if len(files) == 1 else [path / file.name for file in files]
    if len(files) > 1 and not path.is_dir():
        expected = f"the folder of {', '.join(file.name for file in files)}"
        raise UnusableError(expected, "a file" if path.exists() else "nothing there")
    for file, place in zip(files, paths, strict=True):
        if not place.is_file():  # to open a pipe would wait for its writer
            kind = "nothing there" if not place.exists() else "a folder" if place.is_dir() else "no regular file"
            raise UnusableError(f"the file {file.name} of {dataset}", kind, place)
        try:
            whole = _is_whole(place, file)
        except OSError as error:
            raise UnusableError("a readable file", error.strerror or str(error), place) from None
        if not whole:
            expected = f"{file.name} as {file.url} has it, with the checksum {file.checksum}"
            raise UnusableError(expected, "another file, or a damaged one", place)
    return paths


def is_here(dataset: str) -> bool:
    """Whether this machine has a dataset's files already."""
    return all(_find(dataset, file) for file in FILES[dataset])


def _find(dataset: str, file: File) -> Path | None:
    """Where this machine has a file already, whole."""
    keras = _expand(os.environ.get("KERAS_HOME") or "~/.keras") / "datasets"
    for path in (find_cache() / dataset / file.name, *(keras / name for name in file.in_keras)):
        with suppress(OSError):  # a file that cannot be read is as good as none
            if path.is_file() and _is_whole(path, file):
                return path
    return None


def _expand(folder: str) -> Path:
    """The folder, with `~` as it is where there is no such home."""
    return Path(os.path.expanduser(folder))  # noqa: PTH111


def _is_whole(path: Path, file: File) -> bool:
    algorithm, digest = file.checksum.split(":")
    return hash_file(stamp(path), algorithm) == digest


def _download(dataset: str, file: File, watch: Watch | None) -> Path:
    """Fetches a file into the cache; a second process waits for the first, and finds it there."""
    import pooch
    import requests
    from filelock import FileLock

    pooch.get_logger().setLevel("WARNING")
    folder, count = find_cache() / dataset, len(FILES[dataset])
    expected = f"the dataset {dataset} from the cache ({folder}) or by download of {file.url}"
    named = f"the folder of its {count} files" if count > 1 else "the file"
    elsewhere = f"download it elsewhere and name {named} by dataset.path"
    cut_short = "a download that was cut short. Run the same command again"
    headers = {"Accept-Encoding": "identity"}  # else a .gz might be unpacked on its way
    bar = _Bar(file.name, watch)
    downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=BYTES_AT_ONCE, headers=headers)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            if path := _find(dataset, file):
                return path
            for rest in folder.glob("tmp????????"):  # by a process that was killed: the lock says that none writes
                rest.unlink()
            return Path(pooch.retrieve(file.url, file.checksum, file.name, folder, downloader=downloader))
    except requests.HTTPError as error:
        got = f"{error.response.status_code} {error.response.reason} from the server. Try later"
    except requests.Timeout:
        got = "no answer in time. Check the network"
    except requests.exceptions.ChunkedEncodingError:
        got = cut_short
    except requests.RequestException as error:
        got = cut_short if bar.done else f"no connection ({_word_cause(error)}). Check the network"
    except ValueError:
        got = f"a file with another checksum than {file.checksum}: damaged on its way, or changed. It was thrown away"
        got += ". Run the same command again"
    except OSError as error:
        got = f"{error.strerror or error}. Make room"
        elsewhere = f"name a folder that can be written in ${CACHE_VARIABLE}"
    raise UnusableError(expected, f"{got}, or {elsewhere}")


def _word_cause(error: BaseException) -> str:
    """The words of the error at the root of one that wraps others."""
    while error.__context__ is not None:
        error = error.__context__
    return getattr(error, "strerror", None) or str(error)


class _Bar:
    """A progress bar as pooch takes them, which hands on what it is told."""

    def __init__(self, name: str, watch: Watch | None) -> None:
        self.name, self.watch = name, watch or (lambda *_: None)
        self.total = self.done = 0

    def update(self, more: int) -> None:
        """So many bytes more are here; the last chunk counts in full."""
        self.done = min(self.done + more, self.total) if self.total else self.done + more
        self.watch(self.name, self.done, self.total)

    def reset(self) -> None:
        """Pooch counts anew at the end, from the size that the server gave."""
        self.done = 0 if self.total else self.done

    def close(self) -> None:
        self.watch(self.name, self.done, self.done)
