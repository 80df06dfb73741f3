"""Watching whether the holder of a results folder is alive: signs of life, silence, and the words for them."""

import math
import os
import socket
import time
from datetime import datetime, timedelta
from pathlib import Path

from regsearch.errors import ResultsError
from regsearch.ledger.holder import Holder

LOCK = ".lock"
BEAT = 60.0
"""Seconds between two signs of life."""
SILENCE = 10
"""So many beats without one, and a folder is taken over."""
WATCH = 1.5
"""So many beats in which one must have come, whatever the clocks of two hosts say."""


class Watch:
    """How long the holder of a folder gives no sign of life.

    Attributes:
        holder: who holds it, where that is known.
        silence: seconds without a sign, by the clock of whoever keeps the folder; by this process's own as soon as
            one has come while it watched, or where that clock puts the last into the future.
        watched: seconds without one while this process watched.
        doubtful: the holder may be dead, and it takes more watching to know.
        left: seconds of it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.holder: Holder | None = None
        self.silence = self.watched = self.left = 0.0
        self.doubtful = self._alive = False
        self._looked = time.monotonic()

    def may_take(self, holder: Holder | None, alone: bool | None) -> bool:
        """Whether nobody holds the folder, or one that has ended, or gives no sign of life.

        Args:
            holder: who has just been read.
            alone: whether this process has the kernel's lock; None where it keeps nobody out.
        """
        self._look(holder)
        if holder is None:
            return alone is not False  # else somebody is coming or leaving
        old = ahead = False
        if not self._alive:
            age = _read_clock(self.folder) - holder.beat
            self.silence, ahead = max(self.silence, age), age < -2 * BEAT
            old = not holder.text.strip() or holder.is_copied(self.folder)
        self.left = max(WATCH * BEAT - self.watched, 0.0 if old else SILENCE * BEAT - self.silence)
        # Version 0.2.0 gives no signs of life: the kernel's lock alone speaks for it.
        self.doubtful = (old or ahead or self.silence >= 2 * BEAT) and (bool(holder.facts) or alone is not False)
        return holder.has_ended(locked=alone is True) or (self.doubtful and self.left <= 0)

    def _look(self, holder: Holder | None) -> None:
        now = time.monotonic()
        gap, self._looked = now - self._looked, now
        self.watched += min(gap, BEAT / 10)  # a file server that stood still shows no signs, whoever is alive
        if holder != self.holder:
            self._alive = bool(holder and self.holder and holder.text == self.holder.text)
            self.holder, self.watched = holder, 0.0
        self.silence, self.doubtful = self.watched, False

    def describe(self) -> str:
        """Who holds the folder, and since when without a sign of life."""
        if self.holder is None:
            return "unknown"
        since = f", last sign of life {say(max(0.0, self.silence))} ago" if self.holder.facts else ""
        return self.holder.describe() + since

    def describe_waiting(self, seconds: float) -> str:
        """What is waited for, for so many seconds if the holder lives."""
        held = f"held by another run ({self.describe()})"
        if self.doubtful:
            return f"{held}. Waiting for {say(self.left)}: if it gives none until then, its folder is taken over"
        return f"{held}. Waiting for it" + (f", for up to {say(seconds)}" if math.isfinite(seconds) else "")

    def refuse(self, name: Path) -> ResultsError:
        """The error of a folder, called `name`, that another run holds."""
        advice = "Wait for it, or name another folder with --out."
        if self.holder is None or not self.holder.facts:
            advice += f" If it has long ended, delete {name / LOCK}."
        elif self.holder.facts["host"] != socket.gethostname():
            free = datetime.now() + timedelta(seconds=self.left)
            advice += f" If it is dead, its folder can be had from {free:%H:%M:%S} on."
        got = f"got one held by another run ({self.describe()})"
        return ResultsError(f"{name}: expected a results folder that no other run holds, {got}. {advice}")


def say(seconds: float) -> str:
    """`45 s`, `10 minutes`."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def _read_clock(folder: Path) -> float:
    """What time it is for whoever keeps the folder's files: a server perhaps, whose clock is not this machine's."""
    os.utime(folder / LOCK)
    return (folder / LOCK).stat().st_mtime
