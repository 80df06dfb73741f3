"""What a container or batch system leaves its processes of a machine: control groups, of both versions."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from math import ceil
from pathlib import Path

PROCESS = Path("/proc/self")


def count_allowed_cores() -> int | None:
    """The cores' worth of time that the strictest of this process's control groups allows; None where none says.

    A part of a core counts as one: of 1.5, one process would leave a third; two wait a quarter of the time.
    """
    shares = list(_read_limits("cpu", _read_share))
    return max(1, ceil(min(shares))) if shares else None


def count_allowed_bytes() -> int:
    """The memory that processes here may take together: the machine's, or less where a control group says so."""
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return int(min([there, *_read_limits("memory", _read_bytes)]))


def _read_share(group: Path, version: int) -> float:
    """A group's share of time, in cores; not above 0, or not a number, where it has none."""
    if version == 2:
        quota, period = (group / "cpu.max").read_text(encoding="ascii").split()
    else:
        quota, period = ((group / f"cpu.cfs_{name}_us").read_text(encoding="ascii") for name in ("quota", "period"))
    return float(quota) / float(period)


def _read_bytes(group: Path, version: int) -> float:
    """A group's memory; not a number, or more than any machine has, where it has no limit."""
    return float((group / ("memory.max" if version == 2 else "memory.limit_in_bytes")).read_text(encoding="ascii"))


def _read_limits(controller: str, read: Callable[[Path, int], float]) -> Iterator[float]:
    """The limits of each group from this process's own up to the root of what is mounted."""
    for root, mounted, version in _find_hierarchies(controller):
        # In a container the path may be the host's, of which only what is below the mount's root can be seen.
        for path in _find_paths(controller if version == 1 else "") or [root]:
            own = mounted / (path.relative_to(root) if path.is_relative_to(root) else "")
            for group in (own, *own.parents):
                with suppress(OSError, ValueError, ZeroDivisionError):
                    if (limit := read(group, version)) > 0:
                        yield limit
                if group == mounted:
                    break


def _find_hierarchies(controller: str) -> Iterator[tuple[Path, Path, int]]:
    """Where a controller's groups are mounted: which of them is the root there, the folder and the version."""
    for line in _read_lines("mountinfo"):
        before, _, after = line.partition(" - ")
        where, (kind, *_, options) = before.split(), after.split() or ("", "")
        if kind == "cgroup2" or (kind == "cgroup" and controller in options.split(",")):
            yield Path(where[3]), Path(where[4]), 2 if kind == "cgroup2" else 1


def _find_paths(controller: str) -> list[Path]:
    """This process's groups of a controller of version 1, or of version 2 where it is empty."""
    groups = (line.split(":", 2) for line in _read_lines("cgroup"))
    return [Path(path) for _, names, path in groups if controller in names.split(",")]


def _read_lines(name: str) -> list[str]:
    try:
        return (PROCESS / name).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:  # no Linux
        return []
