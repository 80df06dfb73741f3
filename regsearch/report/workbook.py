"""Tables → one workbook with a sheet a table."""

import io
import logging
from collections.abc import Mapping
from datetime import datetime

import pandas as pd

ROWS = 1_048_575
"""What a sheet holds below its header."""

log = logging.getLogger(__name__)


def make_workbook(tables: Mapping[str, pd.DataFrame], created: datetime) -> bytes:
    """A workbook: numbers as numbers, text as text, no value as an empty cell, the header frozen.

    A table that is longer than a sheet is left out, with a warning. An infinite bound, which a sheet cannot hold
    as a number, is an empty cell, and numbers have nine digits, as in the CSV.

    Args:
        tables: by the name of their sheets.
        created: what the file says of its making, so that it is the same each time.
    """
    buffer = io.BytesIO()
    plain = {"strings_to_numbers": False, "strings_to_formulas": False, "strings_to_urls": False, "in_memory": True}
    with pd.ExcelWriter(buffer, engine="xlsxwriter", engine_kwargs={"options": plain}) as writer:
        writer.book.set_properties({"created": created})
        for name, table in tables.items():
            if len(table) > ROWS:
                log.warning("tables.xlsx is without %s: %d rows are more than a sheet holds", name, len(table))
                continue
            finite = table.replace([float("inf"), float("-inf")], float("nan"))
            finite.to_excel(writer, sheet_name=name, index=False, float_format="%.9g", freeze_panes=(1, 0))
            writer.sheets[name].autofit()
            if len(table):
                writer.sheets[name].autofilter(0, 0, len(table), len(table.columns) - 1)
    return buffer.getvalue()
