"""What to doubt: where a study's grid, seeds or training leave its answer open, and what to do about it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from regsearch.analysis.verdict import SETTING, Tables, name_setting

ENOUGH_SEEDS = 5
ENOUGH_NETWORKS = 6
FINE = 10**0.26
"""Up to this factor between lambdas an optimum is found well: a quarter of a decade, and what rounding needs."""

_STATUSES = {
    "no_benefit": "no lambda is shown to be better than 0, so that its best lambda is only known to be no larger "
    "than what does as well",
    "left_edge": "the optimum lies below the grid (grid.extend lets the grid grow)",
    "right_edge": "the optimum lies above the grid, or above what trains (grid.extend lets the grid grow)",
    "multimodal": "the loss has two minima, and which of them is lower may be chance (more seeds tell)",
}


def list_doubts(tables: Tables, missing: int, total: int, stopped_early: bool = False) -> list[str]:
    """What to doubt, a sentence each; none where there is no reason.

    Args:
        tables: the study's.
        missing: trials of the grid that are not trained, or failed.
        total: trials of the grid.
        stopped_early: whether networks stop when their validation loss no longer falls.
    """
    found: list[str] = []
    if missing:
        found.append(f"{missing} of {total} networks are not trained yet, or failed: the tables rest on the others.")
    if stopped_early:
        found.append(
            "Early stopping regularises too, and at a small lambda most: it hides what lambda does, and may move the "
            "best one (repeat without training.early_stopping)."
        )
    best = tables.best_lambda
    for setting, group in best.groupby(SETTING, sort=True):
        found += [
            f"{name_setting(setting, best)}: {text}" for text in _of_setting(group, _stability(tables, setting))
        ]
    if len(best):
        found += _of_study(best)
    return found


def _stability(tables: Tables, setting: Any) -> pd.DataFrame:
    rows = tables.stability.set_index(SETTING)
    found: pd.DataFrame = rows.loc[[setting]].reset_index() if setting in rows.index else tables.stability.iloc[:0]
    return found


def _of_setting(best: pd.DataFrame, stability: pd.DataFrame) -> Iterator[str]:
    for status, meaning in _STATUSES.items():
        names = best.loc[best["status"] == status, "architecture"].tolist()
        if names:
            yield f"at {', '.join(names)} {meaning}."
    if len(best) < ENOUGH_NETWORKS:
        yield (
            f"{len(best)} networks can rarely tell one exponent from another: "
            f"{ENOUGH_NETWORKS} or more widths, far apart, can."
        )
    both = best.merge(stability[["architecture", "under_trained_below"]], on="architecture")
    short = both.loc[both["best_grid_lambda"] < both["under_trained_below"], "architecture"].tolist()
    if short:
        yield (
            f"at {', '.join(short)} training is too short for the best lambda to act fully: its length regularises "
            "too (train longer, or at a higher learning rate)."
        )


def _of_study(best: pd.DataFrame) -> Iterator[str]:
    seeds = int(best["seeds"].min())
    if seeds < ENOUGH_SEEDS:
        yield (
            f"{seeds} seed{'s' * (seeds != 1)} a network: the interval of one network's best lambda is rough, and a "
            f"benefit is hard to show ({ENOUGH_SEEDS} or more help). The exponent's interval does not rest on it."
        )
    steps = best.loc[best["best_lambda"].notna(), "grid_step"]
    if (steps > FINE).any():
        yield (
            f"Lambdas around the optima are up to a factor {np.nanmax(steps):.3g} apart, and each optimum is read "
            "off a curve through so few points (grid.refine: 8 adds lambdas around each)."
        )
    if best["learning_rate"].nunique() == 1:
        yield (
            f"One learning rate ({best['learning_rate'].iloc[0]:g}) was tried: the best lambda may go with it "
            "(grid.learning_rates repeats the study at others)."
        )
