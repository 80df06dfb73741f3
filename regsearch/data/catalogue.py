"""A spec's dataset, whichever it is: what it holds, held against what the spec asks, and its images."""

from collections.abc import Iterator
from contextlib import contextmanager

from regsearch.data import archives, download, images, npz, planted, summary
from regsearch.data.archives import NAMED
from regsearch.data.download import Watch, find_cache
from regsearch.data.kinds import Facts, Images, UnusableError, spell
from regsearch.data.paths import expand, find_path
from regsearch.data.summary import Summary
from regsearch.errors import DatasetError
from regsearch.spec import DOWNLOADED, Dataset, ImageFolder, Npz, Planted, Spec

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


def list_datasets() -> list[dict[str, object]]:
    """Every dataset that a spec may name, and what is known of it without its files.

    Returns:
        Of each its `name`, the shape of an `image`, its `classes`, the `images` that data are drawn from, the
        `test_images` of its own test set, its `source`, and the folder in the `cache` that a download is kept in.
    """
    return [
        {
            "name": name,
            "image": facts and list(facts.image),
            "classes": facts and facts.outputs,
            "images": facts and facts.pool,
            "test_images": facts and facts.test,
            "source": source,
            "cache": str(find_cache() / name) if name in DOWNLOADED else None,
        }
        for name, source in SOURCES.items()
        for facts in [NAMED.get(name)]
    ]


def describe(spec: Spec) -> Facts:
    """What the spec's dataset holds, held against what the spec asks of it. Downloads nothing.

    While files stay as they are, this and `load` read them once a process, however often they are called.

    Raises:
        DatasetError: a file cannot be used, or there are too few images.
    """
    dataset = spec.dataset
    with _errors_of(spec):
        facts = _describe(dataset)
    for noise in ("label_noise", "validation_noise") if facts.loss == "squared_error" else ():
        if share := getattr(dataset, noise):
            message = f"expected no {noise} with targets that are numbers, got {share:g}"
            raise DatasetError(spec.problem(("dataset", noise), message))
    own = {"validation": facts.validation, "test": facts.test}
    drawn = [part for part, count in own.items() if not count]
    beside = sum(getattr(dataset, part) for part in drawn)
    for index, train in enumerate(spec.train_sizes()):
        if train + beside > facts.pool:
            location = ("grid", "train_sizes", index) if spec.grid.train_sizes else ("dataset", "train")
            parts = " + ".join(["train", *drawn])
            message = f"expected {parts} of at most {facts.pool} images in {dataset.name}, got {train + beside}"
            raise DatasetError(spec.problem(location, message))
    for part, count in own.items():
        if 0 < count < (asked := getattr(dataset, part)):
            message = f"expected at most the {count} {part} images of {dataset.name}, got {asked}"
            raise DatasetError(spec.problem(("dataset", part), message))
    return facts


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
    with _errors_of(spec):
        if isinstance(dataset, Planted):
            return None
        if isinstance(dataset, Npz):
            return npz.load(expand(dataset.path))
        if isinstance(dataset, ImageFolder):
            return images.load(expand(dataset.path), dataset.size, dataset.color)
        return archives.load(dataset.name, find_path(dataset), watch)


def summarise(spec: Spec, facts: Facts) -> Summary:
    """What is seen of the spec's dataset, whose every image is read where it is on this machine. Downloads nothing.

    Raises:
        DatasetError: an image is broken.
    """
    name, path = spec.dataset.name, find_path(spec.dataset)
    away = name in DOWNLOADED and path is None and not download.is_here(name)
    return summary.summarise(spec.dataset, facts, None if away else load(spec))


def _describe(dataset: Dataset) -> Facts:
    if isinstance(dataset, Planted):
        return planted.describe(dataset.exponent)
    if isinstance(dataset, Npz):
        return npz.describe(expand(dataset.path), dataset.standardise)
    if isinstance(dataset, ImageFolder):
        return images.describe(expand(dataset.path), dataset.size, dataset.color)
    return archives.describe(dataset.name, find_path(dataset))


@contextmanager
def _errors_of(spec: Spec) -> Iterator[None]:
    """Turns what is wrong with a dataset into an error of the spec's line that names it."""
    try:
        yield
    except UnusableError as error:
        path = find_path(spec.dataset)
        key, subject = ("name", error.path) if path is None else ("path", error.path or path)
        message = f"{f'{subject}: ' if subject else ''}expected {error.expected}, got {error.got}"
        raise DatasetError(spec.problem(("dataset", key), spell(message))) from None
