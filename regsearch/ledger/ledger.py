"""The ledger: `trials.csv` and `epochs.csv`, appended to as networks finish, looked up to resume.

Append-only, and on disk before the next population starts. A population's epochs are written before its
trials, so a kill leaves at most epochs without a trial; those, and a torn last line, are dropped on opening.

A shard appends to a part of its own, in `shards/`; whoever reads the ledger reads all parts. A part that nobody
appends to any more may be compressed with gzip.
"""

import csv
import io
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from regsearch.errors import ResultsError
from regsearch.grid import Cell
from regsearch.ledger import checkpoints, tables
from regsearch.ledger.checkpoints import SAVE_SECONDS, Checkpoints
from regsearch.ledger.files import unusable, write_text
from regsearch.ledger.mending import begins_its_header, drop_orphans, has_rows, mend, unpack
from regsearch.ledger.parsing import parse
from regsearch.ledger.records import Epoch, Record, Trial, columns
from regsearch.ledger.tables import EPOCHS, TRIALS

FAILURES = "failures.log"

log = logging.getLogger(__name__)


class Ledger:
    """The ledger of one results folder, one part of it open for appending.

    Attributes:
        part: the folder whose files are appended to: the results folder, or a shard's part of it.
        trials, epochs: those files.
        failures: the file that says why trials failed.
        checkpoints: where the state of populations in training is kept.
        confirm: raises a ResultsError if another run has taken over the files meanwhile; `append` asks it first.
    """

    def __init__(
        self,
        folder: Path,
        part: str = "",
        save_seconds: float = SAVE_SECONDS,
        confirm: Callable[[], None] = lambda: None,
    ) -> None:
        """Opens the ledger, making it where there is none and mending what a kill left behind.

        Args:
            folder: the results folder.
            part: the folder in it whose files are appended to; by default the results folder itself.
            save_seconds: the least time between two writes of the state of a population in training.
            confirm: see the attribute.

        Raises:
            ResultsError: the files cannot be read or written, or are not a ledger.
        """
        self.folder, self.part, self.confirm = folder, folder / part, confirm
        self.trials, self.epochs, self.failures = (self.part / name for name in (TRIALS, EPOCHS, FAILURES))
        self.checkpoints = Checkpoints(self.part.absolute() / checkpoints.FOLDER, save_seconds)
        self._appended = io.StringIO()
        try:
            for path in (self.trials, self.epochs):
                unpack(path)
            self._refuse_epochs_alone()
            # The epochs first: who reads other parts knows them by their trials.
            mend(self.epochs, Epoch)
            mend(self.trials, Trial)
            self._rows = tables.read_part(self.trials)
            # What the tables cannot read is refused before anything is trained.
            own, trials = drop_orphans(self.epochs, tables.keep_last(self._rows)), self.read_trials()
            others = tables.read_ends(folder, trials, but=self.part)
            self._incomplete = tables.find_incomplete(trials, [own, others], self.part)
            if self._incomplete:
                names = ", ".join(self._incomplete[:3]) + (", …" if len(self._incomplete) > 3 else "")
                reason = f"{EPOCHS} lacks their start or their last epoch"
                log.warning(
                    "%s: %d networks are trained again, as %s: %s", folder, len(self._incomplete), reason, names
                )
        except OSError as error:
            raise unusable(folder, error) from None

    @cached_property
    def finished(self) -> dict[str, Trial]:
        """The trials that needed no training when the ledger was opened: completed with their epochs, or diverged."""
        table = self.read_trials()
        return tables.make_rows(table[(table["status"] != "failed") & ~table["trial"].isin(self._incomplete)])

    def list_finished(self, cells: Sequence[Cell]) -> list[Trial]:
        """The rows of those cells that needed no training when the ledger was opened."""
        return [self.finished[cell.trial] for cell in cells if cell.trial in self.finished]

    def append(self, records: Sequence[Record]) -> None:
        """Writes the records of one population, its epochs first, and flushes them to disk.

        Its saved state goes, and why trials failed is added to `failures.log`: a fault of ours keeps its traceback.

        Raises:
            ResultsError: they could not be written, in whole, or another run holds the files now.
        """
        self.confirm()
        trials = _write_csv(_list_values(record.trial) for record in records)
        try:
            _append(self.epochs, _write_csv(_list_values(e) for record in records for e in record.epochs))
            _append(self.trials, trials)
        except OSError as error:
            raise unusable(self.part, error) from None
        self._appended.write(trials)
        self.checkpoints.remove(record.trial.trial for record in records)
        if errors := "".join(f"{record.trial.trial}\n{record.error}\n" for record in records if record.error):
            earlier = self.failures.read_text(encoding="utf-8", errors="replace") if self.failures.exists() else ""
            write_text(self.failures, earlier + errors)

    def read_trials(self) -> pd.DataFrame:
        """The ledger as it is now: this part as it was opened and appended to, other parts from their files."""
        if appended := self._appended.getvalue():
            text = _write_csv([columns(Trial)]) + appended
            self._rows = tables.join([self._rows, parse(io.BytesIO(text.encode()), self.trials, Trial)])
            self._appended = io.StringIO()
        parts = [
            self._rows if part == self.part else tables.read_part(part / TRIALS)
            for part in tables.list_parts(self.folder)
        ]
        return tables.keep_last(tables.join(parts))

    def _refuse_epochs_alone(self) -> None:
        """Epochs whose trials are gone would be dropped as orphans, all of them."""
        if begins_its_header(self.trials, Trial) and has_rows(self.epochs):
            got = "an empty one" if self.trials.exists() else "no such file"
            raise ResultsError(
                f"{self.trials}: expected the ledger of the networks in {EPOCHS}, got {got}. "
                f"Restore it, or move {EPOCHS} away to train everything again."
            )


def _write_csv(rows: Iterable[Iterable[Any]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


def _list_values(row: Trial | Epoch) -> list[Any]:
    return [_shorten(value) for value in vars(row).values()]  # in the order of the fields, and no deep copies


def _shorten(value: Any) -> Any:
    """A cell of the CSV: nothing as empty, floats with the nine digits that single precision has."""
    if value is None:
        return ""
    if isinstance(value, float):
        return min(repr(value), f"{value:.9g}", key=len)
    return value


def _append(path: Path, text: str) -> None:
    """Appends text in one write, on disk when it returns; a write that fails half-way is taken back."""
    before = path.stat().st_size
    with path.open("ab", buffering=0) as file:
        try:
            left = memoryview(text.encode())
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        except OSError:
            os.truncate(path, before)
            raise
