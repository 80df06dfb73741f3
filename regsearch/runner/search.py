"""The grid as a Keras Tuner search, begun with the first job of a run: Keras Tuner takes seconds to import."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from regsearch import engine
from regsearch.data import Facts
from regsearch.engine import Job
from regsearch.grid import Cell
from regsearch.ledger import Record, Trial

if TYPE_CHECKING:
    from regsearch.runner.tuner import GridTuner

SAVE_SECONDS = 5.0


class GridSearch:
    """A search that hands out the cells of a grid and hears of every result.

    The ledger is the truth. Keras Tuner's own state is rebuilt from it when the first job is handed out, and saved
    now and then.
    """

    def __init__(self, folder: Path, facts: Facts) -> None:
        """Begins nothing yet.

        Args:
            folder: where Keras Tuner's files go, in a folder of their own.
            facts: of the dataset, for rebuilding networks from hyperparameters.
        """
        self.folder, self.facts = folder, facts
        self._cells: list[Cell] = []
        self._tuner: GridTuner | None = None
        self._saved = time.monotonic()

    def __enter__(self) -> "GridSearch":
        return self

    def __exit__(self, *error: object) -> None:
        if self._tuner:
            self._tuner.oracle.save_unsaved()

    def hand_out(self, jobs: Sequence[Job], cells: Sequence[Cell], finished: Mapping[str, Trial]) -> Sequence[Job]:
        """Begins the trials of jobs.

        Args:
            jobs: what is to be trained.
            cells: the grid, as far as it has grown.
            finished: the trials that the ledger has, which the search takes over.
        """
        if jobs:
            if self._tuner is None:
                engine.start()  # Keras Tuner imports TensorFlow, too
                from regsearch.runner.tuner import GridTuner

                self._tuner = GridTuner(self.folder, self.facts)
            self._tuner.grow(cells, finished)
            for job in jobs:
                for cell in job.population.cells:
                    self._tuner.oracle.begin(cell)
        return jobs

    def end(self, records: Sequence[Record]) -> None:
        """Ends the trials of records that are in the ledger."""
        assert self._tuner is not None, "trials end after they were handed out"
        for record in records:
            self._tuner.oracle.end(record.trial)
        if time.monotonic() - self._saved >= SAVE_SECONDS:
            self._tuner.oracle.save_unsaved()
            self._saved = time.monotonic()
