"""Who holds a results folder: one run at a time, or shards that each hold a part of it."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from regsearch.errors import ResultsError
from regsearch.ledger.files import unusable, write_text
from regsearch.ledger.tables import SHARDS

LOCK, HOLDER = ".lock", ".lock-holder"
BRIEFLY, FOREVER = 120.0, -1.0
"""Seconds to wait for what is held for a moment only, or by one shard after the other."""


@contextmanager
def hold(folder: Path, wait: float = 0.0) -> Iterator[None]:
    """Holds the folder against other runs, but not against shards, which hold their own parts of it.

    Args:
        folder: made where there is none.
        wait: seconds to wait for whoever holds it now.

    Raises:
        ResultsError: another run holds it, or it cannot be made or written.
    """
    holder, lock = folder / HOLDER, FileLock(folder / LOCK, timeout=wait)
    if folder.exists() and not folder.is_dir():
        raise ResultsError(f"{folder}: expected a folder for the results, got a file. Name another with --out.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        who = "unknown"
        with suppress(OSError):  # it may be leaving
            who = holder.read_text(encoding="utf-8").strip()
        raise ResultsError(
            f"{folder}: expected a results folder that no other run holds, got one held by another run ({who}). "
            "Wait for it, or name another folder with --out."
        ) from None
    except OSError as error:
        raise unusable(folder, error) from None
    try:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        write_text(holder, f"process {os.getpid()} on {socket.gethostname()}, since {since}\n")
        yield
    finally:
        with suppress(OSError):
            holder.unlink()
        lock.release()


@contextmanager
def hold_whole(folder: Path) -> Iterator[None]:
    """Holds the folder and every shard's part of it; see `hold`."""
    with ExitStack() as stack:
        stack.enter_context(hold(folder))
        for part in sorted(path for path in folder.glob(f"{SHARDS}/*") if path.is_dir()):
            stack.enter_context(hold(part))
        yield
