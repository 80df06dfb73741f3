"""The ledger: `trials.csv` and `epochs.csv`, appended to as networks finish, looked up to resume.

Append-only, and on disk before the next population starts. A population's epochs are written before its
trials, so a kill leaves at most epochs without a trial; those, and a torn last line, are dropped on opening.

A shard appends to a part of its own, in `shards/`; whoever reads the ledger reads all parts. A part that nobody
appends to any more may be compressed with gzip.
"""

import csv
import gzip
import io
import logging
import os
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from regsearch.errors import ResultsError
from regsearch.grid import Cell
from regsearch.ledger import checkpoints
from regsearch.ledger.checkpoints import SAVE_SECONDS, Checkpoints
from regsearch.ledger.files import unusable, write_text
from regsearch.ledger.records import Epoch, Record, Status, Trial, columns

TRIALS, EPOCHS, FAILURES = "trials.csv", "epochs.csv", "failures.log"
SHARDS = "shards"
_PACKED = ".gz"
_SCORES = ("train_loss", "penalty_value", "validation_loss", "test_loss")

log = logging.getLogger(__name__)


class Ledger:
    """The ledger of one results folder, one part of it open for appending."""

    def __init__(self, folder: Path, part: str = "", save_seconds: float = SAVE_SECONDS) -> None:
        """Opens the ledger, making it where there is none and mending what a kill left behind.

        Args:
            folder: the results folder.
            part: the folder in it whose files are appended to; by default the results folder itself.
            save_seconds: the least time between two writes of the state of a population in training.

        Raises:
            ResultsError: the files cannot be read or written, or are not a ledger.
        """
        self.folder, self.part = folder, folder / part
        own = self.part
        self.trials, self.epochs, self.failures = own / TRIALS, own / EPOCHS, own / FAILURES
        self.checkpoints = Checkpoints(own.absolute() / checkpoints.FOLDER, save_seconds)
        try:
            for path in (self.trials, self.epochs):
                _unpack(path)
            if _header(Trial).startswith(_bytes(self.trials)) and _bytes(self.epochs).count(b"\n") > 1:
                got = "an empty one" if self.trials.exists() else "no such file"
                raise ResultsError(
                    f"{self.trials}: expected the ledger of the networks in {EPOCHS}, got {got}. "
                    f"Restore it, or move {EPOCHS} away to train everything again."
                )
            # The epochs first: who reads other parts knows them by their trials.
            had = {path: _mend(path, row) for path, row in ((self.epochs, Epoch), (self.trials, Trial))}
            rows = _last(_read_trials(own))
            if len(rows) and not had[self.epochs]:
                log.warning("%s was missing: the epochs of %d networks are lost", self.epochs, len(rows))
            _drop_orphans(self.epochs, rows)
            self.rows = read_trials(folder)
            _read(self.epochs, Epoch)  # what the tables cannot read is refused before anything is trained
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

        Its saved state goes, and why trials failed is added to `failures.log`: a fault of ours keeps its traceback.

        Raises:
            ResultsError: they could not be written, in whole.
        """
        try:
            _write_through(self.epochs, "a", (_cells(epoch) for record in records for epoch in record.epochs))
            _write_through(self.trials, "a", (_cells(record.trial) for record in records))
        except OSError as error:
            raise unusable(self.part, error) from None
        self.checkpoints.remove(record.trial.trial for record in records)
        if errors := "".join(f"{record.trial.trial}\n{record.error}\n" for record in records if record.error):
            earlier = self.failures.read_text(encoding="utf-8") if self.failures.exists() else ""
            write_text(self.failures, earlier + errors)

    def read_trials(self) -> pd.DataFrame:
        """The ledger as it is now, every shard's part of it; see `read_trials`."""
        return read_trials(self.folder)

    def list_finished(self, cells: Sequence[Cell]) -> list[Trial]:
        """The rows of those cells that needed no training when the ledger was opened."""
        return [self.finished[cell.trial] for cell in cells if cell.trial in self.finished]


def parts(folder: Path) -> list[Path]:
    """The folders that hold the ledger's files: the results folder, unless shards alone do, and each shard's."""
    shards = sorted({path.parent for path in folder.glob(f"{SHARDS}/*/{TRIALS}*")})
    return [folder, *shards] if _exists(folder / TRIALS) or not shards else shards


def exists(folder: Path) -> bool:
    """Whether there is a ledger."""
    return any(_exists(part / TRIALS) for part in parts(folder))


def read_trials(folder: Path) -> pd.DataFrame:
    """The ledger as a table with one row a trial, the last that did not fail; a torn last line is left out.

    Raises:
        ResultsError: there is no ledger, or a column or value is not what it should be.
    """
    return _last(_joined([_read_trials(part) for part in parts(folder)]))


def read_epochs(folder: Path) -> pd.DataFrame:
    """Every network's epochs; see `read_trials`."""
    table = _joined([_read(part / EPOCHS, Epoch) for part in parts(folder)])
    return table.drop_duplicates(["trial", "epoch"], keep="last", ignore_index=True)


def _read_trials(part: Path) -> pd.DataFrame:
    path = part / TRIALS
    table = _read(path, Trial)
    _check_values(table, path)
    return table


