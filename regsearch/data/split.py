"""One seed's training, validation and test data, drawn from a dataset."""

import numpy as np
from numpy.typing import NDArray

from regsearch.data import planted
from regsearch.data.kinds import Arrays, Images, Kept, Split, scale
from regsearch.randomness import NOISE, SPLIT, TEST_SPLIT, VALIDATION_SPLIT, make_stream
from regsearch.spec import Dataset, Planted

Rows = NDArray[np.int64]

AT_ONCE = 1024
"""Images whose squares are added up at a time, so that no second copy of a large training set is made."""


def split(images: Images | None, dataset: Dataset, train_size: int, seed: int, width: int | None = None) -> Split:
    """One seed's training, validation and test data, disjoint and shuffled; of planted data, drawn for the width.

    Label noise redraws a share of the training labels, and the same or another of the validation labels, uniformly
    among all classes (so some keep their class); test labels stay as they are.

    Args:
        images: the dataset; None for planted data.
        dataset: what the spec asks of it.
        train_size: training images; fewer are part of more, and the validation and test data of both are the same.
        seed: of the split, the noise and the draw.
        width: of the network, which planted data follow.
    """
    if images is None:
        assert isinstance(dataset, Planted), "all others have images"
        assert width is not None, "the spec requires widths of planted data"
        parts = planted.draw(dataset.exponent, width, seed, dataset.validation, dataset.test, train_size)
        return Split(parts[2], parts[0], parts[1], parts[2][1].shape[1], "squared_error")
    pool, own = images.pool, images.validation
    test_rows, validation_rows, train_rows = _draw_rows(images, dataset, train_size, seed)
    trained_on, validated_on = pool, own or pool
    if images.loss == "cross_entropy":
        noise, share = make_stream(seed, NOISE), dataset.label_noise
        other = share if dataset.validation_noise is None else dataset.validation_noise
        trained_on, validated_on = _redraw(pool, (share, other), images.outputs, noise)
        if own:
            _, validated_on = _redraw(own, (share, other), images.outputs, noise)
    train, validation = _take(trained_on, train_rows), _take(validated_on, validation_rows)
    test = _take(images.test or images.pool, test_rows)
    if dataset.standardise:
        _standardise(train[0], [part[0] for part in (train, validation, test)])
    return Split(train, validation, test, images.outputs, images.loss)


def find_untrained_classes(images: Images, dataset: Dataset, train_size: int, seed: int) -> list[int]:
    """The classes of which one seed's training data has no image; a network cannot learn these."""
    if images.loss != "cross_entropy":
        return []
    *_, train = _draw_rows(images, dataset, train_size, seed)
    return sorted(set(range(images.outputs)) - set(images.pool[1][train].tolist()))


def _draw_rows(images: Images, dataset: Dataset, train_size: int, seed: int) -> tuple[Rows, Rows, Rows]:
    """Which images one seed's test, validation (of their own sets, where there are these) and training data are."""
    order = make_stream(seed, SPLIT).permutation(len(images.pool[0]))
    if images.test is None:
        test, order = order[: dataset.test], order[dataset.test :]
    else:
        test = make_stream(seed, TEST_SPLIT).permutation(len(images.test[0]))[: dataset.test]
    if images.validation is None:
        validation, order = order[: dataset.validation], order[dataset.validation :]
    else:
        validation = make_stream(seed, VALIDATION_SPLIT).permutation(len(images.validation[0]))[: dataset.validation]
    return test, validation, order[:train_size]


def _redraw(data: Kept, shares: tuple[float, float], classes: int, noise: np.random.Generator) -> tuple[Kept, Kept]:
    """The data with either share of the labels redrawn; the smaller share is part of the larger."""
    x, y = data
    places, drawn = noise.random(len(y)), noise.integers(classes, size=len(y))
    one, other = ((x, np.where(places < share, drawn, y).astype(np.int32)) for share in shares)
    return one, other


def _take(data: Kept, rows: Rows) -> Arrays:
    x, y = data
    return scale(x[rows]), y[rows]


def _standardise(fitted_on: NDArray[np.float32], parts: list[NDArray[np.float32]]) -> None:
    """Takes each channel's mean and deviation in `fitted_on` out of all parts; of a constant, only the mean."""
    axes = (0, 1, 2)
    mean = fitted_on.mean(axis=axes, dtype=np.float64)
    chunks = (fitted_on[first : first + AT_ONCE] for first in range(0, len(fitted_on), AT_ONCE))
    squares = sum(np.square(chunk - mean).sum(axis=axes) for chunk in chunks)
    deviation = np.sqrt(squares / (fitted_on.size // fitted_on.shape[-1]))
    constant = fitted_on.min(axis=axes) == fitted_on.max(axis=axes)
    deviation[constant] = 1.0
    for part in parts:
        part -= mean.astype(np.float32)
        part /= deviation.astype(np.float32)
