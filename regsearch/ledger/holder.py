"""The holder of a results folder: a file in it names a process, and the file's time is its last sign of life.

The kernel's lock says who may go on where it works. This file says who that is, and stands in for the lock where a
file system has none, or one that keeps nobody out.
"""

import json
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil

HOLDER = ".lock-holder"
_TEXTS = ("host", "machine", "boot", "namespace", "started", "since", "token")


@dataclass(frozen=True)
class Holder:
    """What the file says of who holds the folder.

    Attributes:
        text: all of it; no two holders write the same.
        beat: its last sign of life, in seconds, by the clock of whoever keeps the file.
    """

    text: str
    beat: float

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What it says, by name; nothing where it is damaged, or of version 0.2.0, which gives no signs of life."""
        try:
            facts = json.loads(self.text)
        except (ValueError, RecursionError):
            return {}
        if not isinstance(facts, dict) or not all(isinstance(facts.get(name), str) for name in _TEXTS):
            return {}
        process = facts.get("process")
        return facts if isinstance(process, int) and 0 < process < 2**31 else {}

    def describe(self) -> str:
        """The process, its host, and since when it holds the folder."""
        if self.facts:
            return "process {process} on {host}, since {since}".format(**self.facts)
        return self.text.strip()[:200] or "unknown"

    def has_ended(self, locked: bool) -> bool:
        """Whether its process is known to run no more.

        Args:
            locked: the asking process has the kernel's lock, which no other process of this machine has then.
        """
        if not self.facts:
            return locked and bool(self.text.strip())
        here = _describe_place()
        if self.facts["boot"] == here["boot"]:
            same = self.facts["namespace"] == here["namespace"]  # elsewhere its number is another process's
            return (locked and self.facts.get("locked") is True) or (
                same and not _runs(self.facts["process"], self.facts["started"])
            )
        restarted = all(self.facts[name] == here[name] for name in ("host", "machine"))
        return restarted and bool(here["machine"])

    def is_copied(self, folder: Path) -> bool:
        """Whether it seems to have come with a copy of the folder that it held; some mounts make numbers up."""
        return bool(self.facts) and self.facts.get("folder") != folder.stat().st_ino


def describe_myself(folder: Path, locked: bool) -> str:
    """The text of this process's file, another each time.

    Args:
        folder: what it holds.
        locked: whether by the kernel's lock too.
    """
    facts = {
        "process": os.getpid(),
        **_describe_place(),
        "started": _find_start(os.getpid()) or "",
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "folder": folder.stat().st_ino,
        "locked": locked,
        "token": uuid4().hex,
    }
    return json.dumps(facts) + "\n"


def read_holder(folder: Path) -> Holder | None:
    """Who holds a folder, as its file says; None where there is none."""
    try:
        with (folder / HOLDER).open("rb") as file:  # opened: a network mount asks its server how old it is then
            return Holder(file.read(10_000).decode("utf-8", "replace"), os.fstat(file.fileno()).st_mtime)
    except FileNotFoundError:
        return None


def write_holder(folder: Path, text: str) -> bool:
    """Writes the file where there is none; False where there is one."""
    try:
        with (folder / HOLDER).open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    except OSError:
        with suppress(OSError):
            (folder / HOLDER).unlink()  # a disk that is full takes a file, and nothing into it
        raise
    return True


def remove_holder(folder: Path, text: str) -> None:
    """Removes the file if it still says the same; another's, that took its place meanwhile, is put back."""
    aside = folder / f"{HOLDER}-{uuid4().hex}"
    with suppress(FileNotFoundError):
        (folder / HOLDER).rename(aside)  # before it is compared: nobody else can have done it
        got = aside.read_bytes().decode("utf-8", "replace")
        if got != text:
            write_holder(folder, got)
        aside.unlink()


def _describe_place() -> dict[str, str]:
    """Where this process's number is its own: the host, its machine, since which start, among which processes."""
    host = socket.gethostname()
    return {
        "host": host,
        "machine": _read(lambda: Path("/etc/machine-id").read_text().strip()),
        "boot": _read(lambda: Path("/proc/sys/kernel/random/boot_id").read_text().strip()) or host,
        "namespace": _read(lambda: str(Path("/proc/self/ns/pid").readlink())),
    }


def _read(read: Callable[[], str]) -> str:
    """What only Linux knows; empty elsewhere."""
    try:
        return read()
    except OSError:
        return ""


def _runs(process: int, started: str) -> bool:
    """Whether a process of this machine runs; one that started at another time has only its number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's, which may be hidden from /proc
    return _find_start(process) == started


def _find_start(process: int) -> str | None:
    """When a process started, by a clock that nobody sets; None for one that ended."""
    with suppress(OSError):
        state, *numbers = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return None if state in "ZX" else numbers[18]
    with suppress(psutil.Error):
        return str(psutil.Process(process).create_time())
    return None
