"""A dataset's name → its images, and one seed's training, validation and test arrays."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from regsearch import planted
from regsearch.errors import DatasetError
from regsearch.randomness import NOISE, SPLIT, TEST_SPLIT, stream
from regsearch.spec import Dataset, Spec

Arrays = tuple[NDArray[np.float32], NDArray[np.int32] | NDArray[np.float32]]

Loss = Literal["cross_entropy", "squared_error"]
"""The data loss: of labels, or of targets that are numbers."""


@dataclass(frozen=True)
class Shape:
    """What a dataset holds; for named ones known without reading any file.

    Attributes:
        image: (height, width, channels).
        classes: the number of classes, or of targets where they are numbers.
        pool: images that training and validation (and test, where `test` is 0) are drawn from.
        test: images of the dataset's own test set; 0 where it has none.
        content: tells this data from other data under the same name; part of what identifies a trial.
        loss: the data loss that goes with its targets.
        widening: what follows the width of the network: the image's channels, the targets, or nothing.
    """

    image: tuple[int, int, int]
    classes: int
    pool: int
    test: int
    content: str
    loss: Loss = "cross_entropy"
    widening: Literal["channels", "targets"] | None = None

    def at(self, width: int | None) -> "Shape":
        """The shape that a network of this width sees."""
        if self.widening is None or width is None:
            return self
        if self.widening == "targets":
            return replace(self, classes=width)
        return replace(self, image=(*self.image[:2], width))


@dataclass(frozen=True)
class Images:
    """A whole dataset: images (n, height, width, channels) scaled to about 0..1, labels (n,) from 0."""

    pool: Arrays
    test: Arrays | None
    classes: int


@dataclass(frozen=True)
class Split:
    """One seed's data. Images are (n, height, width, channels), labels (n,), targets that are numbers (n, q)."""

    train: Arrays
    validation: Arrays
    test: Arrays
    classes: int
    loss: Loss = "cross_entropy"


NAMED = {
    "digits": Shape((8, 8, 1), 10, 1797, 0, "digits"),
    "mnist": Shape((28, 28, 1), 10, 60_000, 10_000, "mnist"),
    "fashion_mnist": Shape((28, 28, 1), 10, 60_000, 10_000, "fashion_mnist"),
    "cifar10": Shape((32, 32, 3), 10, 50_000, 10_000, "cifar10"),
    "cifar100": Shape((32, 32, 3), 100, 50_000, 10_000, "cifar100"),
}

SOURCES = {
    "digits": "built into scikit-learn",
    "mnist": "downloaded by Keras, 11 MB",
    "fashion_mnist": "downloaded by Keras, 30 MB",
    "cifar10": "downloaded by Keras, 163 MB",
    "cifar100": "downloaded by Keras, 161 MB",
    "npz": "a file of your own, named by `path`",
    "planted": "made up, with a best lambda that is known",
}
"""Where each dataset that a spec may name comes from."""


def shape(spec: Spec) -> Shape:
    """What the spec's dataset holds, held against what the spec asks of it. Downloads nothing.

    Raises:
        DatasetError: a file cannot be used, or there are too few images.
    """
    if spec.dataset.name == "planted":
        return _planted_shape(spec)
    found = NAMED[spec.dataset.name] if spec.dataset.name in NAMED else _npz_shape(spec)
    asked = spec.dataset.validation + (0 if found.test else spec.dataset.test)
    for index, train in enumerate(spec.train_sizes()):
        if train + asked > found.pool:
            where = ("grid", "train_sizes", index) if spec.grid.train_sizes else ("dataset", "train")
            parts = "train + validation" if found.test else "train + validation + test"
            message = f"expected {parts} of at most {found.pool} images in {spec.dataset.name}, got {train + asked}"
            raise DatasetError(spec.problem(where, message))
    if found.test and spec.dataset.test > found.test:
        message = f"expected at most the {found.test} test images of {spec.dataset.name}, got {spec.dataset.test}"
        raise DatasetError(spec.problem(("dataset", "test"), message))
    return found


def load(spec: Spec) -> Images | None:
    """The spec's dataset, downloaded by Keras on first use where it is one of Keras's.

    None for `planted`, which `split` draws.

    Raises:
        DatasetError: it cannot be had.
    """
    loaders: dict[str, Callable[[Spec], Images | None]] = {"digits": _digits, "npz": _npz, "planted": lambda _: None}
    return loaders.get(spec.dataset.name, _from_keras)(spec)


