"""The tables of a study → every figure of it, named."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from regsearch.analysis import SETTING, Tables, name_setting, select_setting
from regsearch.report.figures import best_against_weights, penalty_share, regret_map, response_curves, stability_map
from regsearch.report.figures.canvas import saved, styled

KINDS = {
    "best_lambda": "the best lambda against the weight count",
    "response": "loss against lambda",
    "transfer": "what another network's lambda costs",
    "stability": "which lambdas train",
    "penalty_share": "the penalty's share of the loss",
}


@dataclass(frozen=True)
class Picture:
    """One figure of a study.

    Attributes:
        kind: one of KINDS.
        file: its name without the ending.
        title: the finding, as drawn above it.
        files: the bytes by ending, `svg` and `png`.
    """

    kind: str
    file: str
    title: str
    files: dict[str, bytes]


def gallery(response: pd.DataFrame, tables: Tables, chance: float | None, loss: str) -> Iterator[Picture]:
    """A set of figures for each penalty, learning rate and training-set size, by kind.

    Args:
        response: the table of `response`.
        tables: the other tables.
        chance: the loss of guessing; None where it is not known or there are no classes.
        loss: what the loss is, for its axes.
    """
    for setting, rows in response.groupby(SETTING, sort=True):
        of = {table: select_setting(all_rows, setting) for table, all_rows in vars(tables).items()}
        shown = name_setting(setting, response)
        found: list[tuple[str, Any, Any, tuple[str, ...]]] = [
            ("best_lambda", best_against_weights, best_against_weights.points(of["best_lambda"], of["scaling"]), ()),
            ("response", response_curves, response_curves.points(rows, of["best_lambda"]), (loss,)),
            ("transfer", regret_map, regret_map.points(of["transfer"]), ()),
            ("stability", stability_map, stability_map.points(rows, of["stability"], chance), ()),
            ("penalty_share", penalty_share, penalty_share.points(of["mechanism"]), ()),
        ]
        for kind, module, points, words in found:
            if points is not None:
                with styled():
                    files = saved(module.draw(points, shown, *words))
                yield Picture(kind, f"{kind}-{_slug(shown)}", f"{shown}: {points.title}", files)


def _slug(shown: str) -> str:
    """`l2, learning rate 0.05, 500 training images` as `l2-learning-rate-0.05-500-training-images`."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", shown)
