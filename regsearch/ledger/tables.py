"""`trials.csv` and `epochs.csv` → tables, held against what they should be; the ledger of shards lies in parts."""

import gzip
import io
import logging
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, get_args

import numpy as np
import pandas as pd

from regsearch.errors import ResultsError
from regsearch.ledger.files import unusable
from regsearch.ledger.records import Epoch, Status, Trial, columns

TRIALS, EPOCHS = "trials.csv", "epochs.csv"
SHARDS = "shards"
PACKED = ".gz"
ROWS_AT_ONCE = 50_000
"""Epochs read at a time: all of a large study's would take a gigabyte."""
_DTYPES = {str: "string", int: "Int64", float: "float64"}
_ALWAYS = ("trial", "architecture", "penalty", "lambda", "learning_rate", "train_size", "seed", "engine")
_SCORES = (
    "trainable_weights", "penalised_weights", "epochs", "train_loss", "penalty_value", "validation_loss", "test_loss",
)  # fmt: skip

Row = type[Trial] | type[Epoch]

log = logging.getLogger(__name__)


def list_parts(folder: Path) -> list[Path]:
    """The folders that hold the ledger's files: the results folder, unless shards alone do, and each shard's."""
    shards = sorted({path.parent for path in folder.glob(f"{SHARDS}/*/{TRIALS}*")})
    return [folder, *shards] if _is_there(folder / TRIALS) or not shards else shards


def exists(folder: Path) -> bool:
    """Whether there is a ledger."""
    return any(_is_there(part / TRIALS) for part in list_parts(folder))


def read_trials(folder: Path) -> pd.DataFrame:
    """The ledger as a table with one row a trial, the last that did not fail; a torn last line is left out.

    Raises:
        ResultsError: there is no ledger, or a column or value is not what it should be.
    """
    return keep_last(join([read_part(part / TRIALS) for part in list_parts(folder)]))


def read_epochs(folder: Path, starts_only: bool = False) -> pd.DataFrame:
    """Every network's epochs, or its start alone; see `read_trials`."""
    parts = [parse_in_parts(part / EPOCHS, Epoch, starts_only) for part in list_parts(folder)]
    table = join(list(chain.from_iterable(parts)))
    if starts_only:
        table = table[table["epoch"] == 0]
    return table.drop_duplicates(["trial", "epoch"], keep="last", ignore_index=True)


def read_part(path: Path) -> pd.DataFrame:
    """One part's `trials.csv`, every row of it."""
    with _open_whole_lines(path) as stream:
        return parse_trials(stream, path)


def parse_trials(stream: IO[bytes], path: Path) -> pd.DataFrame:
    """The rows of a `trials.csv`; `path` is named in errors."""
    table = parse(stream, path, Trial)
    _check_trials(table, path)
    return table


def parse_in_parts(path: Path, row: Row, starts_only: bool = False) -> Iterator[pd.DataFrame]:
    """The rows of a file, some at a time; of epochs perhaps those alone that may be of a start."""
    with _open_whole_lines(path) as stream:
        header, first = stream.readline(), 0
        while True:
            lines = list(islice(stream, ROWS_AT_ONCE))
            wanted = lines
            if starts_only:  # what follows the first comma does not begin with a digit from 1 to 9
                wanted = [line for line in lines if not 49 <= line[line.find(b",") + 1] <= 57]
            if lines or not first:
                try:
                    table = parse(io.BytesIO(header + b"".join(wanted)), path, row, first)
                except ResultsError:  # which counts the wanted lines alone: all of them name the right one
                    table = parse(io.BytesIO(header + b"".join(lines)), path, row, first)
                yield table
            if not lines:
                return
            first += len(lines)


def parse(stream: IO[bytes], path: Path, row: Row, first: int = 0) -> pd.DataFrame:
    """The rows of CSV text that begins with the header.

    Args:
        stream: the text, in whole lines.
        path: named in errors.
        row: what its rows are.
        first: how many rows of the file came before.
    """
    kinds = columns(row)
    start = stream.tell()
    try:
        table = _read_csv(stream, {name: _DTYPES[kind] for name, kind in kinds.items()})
        numbers = [name for name, kind in kinds.items() if kind is float]
        if list(table.columns) != list(kinds) or np.isinf(table[numbers].to_numpy()).any():
            raise ValueError
    except (ValueError, TypeError):  # something is not what it should be, which the slow way names
        stream.seek(start)
        table = _parse_carefully(stream, path, kinds, first)
    for name, kind in kinds.items():
        if kind is int and not table[name].hasnans:
            table[name] = table[name].astype("int64")
    return table


def check_header(path: Path, names: Sequence[str], expected: Sequence[str]) -> None:
    """The columns stand as they are written; a later version may have added some at the end."""
    for index, name in enumerate(expected):
        got = repr(names[index]) if index < len(names) else "nothing"
        if got != repr(name):
            if 0 < len(names) == index:
                advice = "An older version wrote it: go on with that version, name another folder with --out, or "
                advice += "move this one aside with --fresh and train again."
            else:
                advice = "The ledger is not meant to be edited: restore it, or name another folder with --out."
            raise ResultsError(f"{path}:1: expected the column {name!r} as number {index + 1}, got {got}. {advice}")


