"""A file of the user's own: arrays of images with labels, or with targets that are numbers."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regsearch.data.kinds import Facts, Images, Kept, Loss, Refusal, kept

ARRAYS = ("x", "y", "x_train", "y_train", "x_test", "y_test")
MOST_CLASSES = 100_000
MOST_TARGETS = 100_000


def shape(path: Path, refuse: Refusal) -> Facts:
    """What the file holds; its content is told by the digest of its bytes.

    Raises:
        DatasetError: as `load`.
    """
    images = load(path, refuse)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()[:16]
    x, test = images.pool[0], images.test
    height, width, channels = x.shape[1:]
    return Facts(
        image=(height, width, channels),
        outputs=images.outputs,
        pool=len(x),
        test=0 if test is None else len(test[0]),
        content=f"npz-{digest}",
        loss=images.loss,
        kept_bytes=x.itemsize,
    )


def load(path: Path, refuse: Refusal) -> Images:
    """Arrays `x`, `y`, or `x_train`, `y_train`, `x_test`, `y_test` as in Keras's own files; pickles are refused.

    Whole numbers in `y` are labels, floats are targets.

    Args:
        path: of the file.
        refuse: makes the error.

    Raises:
        DatasetError: the file cannot be read, or its arrays cannot be trained on.
    """
    arrays, names = _read(path, refuse)
    own_split = "x_train" in arrays
    needed = {"x_train", "y_train"} if own_split else {"x", "y"}
    if not needed <= set(arrays) or ("x_test" in arrays) != ("y_test" in arrays):
        raise refuse("the arrays x and y, or x_train, y_train and, if wanted, x_test, y_test", names)
    pairs = [("x_train", "y_train"), ("x_test", "y_test")] if own_split else [("x", "y")]
    pairs = [(x, y) for x, y in pairs if x in arrays]
    if len(pairs) == 2:
        _alike(arrays, refuse)
    numeric = arrays[pairs[0][1]].dtype.kind == "f"
    loss: Loss = "squared_error" if numeric else "cross_entropy"
    parts: list[Kept] = []
    for x, y in pairs:
        images = _images(arrays.pop(x), x, refuse)
        read = _targets if numeric else _labels
        parts.append((images, read(arrays[y], y, len(images), refuse)))
    classes = parts[0][1].shape[1] if numeric else _classes([labels for _, labels in parts], pairs[0][1], refuse)
    return Images(parts[0], parts[1] if len(parts) == 2 else None, classes, loss)


def _read(path: Path, refuse: Refusal) -> tuple[dict[str, NDArray[Any]], str]:
    """The file's arrays that have a known name, and the names of all."""
    if path.exists() and not path.is_file():  # to open a pipe would wait for its writer
        raise refuse("a readable .npz file", "a folder" if path.is_dir() else "no regular file")
    try:
        with path.open("rb") as stream:
            file = np.load(stream, allow_pickle=False)
            if isinstance(file, np.lib.npyio.NpzFile):
                return {name: file[name] for name in ARRAYS if name in file}, ", ".join(file.files) or "none"
    except OSError as error:
        raise refuse("a readable .npz file", error.strerror or str(error)) from None
    except Exception as error:  # a damaged file raises nearly anything in zipfile, zlib and NumPy
        reason = str(error).partition(". ")[0] or type(error).__name__
        raise refuse("an .npz file of plain numeric arrays (pickled objects are never loaded)", reason) from None
    raise refuse("an .npz file of several arrays", "a single array")


