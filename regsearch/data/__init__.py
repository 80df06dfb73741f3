"""A dataset's name → its shape and images, and one seed's training, validation and test arrays."""

from regsearch.data.catalogue import SOURCES, describe, load, resolve_path
from regsearch.data.download import FOLDER, cache
from regsearch.data.kinds import Arrays, Facts, Images, Loss, Split
from regsearch.data.named import NAMED
from regsearch.data.split import find_untrained_classes, split

__all__ = [
    "FOLDER",
    "NAMED",
    "SOURCES",
    "Arrays",
    "Facts",
    "Images",
    "Loss",
    "Split",
    "cache",
    "describe",
    "find_untrained_classes",
    "load",
    "resolve_path",
    "split",
]  # fmt: skip
