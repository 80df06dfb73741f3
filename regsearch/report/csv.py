"""Tables → CSV files that spreadsheets open as they are."""

from pathlib import Path

import pandas as pd

from regsearch.ledger import write_text

_RUNS_AS_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Writes a table whole or not at all: one header row, no index, numbers with nine digits.

    An infinite number, which no spreadsheet reads as one, is an empty cell: nothing is known on that side. Text
    that a spreadsheet would run as a formula has an apostrophe before it.
    """
    texts = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    safe = table.assign(**{name: table[name].map(_neutralise) for name in texts})
    finite = safe.replace([float("inf"), float("-inf")], float("nan"))
    write_text(path, finite.to_csv(index=False, float_format="%.9g", lineterminator="\n"))


def _neutralise(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_RUNS_AS_FORMULA) else value
