"""A file of the user's own: arrays of images with labels, or with targets that are numbers."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regsearch.data.kinds import Facts, Images, Kept, UnusableError, pack
from regsearch.data.memory import hash_file, recall_images, stamp

ARRAYS = ("x", "y", "x_train", "y_train", "x_test", "y_test")
MOST_OUTPUTS = 100_000


def describe(path: Path) -> Facts:
    """What the file holds; its content is told by the digest of its bytes.

    Raises:
        UnusableError: as `load`, since only its numbers say whether a file can be used.
    """
    images = load(path)
    pool, height, width, channels = images.pool[0].shape
    test = len(images.test[0]) if images.test else 0
    content, kept_bytes = f"npz-{hash_file(stamp(path))[:16]}", images.pool[0].itemsize
    return Facts((height, width, channels), images.outputs, pool, test, content, images.loss, kept_bytes=kept_bytes)


def load(path: Path) -> Images:
    """Arrays `x`, `y`, or `x_train`, `y_train`, `x_test`, `y_test` as in Keras's own files; pickles are refused.

    Whole numbers in `y` are labels, floats are targets.

    Raises:
        UnusableError: the file cannot be read, or its arrays cannot be trained on.
    """
    try:
        if path.exists() and not path.is_file():  # to open a pipe would wait for its writer
            raise UnusableError("a readable .npz file", "a folder" if path.is_dir() else "no regular file")
        return recall_images(stamp(path), lambda: _read(path))
    except OSError as error:
        raise UnusableError("a readable .npz file", error.strerror or str(error)) from None


def _read(path: Path) -> Images:
    arrays, names = _read_arrays(path)
    x, y = ("x_train", "y_train") if "x_train" in arrays else ("x", "y")
    if not {x, y} <= set(arrays) or ("x_test" in arrays) != ("y_test" in arrays):
        raise UnusableError("the arrays x and y, or x_train, y_train and, if wanted, x_test, y_test", names)
    has_test = x == "x_train" and "x_test" in arrays
    if has_test:
        _check_alike(arrays)
    numeric = arrays[y].dtype.kind == "f"

    def take(x: str, y: str) -> Kept:
        images = _pack_images(arrays.pop(x), x)
        return images, (_pack_targets if numeric else _pack_labels)(arrays[y], y, len(images))

    pool, test = take(x, y), take("x_test", "y_test") if has_test else None
    if numeric:
        return Images(pool, test, pool[1].shape[1], "squared_error")
    return Images(pool, test, _count_classes(pool[1], test[1] if test else pool[1], y))


def _read_arrays(path: Path) -> tuple[dict[str, NDArray[Any]], str]:
    try:
        with path.open("rb") as stream:
            file = np.load(stream, allow_pickle=False)
            if isinstance(file, np.lib.npyio.NpzFile):
                return {name: file[name] for name in ARRAYS if name in file}, ", ".join(file.files) or "none"
    except OSError:
        raise
    except Exception as error:  # a damaged file raises nearly anything in zipfile, zlib and NumPy
        got = str(error).partition(". ")[0] or type(error).__name__
        raise UnusableError("an .npz file of plain numeric arrays (pickled objects are never loaded)", got) from None
    raise UnusableError("an .npz file of several arrays", "a single array")


def _check_alike(arrays: dict[str, NDArray[Any]]) -> None:
    """Training and test arrays are of the same kind, so that both are scaled and scored alike."""
    train, test = (arrays[x].shape[1:] + (1,) * (arrays[x].ndim == 3) for x in ("x_train", "x_test"))
    if train != test:
        raise UnusableError("x_test with images like x_train's", f"{test} and {train}")
    for x, y, done in (("x_train", "x_test", "scaled"), ("y_train", "y_test", "scored")):
        one, other = arrays[x].dtype, arrays[y].dtype
        if one != other and (done == "scaled" or "f" in (one.kind, other.kind)):
            raise UnusableError(f"{x} and {y} of one type, so that both are {done} alike", f"{one} and {other}")
    columns = [arrays[y].reshape(len(arrays[y]), -1).shape[1] if arrays[y].size else 0 for y in ("y_test", "y_train")]
    if arrays["y_train"].dtype.kind == "f" and columns[0] != columns[1]:
        raise UnusableError("y_test with as many targets an image as y_train", f"{columns[0]} and {columns[1]}")


def _pack_images(images: NDArray[Any], x: str) -> Any:
    if images.ndim not in (3, 4) or images.dtype.kind not in "uif" or 0 in images.shape:
        raise UnusableError(f"{x} of numbers shaped (n, height, width[, channels])", f"{images.dtype} {images.shape}")
    if images.dtype.kind == "f":
        _check_finite(images, x)
    return pack(images)


def _check_finite(values: NDArray[Any], name: str) -> None:
    """All are finite, and not too large for single precision; NaN compares as neither. Makes no copy."""
    limit = np.finfo(np.float32).max
    if not (-limit < values.min() and values.max() < limit):
        expected = f"{name} of finite numbers that single precision holds"
        raise UnusableError(expected, "NaN, infinity or larger ones among them")


def _pack_labels(labels: NDArray[Any], y: str, count: int) -> NDArray[np.int32]:
    flat = labels.reshape(-1)
    if flat.shape != (count,) or labels.dtype.kind not in "ui":
        expected = f"{y} with a whole number for each of the {count} images (a label), or floats (targets)"
        raise UnusableError(expected, f"{labels.dtype} {labels.shape}")
    if flat.min() < 0 or flat.max() >= MOST_OUTPUTS:
        got = f"values from {flat.min()} to {flat.max()}"
        raise UnusableError(f"{y} with classes from 0 to {MOST_OUTPUTS - 1}", got)
    return flat.astype(np.int32)


def _pack_targets(targets: NDArray[Any], y: str, count: int) -> NDArray[np.float32]:
    shape = targets.shape
    if len(shape) not in (1, 2) or shape[0] != count or targets.dtype.kind != "f" or 0 in shape:
        raise UnusableError(f"{y} of floats shaped ({count},) or ({count}, targets)", f"{targets.dtype} {shape}")
    if targets.size // count > MOST_OUTPUTS:
        raise UnusableError(f"{y} with at most {MOST_OUTPUTS:,} targets an image", f"{targets.size // count:,}")
    _check_finite(targets, y)
    if targets.min() == targets.max():
        raise UnusableError(f"{y} with targets that differ", f"{targets.min():g} throughout")
    return targets.reshape(count, -1).astype(np.float32)


def _count_classes(pool: NDArray[Any], test: NDArray[Any], y: str) -> int:
    """The number of classes in labels (n,); each has an image among those that training is drawn from."""
    classes = 1 + int(max(pool.max(), test.max()))
    if classes < 2:
        raise UnusableError("labels of at least two classes, counted from 0", "one class")
    if missing := sorted(set(range(classes)) - set(pool.tolist())):
        named = ", ".join(map(str, missing[:10])) + (", …" if len(missing) > 10 else "")
        raise UnusableError(f"{y} with images of every class from 0 to {classes - 1}", f"none of class {named}")
    return classes
