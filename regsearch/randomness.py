"""Every random number of a study, each from a stream of its own that follows from the seed alone.

So the same seed gives every lambda and penalty the same split, start and batches: comparisons are paired.
"""

import numpy as np
from numpy.typing import NDArray

SPLIT, NOISE, START, BATCHES, DROPOUT, TEST_SPLIT, VALIDATION_SPLIT = range(7)


def make_stream(seed: int, purpose: int, *index: int) -> np.random.Generator:
    """The generator of one purpose; `index` numbers the layer, the width or the epoch."""
    return np.random.default_rng([seed, purpose, *index])


def draw_layer_seed(seed: int, purpose: int, *layer: int) -> int:
    """A Keras seed for one layer's start or dropout masks; `layer` is the layer's place in the network.

    NumPy fills short keys up with zeros, so that (2,) and (2, 0) are one stream: no two layers may differ in
    that alone.
    """
    return int(make_stream(seed, purpose, *layer).integers(2**31))


def draw_batches(seed: int, epoch: int, size: int, batch_size: int, steps: int | None = None) -> NDArray[np.int32]:
    """The shuffled training indices of one epoch.

    Args:
        seed: the trial's seed.
        epoch: counted from 1.
        size: the number of training images.
        batch_size: images a step; the last, smaller batch of a pass is filled up from the same shuffle.
        steps: how many; one pass unless given. Each pass has a shuffle of its own.

    Returns:
        Indices, (steps, batch_size).
    """
    shuffles, in_pass = make_stream(seed, BATCHES, epoch), -(-size // batch_size)
    passes = 1 if steps is None else -(-steps // in_pass)
    order = np.concatenate([np.resize(shuffles.permutation(size), (in_pass, batch_size)) for _ in range(passes)])
    return order[:steps].astype(np.int32)
