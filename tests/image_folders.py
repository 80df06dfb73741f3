"""Folders of small images of random colours, and specs of them."""

import numpy as np
from conftest import parsed
from PIL import Image

SMALL = [("train: 64", "train: 10"), ("validation: 50", "validation: 4"), ("test: 50", "test: 4")]
SMALL += [("batch_size: 32", "batch_size: 5")]


def draw(folder, counts, size=(9, 7), seed=0):
    """Images of random colours: so many of each class; of class "" in the folder itself."""
    rng = np.random.default_rng(seed)
    for name, count in counts.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def spec(folder, size="[9, 7]", color="rgb"):
    """A spec of a folder."""
    named = f"name: images\n  path: {folder}\n  size: {size}\n  color: {color}"
    return parsed(("name: digits", named), *SMALL)
