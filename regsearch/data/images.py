"""A folder of the user's own: images in a folder for each class, read by Keras."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from regsearch.data.kinds import Facts, Images, Kept, Refusal

ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
"""What Keras reads; other files it passes by."""
CHANNELS = {"rgb": 3, "grayscale": 1}
AT_ONCE = 64
"""Images decoded at a time."""


@dataclass(frozen=True)
class Listing:
    """What lies in one folder of class folders.

    Attributes:
        folder: the folder.
        classes: the class folders' names, in the order of their labels.
        files: paths of the images from the folder on, with size and time of change, in order.
    """

    folder: Path
    classes: tuple[str, ...]
    files: tuple[tuple[str, int, int], ...]


def shape(folder: Path, size: tuple[int, int], color: str, refuse: Refusal) -> Facts:
    """What the folder holds; its content is told by a digest of its files' bytes and names. Decodes nothing.

    Args:
        folder: of a folder for each class, or of `train/` and, if wanted, `test/` with such folders.
        size: what images are resized to, (height, width).
        color: `rgb` or `grayscale`.
        refuse: makes the error.

    Raises:
        DatasetError: a folder or file is missing, empty or unreadable.
    """
    listings = _listings(folder, refuse)
    try:
        digest = _digest(listings, size, color)
    except OSError as error:
        raise refuse("a readable image", error.strerror or str(error), Path(error.filename)) from None
    counts = [len(listing.files) for listing in listings]
    return Facts(
        image=(*size, CHANNELS[color]),
        outputs=len(listings[0].classes),
        pool=counts[0],
        test=sum(counts[1:]),
        content=f"images-{digest}",
        kept_bytes=1,
    )


def load(folder: Path, size: tuple[int, int], color: str, refuse: Refusal) -> Images:
    """The images, resized (bilinearly) and rounded to bytes; see `shape`.

    Raises:
        DatasetError: as `shape`, or an image is broken.
    """
    listings = _listings(folder, refuse)
    parts = [_decoded(listing, size, color, refuse) for listing in listings]
    return Images(parts[0], parts[1] if len(parts) == 2 else None, len(listings[0].classes))


def _listings(folder: Path, refuse: Refusal) -> tuple[Listing, ...]:
    """The pool and, where there is one, the test set."""
    inside = _folders(folder, refuse)
    if "train" not in inside or not set(inside) <= {"train", "test"}:
        return (_listing(folder, inside, refuse),)
    parts = [folder / name for name in ("train", "test") if name in inside]
    listings = tuple(_listing(part, _folders(part, refuse), refuse) for part in parts)
    for other in listings[1:]:
        if differing := sorted(set(listings[0].classes) ^ set(other.classes)):
            raise refuse("the same classes in train/ and test/", f"{', '.join(differing[:10])} in one of them alone")
    return listings


def _folders(folder: Path, refuse: Refusal) -> list[str]:
    """The names of the folders in a folder, in order, as Keras takes them for classes."""
    try:
        return sorted(item.name for item in folder.iterdir() if item.is_dir() and not item.name.startswith("."))
    except OSError as error:
        raise refuse("a folder with a folder of images for each class", error.strerror or "", folder) from None


def _listing(folder: Path, classes: Sequence[str], refuse: Refusal) -> Listing:
    """The images of each class, in Keras's order."""
    if len(classes) < 2:
        found = f"only the folder {classes[0]}" if classes else "none"
        raise refuse("a folder of images for each of at least two classes", found, folder)
    files = []
    for name in classes:
        walked = sorted(os.walk(folder / name), key=lambda at: at[0])
        images = [Path(root, file) for root, _, inside in walked for file in sorted(inside)]
        images = [path for path in images if path.name.lower().endswith(ENDINGS)]
        if not images:
            raise refuse(f"images ({', '.join(ENDINGS)}) in the folder of a class", "none", folder / name)
        for path in images:
            try:
                facts = path.stat()
            except OSError as error:
                raise refuse("a readable image", error.strerror or "", path) from None
            files.append((str(path.relative_to(folder)), facts.st_size, facts.st_mtime_ns))
    return Listing(folder, tuple(classes), tuple(files))


@lru_cache(maxsize=4)
def _digest(listings: tuple[Listing, ...], size: tuple[int, int], color: str) -> str:
    """Sixteen digits that stand for every image's bytes and name, and for what is made of it; once a process."""
    digest = hashlib.sha256(f"{size[0]}x{size[1]} {color}".encode())
    for number, listing in enumerate(listings):
        for name, *_ in listing.files:
            with (listing.folder / name).open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256").hexdigest()
            digest.update(f"\n{number} {Path(name).as_posix()} {content}".encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


def _decoded(listing: Listing, size: tuple[int, int], color: str, refuse: Refusal) -> Kept:
    """One folder's images (n, height, width, channels) and labels (n,)."""
    import keras
    import tensorflow as tf

    images = np.empty((len(listing.files), *size, CHANNELS[color]), np.uint8)
    labels = np.empty(len(listing.files), np.int32)
    found = keras.utils.image_dataset_from_directory(
        listing.folder,
        class_names=list(listing.classes),
        color_mode=color,
        image_size=size,
        batch_size=AT_ONCE,
        shuffle=False,
        verbose=False,
    )
    at = 0
    try:
        for x, y in found.as_numpy_iterator():
            images[at : at + len(x)] = np.rint(x)
            labels[at : at + len(x)] = y
            at += len(x)
    except tf.errors.OpError:
        path, reason = _broken(listing, CHANNELS[color], tf)
        raise refuse("an image that Keras can read", reason, path) from None
    return images, labels


def _broken(listing: Listing, channels: int, tf: Any) -> tuple[Path, str]:
    """The first image that cannot be decoded, and why; Keras itself does not say which it was."""
    for name, *_ in listing.files:
        try:
            tf.io.decode_image(tf.io.read_file(str(listing.folder / name)), channels, expand_animations=False)
        except tf.errors.OpError as error:
            return listing.folder / name, f"a broken one ({str(error.message).partition(' [Op')[0][:200]})"
    return listing.folder, "one that could not be read, and can be read again now"
