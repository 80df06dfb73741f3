"""Stability: which lambdas made training diverge, beside what theory predicts."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from regsearch.analysis.bracket import CONFIDENCE
from regsearch.analysis.curves import ARCHITECTURE, Curve
from regsearch.analysis.regression import Line
from regsearch.analysis.tables import split_settings
from regsearch.spec import SGD, Coefficients, OptimizerBase, PenaltyBase

COLUMNS = [
    *ARCHITECTURE, "penalty", "learning_rate", "train_size", "smallest_diverged", "largest_stable", "predicted_limit",
    "under_trained_below", "diverged_share_at_zero", "smallest_collapsed", "half_collapsed",
    "half_collapsed_exponent", "half_collapsed_exponent_low", "half_collapsed_exponent_high",
]  # fmt: skip
ENOUGH = 3.0
"""Time constants of a penalty's decay after which it has acted: e⁻³ is 5 % left."""
MOSTLY = 0.5
"""The share of the seeds from which on a lambda is said to make networks collapse."""


def measure_stability(
    curves: list[Curve],
    optimizer: OptimizerBase,
    steps: Mapping[int, float],
    penalties: Iterable[PenaltyBase],
    factors: tuple[float, float] = (1.0, 1.0),
) -> pd.DataFrame:
    """One row an architecture, penalty, learning rate and training-set size.

    `smallest_diverged` is the smallest lambda above 0 that any seed diverged with, `largest_stable` the
    largest that none did; either is empty where there is none. `predicted_limit` is `find_limit` for a data loss
    without curvature, so that the true one is a little lower. Below `under_trained_below` the training is too
    short for the penalty to act (`find_slowest`): the length of training itself is then what regularises.
    `smallest_collapsed` is the smallest lambda above 0 that half of the seeds or more collapsed with
    (`curves.find_collapsed`), `half_collapsed` where their share crosses a half, between grid points along ln λ.
    `half_collapsed_exponent` is how that goes with the trainable weights, ln λ = a + κ·ln N over the networks of the
    setting, with its 95 % interval, the same on each of its rows; where no lambda collapsed half of the seeds it is
    known to lie above the largest. What seeds share, its interval does not hold.

    Args:
        curves: of one study.
        optimizer: its settings; learning rates are the curves' own.
        steps: training steps, by training-set size; NaN where they are not known.
        penalties: those of the curves.
        factors: the largest and the mean of what a schedule multiplies the learning rate with: the largest rate
            is the least stable, and the mean is how fast a penalty acts.
    """
    by_name = {penalty.name: penalty for penalty in penalties}
    rows = []
    for curve in curves:
        penalty, rate, size = curve.setting
        shares = by_name[penalty].coefficients(curve.architecture.penalised_weights)
        diverged, ran = curve.diverged.any(axis=0), curve.trained.any(axis=0)
        above, zero = curve.lambdas > 0, ran & (curve.lambdas == 0)
        collapsed = curve.collapsed.sum(axis=0) / np.maximum(1, curve.trained.sum(axis=0))
        at_zero = curve.diverged[:, zero].sum() / curve.trained[:, zero].sum() if zero.any() else np.nan
        row = {
            "smallest_diverged": _first(curve.lambdas[above & diverged]),
            "largest_stable": _first(curve.lambdas[above & ran & ~diverged][::-1]),
            "predicted_limit": find_limit(optimizer, rate * factors[0], shares),
            "under_trained_below": find_slowest(optimizer, rate * factors[1], shares, steps[size]),
            "diverged_share_at_zero": at_zero,
            "smallest_collapsed": _first(curve.lambdas[above & ran & (collapsed >= MOSTLY)]),
            "half_collapsed": _find_half(curve.lambdas[above & ran], collapsed[above & ran]),
        }
        rows.append({**curve.columns, **row})
    table = pd.DataFrame(rows, columns=COLUMNS)
    largest = pd.Series([float(curve.lambdas[curve.trained.any(axis=0)].max(initial=0)) for curve in curves])
    for _, group in split_settings(table):
        fitted = _fit_collapse(group, largest[group.index])
        for name, value in zip(COLUMNS[-3:], fitted, strict=True):
            table.loc[group.index, name] = value
    return table


