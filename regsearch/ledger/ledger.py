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
from regsearch.ledger.records import Epoch, Record, Trial, columns
from regsearch.ledger.tables import EPOCHS, PACKED, TRIALS, Row

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
                _unpack(path)
            self._refuse_epochs_alone()
            # The epochs first: who reads other parts knows them by their trials.
            had_epochs = _mend(self.epochs, Epoch)
            _mend(self.trials, Trial)
            self._rows = tables.read_part(self.trials)
            finished = self._rows.loc[self._rows["status"] != "failed", "trial"]
            if len(self._rows) and not had_epochs:
                count = self._rows["trial"].nunique()
                log.warning("%s was missing: the epochs of %d networks are lost", self.epochs, count)
            # What the tables cannot read is refused before anything is trained.
            _drop_orphans(self.epochs, set(finished))
        except OSError as error:
            raise unusable(folder, error) from None

    @cached_property
    def finished(self) -> dict[str, Trial]:
        """The trials that needed no training when the ledger was opened: completed or diverged, not failed."""
        table = self.read_trials()
        return tables.make_rows(table[table["status"] != "failed"])

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
            _write_through(self.epochs, "a", _write_csv(_list_values(e) for record in records for e in record.epochs))
            _write_through(self.trials, "a", trials)
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
            self._rows = tables.join([self._rows, tables.parse_trials(io.BytesIO(text.encode()), self.trials)])
            self._appended = io.StringIO()
        parts = [
            self._rows if part == self.part else tables.read_part(part / TRIALS)
            for part in tables.list_parts(self.folder)
        ]
        return tables.keep_last(tables.join(parts))

    def _refuse_epochs_alone(self) -> None:
        """Epochs whose trials are gone would be dropped as orphans, all of them."""
        if _begins_its_header(self.trials, Trial) and _has_rows(self.epochs):
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


def _write_through(path: Path, mode: str, text: str) -> None:
    """Appends text in one write, on disk when it returns; a write that fails half-way is taken back."""
    before = path.stat().st_size if mode == "a" else 0
    with path.open(f"{mode}b", buffering=0) as file:
        try:
            left = memoryview(text.encode())
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        except OSError:
            os.truncate(path, before)
            raise


def _begins_its_header(path: Path, row: Row) -> bool:
    """Whether a file is not there, or holds no more than the beginning of its header."""
    if not path.exists():
        return True
    header = ",".join(columns(row)).encode()
    with path.open("rb") as file:
        return header.startswith(file.read(len(header) + 1))


def _has_rows(path: Path) -> bool:
    if not path.exists():
        return False
    with path.open("rb") as file:
        file.readline()
        return file.readline().endswith(b"\n")


def _mend(path: Path, row: Row) -> bool:
    """Makes the file where there is none, and cuts off what a kill left of a last line.

    Only what begins with the header is cut: anything else is no ledger of ours, and stays as it is.

    Returns:
        Whether it was there.
    """
    header = ",".join(columns(row))
    if _begins_its_header(path, row):
        was_there = path.exists() and path.stat().st_size > 0
        partial = path.with_suffix(".tmp")
        _write_through(partial, "w", header + "\n")
        partial.replace(path)
        return was_there
    with path.open("rb") as file:
        first = file.readline(2**20)
        whole, torn = tables.find_end(file)
    if not first.endswith(b"\n") or not first.rstrip(b"\r\n").startswith(header.encode()):
        names = first[:2000].rstrip(b"\r\n").decode("utf-8", "replace").replace('"', "").split(",")
        tables.check_header(path, names, list(columns(row)))
        raise ResultsError(f"{path}:1: expected the header {header}, got something else. Restore the file.")
    if torn:
        log.warning("%s: its last line is torn and dropped (%d bytes)", path, torn)
        os.truncate(path, whole)
    return True


def _unpack(path: Path) -> None:
    """Makes a compressed file one that can be appended to."""
    packed, partial = path.with_name(path.name + PACKED), path.with_suffix(".tmp")
    if packed.exists() and not path.exists():
        partial.write_bytes(tables.unpack(path))
        partial.replace(path)
        packed.unlink()


def _drop_orphans(path: Path, finished: set[str]) -> None:
    """Drops epochs whose trial was never written, and those of trials that failed."""
    if all(table["trial"].isin(finished).all() for table in tables.parse_in_parts(path, Epoch)):
        return
    partial = path.with_suffix(".tmp")
    try:
        with path.open("rb") as file, partial.open("wb") as kept:
            kept.write(file.readline())
            for line in file:
                if line.partition(b",")[0].strip(b'"').decode("utf-8", "replace") in finished:
                    kept.write(line)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