def _alike(arrays: dict[str, NDArray[Any]], refuse: Refusal) -> None:
    """Training and test arrays are of the same kind, so that both are scaled and scored alike."""
    shapes = [_image(arrays[x]) for x in ("x_test", "x_train")]
    if shapes[0] != shapes[1]:
        raise refuse("x_test with images like x_train's", f"{shapes[0]} and {shapes[1]}")
    for train, test, why in (("x_train", "x_test", "scaled"), ("y_train", "y_test", "scored")):
        kinds = [arrays[name].dtype for name in (train, test)]
        if kinds[0] != kinds[1] and (why == "scaled" or "f" in (kinds[0].kind, kinds[1].kind)):
            raise refuse(
                f"{train} and {test} of one type, so that both are {why} alike", f"{kinds[0]} and {kinds[1]}"
            )
    columns = [arrays[y].reshape(len(arrays[y]), -1).shape[1] if arrays[y].size else 0 for y in ("y_test", "y_train")]
    if arrays["y_train"].dtype.kind == "f" and columns[0] != columns[1]:
        raise refuse("y_test with as many targets an image as y_train", f"{columns[0]} and {columns[1]}")


def _image(images: NDArray[Any]) -> tuple[int, ...]:
    """The shape of one image, with its channel axis."""
    return (*images.shape[1:], 1) if images.ndim == 3 else images.shape[1:]


def _images(images: NDArray[Any], x: str, refuse: Refusal) -> Any:
    """Images in the form they are kept, (n, height, width, channels)."""
    if images.ndim not in (3, 4) or images.dtype.kind not in "uif" or 0 in images.shape:
        raise refuse(f"{x} of numbers shaped (n, height, width[, channels])", f"{images.dtype} {images.shape}")
    if images.dtype.kind == "f" and not _held_by_single_precision(images):
        raise refuse(f"{x} of finite numbers that single precision holds", "NaN, infinity or larger ones among them")
    return kept(images)


def _held_by_single_precision(values: NDArray[Any]) -> bool:
    """Whether all are finite and not too large; NaN compares as neither. Makes no copy."""
    limit = np.finfo(np.float32).max
    return bool(-limit < values.min() and values.max() < limit)


def _labels(labels: NDArray[Any], y: str, count: int, refuse: Refusal) -> NDArray[np.int32]:
    """Labels (n,) from 0."""
    flat = labels.reshape(-1)
    if flat.shape != (count,) or labels.dtype.kind not in "ui":
        expected = f"{y} with a whole number for each of the {count} images (a label), or floats (targets)"
        raise refuse(expected, f"{labels.dtype} {labels.shape}")
    if flat.min() < 0 or flat.max() >= MOST_CLASSES:
        raise refuse(f"{y} with classes from 0 to {MOST_CLASSES - 1}", f"values from {flat.min()} to {flat.max()}")
    return flat.astype(np.int32)


def _targets(targets: NDArray[Any], y: str, count: int, refuse: Refusal) -> NDArray[np.float32]:
    """Targets that are numbers, (n, q)."""
    shape = targets.shape
    if len(shape) not in (1, 2) or shape[0] != count or targets.dtype.kind != "f" or 0 in shape:
        raise refuse(f"{y} of floats shaped ({count},) or ({count}, targets)", f"{targets.dtype} {shape}")
    if targets.size // count > MOST_TARGETS:
        raise refuse(f"{y} with at most {MOST_TARGETS:,} targets an image", f"{targets.size // count:,}")
    if not _held_by_single_precision(targets):
        raise refuse(f"{y} of finite numbers that single precision holds", "NaN, infinity or larger ones among them")
    if targets.min() == targets.max():
        raise refuse(f"{y} with targets that differ", f"{targets.min():g} throughout")
    return targets.reshape(count, -1).astype(np.float32)


def _classes(labels: list[Any], y: str, refuse: Refusal) -> int:
    """The number of classes; each has an image among those that training is drawn from."""
    classes = 1 + max(int(part.max()) for part in labels)
    if classes < 2:
        raise refuse("labels of at least two classes, counted from 0", "one class")
    if missing := sorted(set(range(classes)) - set(labels[0].tolist())):
        named = ", ".join(map(str, missing[:10])) + (", …" if len(missing) > 10 else "")
        raise refuse(f"{y} with images of every class from 0 to {classes - 1}", f"none of class {named}")
    return classes
