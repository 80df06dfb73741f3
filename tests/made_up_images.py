"""Scikit-learn's digits enlarged to the shapes of MNIST and CIFAR, as many as are asked for, with noise."""

import numpy as np
from sklearn.datasets import load_digits


def enlarged(count, side, channels, seed=0):
    """Bytes (count, side, side, channels) and labels (count,).

    Args:
        count: of images; the digits are repeated, each time with other noise.
        side: height and width, at least 24.
        channels: of an image, which differ in their noise alone.
        seed: of the noise.
    """
    digits, labels = load_digits(return_X_y=True)
    large = np.kron((digits * 15).reshape(-1, 8, 8).astype(np.uint8), np.ones((3, 3), np.uint8))
    before = (side - 24) // 2
    large = np.pad(large, ((0, 0), *[(before, side - 24 - before)] * 2))[..., None]
    rows = np.arange(count) % len(large)
    noise = np.random.default_rng(seed)
    images = np.empty((count, side, side, channels), np.uint8)
    for start in range(0, count, 5000):
        some = large[rows[start : start + 5000]]
        images[start : start + 5000] = some + noise.integers(0, 16, (*some.shape[:3], channels), dtype=np.uint8)
    return images, labels[rows].astype(np.uint8)