def _joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables one below the other; those without rows have no types to agree on."""
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def _last(table: pd.DataFrame) -> pd.DataFrame:
    """One row a trial: the last, and rather one that finished than one that failed, in another part perhaps."""
    failures_first = table.iloc[(table["status"] != "failed").to_numpy().argsort(kind="stable")]
    return failures_first.drop_duplicates("trial", keep="last").sort_index().reset_index(drop=True)


def _read(path: Path, row: type[Trial] | type[Epoch]) -> pd.DataFrame:
    expected = columns(row)
    try:
        text = path.read_bytes() if path.exists() else _packed(path)
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
    _check_header(path, list(table.columns), expected)
    table = table[expected]
    for item, name in zip(fields(row), expected, strict=True):
        kind = next(kind for kind in ("float", "int", "str") if kind in str(item.type) or kind == "str")
        table[name] = _converted(table[name], kind, path)
    return table


def _check_header(path: Path, found: list[str], expected: list[str]) -> None:
    """The columns stand as they are written; a later version may have added some at the end."""
    for at, name in enumerate(expected):
        got = repr(found[at]) if at < len(found) else "nothing"
        if got != repr(name):
            if 0 < len(found) == at:
                advice = "An older version wrote it: go on with that version, name another folder with --out, or "
                advice += "move this one aside with --fresh and train again."
            else:
                advice = "The ledger is not meant to be edited: restore it, or name another folder with --out."
            raise ResultsError(f"{path}:1: expected the column {name!r} as number {at + 1}, got {got}. {advice}")


def _check_values(table: pd.DataFrame, path: Path) -> None:
    """What every row must have, and what one that completed must have besides."""
    known = table["status"].isin(get_args(Status))
    always = ["trial", "architecture", "penalty", "lambda", "learning_rate", "train_size", "seed", "engine"]
    scores = ["trainable_weights", "penalised_weights", "epochs", *_SCORES]
    checks = [(~known, "status", f"one of {', '.join(get_args(Status))}")]
    checks += [(table[name].isna(), name, "a value") for name in always]
    checks += [((table["status"] == "completed") & table[name].isna(), name, "a number") for name in scores]
    checks += [(table["lambda"] < 0, "lambda", "a number of at least 0")]
    for wrong, name, expected in checks:
        if wrong.fillna(True).any():
            at = int(wrong.fillna(True).to_numpy().argmax())
            raise _edited(path, at, name, expected, table[name].iloc[at])


def _edited(path: Path, at: int, name: object, expected: str, got: object) -> ResultsError:
    shown = "nothing" if pd.isna(got) else repr(got)  # type: ignore[call-overload]
    return ResultsError(
        f"{path}:{at + 2}: {name}: expected {expected}, got {shown}. "
        "The ledger is not meant to be edited: restore it, or delete that line to train the network again."
    )


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
        raise _edited(path, at, values.name, expected, values.iloc[at])
    if kind == "float":
        return numbers.astype("float64")
    return numbers.astype("Int64") if numbers.isna().any() else numbers.astype("int64")


def _cells(row: Trial | Epoch) -> list[Any]:
    return [_text(value) for value in vars(row).values()]  # in the order of the fields, and no deep copies


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


def _mend(path: Path, row: type[Trial] | type[Epoch]) -> bool:
    """Makes the file where there is none, and cuts off what a kill left of a last line.

    Only what begins with the header is cut: anything else is no ledger of ours, and stays as it is.

    Returns:
        Whether it was there.
    """
    header, text = _header(row), _bytes(path)
    if header.startswith(text):
        partial = path.with_suffix(".tmp")
        _write_through(partial, "w", [columns(row)])
        partial.replace(path)
        return bool(text)
    first = text.partition(b"\n")[0].rstrip(b"\r")
    if b"\n" not in text or not first.startswith(header):
        found = first[:2000].decode("utf-8", "replace").replace('"', "").split(",")
        _check_header(path, found, columns(row))
        raise ResultsError(f"{path}:1: expected the header {header.decode()}, got something else. Restore the file.")
    whole = text.rfind(b"\n") + 1
    if whole < len(text):
        log.warning("%s: its last line is torn and dropped (%d bytes)", path, len(text) - whole)
        os.truncate(path, whole)
    return True


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _exists(path: Path) -> bool:
    return path.exists() or path.with_name(path.name + _PACKED).exists()


def _packed(path: Path) -> bytes:
    """What the compressed file beside a path holds."""
    packed = path.with_name(path.name + _PACKED)
    try:
        return gzip.decompress(packed.read_bytes())
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ResultsError(f"{packed}: expected a file packed by gzip, got a damaged one ({error})") from None


def _unpack(path: Path) -> None:
    """Makes a compressed file one that can be appended to."""
    packed, partial = path.with_name(path.name + _PACKED), path.with_suffix(".tmp")
    if packed.exists() and not path.exists():
        partial.write_bytes(_packed(path))
        partial.replace(path)
        packed.unlink()


def _header(row: type[Trial] | type[Epoch]) -> bytes:
    return ",".join(columns(row)).encode()


def _drop_orphans(path: Path, trials: pd.DataFrame) -> None:
    """Drops epochs whose trial was never written, and those of trials that failed."""
    known = set(trials.loc[trials["status"] != "failed", "trial"])
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines[1:] if line.partition(b",")[0].strip(b'"').decode("utf-8", "replace") in known]
    if len(kept) < len(lines) - 1:
        partial = path.with_suffix(".tmp")
        try:
            partial.write_bytes(b"".join([lines[0], *kept]))
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
