"""The cores and GPUs that this process may use. Imports no backend."""

import os
import re
from pathlib import Path

from regsearch.engine.limits import count_allowed_cores


def find_gpus() -> list[str]:
    """The GPUs of this machine that may be used, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name.strip() not in ("", "-1")]
    return sorted(
        path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia*") if re.search(r"\d$", path.name)
    )


def count_cores() -> int:
    """The cores this process may use: those it is bound to, or fewer where a container's share of time is smaller."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(there, count_allowed_cores() or there)
