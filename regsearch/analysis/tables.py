"""The tables of a study, and the settings that part their rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import pandas as pd


class Setting(NamedTuple):
    """What the networks of one fit share."""

    penalty: str
    learning_rate: float
    train_size: int

    @property
    def words(self) -> str:
        """All of it, in words."""
        return f"{self.penalty}, learning rate {self.learning_rate:g}, {self.train_size} training images"


SETTING = list(Setting._fields)


@dataclass(frozen=True)
class Tables:
    """What the analyses say, each table as its module defines it, in the order they are shown.

    Attributes:
        calibration: of planted data alone.
    """

    best_lambda: pd.DataFrame
    scaling: pd.DataFrame
    transfer: pd.DataFrame
    stability: pd.DataFrame
    mechanism: pd.DataFrame
    response: pd.DataFrame
    calibration: pd.DataFrame | None = None

    def by_name(self) -> dict[str, pd.DataFrame]:
        """The tables there are."""
        return {name: table for name, table in vars(self).items() if table is not None}

    def select(self, setting: Setting) -> Self:
        """The rows of one setting in each table."""
        tables = self.by_name().items()
        return type(self)(**{name: table[table[SETTING].eq(list(setting)).all(axis=1)] for name, table in tables})


def split_settings(table: pd.DataFrame) -> Iterator[tuple[Setting, pd.DataFrame]]:
    """Each setting of a table with its rows, in order."""
    key: Any
    for key, rows in table.groupby(SETTING, sort=True):
        yield Setting(*key), rows


def name_setting(setting: Setting, table: pd.DataFrame) -> str:
    """The penalty, and the learning rate and training-set size where the table has several."""
    words = setting.penalty
    if table["learning_rate"].nunique() > 1:
        words += f", learning rate {setting.learning_rate:g}"
    if table["train_size"].nunique() > 1:
        words += f", {setting.train_size} training images"
    return words