def split(images: Images | None, dataset: Dataset, train_size: int, seed: int, width: int | None = None) -> Split:
    """One seed's training, validation and test data, disjoint and shuffled; of planted data, drawn for the width.

    Validation and test do not depend on the training-set size, and a smaller training set is part of a
    larger one. Label noise redraws a share of the training and validation labels uniformly among all
    classes (so some keep their class); test labels stay as they are.
    """
    if images is None:
        assert dataset.exponent is not None, "the spec requires an exponent of planted data"
        assert width is not None, "and widths"
        parts = planted.draw(dataset.exponent, width, seed, dataset.validation, dataset.test, train_size)
        return Split(parts[2], parts[0], parts[1], parts[2][1].shape[1], "squared_error")
    x, y = images.pool
    test_rows, validation, train = _rows(images, dataset, train_size, seed)
    tested = images.test or images.pool
    test = tested[0][test_rows], tested[1][test_rows]
    noise = stream(seed, NOISE)
    redrawn = noise.random(len(y)) < dataset.label_noise
    noisy = np.where(redrawn, noise.integers(images.classes, size=len(y)), y).astype(np.int32)
    return Split((x[train], noisy[train]), (x[validation], noisy[validation]), test, images.classes)


def untrained_classes(images: Images, dataset: Dataset, train_size: int, seed: int) -> list[int]:
    """The classes of which one seed's training data has no image; a network cannot learn these."""
    *_, train = _rows(images, dataset, train_size, seed)
    return sorted(set(range(images.classes)) - set(images.pool[1][train].tolist()))


def _rows(images: Images, dataset: Dataset, train_size: int, seed: int) -> tuple[NDArray[np.int64], ...]:
    """Which images one seed's test (of its own set, where there is one), validation and training data are."""
    order = stream(seed, SPLIT).permutation(len(images.pool[0]))
    if images.test is None:
        test, order = order[: dataset.test], order[dataset.test :]
    else:
        test = stream(seed, TEST_SPLIT).permutation(len(images.test[0]))[: dataset.test]
    return test, order[: dataset.validation], order[dataset.validation :][:train_size]


def _planted_shape(spec: Spec) -> Shape:
    """At width 1; the data are drawn anew for every seed, as many as are asked for."""
    exponent = spec.dataset.exponent
    assert exponent is not None, "the spec requires an exponent of planted data"
    channels, targets = planted.sizes(exponent, 1)
    widening: Literal["channels", "targets"] = "targets" if exponent < 0 else "channels"
    image = (planted.SIDE, planted.SIDE, channels)
    return Shape(image, targets, 2**31, 2**31, "planted", "squared_error", widening)


def _digits(_: Spec) -> Images:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    pool = (images / 16.0).reshape(-1, 8, 8, 1).astype(np.float32), labels.astype(np.int32)
    return Images(pool, None, 10)


def _from_keras(spec: Spec) -> Images:
    import keras

    name = spec.dataset.name
    try:
        train, test = getattr(keras.datasets, name).load_data()
    except Exception as error:  # urllib, tarfile, pickle and Keras itself raise many kinds here
        message = (
            f"expected the dataset {name} from Keras's cache or by download, got: {error}. "
            "Check the network, or put the file into Keras's cache (~/.keras/datasets) by hand"
        )
        raise DatasetError(spec.problem(("dataset", "name"), message)) from None
    return Images(_prepared(*train), _prepared(*test), NAMED[name].classes)


def _prepared(images: NDArray[Any], labels: NDArray[Any]) -> Arrays:
    """Bytes are scaled from 0..255 to 0..1, floats stay as they are; a channel axis is added where there is none."""
    scale = 255.0 if images.dtype == np.uint8 else 1.0
    images = (images / scale).astype(np.float32)
    return images.reshape(*images.shape[:3], -1), labels.reshape(-1).astype(np.int32)


def _npz_shape(spec: Spec) -> Shape:
    images = _npz(spec)
    digest = hashlib.sha256(_npz_path(spec).read_bytes()).hexdigest()[:16]
    height, width, channels = images.pool[0].shape[1:]
    test = 0 if images.test is None else len(images.test[0])
    return Shape((height, width, channels), images.classes, len(images.pool[0]), test, f"npz-{digest}")


