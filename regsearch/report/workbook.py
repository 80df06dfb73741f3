"""Tables → one workbook with a sheet a table."""

import io
import logging
from collections.abc import Mapping
from datetime import datetime

import numpy as np
import pandas as pd

ROWS = 1_048_575
"""What a sheet holds below its header."""
WIDEST = 40

log = logging.getLogger(__name__)


def workbook(tables: Mapping[str, pd.DataFrame], created: datetime) -> bytes:
    """A workbook: numbers as numbers, text as text, no value as an empty cell, the header frozen.

    A table that is longer than a sheet is left out, with a warning. An infinite bound, which a sheet cannot hold
    as a number, is an empty cell, as in the CSV.

    Args:
        tables: by the name of their sheets.
        created: what the file says of its making, so that it is the same each time.
    """
    from xlsxwriter import Workbook

    buffer = io.BytesIO()
    plain = {"strings_to_numbers": False, "strings_to_formulas": False, "strings_to_urls": False, "in_memory": True}
    with Workbook(buffer, plain) as book:
        book.set_properties({"created": created})
        bold = book.add_format({"bold": True})
        for name, table in tables.items():
            if len(table) > ROWS:
                log.warning("tables.xlsx is without %s: %d rows are more than a sheet holds", name, len(table))
                continue
            sheet = book.add_worksheet(name)
            sheet.freeze_panes(1, 0)
            for column, title in enumerate(table.columns):
                values = [_cell(value) for value in table[title].tolist()]
                sheet.write_string(0, column, title, bold)
                for row, value in enumerate(values, start=1):
                    if isinstance(value, str):
                        sheet.write_string(row, column, value)
                    elif value is not None:
                        sheet.write_number(row, column, value)
                longest = max([len(title), *(len(str(value)) for value in values[:50] if value is not None)])
                sheet.set_column(column, column, min(WIDEST, longest + 2))
            if len(table):
                sheet.autofilter(0, 0, len(table), len(table.columns) - 1)
    return buffer.getvalue()


def _cell(value: object) -> str | int | float | None:
    """A value as a sheet holds it; None where there is none."""
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, bool | np.bool_):
        return int(value)
    if isinstance(value, int | float | np.number):
        number = value.item() if isinstance(value, np.number) else value
        if number != number:
            return None
        # Nine digits, as in the CSV: rounding errors would differ from machine to machine.
        return None if number in (float("inf"), float("-inf")) else _nine(number)
    return str(value)


def _nine(number: int | float) -> int | float:
    return number if isinstance(number, int) else float(f"{number:.9g}")