def find_limit(optimizer: OptimizerBase, learning_rate: float, shares: Coefficients, curvature: float = 0.0) -> float:
    """The lambda above which gradient descent diverges; NaN where lambda alone cannot make it.

    On a quadratic loss of largest curvature h a coupled λ·l2·Σw² makes the curvature c = h + 2λ·l2. With
    momentum β the weights along it follow z² − (1 + β − ηc)z + β, which has a root beyond −1 from
    ηc = 2(1 + β) on; with Nesterov's momentum z² − (1 + β)(1 − ηc)z + β(1 − ηc), from
    ηc = 2(1 + β)/(1 + 2β) on; with a decay of the weights beside the step z² − (1 − ηλ + β − ηh)z + β(1 − ηλ),
    from λ = 2/η − h/(1 + β) on. L1's pull is bounded, and so are the steps of Adam and RMSprop, which divide
    by the gradient's size: there a coupled lambda alone cannot.

    Args:
        optimizer: kind and momentum.
        learning_rate: η.
        shares: the penalty's shares (l1, l2, decay) of lambda.
        curvature: h, the largest of the data loss.
    """
    _, l2, decay = shares
    sgd = optimizer if isinstance(optimizer, SGD) else None
    if decay:
        return (2 / learning_rate - (curvature / (1 + sgd.momentum) if sgd else 0.0)) / decay
    if not sgd or not l2:
        return np.nan
    slack = 1 + 2 * sgd.momentum if sgd.nesterov else 1.0
    return ((1 + sgd.momentum) / (slack * learning_rate) - curvature / 2) / l2


def find_slowest(optimizer: OptimizerBase, learning_rate: float, shares: Coefficients, steps: float) -> float:
    """The lambda below which a penalty has no time to act; NaN where that depends on the gradients.

    A coupled λ·l2·Σw² shrinks weights by the factor exp(−2ηλ·l2·T/(1−β)) in T steps of SGD with momentum β,
    a decay by exp(−ηλT) with any optimizer; the exponent should be at least 3.
    """
    _, l2, decay = shares
    if decay:
        return ENOUGH / (learning_rate * steps * decay)
    if not isinstance(optimizer, SGD) or not l2:
        return np.nan
    return ENOUGH * (1 - optimizer.momentum) / (2 * learning_rate * steps * l2)


class Divergence(NamedTuple):
    """The smallest lambda that training diverged with, at which architectures, and the limit predicted for them."""

    lam: float
    architectures: list[str]
    limit: float

    @property
    def theory(self) -> str:
        """The limit in words; nothing where there is none."""
        return "" if np.isnan(self.limit) else f"{self.limit:.3g} or a little lower"


def find_divergence(stability: pd.DataFrame) -> Divergence | None:
    """Where training first diverged, by rows of the table; None where it did not."""
    smallest = stability["smallest_diverged"].min()
    if pd.isna(smallest):
        return None
    first = stability[stability["smallest_diverged"] == smallest]
    return Divergence(float(smallest), first["architecture"].tolist(), float(first["predicted_limit"].min()))


def _find_half(lambdas: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    """Where the share of seeds that collapsed crosses a half, from the left; NaN where it does not."""
    over = np.flatnonzero(shares >= MOSTLY)
    if not len(over):
        return np.nan
    index = int(over[0])
    if index == 0:
        return float(lambdas[0])
    part = (MOSTLY - shares[index - 1]) / (shares[index] - shares[index - 1])
    return float(lambdas[index - 1] * (lambdas[index] / lambdas[index - 1]) ** part)


def _fit_collapse(rows: pd.DataFrame, largest: "pd.Series[float]") -> tuple[float, float, float]:
    """κ and its interval, over the networks of one setting; NaN where too few collapsed."""
    at, weights = rows["half_collapsed"].to_numpy(float), np.log(rows["trainable_weights"].to_numpy(float))
    known = ~np.isnan(at)
    if known.sum() < 3 or np.ptp(weights[known]) == 0:
        return np.nan, np.nan, np.nan
    low = np.log(np.where(known, at, largest.to_numpy(float)))
    line = Line(np.column_stack([np.ones(len(at)), weights]), low, np.where(known, low, np.inf))
    return float(line.fit.coefficients[1]), *line.interval(1, CONFIDENCE)


def _first(values: NDArray[np.float64]) -> float:
    return float(values[0]) if len(values) else np.nan
