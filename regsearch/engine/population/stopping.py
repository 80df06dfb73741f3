"""Early stopping: when each member of a population is finished, and which epoch's weights count."""

import numpy as np
from numpy.typing import NDArray

from regsearch.spec import EarlyStopping


class Patience:
    """Keras's EarlyStopping on the validation data loss, for many networks at once.

    An epoch is better if its loss is below the best by more than `min_delta`. A network stops after the epoch that
    is the `patience`-th in a row that is not (Keras takes a patience of 0 as 1).

    Attributes:
        settings: None where no network stops early.
        best_epoch: the last epoch that was better, (members,); 0 before there is one.
        stopped: the epoch after which each stopped, (members,); 0 for those that go on.
    """

    def __init__(self, settings: EarlyStopping | None, members: int) -> None:
        self.settings = settings
        self.best = np.full(members, np.inf)
        self.waited, self.best_epoch, self.stopped = (np.zeros(members, np.int64) for _ in range(3))

    @property
    def restores(self) -> bool:
        """Whether the weights of the best epoch count, rather than those of the last."""
        return self.settings is not None and self.settings.restore_best_weights

    def see(self, epoch: int, losses: NDArray[np.float64]) -> None:
        """Takes the validation losses of an epoch, (members,)."""
        if self.settings is None:
            return
        going = self.stopped == 0
        better = going & (losses + self.settings.min_delta < self.best)
        self.best[better], self.best_epoch[better] = losses[better], epoch
        self.waited = np.where(better, 0, self.waited + 1)
        self.stopped[going & ~better & (self.waited >= self.settings.patience)] = epoch

    def is_counted(self, epoch: int) -> NDArray[np.bool_]:
        """Whether the weights of this epoch, the latest, are so far those that count, (members,)."""
        return np.equal(self.best_epoch if self.restores else self.stopped, epoch)

    def find_ends(self, last: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The last epoch of each network and the one whose weights count, where training ended after `last`."""
        ended = np.where(self.stopped == 0, last, self.stopped)
        return ended, self.best_epoch if self.restores else ended
