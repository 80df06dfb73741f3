"""A network's initial weights, drawn in NumPy: the same on every backend, and those that Keras draws with TensorFlow.

TensorFlow's stateless generators count with Philox-4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2,
3", SC 2011), whose counter starts at a scrambled seed.
"""

from math import prod, sqrt

import numpy as np
from numpy.typing import NDArray

from regsearch.randomness import START, draw_layer_seed

_ROUNDS = 10
_MULTIPLIERS = np.array([0xD2511F53, 0xCD9E8D57], np.uint64)
_WEYL = np.array([0x9E3779B9, 0xBB67AE85], np.uint32)
_SCRAMBLING_KEY = np.array([0x3EC8F720, 0x02461E29], np.uint32)
_RESERVED = 256
"""Counts that TensorFlow sets aside for every four numbers of a distribution that rejects some."""
_TRIES = 12
"""Blocks of four tried for four numbers; that fewer of the 48 fall within two standard deviations never happens."""
_CUT = 0.87962566103423978
"""The standard deviation of a normal distribution that is cut off at two."""
_SEEDS = 2**31 - 2
"""Keras takes seeds modulo this."""
_SCALES = {"glorot": 1.0, "he": 2.0, "lecun": 1.0}


def draw_start(initializer: str, shape: tuple[int, ...], seed: int) -> NDArray[np.float32]:
    """The start of a kernel.

    Args:
        initializer: Keras's name of it, such as `glorot_uniform`.
        shape: as Keras has it: of a convolution (height, width, channels, filters).
        seed: a whole number from 0 to 2**31 - 1.
    """
    scheme, _, distribution = initializer.partition("_")
    receptive = prod(shape[:-2])
    fan_in, fan_out = shape[-2] * receptive, shape[-1] * receptive
    variance = _SCALES[scheme] / max(1.0, (fan_in + fan_out) / 2 if scheme == "glorot" else fan_in)
    key, counter = _scramble(seed % _SEEDS)
    if distribution == "uniform":
        limit = np.float32(sqrt(3 * variance))
        values = _draw_uniform(prod(shape), key, counter) * (limit - -limit) + -limit
    else:
        values = _draw_truncated_normal(prod(shape), key, counter) * np.float32(sqrt(variance) / _CUT)
    return values.reshape(shape)


def draw_layer_start(
    initializer: str, shape: tuple[int, ...], seed: int, place: tuple[int, ...], kernel: int = 0
) -> NDArray[np.float32]:
    """The start that follows from a trial's seed, the layer's place and the kernel in it."""
    return draw_start(initializer, shape, draw_layer_seed(seed, START, *place, *((kernel,) if kernel else ())))


def _philox(counters: NDArray[np.uint32], key: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Four random words for each counter, both (n, 4)."""
    x = counters.copy()
    for turn in range(_ROUNDS):
        products = x[:, ::2].astype(np.uint64) * _MULTIPLIERS
        high, low = (products >> np.uint64(32)).astype(np.uint32), products.astype(np.uint32)
        now = key + _WEYL * np.uint32(turn)
        x = np.stack([high[:, 1] ^ x[:, 1] ^ now[0], low[:, 1], high[:, 0] ^ x[:, 3] ^ now[1], low[:, 0]], axis=1)
    return x


def _scramble(seed: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """The key, and the counter to start from."""
    (mixed,) = _philox(np.array([[seed, 0, 0, 0]], np.uint32), _SCRAMBLING_KEY)
    return mixed[:2], np.array([0, 0, *mixed[2:]], np.uint32)


def _count_from(counter: NDArray[np.uint32], steps: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """The counters so many steps on, (n, 4); TensorFlow's starts have a low half of 0, which does not overflow."""
    counters = np.tile(counter, (len(steps), 1))
    counters[:, 0], counters[:, 1] = steps.astype(np.uint32), (steps >> np.uint64(32)).astype(np.uint32)
    return counters


def _to_unit(words: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Words as numbers from 0 to below 1."""
    return ((words & np.uint32(0x7FFFFF)) | np.uint32(0x3F800000)).view(np.float32) - np.float32(1)


def _draw_uniform(count: int, key: NDArray[np.uint32], counter: NDArray[np.uint32]) -> NDArray[np.float32]:
    steps = np.arange(-(-count // 4), dtype=np.uint64)
    return _to_unit(_philox(_count_from(counter, steps), key)).reshape(-1)[:count]


def _draw_truncated_normal(count: int, key: NDArray[np.uint32], counter: NDArray[np.uint32]) -> NDArray[np.float32]:
    groups = -(-count // 4)
    steps = (np.arange(groups)[:, None] * _RESERVED + np.arange(_TRIES)).astype(np.uint64)
    words = _philox(_count_from(counter, steps.reshape(-1)), key).reshape(groups, -1, 2)
    radius = np.sqrt(np.float32(-2) * np.log(np.maximum(_to_unit(words[..., 0]), np.float32(1e-7))))
    angle = np.float32(2 * np.pi) * _to_unit(words[..., 1])
    normal = (np.stack([np.sin(angle), np.cos(angle)], axis=-1) * radius[..., None]).reshape(groups, -1)
    first = np.argsort(np.abs(normal) >= 2, axis=1, kind="stable")[:, :4]
    return np.take_along_axis(normal, first, axis=1).reshape(-1)[:count]
