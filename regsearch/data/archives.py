"""The datasets that have a name: what they hold, and their authors' files → images. Runs no code of the files."""

import gzip
import pickle
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from regsearch.data import download
from regsearch.data.download import Watch
from regsearch.data.kinds import Facts, Images, pack
from regsearch.data.memory import recall_images, stamp

Pair = tuple[NDArray[np.uint8], NDArray[Any]]
"""Images (n, height, width) or (n, height, width, channels), and labels (n,)."""

NAMED = {
    "digits": Facts((8, 8, 1), 10, 1797, 0, "digits"),
    "mnist": Facts((28, 28, 1), 10, 60_000, 10_000, "mnist", kept_bytes=1),
    "fashion_mnist": Facts((28, 28, 1), 10, 60_000, 10_000, "fashion_mnist", kept_bytes=1),
    "cifar10": Facts((32, 32, 3), 10, 50_000, 10_000, "cifar10", kept_bytes=1),
    "cifar100": Facts((32, 32, 3), 100, 50_000, 10_000, "cifar100", kept_bytes=1),
}


def describe(name: str, path: Path | None) -> Facts:
    """What a named dataset holds. Downloads nothing; what lies at a path is checked, as by `load`."""
    if path is not None:
        download.check(name, path)
    return NAMED[name]


def load(name: str, path: Path | None, watch: Watch | None) -> Images:
    """The images of a named dataset.

    Args:
        name: of the dataset.
        path: where its file, or the folder of its files, lies already; None for the cache or a download.
        watch: told of a download as it goes on.

    Raises:
        UnusableError: a file cannot be had, or is not what it should be.
    """
    if name == "digits":
        return recall_images(name, _read_digits)
    paths = download.fetch(name, watch) if path is None else download.check(name, path)
    return recall_images((name, *map(stamp, paths)), lambda: _read(name, paths))


def _read(name: str, paths: Sequence[Path]) -> Images:
    pairs = READERS[name](paths)
    pool, test = ((pack(np.ascontiguousarray(x)), y.reshape(-1).astype(np.int32)) for x, y in pairs)
    return Images(pool, test, NAMED[name].outputs, divisor=255)


def _read_digits() -> Images:
    """Scikit-learn's digits, from 0..16 to 0..1."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return Images(
        ((images / 16.0).reshape(-1, 8, 8, 1).astype(np.float32), labels.astype(np.int32)), None, 10, divisor=16
    )


def read_mnist(paths: Sequence[Path]) -> tuple[Pair, Pair]:
    """Training and test data of `mnist.npz`."""
    with np.load(paths[0], allow_pickle=False) as file:
        return (file["x_train"], file["y_train"]), (file["x_test"], file["y_test"])


def read_fashion_mnist(paths: Sequence[Path]) -> tuple[Pair, Pair]:
    """Training images and labels, test images and labels: four IDX files."""
    images, labels, test_images, test_labels = map(_read_idx, paths)
    return (images, labels), (test_images, test_labels)


def read_cifar(paths: Sequence[Path], train: Sequence[str], test: str, labels: bytes) -> tuple[Pair, Pair]:
    """The named batches of a tar archive, each pickled, with the labels under a key; images lie channel by channel.

    The archive is read once from start to end and never unpacked to disk.
    """
    batches = {}
    with tarfile.open(paths[0], "r|gz") as archive:
        for member in archive:
            if member.name in (*train, test) and (file := archive.extractfile(member)):
                batch = unpickle(file)
                images = batch[b"data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
                batches[member.name] = images, np.asarray(batch[labels])
    images, answers = zip(*(batches[name] for name in train), strict=True)
    return (np.concatenate(images), np.concatenate(answers)), batches[test]


_TEN, _HUNDRED = "cifar-10-batches-py", "cifar-100-python"
READERS: dict[str, Callable[[Sequence[Path]], tuple[Pair, Pair]]] = {
    "mnist": read_mnist,
    "fashion_mnist": read_fashion_mnist,
    "cifar10": lambda paths: read_cifar(
        paths, [f"{_TEN}/data_batch_{n}" for n in range(1, 6)], f"{_TEN}/test_batch", b"labels"
    ),
    "cifar100": lambda paths: read_cifar(paths, [f"{_HUNDRED}/train"], f"{_HUNDRED}/test", b"fine_labels"),
}


def _read_idx(path: Path) -> NDArray[np.uint8]:
    """The array of a gzipped IDX file: two zeros, 8 for bytes, the number of axes, their sizes, the bytes."""
    with gzip.open(path) as file:
        content = file.read()
    axes = content[3]
    sizes = np.frombuffer(content, ">u4", axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(sizes)


_NEEDED = {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype} | {
    (f"numpy.{core}.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0] for core in ("core", "_core")
}
"""What stands for an array in a pickle, by its name in NumPy 1 or 2."""


class _Unpickler(pickle.Unpickler):
    """Makes arrays and plain values, and nothing else: a pickle may name any function to call."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _NEEDED:
            raise pickle.UnpicklingError(f"expected plain arrays, got {module}.{name}")
        return _NEEDED[module, name]


def unpickle(file: IO[bytes]) -> Any:
    """The arrays and plain values of a pickle of Python 2 or 3, text as bytes.

    Raises:
        pickle.UnpicklingError: it holds anything else.
    """
    return _Unpickler(file, encoding="bytes").load()
