"""`trials.csv` and `epochs.csv` → tables; the ledger of shards lies in parts, and any may be packed."""

import gzip
import io
import logging
import zlib
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from regsearch.errors import ResultsError
from regsearch.ledger.files import unusable
from regsearch.ledger.parsing import Row, make_empty, parse
from regsearch.ledger.records import Epoch, Trial

TRIALS, EPOCHS = "trials.csv", "epochs.csv"
SHARDS = "shards"
PACKED = ".gz"
ROWS_AT_ONCE = 50_000
"""Epochs read at a time: all of a large study's would take a gigabyte."""

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


def read_epochs(folder: Path) -> pd.DataFrame:
    """Every network's epochs, the last row of each; none where the file is missing. See `read_trials`."""
    return _read_epochs(folder)


def read_ends(folder: Path, trials: pd.DataFrame, but: Path | None = None) -> pd.DataFrame:
    """The start and the last epoch of each trial of a table, where they are there; other rows may be among them.

    Args:
        folder: the results folder.
        trials: a table of `trials.csv`.
        but: a part that is left out.
    """
    return _read_epochs(folder, _list_ends(trials), but)


def find_lacking(trials: pd.DataFrame, epochs: Iterable[pd.DataFrame]) -> list[str]:
    """The completed trials whose start or last epoch is missing.

    Args:
        trials: with one row a trial.
        epochs: tables of epochs, of which the ends are enough.
    """
    completed = trials[trials["status"] == "completed"]
    begun, ended = set[str](), set[str]()
    for table in epochs:
        begun.update(table.loc[table["epoch"] == 0, "trial"])
        ended.update(table.loc[table["epoch"] == find_last(table, completed), "trial"])
    return [trial for trial in completed["trial"] if trial not in begun or trial not in ended]


def find_last(table: pd.DataFrame, trials: pd.DataFrame) -> NDArray[np.float64]:
    """Each epoch's network's last one: NaN if it is not among the trials, infinite if that has none, being edited."""
    last = dict(zip(trials["trial"], trials["epochs"].astype("float64").fillna(np.inf), strict=True))
    places, names = pd.factorize(table["trial"])
    return np.array([last.get(name, np.nan) for name in names], dtype="float64")[places]


def find_incomplete(trials: pd.DataFrame, epochs: Iterable[pd.DataFrame], folder: Path) -> list[str]:
    """The trials to train again, as `find_lacking`; none where every network's epochs are lost, which is said."""
    lacking = find_lacking(trials, epochs)
    if lacking and len(lacking) == (trials["status"] == "completed").sum():
        # Whoever lost or removed the whole file does not want to train a study again for it.
        log.warning("%s was missing: the epochs of %d networks are lost", folder / EPOCHS, len(lacking))
        return []
    return lacking


def read_part(path: Path) -> pd.DataFrame:
    """One part's `trials.csv`, every row of it."""
    with _open_whole_lines(path) as stream:
        return parse(stream, path, Trial)


def parse_in_parts(path: Path, row: Row, ends: Container[bytes] | None = None) -> Iterator[pd.DataFrame]:
    """The rows of a file, some at a time; of epochs perhaps those alone that may be a start or have one of `ends`."""
    with _open_whole_lines(path) as stream:
        header, first = stream.readline(), 0
        while True:
            lines = list(islice(stream, ROWS_AT_ONCE))
            wanted = lines if ends is None else _select_ends(lines, ends)
            if lines or not first:
                try:
                    table = parse(io.BytesIO(header + b"".join(wanted)), path, row, first)
                except ResultsError:  # which counts the wanted lines alone: all of them name the right one
                    table = parse(io.BytesIO(header + b"".join(lines)), path, row, first)
                yield table
            if not lines:
                return
            first += len(lines)


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


def _read_epochs(folder: Path, ends: Container[bytes] | None = None, but: Path | None = None) -> pd.DataFrame:
    paths = [part / EPOCHS for part in list_parts(folder) if part != but]
    tables = [parse_in_parts(path, Epoch, ends) for path in paths if _is_there(path)]
    table = join(list(chain.from_iterable(tables)) or [make_empty(Epoch)])
    return table.drop_duplicates(["trial", "epoch"], keep="last", ignore_index=True)


def _list_ends(trials: pd.DataFrame) -> frozenset[bytes]:
    """The numbers of last epochs, as the ledger or a spreadsheet writes them."""
    numbers = trials["epochs"].dropna().astype(int).unique()
    return frozenset(f"{number}{ending}".encode() for number in numbers for ending in ("", ".0"))


def _select_ends(lines: Iterable[bytes], ends: Container[bytes]) -> list[bytes]:
    """The lines of epochs in `ends`, and those of starts: what does not begin with a digit from 1 to 9 may be one."""
    return [
        line
        for line in lines
        if not 49 <= line[(begin := line.find(b",") + 1)] <= 57 or line[begin : line.find(b",", begin)] in ends
    ]


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
