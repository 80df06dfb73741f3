"""A results folder is held by one run at a time, or by shards that each hold a part of it.

A run holds a folder by the kernel's lock and by a file that names it; see `holder`. Once a minute it gives a sign of
life. Whoever finds the folder held goes on when the holder's process has ended, or has given no sign for ten minutes;
and a run whose folder was taken over, since its machine slept perhaps, writes nothing more to it.
"""

import errno
import fcntl
import logging
import math
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from regsearch.errors import ResultsError
from regsearch.ledger import watch
from regsearch.ledger.files import unusable
from regsearch.ledger.holder import HOLDER, describe_myself, read_holder, remove_holder, write_holder
from regsearch.ledger.tables import SHARDS

BRIEFLY, FOREVER = 120.0, math.inf
"""Seconds to wait for what is held for a moment only, or by one shard after the other."""
_MOMENT = 2.0
"""Seconds in which a holder has said who it is, and that nobody needs to hear of."""

log = logging.getLogger(__name__)


class Hold:
    """A folder that this process holds, and gives signs of life in.

    Attributes:
        folder: an absolute path; whoever renames the folder says so here.
        name: what messages call it.
    """

    def __init__(self, folder: Path, name: Path, text: str, lock: ExitStack) -> None:
        self.folder, self.name, self._text, self._lock = folder, name, text, lock
        self._released = threading.Event()
        threading.Thread(target=self._beat, daemon=True, name=f"holds {name}").start()

    def confirm(self) -> None:
        """Does nothing while the folder is held, however long this process was suspended.

        Raises:
            ResultsError: another run took it over, or it cannot be read.
        """
        try:
            if self._is_ours():
                return
            time.sleep(0.5)
            if self._is_ours():  # two that took over at once put it back
                return
            holder = read_holder(self.folder)
        except OSError as error:
            raise unusable(self.name, error) from None
        other, silence = holder.describe() if holder else "unknown", watch.say(watch.SILENCE * watch.BEAT)
        raise ResultsError(
            f"{self.name}: expected a results folder that this run still holds, got one that another run took over "
            f"({other}), as this one gave no sign of life for {silence}. Everything finished is kept: run again when "
            "the other has ended."
        )

    def release(self) -> None:
        """Lets others have the folder."""
        self._released.set()
        with suppress(OSError):
            if self._is_ours():
                remove_holder(self.folder, self._text)
        self._lock.close()

    def _is_ours(self) -> bool:
        holder = read_holder(self.folder)
        return holder is not None and holder.text == self._text

    def _beat(self) -> None:
        while not self._released.wait(watch.BEAT):
            with suppress(OSError):  # the disk may be back at the next
                if self._is_ours():
                    os.utime(self.folder / HOLDER)


@contextmanager
def hold(folder: Path, wait: float = 0.0) -> Iterator[Hold]:
    """Holds the folder against other runs, but not against shards, which hold their own parts of it.

    One whose holder may be dead is waited for until that is known, ten minutes at most.

    Args:
        folder: made where there is none.
        wait: seconds to wait for a run that is alive.

    Raises:
        ResultsError: another run holds it, or it cannot be made or written.
    """
    try:
        _make(folder)
        held = _take(folder.absolute(), folder, wait)
    except OSError as error:
        raise unusable(folder, error) from None
    try:
        yield held
    finally:
        held.release()


@contextmanager
def hold_whole(folder: Path) -> Iterator[Hold]:
    """Holds the folder against shards too: none of them works, and none can begin; see `hold`."""
    with hold(folder) as held:
        for part in sorted(path for path in folder.glob(f"{SHARDS}/*") if path.is_dir()):
            with hold(part):
                pass  # nobody does: a shard holds the folder while it takes its part
        yield held


def _make(folder: Path) -> None:
    """Makes the folder; where a link leads to, but no folders above that, whose disk may not be there."""
    if folder.exists() and not folder.is_dir():
        raise ResultsError(f"{folder}: expected a folder for the results, got a file. Name another with --out.")
    if not folder.is_symlink():
        folder.mkdir(parents=True, exist_ok=True)
        return
    target = Path(os.path.realpath(folder))
    if target.is_symlink() or not target.parent.is_dir():
        raise ResultsError(
            f"{folder}: expected a folder for the results, got a link to {target}, which is not there. "
            "Mount its disk or make that folder, or name another with --out."
        )
    target.mkdir(exist_ok=True)


def _take(folder: Path, name: Path, wait: float) -> Hold:
    """Holds a folder that is there, called `name` in messages."""
    began, state, said, pause = time.monotonic(), watch.Watch(folder), False, 0.05
    while True:
        with ExitStack() as stack:
            alone = stack.enter_context(_lock(folder / watch.LOCK))
            holder = read_holder(folder)
            if state.may_take(holder, alone):
                if holder:
                    remove_holder(folder, holder.text)
                text = describe_myself(folder, locked=alone is True)
                if write_holder(folder, text):
                    if state.doubtful:
                        log.warning("%s: taken over from another run (%s)", name, state.describe())
                    return Hold(folder, name, text, stack.pop_all())
        waited = time.monotonic() - began
        known = holder is not None and holder.text.strip()  # else it is coming or leaving
        if waited >= wait and not state.doubtful and (known or waited >= _MOMENT):
            raise state.refuse(name)
        if waited >= _MOMENT / 2 and not said:
            said = True
            log.warning("%s: %s", name, state.describe_waiting(wait - waited))
        time.sleep(pause)
        pause = min(1.5 * pause, _MOMENT)


@contextmanager
def _lock(path: Path) -> Iterator[bool | None]:
    """Has the kernel's lock, if it can be had.

    Yields:
        Whether this process alone has it; None where locks fail, or keep nobody out, as on some network mounts.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        alone = _try(file)
        if alone:
            with path.open("rb+") as other:
                alone = None if _try(other.fileno()) else True
        yield alone
    finally:
        os.close(file)


def _try(file: int) -> bool | None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES) else None
    return True
