"""Scaling: how the best lambda goes with the number of weights, and which claim about it holds."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from regsearch.analysis.best_lambda import POINTS
from regsearch.analysis.bracket import CONFIDENCE
from regsearch.analysis.regression import Floats, Line, Shared

COLUMNS = [
    "penalty", "against", "points", "exponent", "exponent_low", "exponent_high", "aicc_constant", "aicc_inverse",
    "aicc_free", "verdict", "learning_rate", "train_size", "censored", "coefficient", "scatter", "p_constant",
    "p_inverse", "tolerance", "rules_out", "p_bent", "exponent_at_least", "exponent_at_most",
]  # fmt: skip
AGAINST = ("trainable_weights", "penalised_weights", "width")
CONSTANT, INVERSE = 0.0, -1.0
CLAIMED = {"constant": CONSTANT, "inverse": INVERSE}
WIDEST_TOLERANCE = 0.25
FACTOR = 2.0
"""A claim allows lambda to differ from it by less than this factor from the smallest network to the widest."""
BENT = 0.01
"""The level at which a curve is told from a straight line."""
READ_OFF = 0.5
"""The share of a grid's step by which the lowest point of a fitted curve is off at most."""


def fit_scaling(best: pd.DataFrame, resampled: Floats, stability: pd.DataFrame | None = None) -> pd.DataFrame:
    """Fits ln λ* = a + α·ln N for each penalty, learning rate and training-set size.

    Best lambdas that are not known as points are censored or left out (`find_bounds`). `exponent` is α, with its 95 %
    interval; `coefficient` is exp(a), `scatter` the standard deviation of ln λ* about the line. Interval and p-values
    take in what all networks share by sharing their seeds, and what the grid's step hides (`_find_shared`). The AICc
    and p-values compare α = 0 (`constant`), α = −1 (`inverse`) and α free; `p_bent` is that of a term (ln N)². A fit
    needs a point more than it has terms that is not censored; else its columns are empty and the verdict is
    `undetermined`.

    `verdict` is the first that holds, with the tolerance t = min(0.25, ln 2 / ln(N_max/N_min)), with which lambda
    differs by less than a factor of 2 from the smallest network to the widest:

    - `under_trained`: more than half of the best lambdas lie where training is too short for them to act;
    - `bent`: a straight line does not fit (`p_bent` below 0.01), and along the curve lambda moves by over a factor 2;
    - `constant`, `inverse`: the interval lies within ±t, or within −1 ± t;
    - `power`: it lies outside both;
    - `undetermined`.

    `rules_out` names the claims that are excluded at 5 % after Holm's correction (1979, Scand. J. Statist. 6) over
    the fits of the study against the same. `exponent_at_least` and `exponent_at_most` bound α by the intervals of the
    smallest and the widest network alone, at 95 % together, whatever the curve between them.

    With several training sizes n there is one more set of rows, with no `train_size`, for
    ln λ* = a + α·ln N + γ·ln n; its row against `train_size` holds γ.

    Args:
        best: the table of `best_lambda`.
        resampled: ln λ* of its rows in resamples of the seeds, see `resample_optima`.
        stability: the table of `stability`, which knows where training is too short; without it none is.

    Returns:
        One row a penalty, learning rate, training-set size and what lambda is compared with: the trainable
        weights, the penalised weights or the width (an exponent against the width is that against the
        weights twice over, where every layer widens).
    """
    best = best.reset_index(drop=True)
    table = pd.DataFrame(list(_rows(best, resampled, _find_short(best, stability))), columns=COLUMNS)
    return table.assign(rules_out=_rule_out(table))


def find_bounds(best: pd.DataFrame) -> tuple[Floats, Floats]:
    """Between what ln λ* lies, for each row of the table of best lambdas.

    Where it is known as a point both are its ln λ*. At the right edge it is at least the lower end of its interval;
    at the left edge, and where no gain over lambda 0 is shown, at most the upper end.

    Returns:
        low, high: (rows,) each; infinite where there is no bound.
    """
    status = best["status"].to_numpy()
    exact, lowest, highest = (
        np.log(best[name].to_numpy(float)) for name in ("best_lambda", "best_lambda_low", "best_lambda_high")
    )
    known = np.isin(status, POINTS)
    low = np.where(known, exact, np.where(status == "right_edge", np.nan_to_num(lowest, nan=-np.inf), -np.inf))
    high = np.where(known, exact, np.where(status == "right_edge", np.inf, np.nan_to_num(highest, nan=np.inf)))
    return low, high


