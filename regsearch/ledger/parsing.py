"""CSV text of the ledger → a table, held against what its rows should be: the first thing that is wrong is named.

Spreadsheets may have saved it, with a byte-order mark, quotes or other line ends. A file of an earlier version lacks
the last columns, which are empty then; one of a later version has more, which are passed over.
"""

import csv
import io
import re
from pathlib import Path
from typing import IO, Any, get_args

import numpy as np
import pandas as pd

from regsearch.errors import ResultsError
from regsearch.ledger.records import FIRST_COLUMNS, Epoch, Status, Trial, columns

MARK = b"\xef\xbb\xbf"
"""The byte-order mark that Windows programs begin text in UTF-8 with."""
_DTYPES = {str: "string", int: "Int64", float: "float64"}
_ALWAYS = {
    Trial: ("trial", "architecture", "penalty", "lambda", "learning_rate", "train_size", "seed", "engine"),
    Epoch: ("trial", "epoch", "penalty_value", "validation_loss", "sum_abs_weights", "sum_squared_weights"),
}
_SCORES = (
    "trainable_weights", "penalised_weights", "epochs", "train_loss", "penalty_value", "validation_loss", "test_loss",
)  # fmt: skip
_RESTORE = "The ledger is not meant to be edited: restore it, or name another folder with --out."
_DELETE = "The ledger is not meant to be edited: restore it, or delete that line to train the network again."
_RESAVE = "Save it as CSV in UTF-8 with commas, or restore it."

Row = type[Trial] | type[Epoch]


def parse(stream: IO[bytes], path: Path, row: Row, first: int = 0) -> pd.DataFrame:
    """The rows of CSV text that begins with the header.

    Args:
        stream: the text, in whole lines.
        path: named in errors.
        row: what its rows are.
        first: how many rows of the file came before.

    Raises:
        ResultsError: a column or value is not what it should be.
    """
    kinds = columns(row)
    start = stream.tell()
    try:
        with np.errstate(invalid="ignore"):  # a number too large for a whole one: refused next
            table = _read_csv(stream, {name: _DTYPES[kind] for name, kind in kinds.items()})
        names = list(kinds)[: max(len(table.columns), FIRST_COLUMNS[row])]
        numbers = [name for name in names if kinds[name] is float]
        if list(table.columns) != names or np.isinf(table[numbers].to_numpy()).any():
            raise ValueError
    except (ValueError, TypeError, OverflowError):  # something is not what it should be, which the slow way names
        stream.seek(start)
        table = _parse_carefully(stream, path, row, first)
    for name in list(kinds)[len(table.columns) :]:  # an earlier version had no such column
        table[name] = pd.Series(None, index=table.index, dtype=_DTYPES[kinds[name]])
    _check_rows(table, path, row, first)
    for name, kind in kinds.items():
        if kind is int and not table[name].hasnans:
            table[name] = table[name].astype("int64")
    return table


def make_empty(row: Row) -> pd.DataFrame:
    """The table of a file without rows."""
    return parse(io.BytesIO(",".join(columns(row)).encode()), Path(), row)


def check_header(line: bytes, path: Path, row: Row) -> int:
    """How many of our columns a file has: all, or those of an earlier version; a later one may have added others.

    Args:
        line: its first.
        path: named in errors.
        row: what its rows are.

    Raises:
        ResultsError: it is not our header.
    """
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ResultsError(f"{path}:1: expected text in UTF-8, got UTF-16. {_RESAVE}")
    text = line.removeprefix(MARK).decode("utf-8", "replace").partition("\r")[0].rstrip("\n")[:10_000]
    for sign, name in ((";", "semicolons"), ("\t", "tabs")):
        if "," not in text and sign in text:
            raise ResultsError(f"{path}:1: expected columns that are parted by commas, got {name}. {_RESAVE}")
    names = next(csv.reader([text]), [])
    for index, name in enumerate(columns(row)):
        if index == len(names) >= FIRST_COLUMNS[row]:
            return index
        got = repr(names[index][:100]) if index < len(names) else "nothing"
        if got != repr(name):
            advice = _RESTORE
            if 0 < len(names) == index:
                advice = "An older version wrote it: go on with that version, name another folder with --out, or "
                advice += "move this one aside with --fresh and train again."
            raise ResultsError(f"{path}:1: expected the column {name!r} as number {index + 1}, got {got}. {advice}")
    return len(columns(row))


def _read_csv(stream: IO[bytes], dtypes: Any) -> pd.DataFrame:
    table = pd.read_csv(stream, dtype=dtypes, keep_default_na=False, na_values=[""], encoding="utf-8", engine="c")
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes the first of too many values for a name of the row
        raise ValueError(
            f"Expected {len(table.columns)} fields in line 2, saw {len(table.columns) + table.index.nlevels}"
        )
    return table


def _parse_carefully(stream: IO[bytes], path: Path, row: Row, first: int) -> pd.DataFrame:
    """The rows with the first value that is not what it should be named."""
    start = stream.tell()
    count = check_header(stream.readline(), path, row)
    stream.seek(start)
    try:
        table = _read_csv(stream, "string")
    except (ValueError, UnicodeDecodeError) as error:
        if wrong := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error)):
            expected, line, got = map(int, wrong.groups())
            raise ResultsError(f"{path}:{first + line}: expected {expected} values, got {got}. {_DELETE}") from None
        reason = str(error).splitlines()[0] if str(error) else "no header"
        raise ResultsError(f"{path}: expected a CSV ledger, got a file that is not one ({reason})") from None
    kinds = dict(list(columns(row).items())[:count])
    table = table[list(kinds)]
    return table.assign(**{name: _convert(table[name], kind, path, first) for name, kind in kinds.items()})


def _convert(values: "pd.Series[Any]", kind: type, path: Path, first: int) -> "pd.Series[Any]":
    if kind is str:
        return values
    numbers = pd.to_numeric(values, errors="coerce")
    wrong = (numbers.isna() & values.notna()) | numbers.abs().eq(float("inf")).fillna(False)
    if kind is int:
        wrong |= numbers.notna() & ((numbers % 1 != 0) | (numbers.abs() >= 2**63))
    if wrong.any():
        index = int(wrong.to_numpy().argmax())
        expected = "a whole number" if kind is int else "a finite number"
        raise _blame(path, first + index, values.name, expected, values.iloc[index])
    return numbers.astype("float64" if kind is float else "Int64")


def _check_rows(table: pd.DataFrame, path: Path, row: Row, first: int) -> None:
    """What every row must have, and what one of a network that completed must have besides."""
    checks = []
    if row is Trial:
        statuses, completed = get_args(Status), table["status"] == "completed"
        checks += [(~table["status"].isin(statuses), "status", f"one of {', '.join(statuses)}")]
        checks += [(completed & table[name].isna(), name, "a number") for name in _SCORES]
    checks += [(table[name].isna(), name, "a value") for name in _ALWAYS[row]]
    least = "lambda" if row is Trial else "epoch"
    checks += [(table[least] < 0, least, "a number of at least 0")]
    for wrong, name, expected in checks:
        if wrong.fillna(True).any():
            index = int(wrong.fillna(True).to_numpy().argmax())
            raise _blame(path, first + index, name, expected, table[name].iloc[index])


def _blame(path: Path, index: int, name: object, expected: str, got: object) -> ResultsError:
    shown = "nothing" if pd.isna(got) else repr(got) if isinstance(got, str) else got  # type: ignore[call-overload]
    return ResultsError(f"{path}:{index + 2}: {name}: expected {expected}, got {shown}. {_DELETE}")