def _npz_path(spec: Spec) -> Path:
    assert spec.dataset.path is not None, "the spec requires a path with npz"
    path = Path(spec.dataset.path)
    try:
        return path.expanduser()
    except RuntimeError:  # no such user
        return path


def _npz(spec: Spec) -> Images:
    """Arrays `x`, `y`, or `x_train`, `y_train`, `x_test`, `y_test` as in Keras's own files; pickles are refused."""
    path = _npz_path(spec)

    def refuse(expected: str, got: str) -> DatasetError:
        return DatasetError(spec.problem(("dataset", "path"), f"{path}: expected {expected}, got {got}"))

    if path.exists() and not path.is_file():  # to open a pipe would wait for its writer
        raise refuse("a readable .npz file", "a folder" if path.is_dir() else "no regular file")
    try:
        with path.open("rb") as stream:
            file = np.load(stream, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise refuse("an .npz file of several arrays", "a single array")
            arrays = {
                name: file[name] for name in ("x", "y", "x_train", "y_train", "x_test", "y_test") if name in file
            }
            names = ", ".join(file.files) or "none"
    except OSError as error:
        raise refuse("a readable .npz file", error.strerror or str(error)) from None
    except DatasetError:
        raise
    except Exception as error:  # a damaged file raises nearly anything in zipfile, zlib and NumPy
        reason = str(error).partition(". ")[0] or type(error).__name__
        raise refuse("an .npz file of plain numeric arrays (pickled objects are never loaded)", reason) from None
    own_split = "x_train" in arrays
    needed = {"x_train", "y_train"} if own_split else {"x", "y"}
    if not needed <= set(arrays) or ("x_test" in arrays) != ("y_test" in arrays):
        raise refuse("the arrays x and y, or x_train, y_train and, if wanted, x_test, y_test", names)
    pairs = [("x_train", "y_train"), ("x_test", "y_test")] if own_split else [("x", "y")]
    parts = [_checked(arrays[x], arrays[y], x, y, refuse) for x, y in pairs if x in arrays]
    if len(parts) == 2 and parts[0][0].shape[1:] != parts[1][0].shape[1:]:
        raise refuse("x_test with images like x_train's", f"{parts[1][0].shape[1:]} and {parts[0][0].shape[1:]}")
    if own_split and len(parts) == 2 and arrays["x_train"].dtype != arrays["x_test"].dtype:
        kinds = f"{arrays['x_train'].dtype} and {arrays['x_test'].dtype}"
        raise refuse("x_train and x_test of one type, so that both are scaled alike", kinds)
    classes = 1 + max(int(labels.max()) for _, labels in parts)
    if classes < 2:
        raise refuse("labels of at least two classes, counted from 0", "one class")
    if missing := sorted(set(range(classes)) - set(parts[0][1].tolist())):
        named = ", ".join(map(str, missing[:10])) + (", …" if len(missing) > 10 else "")
        raise refuse(f"{pairs[0][1]} with images of every class from 0 to {classes - 1}", f"none of class {named}")
    return Images(parts[0], parts[1] if len(parts) == 2 else None, classes)


def _checked(
    images: NDArray[Any], labels: NDArray[Any], x: str, y: str, refuse: Callable[[str, str], DatasetError]
) -> Arrays:
    """Images and labels in the form that training takes, or a clear error."""
    if images.ndim not in (3, 4) or images.dtype.kind not in "uif" or 0 in images.shape:
        raise refuse(f"{x} of numbers shaped (n, height, width[, channels])", f"{images.dtype} {images.shape}")
    if images.dtype.kind == "f" and not (np.abs(images) < np.finfo(np.float32).max).all():
        raise refuse(f"{x} of finite numbers that single precision holds", "NaN, infinity or larger ones among them")
    flat = labels.reshape(-1)
    if flat.shape != (len(images),) or labels.dtype.kind not in "ui":
        raise refuse(
            f"{y} with a whole number for each of the {len(images)} images", f"{labels.dtype} {labels.shape}"
        )
    if flat.min() < 0 or flat.max() >= 100_000:
        raise refuse(f"{y} with classes from 0 to 99999", f"values from {flat.min()} to {flat.max()}")
    return _prepared(images, labels)