def fit_line(best: pd.DataFrame, *against: str) -> Line | None:
    """The line of ln λ* against the logarithms of columns; None where one of them does not vary.

    A row of which nothing is known adds nothing.
    """
    if any(best[name].isna().any() or best[name].nunique() < 2 for name in against):
        return None
    terms = [np.log(best[name].to_numpy(float)) for name in against]
    x = np.column_stack([np.ones(len(best)), *terms])
    return Line(x, *find_bounds(best)) if np.linalg.matrix_rank(x) == x.shape[1] else None


def find_shared(line: Line, term: int, best: pd.DataFrame, resampled: Floats) -> Shared:
    """The variance of a coefficient that does not show in the scatter about the line.

    Networks share seeds: a seed whose best lambda grows faster with N than another's leaves no scatter. With Y the
    best lambdas in resamples of whole seeds, each resample's own line taken out in R, and c what the coefficient
    weighs them with, it is what Var(c·Y) has beyond Σc²Var(R), of which the scatter tells; S/(S−1) times, since
    resamples of S seeds vary by that much less.

    A grid of lambdas hides what lies between its points: where the optima lie on few of them, they scatter less than
    they are off. A best lambda that is a grid point is off by up to half a step, step²/12 on average over all places;
    one read off a fitted curve by less.
    """
    weights = line.weigh(term)
    seeds = int(best["seeds"].min())
    shared = Shared()
    drawn = resampled[:, line.exact]
    if seeds > 1 and not np.isnan(drawn).any():
        x, used = line.x[line.exact], weights[line.exact]
        residual = drawn @ (np.eye(len(x)) - x @ np.linalg.pinv(x)) * np.sqrt(len(x) / line.freedom)
        excess = (drawn @ used).var(ddof=1) - used**2 @ residual.var(axis=0, ddof=1)
        shared = shared.add(max(0.0, float(excess)) * seeds / (seeds - 1), seeds - 1)
    steps = np.log(best["grid_step"].to_numpy(float)) * np.where(best["estimate"] == "grid", 1.0, READ_OFF)
    hidden = float(np.nanmean(steps[line.exact] ** 2)) / 12
    return shared.add(max(0.0, hidden - line.variance) * float(weights @ weights), np.inf)


def judge(low: float, high: float, tolerance: float) -> str:
    """Which claim the interval of an exponent supports."""
    for name, exponent in CLAIMED.items():
        if exponent - tolerance <= low and high <= exponent + tolerance:
            return name
    outside = [high < exponent - tolerance or low > exponent + tolerance for exponent in CLAIMED.values()]
    return "power" if all(outside) else "undetermined"


def _rows(best: pd.DataFrame, resampled: Floats, short: "pd.Series[bool]") -> Iterator[dict[str, Any]]:
    for (penalty, rate), group in best.groupby(["penalty", "learning_rate"], sort=True):
        by_size = list(group.groupby("train_size", sort=True))
        fits: list[tuple[dict[str, Any], pd.DataFrame, tuple[str, ...], int]] = []
        for size, rows in by_size:
            fits += [({"train_size": size, "against": name}, rows, (name,), 1) for name in AGAINST]
        if len(by_size) > 1:
            fits += [({"against": name}, group, (name, "train_size"), 1) for name in AGAINST]
            fits.append(({"against": "train_size"}, group, ("penalised_weights", "train_size"), 2))
        for key, rows, terms, term in fits:
            if line := fit_line(rows, *terms):
                found = _row(line, term, rows, resampled[:, rows.index], bool(short[rows.index].mean() > 1 / 2))
                bounds = _bound(rows, terms[0]) if len(terms) == 1 else {}
                yield {"penalty": penalty, "learning_rate": rate, **key, **found, **bounds}


