"""The grid as a Keras Tuner search, begun with the first job of a run: Keras Tuner takes seconds to import."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from regsearch import engine, ledger
from regsearch.engine import Job
from regsearch.grid import Cell
from regsearch.ledger import Record, Trial
from regsearch.report import Snapshot
from regsearch.runner.jobs import list_cells

if TYPE_CHECKING:
    from regsearch.runner.tuner import GridOracle, GridTuner

FOLDER = "keras_tuner"
MOST_TRIALS = 2_000
"""A folder and a file a trial is more than a cluster's quota forgives; beyond this, only on request."""


class GridSearch:
    """A search that hands out the cells of a grid and hears of every result; it writes nothing.

    Attributes:
        oracle: Keras Tuner's; None until the first job is handed out.
    """

    def __init__(self) -> None:
        """Begins nothing yet."""
        self._cells: list[Cell] = []
        self.oracle: GridOracle | None = None

    def hand_out(self, jobs: Sequence[Job], cells: Sequence[Cell], finished: Mapping[str, Trial]) -> Sequence[Job]:
        """Begins the trials of jobs.

        Args:
            jobs: what is to be trained.
            cells: what the grid has more since the last call.
            finished: the trials that the ledger has, which the search takes over.
        """
        self._cells += cells
        if jobs:
            if self.oracle is None:
                engine.import_quietly(jobs[0].backend)
                from regsearch.runner.tuner import GridOracle

                self.oracle = GridOracle()
            self.oracle.grow(self._cells, finished)
            for cell in list_cells(jobs):
                self.oracle.begin(cell)
        return jobs

    def end(self, records: Sequence[Record]) -> None:
        """Ends the trials of records that are in the ledger."""
        assert self.oracle is not None, "trials end after they were handed out"
        for record in records:
            self.oracle.end(record.trial)


def make_tuner(snapshot: Snapshot, folder: Path | None = None) -> "GridTuner":
    """The search of a results folder as Keras Tuner's own tools know it; see `GridTuner`."""
    engine.import_quietly()
    from regsearch.runner.tuner import GridTuner

    return GridTuner(snapshot.spec, snapshot.cells, ledger.make_rows(snapshot.trials), folder)


def write_tuner(snapshot: Snapshot, asked: bool = False, changed: bool = True) -> None:
    """Writes `keras_tuner/` of a results folder, for those who know Keras Tuner's tools.

    Args:
        snapshot: the folder, as it was read.
        asked: writes it whatever the number of trials; else up to 2,000, or where it is there already.
        changed: whether there are new trials; else it is only written where a full disk left it torn.

    Raises:
        ResultsError: it cannot be written.
    """
    folder = snapshot.folder / FOLDER
    torn = folder.exists() and not (folder / "oracle.json").exists()  # which is written last
    if asked or ((changed or torn) and (snapshot.total <= MOST_TRIALS or folder.exists())):
        make_tuner(snapshot, snapshot.folder).write()
