"""Counts how often Python opens the files of a folder."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_counters: list[tuple[Path, Counter[str]]] = []


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if _counters and event == "open" and isinstance(arguments[0], str):
        path = Path(arguments[0])
        for folder, counter in _counters:
            if folder in path.parents:
                counter[path.name] += 1


sys.addaudithook(_note)


@contextmanager
def count_opened(folder: Path) -> Iterator[Counter[str]]:
    """How often each file in a folder, by its name, is opened meanwhile."""
    entry = folder, Counter[str]()
    _counters.append(entry)
    try:
        yield entry[1]
    finally:
        _counters.remove(entry)
