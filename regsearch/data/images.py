"""A folder of the user's own: images in a folder for each class, read by Keras."""

import hashlib
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from regsearch.data.kinds import Facts, Images, Kept, UnusableError
from regsearch.data.memory import Stamp, hash_file, recall_images, stamp

ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
"""What Keras reads; other files it passes by."""
CHANNELS = {"rgb": 3, "grayscale": 1}
AT_ONCE = 64
"""Images decoded at a time."""


class Listing(NamedTuple):
    """What lies in one folder of class folders: the classes in the order of their labels, the images in order."""

    folder: Path
    classes: tuple[str, ...]
    files: tuple[Stamp, ...]


def describe(folder: Path, size: tuple[int, int], color: str) -> Facts:
    """What the folder holds; its content is told by a digest of its files' bytes and names. Decodes nothing.

    Args:
        folder: of a folder for each class, or of `train/` and, if wanted, `test/` with such folders.
        size: what images are resized to, (height, width).
        color: `rgb` or `grayscale`.

    Raises:
        UnusableError: a folder or file is missing, empty or unreadable.
    """
    listings = _list_parts(folder)
    try:
        digest = _hash_listings(listings, size, color)
    except OSError as error:
        raise UnusableError("a readable image", error.strerror or str(error), Path(error.filename)) from None
    pool, *test = (len(listing.files) for listing in listings)
    image, classes = (*size, CHANNELS[color]), len(listings[0].classes)
    return Facts(image, classes, pool, sum(test), f"images-{digest}", kept_bytes=1)


def load(folder: Path, size: tuple[int, int], color: str) -> Images:
    """The images, resized (bilinearly) and rounded to bytes; see `describe`.

    Raises:
        UnusableError: as `describe`, or an image is broken.
    """
    listings = _list_parts(folder)

    def read() -> Images:
        pool, *test = [_decode(listing, size, color) for listing in listings]
        return Images(pool, test[0] if test else None, len(listings[0].classes))

    return recall_images((listings, size, color), read)


def _list_parts(folder: Path) -> tuple[Listing, ...]:
    """The pool and, where there is one, the test set."""
    names = _list_folders(folder)
    if "train" not in names or not set(names) <= {"train", "test"}:
        return (_list_images(folder, names),)
    parts = [folder / name for name in ("train", "test") if name in names]
    listings = tuple(_list_images(part, _list_folders(part)) for part in parts)
    if differing := sorted(set(listings[0].classes) ^ set(listings[-1].classes)):
        got = f"{', '.join(differing[:10])} in one of them alone"
        raise UnusableError("the same classes in train/ and test/", got)
    return listings


def _list_folders(folder: Path) -> list[str]:
    """The names of the folders in a folder, in order, as Keras takes them for classes."""
    try:
        return sorted(item.name for item in folder.iterdir() if item.is_dir() and not item.name.startswith("."))
    except OSError as error:
        got = error.strerror or ""
        raise UnusableError("a folder with a folder of images for each class", got, folder) from None


def _list_images(folder: Path, classes: Sequence[str]) -> Listing:
    if len(classes) < 2:
        got = f"only the folder {classes[0]}" if classes else "none"
        raise UnusableError("a folder of images for each of at least two classes", got, folder)
    files: list[Stamp] = []
    for name in classes:
        walked = [(root, sorted(names)) for root, _, names in sorted(os.walk(folder / name))]
        images = [Path(root, file) for root, names in walked for file in names if file.lower().endswith(ENDINGS)]
        if not images:
            raise UnusableError(f"images ({', '.join(ENDINGS)}) in the folder of a class", "none", folder / name)
        try:
            files += map(stamp, images)
        except OSError as error:
            raise UnusableError("a readable image", error.strerror or "", Path(error.filename)) from None
    return Listing(folder, tuple(classes), tuple(files))


@lru_cache(maxsize=4)
def _hash_listings(listings: tuple[Listing, ...], size: tuple[int, int], color: str) -> str:
    """Sixteen digits that stand for every image's bytes and name, and for what is made of it; once a process."""
    digest = hashlib.sha256(f"{size[0]}x{size[1]} {color}".encode())
    for number, listing in enumerate(listings):
        for file in listing.files:
            name = Path(file[0]).relative_to(listing.folder).as_posix()
            digest.update(f"\n{number} {name} {hash_file(file)}".encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


def _decode(listing: Listing, size: tuple[int, int], color: str) -> Kept:
    """One folder's images (n, height, width, channels) and labels (n,)."""
    import keras
    import tensorflow as tf

    images = np.empty((len(listing.files), *size, CHANNELS[color]), np.uint8)
    labels = np.empty(len(listing.files), np.int32)
    batches = keras.utils.image_dataset_from_directory(
        listing.folder, class_names=list(listing.classes), color_mode=color, image_size=size, batch_size=AT_ONCE,
        shuffle=False, verbose=False,
    )  # fmt: skip
    try:
        for first, (x, y) in zip(range(0, len(labels), AT_ONCE), batches.as_numpy_iterator(), strict=True):
            images[first : first + AT_ONCE], labels[first : first + AT_ONCE] = np.rint(x), y
    except tf.errors.OpError:
        path, reason = _find_broken(listing, CHANNELS[color], tf)
        raise UnusableError("an image that Keras can read", reason, path) from None
    return images, labels


def _find_broken(listing: Listing, channels: int, tf: Any) -> tuple[Path, str]:
    """The first image that cannot be decoded, and why; Keras itself does not say which it was."""
    for path, *_ in listing.files:
        try:
            tf.io.decode_image(tf.io.read_file(path), channels, expand_animations=False)
        except tf.errors.OpError as error:
            return Path(path), f"a broken one ({str(error.message).partition(' [Op')[0][:200]})"
    return listing.folder, "one that could not be read, and can be read again now"
