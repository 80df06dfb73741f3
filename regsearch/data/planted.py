"""A problem whose best L2 lambda is known: ridge regression as a convolution over the whole image.

Images x are (4, 4, channels) of independent standard normal numbers, p = 16·channels of them, and the q
targets are y = x·B + ε with B ~ N(0, τ²) and ε ~ N(0, 1). A Conv2D with q filters of the images' size, no bias
and no activation is linear regression with N = p·q weights. Under the mean squared error over n training images
the best λ·Σw² has λ = 1/(n·q·τ²) on average: there the penalty is the negative logarithm of the prior.
"""

import numpy as np
from numpy.typing import NDArray

from regsearch.data.kinds import Facts
from regsearch.randomness import NOISE, SPLIT, START, make_stream

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]

SIDE = 4
CHANNELS = 4
"""Channels where the width is the number of targets."""
FEATURES = 64
"""1/τ² where τ does not follow the width."""


def describe(exponent: int) -> Facts:
    """What a draw holds at width 1: as many images as are asked for."""
    channels, targets = count_channels_and_targets(exponent, 1)
    image, many = (SIDE, SIDE, channels), 2**31
    return Facts(image, targets, many, many, "planted", "squared_error", "targets" if exponent < 0 else "channels")


def count_channels_and_targets(exponent: int, width: int) -> tuple[int, int]:
    """C and q at a width: it widens the targets for the exponent −1, else the images."""
    return (CHANNELS, width) if exponent < 0 else (width, 1)


def compute_variance(exponent: int, width: int) -> float:
    """τ²: 1/p for the exponent 1, so that ‖B‖ does not grow with p; else the same at every width."""
    return 1 / (SIDE**2 * width) if exponent > 0 else 1 / FEATURES


def draw(exponent: int, width: int, seed: int, validation: int, test: int, train: int) -> tuple[Pair, Pair, Pair]:
    """Validation, test and training data of one draw of the problem, independent of other widths and seeds.

    Args:
        exponent: of the best lambda against the number of weights: 1, 0 or −1.
        width: see `count_channels_and_targets`.
        seed: of the draw.
        validation: images to validate on.
        test: images to test on.
        train: images to train on; fewer are the first of more.

    Returns:
        Images (n, 4, 4, channels) and targets (n, q), three times.
    """
    channels, targets = count_channels_and_targets(exponent, width)
    features, tau = SIDE**2 * channels, np.sqrt(compute_variance(exponent, width))
    weights = make_stream(seed, START, width).normal(size=(features, targets)) * tau
    images, noise = make_stream(seed, SPLIT, width), make_stream(seed, NOISE, width)

    def draw_part(count: int) -> Pair:
        x = images.normal(size=(count, features))
        y = x @ weights + noise.normal(size=(count, targets))
        return x.reshape(count, SIDE, SIDE, channels).astype(np.float32), y.astype(np.float32)

    return draw_part(validation), draw_part(test), draw_part(train)
