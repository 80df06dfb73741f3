"""Numbers as people read them."""

from typing import Any

_MIB, _GIB = 2**20, 2**30


def short(value: Any) -> str:
    """A number with three digits, nothing for none."""
    return "" if value is None or value != value else f"{value:.3g}"


def duration(seconds: float) -> str:
    """`45 s`, `2 min 5 s`, `3 h 20 min`, `4 d 3 h`."""
    whole = round(seconds)
    for unit, size, part, smaller in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // smaller} {part}"
    return f"{whole} s"


def memory(size: int) -> str:
    """`15 MiB`, `1.2 GiB`."""
    return f"{size / _MIB:.0f} MiB" if size < 1000 * _MIB else f"{size / _GIB:.1f} GiB"