def _row(line: Line, term: int, best: pd.DataFrame, resampled: Floats, under_trained: bool) -> dict[str, Any]:
    reach = float(np.ptp(line.x[:, term]))
    tolerance = min(WIDEST_TOLERANCE, np.log(FACTOR) / reach)
    row: dict[str, Any] = {
        "points": len(line.low),
        "censored": int((~line.exact).sum()),
        "verdict": "undetermined",
        "tolerance": tolerance,
    }
    if line.freedom < 1:
        return row
    shared = find_shared(line, term, best, resampled)
    low, high = line.interval(term, CONFIDENCE, shared)
    constant, inverse = line.hold(term, CONSTANT), line.hold(term, INVERSE)
    p_bent, moves = _bend(line, term, best, resampled)
    verdict = judge(low, high, tolerance)
    if p_bent < BENT and moves > FACTOR:
        verdict = "bent"
    return row | {
        "exponent": line.fit.coefficients[term],
        "exponent_low": low,
        "exponent_high": high,
        "aicc_constant": constant.aicc,
        "aicc_inverse": inverse.aicc,
        "aicc_free": line.aicc,
        "verdict": "under_trained" if under_trained else verdict,
        "coefficient": float(np.exp(line.fit.coefficients[0])),
        "scatter": line.fit.scatter,
        "p_constant": line.p_value(term, CONSTANT, shared),
        "p_inverse": line.p_value(term, INVERSE, shared),
        "p_bent": p_bent,
    }


def _bend(line: Line, term: int, best: pd.DataFrame, resampled: Floats) -> tuple[float, float]:
    """The p-value of a squared term, and the factor by which lambda moves along the curve with it."""
    centred = line.x[:, term] - line.x[:, term].mean()
    x = np.column_stack([line.x, centred**2])
    curved = Line(x, line.low, line.high)
    if curved.freedom < 1 or np.linalg.matrix_rank(x[line.exact]) < x.shape[1]:
        return np.nan, 1.0
    square = x.shape[1] - 1
    p_value = curved.p_value(square, 0.0, find_shared(curved, square, best, resampled))
    slope, bend = curved.fit.coefficients[[term, square]]
    return p_value, float(np.exp(np.ptp(slope * centred + bend * centred**2)))


def _bound(best: pd.DataFrame, against: str) -> dict[str, float]:
    """The exponents that the intervals of the smallest and the widest network leave."""
    ordered = best.sort_values([against, "architecture"], kind="stable")
    first, last = ordered.iloc[0], ordered.iloc[-1]
    reach = np.log(last[against] / first[against])
    return {
        "exponent_at_least": np.log(last["best_lambda_low"] / first["best_lambda_high"]) / reach,
        "exponent_at_most": np.log(last["best_lambda_high"] / first["best_lambda_low"]) / reach,
    }


def _find_short(best: pd.DataFrame, stability: pd.DataFrame | None) -> "pd.Series[bool]":
    """Which best lambdas lie where training is too short for them to act, by row."""
    if stability is None:
        return pd.Series(False, index=best.index)
    key = ["architecture", "penalty", "learning_rate", "train_size"]
    limits = best[key].merge(stability[[*key, "under_trained_below"]], on=key, how="left")["under_trained_below"]
    return best["best_grid_lambda"] < limits


def _rule_out(table: pd.DataFrame) -> list[str]:
    """The claims that each row excludes, after Holm's correction over the rows against the same."""
    excluded: list[list[str]] = [[] for _ in range(len(table))]
    for claim in CLAIMED:
        for _, rows in table[table[f"p_{claim}"].notna()].groupby("against", sort=False):
            ordered = rows[f"p_{claim}"].sort_values(kind="stable")
            adjusted = (ordered * np.arange(len(ordered), 0, -1)).cummax()
            for index in adjusted.index[adjusted < 1 - CONFIDENCE]:
                excluded[index].append(claim)
    return [", ".join(claims) for claims in excluded]