def join(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables one below the other; those without rows have no types to agree on."""
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def keep_last(table: pd.DataFrame) -> pd.DataFrame:
    """One row a trial: the last, and rather one that finished than one that failed, in another part perhaps."""
    failures_first = table.iloc[(table["status"] != "failed").to_numpy().argsort(kind="stable")]
    return failures_first.drop_duplicates("trial", keep="last").sort_index().reset_index(drop=True)


def make_rows(trials: pd.DataFrame) -> dict[str, Trial]:
    """The rows of a table of trials, by trial; a value that is missing is None."""
    rows = trials.astype(object)
    return {row[0]: Trial(*row) for row in rows.where(rows.notna(), None).itertuples(index=False, name=None)}


def unpack(path: Path) -> bytes:
    """What the compressed file beside a path holds.

    Raises:
        ResultsError: it is damaged.
    """
    packed = path.with_name(path.name + PACKED)
    try:
        return gzip.decompress(packed.read_bytes())
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ResultsError(f"{packed}: expected a file packed by gzip, got a damaged one ({error})") from None


def find_end(stream: IO[bytes]) -> tuple[int, int]:
    """How many bytes of a file are whole lines, and how many a torn last line has."""
    size = end = stream.seek(0, io.SEEK_END)
    while end > 0:
        begin = max(0, end - 2**16)
        stream.seek(begin)
        newline = stream.read(end - begin).rfind(b"\n")
        if newline >= 0:
            return begin + newline + 1, size - (begin + newline + 1)
        end = begin
    return 0, size


def _is_there(path: Path) -> bool:
    return path.exists() or path.with_name(path.name + PACKED).exists()


@contextmanager
def _open_whole_lines(path: Path) -> Iterator[IO[bytes]]:
    """A file of the ledger, or the compressed one in its place, without a torn last line."""
    try:
        stream: IO[bytes] = path.open("rb") if path.exists() else io.BytesIO(unpack(path))
    except FileNotFoundError:
        raise ResultsError(
            f"{path}: expected a ledger, got no such file. Is this a results folder? `regsearch run SPEC` makes one."
        ) from None
    except OSError as error:
        raise unusable(path.parent, error) from None
    with stream:
        whole, torn = find_end(stream)
        stream.seek(0)
        if torn:
            log.warning("%s: its last line is torn and left out (%d bytes)", path, torn)
            stream = io.BytesIO(stream.read(whole))
        yield stream


def _read_csv(stream: IO[bytes], dtypes: Any) -> pd.DataFrame:
    return pd.read_csv(stream, dtype=dtypes, keep_default_na=False, na_values=[""], encoding="utf-8", engine="c")


def _parse_carefully(stream: IO[bytes], path: Path, kinds: dict[str, type], first: int) -> pd.DataFrame:
    """The rows with the first value that is not what it should be named."""
    try:
        table = _read_csv(stream, "string")
    except (ValueError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else "no header"
        raise ResultsError(f"{path}: expected a CSV ledger, got a file that is not one ({reason})") from None
    check_header(path, list(table.columns), list(kinds))
    table = table[list(kinds)]
    return table.assign(**{name: _convert(table[name], kind, path, first) for name, kind in kinds.items()})


def _convert(values: "pd.Series[Any]", kind: type, path: Path, first: int) -> "pd.Series[Any]":
    if kind is str:
        return values
    numbers = pd.to_numeric(values, errors="coerce")
    wrong = (numbers.isna() & values.notna()) | numbers.abs().eq(float("inf")).fillna(False)
    if kind is int:
        wrong |= numbers.notna() & (numbers % 1 != 0)
    if wrong.any():
        index = int(wrong.to_numpy().argmax())
        expected = "a whole number" if kind is int else "a finite number"
        raise _blame(path, first + index, values.name, expected, values.iloc[index])
    return numbers.astype("float64" if kind is float else "Int64")


def _check_trials(table: pd.DataFrame, path: Path) -> None:
    """What every row must have, and what one that completed must have besides."""
    statuses = get_args(Status)
    completed = table["status"] == "completed"
    checks = [(~table["status"].isin(statuses), "status", f"one of {', '.join(statuses)}")]
    checks += [(table[name].isna(), name, "a value") for name in _ALWAYS]
    checks += [(completed & table[name].isna(), name, "a number") for name in _SCORES]
    checks += [(table["lambda"] < 0, "lambda", "a number of at least 0")]
    for wrong, name, expected in checks:
        if wrong.fillna(True).any():
            index = int(wrong.fillna(True).to_numpy().argmax())
            raise _blame(path, index, name, expected, table[name].iloc[index])


def _blame(path: Path, index: int, name: object, expected: str, got: object) -> ResultsError:
    shown = "nothing" if pd.isna(got) else repr(got)  # type: ignore[call-overload]
    return ResultsError(
        f"{path}:{index + 2}: {name}: expected {expected}, got {shown}. "
        "The ledger is not meant to be edited: restore it, or delete that line to train the network again."
    )
