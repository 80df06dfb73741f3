"""The ledger: `trials.csv` and `epochs.csv`, appended to as networks finish, looked up to resume.

Append-only, and on disk before the next population starts. A population's epochs are written before its
trials, so a kill leaves at most epochs without a trial; those, and a torn last line, are dropped on opening.
"""

import csv
import io
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from regsearch.errors import ResultsError
from regsearch.records import Epoch, Record, Trial, columns

TRIALS, EPOCHS = "trials.csv", "epochs.csv"

log = logging.getLogger(__name__)


class Ledger:
    """The ledger of one results folder, open for appending."""

    def __init__(self, folder: Path) -> None:
        """Opens the ledger, making it where there is none and mending what a kill left behind.

        Raises:
            ResultsError: the files cannot be read or written, or are not a ledger.
        """
        self.trials, self.epochs = folder / TRIALS, folder / EPOCHS
        try:
            for path, row in ((self.trials, Trial), (self.epochs, Epoch)):
                _drop_torn_line(path)
                if not path.exists() or path.stat().st_size == 0:
                    _write_through(path, "w", [columns(row)])
            self.rows = read_trials(folder)
            _drop_orphans(self.epochs, self.rows)
        except OSError as error:
            raise unusable(folder, error) from None

    @cached_property
    def finished(self) -> dict[str, Trial]:
        """The trials that needed no training when the ledger was opened: completed or diverged, not failed."""
        rows = self.rows[self.rows["status"] != "failed"].rename(columns={"lambda": "lam"}).astype(object)
        kept: list[Any] = rows.where(rows.notna(), None).to_dict("records")
        return {row["trial"]: Trial(**row) for row in kept}

    def append(self, records: Sequence[Record]) -> None:
        """Writes the records of one population, its epochs first, and flushes them to disk.

        Raises:
            ResultsError: they could not be written, in whole.
        """
        try:
            _write_through(self.epochs, "a", (_cells(epoch) for record in records for epoch in record.epochs))
            _write_through(self.trials, "a", (_cells(record.trial) for record in records))
        except OSError as error:
            raise unusable(self.trials.parent, error) from None


def read_trials(folder: Path) -> pd.DataFrame:
    """The ledger as a table with one row a trial, the last written; a torn last line is left out.

    Raises:
        ResultsError: there is no ledger, or a column or value is not what it should be.
    """
    return _read(folder / TRIALS, Trial).drop_duplicates("trial", keep="last", ignore_index=True)


def read_epochs(folder: Path) -> pd.DataFrame:
    """Every network's epochs; see `read_trials`."""
    return _read(folder / EPOCHS, Epoch).drop_duplicates(["trial", "epoch"], keep="last", ignore_index=True)


def unusable(folder: Path, error: OSError) -> ResultsError:
    """The error of a results folder that cannot be read or written."""
    return ResultsError(
        f"{error.filename or folder}: expected a results folder that can be read and written, got: {error.strerror}. "
        "Mend that, or name another folder with --out. Everything finished is kept; run again to go on."
    )


def _read(path: Path, row: type[Trial] | type[Epoch]) -> pd.DataFrame:
    expected = columns(row)
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise ResultsError(
            f"{path}: expected a ledger, got no such file. Is this a results folder? `regsearch run SPEC` makes one."
        ) from None
    except OSError as error:
        raise unusable(path.parent, error) from None
    if torn := len(text) - (text.rfind(b"\n") + 1):
        log.warning("%s: its last line is torn and left out (%d bytes)", path, torn)
        text = text[:-torn]
    try:
        table = pd.read_csv(
            io.BytesIO(text), dtype="string", keep_default_na=False, na_values=[""], encoding="utf-8", engine="c"
        )
    except (ValueError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else "no header"
        raise ResultsError(f"{path}: expected a CSV ledger, got a file that is not one ({reason})") from None
    if missing := [name for name in expected if name not in table.columns]:
        raise ResultsError(f"{path}:1: expected the columns {', '.join(expected)}, got none named {missing[0]!r}")
    table = table[expected]
    for item, name in zip(fields(row), expected, strict=True):
        kind = next(kind for kind in ("float", "int", "str") if kind in str(item.type) or kind == "str")
        table[name] = _converted(table[name], kind, path)
    return table


def _converted(values: "pd.Series[Any]", kind: str, path: Path) -> "pd.Series[Any]":
    """A column as numbers, with the first value that is none named."""
    if kind == "str":
        return values
    numbers = pd.to_numeric(values, errors="coerce")
    whole = numbers.isna() | (numbers % 1 == 0) if kind == "int" else numbers.isna() | numbers.notna()
    wrong = (numbers.isna() & values.notna()) | ~whole | numbers.abs().eq(float("inf")).fillna(False)
    if wrong.any():
        at = int(wrong.to_numpy().argmax())
        expected = "a whole number" if kind == "int" else "a finite number"
        raise ResultsError(
            f"{path}:{at + 2}: {values.name}: expected {expected}, got {values.iloc[at]!r}. "
            "The ledger is not meant to be edited: restore it, or delete that line to train the network again."
        )
    if kind == "float":
        return numbers.astype("float64")
    return numbers.astype("Int64") if numbers.isna().any() else numbers.astype("int64")


def _cells(row: Trial | Epoch) -> list[Any]:
    return [_text(value) for value in astuple(row)]


def _text(value: Any) -> Any:
    """A cell of the CSV: nothing as empty, floats with the nine digits that single precision has."""
    if value is None:
        return ""
    if isinstance(value, float):
        return min(repr(value), f"{value:.9g}", key=len)
    return value


def _write_through(path: Path, mode: str, rows: Iterable[Sequence[Any]]) -> None:
    """Appends rows in one write, on disk when it returns; a write that fails half-way is taken back."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    before = path.stat().st_size if mode == "a" else 0
    with path.open(f"{mode}b", buffering=0) as file:
        try:
            left = memoryview(buffer.getvalue().encode())
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        except OSError:
            os.truncate(path, before)
            raise


def _drop_torn_line(path: Path) -> None:
    """Cuts off what a kill left of a last line, so that the next append starts on a line of its own."""
    if not path.exists():
        return
    text = path.read_bytes()
    whole = text.rfind(b"\n") + 1
    if whole < len(text):
        log.warning("%s: its last line is torn and dropped (%d bytes)", path, len(text) - whole)
        os.truncate(path, whole)


def _drop_orphans(path: Path, trials: pd.DataFrame) -> None:
    """Drops epochs whose trial was never written, and those of trials that failed."""
    known = set(trials.loc[trials["status"] != "failed", "trial"])
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines[1:] if line.partition(",")[0] in known]
    if len(kept) < len(lines) - 1:
        partial = path.with_suffix(".tmp")
        partial.write_text("".join([lines[0], *kept]), encoding="utf-8")
        partial.replace(path)
