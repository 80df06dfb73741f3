"""The ledger's files are put right before more is appended: after a kill, by an earlier version, packed, by hand."""

import logging
import os
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from regsearch.errors import ResultsError
from regsearch.ledger import tables
from regsearch.ledger.parsing import MARK, Row, check_header
from regsearch.ledger.records import Epoch, columns
from regsearch.ledger.tables import PACKED

log = logging.getLogger(__name__)


def unpack(path: Path) -> None:
    """Makes a compressed file one that can be appended to."""
    packed = path.with_name(path.name + PACKED)
    if packed.exists() and not path.exists():
        _replace(path, [tables.unpack(path)])
        packed.unlink()


def mend(path: Path, row: Row) -> None:
    """Makes the file where there is none, cuts off what a kill left of a last line, adds columns that are newer.

    Only what begins with the header is changed: anything else is no ledger of ours, and stays as it is.
    """
    header = ",".join(columns(row))
    if begins_its_header(path, row):
        _replace(path, [f"{header}\n".encode()])
        return
    with path.open("rb") as file:
        first = file.readline(2**20)
        whole, torn = tables.find_end(file)
    count = check_header(first, path, row)
    if not first.endswith(b"\n"):
        raise ResultsError(f"{path}:1: expected the header {header}, got something else. Restore the file.")
    if torn:
        log.warning("%s: its last line is torn and dropped (%d bytes)", path, torn)
        os.truncate(path, whole)
    if newer := len(columns(row)) - count:
        with path.open("rb") as file:
            file.readline()
            lines = (line.rstrip(b"\r\n") + b"," * newer + b"\n" for line in file if line.strip())
            _replace(path, chain([f"{header}\n".encode()], lines))


def drop_orphans(path: Path, trials: pd.DataFrame) -> pd.DataFrame:
    """Drops epochs whose trial was never written, or failed, or ended before them.

    Args:
        path: of the epochs.
        trials: with one row a trial.

    Returns:
        The starts and last epochs, the columns `trial` and `epoch` of them.
    """
    finished = trials[trials["status"] != "failed"]
    orphans, beyond, ends = False, set[bytes](), []
    for table in tables.parse_in_parts(path, Epoch):
        epoch, last = table["epoch"], tables.find_last(table, finished)
        orphans = orphans or bool(np.isnan(last).any())
        late = table[epoch > last]
        beyond.update(
            f"{trial},{number}".encode() for trial, number in zip(late["trial"], late["epoch"], strict=True)
        )
        ends.append(table.loc[(epoch == 0) | (epoch == last), ["trial", "epoch"]])
    if beyond:
        log.warning("%s: %d epochs after the last of their network are dropped", path, len(beyond))
    if orphans or beyond:
        known = set(finished["trial"])
        with path.open("rb") as file:
            lines = chain([file.readline()], (line for line in file if _is_known(line, known, beyond)))
            _replace(path, lines)
    return tables.join(ends)


def _is_known(line: bytes, known: set[str], beyond: set[bytes]) -> bool:
    trial, _, rest = line.replace(b'"', b"").partition(b",")
    return trial.decode("utf-8", "replace") in known and trial + b"," + rest.partition(b",")[0] not in beyond


def begins_its_header(path: Path, row: Row) -> bool:
    """Whether a file is not there, or holds no more than the beginning of its header."""
    if not path.exists():
        return True
    header = ",".join(columns(row)).encode()
    with path.open("rb") as file:
        return header.startswith(file.read(len(header) + len(MARK) + 1).removeprefix(MARK))


def has_rows(path: Path) -> bool:
    """Whether a file has a whole line below its header."""
    if not path.exists():
        return False
    with path.open("rb") as file:
        file.readline()
        return file.readline().endswith(b"\n")


def _replace(path: Path, lines: Iterable[bytes]) -> None:
    """Writes the whole file, or nothing."""
    partial = path.with_suffix(".tmp")
    try:
        with partial.open("wb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
