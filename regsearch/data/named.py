"""The datasets that have a name: what they hold, where they come from, how they are read. Needs no TensorFlow."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from regsearch.data import archives, download
from regsearch.data.archives import Pair
from regsearch.data.download import Watch
from regsearch.data.kinds import Facts, Images, Kept, Refusal, kept

NAMED = {
    "digits": Facts((8, 8, 1), 10, 1797, 0, "digits"),
    "mnist": Facts((28, 28, 1), 10, 60_000, 10_000, "mnist", kept_bytes=1),
    "fashion_mnist": Facts((28, 28, 1), 10, 60_000, 10_000, "fashion_mnist", kept_bytes=1),
    "cifar10": Facts((32, 32, 3), 10, 50_000, 10_000, "cifar10", kept_bytes=1),
    "cifar100": Facts((32, 32, 3), 100, 50_000, 10_000, "cifar100", kept_bytes=1),
}

READERS: dict[str, Callable[[Sequence[Path]], tuple[Pair, Pair]]] = {
    "mnist": archives.mnist,
    "fashion_mnist": archives.fashion_mnist,
    "cifar10": archives.cifar10,
    "cifar100": archives.cifar100,
}


def digits() -> Images:
    """Scikit-learn's digits, from 0..16 to 0..1."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return Images(((images / 16.0).reshape(-1, 8, 8, 1).astype(np.float32), labels.astype(np.int32)), None, 10)


def load(name: str, path: Path | None, refuse: Refusal, watch: Watch | None) -> Images:
    """One of the datasets that come over the network.

    Args:
        name: of the dataset.
        path: where its file, or the folder of its files, lies already; None for the cache or a download.
        refuse: makes the error.
        watch: told of a download as it goes on.

    Raises:
        DatasetError: a file cannot be had, or is not what it should be.
    """
    paths = download.fetched(name, refuse, watch) if path is None else download.given(name, path, refuse)
    train, test = READERS[name](paths)
    return Images(_kept(train), _kept(test), NAMED[name].outputs)


def _kept(pair: Pair) -> Kept:
    images, labels = pair
    return kept(np.ascontiguousarray(images)), labels.reshape(-1).astype(np.int32)
