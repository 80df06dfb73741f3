"""Scaling: how the best lambda goes with the number of weights, and which claim about it holds."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from regsearch.analysis.best_lambda import CONFIDENCE
from regsearch.analysis.regression import Floats, Line

COLUMNS = [
    "penalty", "against", "points", "exponent", "exponent_low", "exponent_high", "aicc_constant", "aicc_inverse",
    "aicc_free", "verdict", "learning_rate", "train_size", "censored", "coefficient", "scatter", "p_constant",
    "p_inverse",
]  # fmt: skip
AGAINST = ("trainable_weights", "penalised_weights", "width")
CONSTANT, INVERSE = 0.0, -1.0
CLOSE = 0.5
"""How far from its claim's exponent an interval may reach and still support the claim."""


def fit_scaling(best: pd.DataFrame) -> pd.DataFrame:
    """Fits ln λ* = a + α·ln N for each penalty, learning rate and training-set size.

    Optima that are not known exactly are censored (`find_bounds`). `exponent` is α with its 95 % interval,
    `coefficient` is exp(a), `scatter` the standard deviation of ln λ* about the line. The AICc and p-values
    compare α = 0 (`constant`), α = −1 (`inverse`) and α free. A fit needs a point more than it has terms
    that is not censored; else its columns are empty and the verdict is `undetermined`.

    With several training sizes n there is one more set of rows, with no `train_size`, for
    ln λ* = a + α·ln N + γ·ln n; its row against `train_size` holds γ.

    Args:
        best: the table of `best_lambda`.

    Returns:
        One row a penalty, learning rate, training-set size and what lambda is compared with: the trainable
        weights, the penalised weights or the width (an exponent against the width is that against the
        weights twice over, where every layer widens).
    """
    return pd.DataFrame(list(_rows(best)), columns=COLUMNS)


def find_bounds(best: pd.DataFrame) -> tuple[Floats, Floats]:
    """Between what ln λ* lies, for each row of the table of best lambdas.

    Where the optimum is known both are its ln λ*. An optimum at an edge lies beyond the middle of the last
    grid step; one of `no_benefit` lies anywhere below `one_se_high`.

    Returns:
        low, high: (rows,) each; infinite where there is no bound.
    """
    status = best["status"].to_numpy()
    columns = ("best_lambda", "best_grid_lambda", "one_se_high", "grid_step")
    exact, grid, highest, step = (np.log(best[name].to_numpy(float)) for name in columns)
    half = np.nan_to_num(step) / 2
    upper = [status == "no_benefit", status == "left_edge", status == "right_edge"]
    low = np.select(upper, [-np.inf, -np.inf, grid - half], exact)
    high = np.select(upper, [highest, grid + half, np.inf], exact)
    return low, high


def fit_line(best: pd.DataFrame, *against: str) -> Line | None:
    """The line of ln λ* against the logarithms of columns; None where one of them does not vary."""
    if any(best[name].isna().any() or best[name].nunique() < 2 for name in against):
        return None
    terms = [np.log(best[name].to_numpy(float)) for name in against]
    x = np.column_stack([np.ones(len(best)), *terms])
    return Line(x, *find_bounds(best)) if np.linalg.matrix_rank(x) == x.shape[1] else None


def judge(low: float, high: float) -> str:
    """Which claim the interval of an exponent supports."""
    if np.isnan(low):
        return "undetermined"
    for name, exponent in (("constant", CONSTANT), ("inverse", INVERSE)):
        if low <= exponent <= high and exponent - CLOSE <= low and high <= exponent + CLOSE:
            return name
    holds_either = low <= CONSTANT <= high or low <= INVERSE <= high
    return "undetermined" if holds_either else "power"


def _rows(best: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for (penalty, rate), group in best.groupby(["penalty", "learning_rate"], sort=True):
        by_size = list(group.groupby("train_size", sort=True))
        fits: list[tuple[dict[str, Any], Line | None, int]] = []
        for size, rows in by_size:
            fits += [({"train_size": size, "against": name}, fit_line(rows, name), 1) for name in AGAINST]
        if len(by_size) > 1:
            fits += [({"against": name}, fit_line(group, name, "train_size"), 1) for name in AGAINST]
            fits.append(({"against": "train_size"}, fit_line(group, "penalised_weights", "train_size"), 2))
        for key, line, term in fits:
            if line:
                yield {"penalty": penalty, "learning_rate": rate, **key, **_row(line, term)}


def _row(line: Line, term: int) -> dict[str, Any]:
    row: dict[str, Any] = {"points": len(line.low), "censored": int((~line.exact).sum()), "verdict": "undetermined"}
    if line.freedom < 1:
        return row
    low, high = line.interval(term, CONFIDENCE)
    constant, inverse = line.hold(term, CONSTANT), line.hold(term, INVERSE)
    return row | {
        "exponent": line.fit.coefficients[term],
        "exponent_low": low,
        "exponent_high": high,
        "aicc_constant": constant.aicc,
        "aicc_inverse": inverse.aicc,
        "aicc_free": line.aicc,
        "verdict": judge(low, high),
        "coefficient": float(np.exp(line.fit.coefficients[0])),
        "scatter": line.fit.scatter,
        "p_constant": line.p_value(term, CONSTANT),
        "p_inverse": line.p_value(term, INVERSE),
    }
