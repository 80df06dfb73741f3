"""The workbook, read back: numbers are numbers, text is text, nothing is run."""

import io
from datetime import datetime

import numpy as np
import openpyxl
import pandas as pd
import pytest

from regsearch.report import workbook as module
from regsearch.report.workbook import make_workbook

CREATED = datetime(2026, 1, 2, 3, 4, 5)
TABLE = pd.DataFrame(
    {
        "architecture": pd.array(["w2", "=1+1", "-lead"], dtype="string"),
        "width": pd.array([2, pd.NA, 4], dtype="Int64"),
        "lambda": [0.1, np.nan, 1 / 3],
        "exponent_low": [-np.inf, 0.5, np.inf],
        "like_a_number": ["007", "1e5", "http://x"],
    }
)


def read(content):
    return openpyxl.load_workbook(io.BytesIO(content))


def test_a_sheet_a_table_with_numbers_as_numbers_and_a_frozen_header():
    book = read(make_workbook({"best_lambda": TABLE, "empty": TABLE.iloc[:0]}, CREATED))
    assert book.sheetnames == ["best_lambda", "empty"]
    rows = list(book["best_lambda"].values)
    assert rows == [
        ("architecture", "width", "lambda", "exponent_low", "like_a_number"),
        ("w2", 2, 0.1, None, "007"),
        ("=1+1", None, None, 0.5, "1e5"),
        ("-lead", 4, 0.333333333, None, "http://x"),
    ]
    assert {cell.data_type for row in book["best_lambda"].iter_rows() for cell in row} <= {"s", "n"}  # no formula
    assert book["best_lambda"].freeze_panes == "A2"
    assert list(book["empty"].values) == [rows[0]]
    assert book.properties.created == CREATED


def test_the_same_tables_give_the_same_bytes():
    assert make_workbook({"a": TABLE}, CREATED) == make_workbook({"a": TABLE}, CREATED)


def test_a_table_longer_than_a_sheet_is_left_out_and_named(monkeypatch, caplog):
    monkeypatch.setattr(module, "ROWS", 2)
    assert read(make_workbook({"epochs": TABLE, "a": TABLE.iloc[:2]}, CREATED)).sheetnames == ["a"]
    assert "without epochs: 3 rows are more than a sheet holds" in caplog.text


@pytest.mark.parametrize("kind", [np.float32(0.5), np.int64(3), True])
def test_numbers_of_every_kind_are_numbers(kind):
    (_, (value,)) = read(make_workbook({"a": pd.DataFrame({"x": pd.Series([kind], dtype=object)})}, CREATED))[
        "a"
    ].values
    assert value == kind
