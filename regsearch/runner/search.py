"""The grid as a Keras Tuner search, begun with the first job of a run: Keras Tuner takes seconds to import."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from regsearch.data import Facts
from regsearch.engine import Job
from regsearch.grid import Cell
from regsearch.ledger import Record, Trial
from regsearch.runner.jobs import list_cells

if TYPE_CHECKING:
    from regsearch.runner.tuner import GridTuner

SAVE_SECONDS = 5.0


class GridSearch:
    """A search that hands out the cells of a grid and hears of every result.

    The ledger is the truth. Keras Tuner's own state is rebuilt from it when the first job is handed out, and saved
    now and then.

    Attributes:
        tuner: the search as Keras Tuner's own tools know it; None until the first job is handed out.
    """

    def __init__(self, folder: Path, facts: Facts) -> None:
        """Begins nothing yet.

        Args:
            folder: where Keras Tuner's files go, in a folder of their own.
            facts: of the dataset, for rebuilding networks from hyperparameters.
        """
        self.folder, self.facts = folder, facts
        self._cells: list[Cell] = []
        self.tuner: GridTuner | None = None
        self._saved = time.monotonic()

    def __enter__(self) -> "GridSearch":
        return self

    def __exit__(self, *error: object) -> None:
        if self.tuner:
            self.tuner.oracle.save_unsaved()

    def hand_out(self, jobs: Sequence[Job], cells: Sequence[Cell], finished: Mapping[str, Trial]) -> Sequence[Job]:
        """Begins the trials of jobs.

        Args:
            jobs: what is to be trained.
            cells: what the grid has more since the last call.
            finished: the trials that the ledger has, which the search takes over.
        """
        self._cells += cells
        if jobs:
            if self.tuner is None:
                from regsearch.runner.tuner import GridTuner

                self.tuner = GridTuner(self.folder, self.facts)
            self.tuner.grow(self._cells, finished)
            for cell in list_cells(jobs):
                self.tuner.oracle.begin(cell)
        return jobs

    def end(self, records: Sequence[Record]) -> None:
        """Ends the trials of records that are in the ledger."""
        assert self.tuner is not None, "trials end after they were handed out"
        for record in records:
            self.tuner.oracle.end(record.trial)
        if time.monotonic() - self._saved >= SAVE_SECONDS:
            self.tuner.oracle.save_unsaved()
            self._saved = time.monotonic()
