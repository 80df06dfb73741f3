"""A spec's dataset, whichever it is: its shape, held against what the spec asks, and its images."""

from pathlib import Path
from typing import Literal

from regsearch.data import download, images, named, npz, planted
from regsearch.data.download import Watch
from regsearch.data.kinds import Facts, Images, Refusal
from regsearch.data.named import NAMED
from regsearch.errors import DatasetError
from regsearch.spec import Digits, Downloaded, ImageFolder, Npz, Planted, Spec

SOURCES = {
    "digits": "built into scikit-learn",
    "mnist": "as Keras has it: downloaded once, 11 MB, from storage.googleapis.com",
    "fashion_mnist": "as Keras has it: downloaded once, 31 MB, from storage.googleapis.com",
    "cifar10": "as Keras has it: downloaded once, 171 MB, from www.cs.toronto.edu",
    "cifar100": "as Keras has it: downloaded once, 169 MB, from www.cs.toronto.edu",
    "npz": "a file of your own, named by `path`",
    "images": "a folder of your own with a folder for each class, named by `path`",
    "planted": "made up, with a best lambda that is known",
}
"""Where each dataset that a spec may name comes from."""


def describe(spec: Spec) -> Facts:
    """What the spec's dataset holds, held against what the spec asks of it. Downloads nothing.

    Raises:
        DatasetError: a file cannot be used, or there are too few images.
    """
    dataset = spec.dataset
    if isinstance(dataset, Planted):
        return _planted(dataset)
    found = _shape(spec, dataset)
    if found.loss == "squared_error" and dataset.label_noise:
        message = f"expected no label_noise with targets that are numbers, got {dataset.label_noise:g}"
        raise DatasetError(spec.problem(("dataset", "label_noise"), message))
    asked = dataset.validation + (0 if found.test else dataset.test)
    for index, train in enumerate(spec.train_sizes()):
        if train + asked > found.pool:
            where = ("grid", "train_sizes", index) if spec.grid.train_sizes else ("dataset", "train")
            parts = "train + validation" if found.test else "train + validation + test"
            message = f"expected {parts} of at most {found.pool} images in {dataset.name}, got {train + asked}"
            raise DatasetError(spec.problem(where, message))
    if found.test and dataset.test > found.test:
        message = f"expected at most the {found.test} test images of {dataset.name}, got {dataset.test}"
        raise DatasetError(spec.problem(("dataset", "test"), message))
    return found


def load(spec: Spec, watch: Watch | None = None) -> Images | None:
    """The spec's dataset, downloaded on first use where it comes over the network.

    Args:
        spec: the study.
        watch: told of a download as it goes on.

    Returns:
        None for `planted`, which `split` draws.

    Raises:
        DatasetError: it cannot be had.
    """
    dataset = spec.dataset
    if isinstance(dataset, Planted):
        return None
    if isinstance(dataset, Digits):
        return named.digits()
    path = None if dataset.path is None else _path(dataset.path)
    refuse = Refusal(spec, "name" if path is None else "path", path)
    if isinstance(dataset, Downloaded):
        return named.load(dataset.name, path, refuse, watch)
    if isinstance(dataset, Npz):
        return npz.load(_path(dataset.path), refuse)
    return images.load(_path(dataset.path), dataset.size, dataset.color, refuse)


def resolve_path(spec: Spec) -> Spec:
    """The spec with the path of its dataset in full, so that it names the same file wherever it is read."""
    dataset = spec.dataset
    if isinstance(dataset, Digits | Planted) or dataset.path is None:
        return spec
    path = str(_path(dataset.path).absolute())
    return spec.model_copy(update={"dataset": dataset.model_copy(update={"path": path})})


def _shape(spec: Spec, dataset: Digits | Downloaded | Npz | ImageFolder) -> Facts:
    """What a dataset that is not drawn holds."""
    if isinstance(dataset, Digits):
        return NAMED[dataset.name]
    path = None if dataset.path is None else _path(dataset.path)
    refuse = Refusal(spec, "path", path)
    if isinstance(dataset, Downloaded):
        if path is not None:
            download.given(dataset.name, path, refuse)
        return NAMED[dataset.name]
    if isinstance(dataset, Npz):
        return npz.shape(_path(dataset.path), refuse)
    return images.shape(_path(dataset.path), dataset.size, dataset.color, refuse)


def _path(written: str) -> Path:
    path = Path(written)
    try:
        return path.expanduser()
    except RuntimeError:  # no such user
        return path


def _planted(dataset: Planted) -> Facts:
    """At width 1; the data are drawn anew for every seed, as many as are asked for."""
    channels, targets = planted.sizes(dataset.exponent, 1)
    widening: Literal["channels", "targets"] = "targets" if dataset.exponent < 0 else "channels"
    image = (planted.SIDE, planted.SIDE, channels)
    return Facts(image, targets, 2**31, 2**31, "planted", "squared_error", widening)
