"""A dataset's name → what it holds and its images, and one seed's training, validation and test arrays."""

from regsearch.data.archives import NAMED
from regsearch.data.catalogue import SOURCES, describe, list_datasets, load, summarise
from regsearch.data.download import CACHE_VARIABLE, find_cache
from regsearch.data.kinds import Arrays, Facts, Images, Loss, Split
from regsearch.data.memory import forget
from regsearch.data.paths import resolve_path
from regsearch.data.split import find_untrained_classes, split

__all__ = [
    "CACHE_VARIABLE", "NAMED", "SOURCES", "Arrays", "Facts", "Images", "Loss", "Split", "describe", "find_cache",
    "find_untrained_classes", "forget", "list_datasets", "load", "resolve_path", "split", "summarise",
]  # fmt: skip
