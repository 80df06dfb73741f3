"""A dataset's name → its shape and images, and one seed's training, validation and test arrays."""

from regsearch.data.catalogue import SOURCES, absolute, load, shape
from regsearch.data.download import FOLDER, cache
from regsearch.data.kinds import Arrays, Images, Loss, Shape, Split
from regsearch.data.named import NAMED
from regsearch.data.split import split, untrained_classes

__all__ = [
    "FOLDER", "NAMED", "SOURCES", "Arrays", "Images", "Loss", "Shape", "Split", "absolute", "cache", "load", "shape",
    "split", "untrained_classes",
]  # fmt: skip
