"""A population's state between epochs, kept on disk so that a killed run goes on where the population was.

Whoever trains a population writes its state, a worker too, at most once a minute: nothing that trains faster is
ever written. The file is named by the population's trials, and removed once their rows are in the ledger.
"""

import hashlib
import json
import logging
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regsearch.grid import TENSORFLOW

FOLDER = "partial"
SAVE_SECONDS = 60.0
DECIDING = {
    "tensorflow": ("regsearch", "tensorflow", "keras", "numpy"),
    "jax": ("regsearch", "jax", "jaxlib", "keras", "numpy"),
}
"""By backend, the packages whose versions decide a network's numbers."""

State = dict[str, NDArray[Any]]

log = logging.getLogger(__name__)


def list_versions(packages: Iterable[str]) -> dict[str, str]:
    """The versions of packages, without those that are not installed."""
    versions = {}
    for name in packages:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


@dataclass(frozen=True)
class Checkpoints:
    """Where a results folder keeps the states of its populations.

    Attributes:
        folder: made when the first state is written.
        seconds: the least time between two writes of one population.
    """

    folder: Path
    seconds: float = SAVE_SECONDS

    def of(self, trials: Iterable[str], **settings: Any) -> "Checkpoint":
        """The file of a population.

        Args:
            trials: of its members, in order.
            settings: what else its numbers follow from; a state made otherwise is not continued.
        """
        trials = list(trials)
        versions = list_versions(DECIDING[settings.get("backend", TENSORFLOW)])
        made_by = json.dumps({"trials": trials, **versions, **settings}, sort_keys=True)
        return Checkpoint(self._path(trials), made_by, self.seconds)

    def remove(self, trials: Iterable[str]) -> None:
        """Removes a population's state, if there is one."""
        with suppress(OSError):
            self._path(trials).unlink()

    def clear(self) -> None:
        """Removes what is left when nothing is missing any more."""
        with suppress(OSError):
            for path in [*self.folder.glob("*.npz"), *self.folder.glob(".*.npz-*")]:
                path.unlink()
            self.folder.rmdir()

    def _path(self, trials: Iterable[str]) -> Path:
        return self.folder / f"{hashlib.sha256(' '.join(trials).encode()).hexdigest()[:16]}.npz"


class Checkpoint:
    """One population's state on disk."""

    def __init__(self, path: Path, made_by: str, seconds: float) -> None:
        self.path, self.made_by, self.seconds = path, made_by, seconds
        self.since = time.monotonic()

    def due(self) -> bool:
        """Whether the last state, or the start, is long enough ago."""
        return time.monotonic() - self.since >= self.seconds

    def save(self, state: Mapping[str, Any]) -> None:
        """Writes the state, whole or not at all. A disk that is full costs the state, not the training."""
        partial = self.path.with_name(f".{self.path.name}-{os.getpid()}")
        try:
            self.path.parent.mkdir(exist_ok=True)
            with partial.open("wb") as file:
                np.savez(file, made_by=np.array(self.made_by), **state)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self.path)
        except OSError as error:
            with suppress(OSError):
                partial.unlink()
            lost = "the state of populations in training cannot be saved (%s); training goes on, but if it is stopped"
            log.warning(f"%s: {lost}, they start again", self.path.parent, error.strerror or error)
        self.since = time.monotonic()

    def load(self, shapes: Mapping[str, tuple[Sequence[int | None], Any]]) -> State | None:
        """The saved state, or None where there is none, or none that fits: then training starts afresh.

        Args:
            shapes: each array's shape (None: any length) and type.
        """
        try:
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                state = {name: arrays[name] for name in ("made_by", *shapes)}
            if str(state.pop("made_by")) != self.made_by:
                raise ValueError("it was made by another version, or in another way")
            for name, (shape, kind) in shapes.items():
                if not _fits(state[name].shape, shape) or state[name].dtype != kind:
                    raise ValueError(f"{name} is {state[name].dtype} {state[name].shape}")
        except FileNotFoundError:
            return None
        except Exception as error:  # a damaged file raises nearly anything in zipfile, zlib and NumPy
            reason = str(error).partition("\n")[0] or type(error).__name__
            log.warning("%s: this state cannot be continued (%s); its population starts afresh", self.path, reason)
            return None
        return state


def _fits(shape: Sequence[int], expected: Sequence[int | None]) -> bool:
    return len(shape) == len(expected) and all(size in (None, got) for size, got in zip(expected, shape, strict=True))
