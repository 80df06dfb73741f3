"""The files of the named datasets, in the formats of their authors → arrays of bytes. Runs no code of theirs."""

import gzip
import pickle
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

Pair = tuple[NDArray[np.uint8], NDArray[Any]]
"""Images (n, height, width) or (n, height, width, channels), and labels (n,)."""


def mnist(paths: Sequence[Path]) -> tuple[Pair, Pair]:
    """Training and test data of `mnist.npz`."""
    with np.load(paths[0], allow_pickle=False) as file:
        return (file["x_train"], file["y_train"]), (file["x_test"], file["y_test"])


def fashion_mnist(paths: Sequence[Path]) -> tuple[Pair, Pair]:
    """Training images and labels, test images and labels: four IDX files."""
    images, labels, test_images, test_labels = map(_idx, paths)
    return (images, labels), (test_images, test_labels)


def cifar10(paths: Sequence[Path]) -> tuple[Pair, Pair]:
    """Five batches of training data and one of test data, pickled, in one tar archive."""
    batches = [f"cifar-10-batches-py/data_batch_{number}" for number in range(1, 6)]
    test = "cifar-10-batches-py/test_batch"
    found = _cifar(paths[0], [*batches, test], b"labels")
    images, labels = zip(*(found[name] for name in batches), strict=True)
    return (np.concatenate(images), np.concatenate(labels)), found[test]


def cifar100(paths: Sequence[Path]) -> tuple[Pair, Pair]:
    """Training and test data with the labels of the hundred classes, pickled, in one tar archive."""
    train, test = "cifar-100-python/train", "cifar-100-python/test"
    found = _cifar(paths[0], [train, test], b"fine_labels")
    return found[train], found[test]


def _idx(path: Path) -> NDArray[np.uint8]:
    """The array of a gzipped IDX file: two zeros, 8 for bytes, the number of axes, their sizes, the bytes."""
    with gzip.open(path) as file:
        content = file.read()
    axes = content[3]
    sizes = np.frombuffer(content, ">u4", axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(sizes)


def _cifar(path: Path, names: Sequence[str], labels: bytes) -> dict[str, Pair]:
    """Each named batch: images (n, 32, 32, 3), kept channel by channel, and its labels.

    The archive is read once from start to end and never unpacked to disk.
    """
    found = {}
    with tarfile.open(path, "r|gz") as archive:
        for member in archive:
            if member.name in names and (file := archive.extractfile(member)):
                batch = unpickle(file)
                images = batch[b"data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
                found[member.name] = images, np.asarray(batch[labels])
    return found


_RECONSTRUCT = np.empty(0).__reduce__()[0]
_NEEDED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
}


class _Unpickler(pickle.Unpickler):
    """Makes arrays and plain values, and nothing else: a pickle may name any function to call."""

    def find_class(self, module: str, name: str) -> Any:
        """What stands for an array, by its name in NumPy 1 or 2."""
        try:
            return _NEEDED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"expected plain arrays, got {module}.{name}") from None


def unpickle(file: IO[bytes]) -> Any:
    """The arrays and plain values of a pickle of Python 2 or 3, text as bytes.

    Raises:
        pickle.UnpicklingError: it holds anything else.
    """
    return _Unpickler(file, encoding="bytes").load()
