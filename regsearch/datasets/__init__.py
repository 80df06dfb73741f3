"""A dataset's name → its shape and images, and one seed's training, validation and test arrays."""

from regsearch.datasets.catalogue import SOURCES, absolute, load, shape
from regsearch.datasets.data import Arrays, Images, Loss, Shape, Split
from regsearch.datasets.download import FOLDER, cache
from regsearch.datasets.named import NAMED
from regsearch.datasets.split import split, untrained_classes

__all__ = [
    "FOLDER", "NAMED", "SOURCES", "Arrays", "Images", "Loss", "Shape", "Split", "absolute", "cache", "load", "shape",
    "split", "untrained_classes",
]  # fmt: skip
