"""Stability: which lambdas made training diverge, beside what theory predicts."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from regsearch.analysis.curves import NETWORK, Curve
from regsearch.spec import SGD, Coefficients, OptimizerBase, PenaltyBase

COLUMNS = [
    *NETWORK, "penalty", "learning_rate", "train_size", "smallest_diverged", "largest_stable", "predicted_limit",
    "under_trained_below", "diverged_share_at_zero", "smallest_collapsed",
]  # fmt: skip
ENOUGH = 3.0
"""Time constants of a penalty's decay after which it has acted: e⁻³ is 5 % left."""

COLLAPSED = 0.98
"""The share of the loss of guessing from which a network has learnt nothing."""


def measure_stability(
    curves: list[Curve],
    optimizer: OptimizerBase,
    steps: Mapping[int, float],
    penalties: Iterable[PenaltyBase],
    chance: float | None,
    factors: tuple[float, float] = (1.0, 1.0),
) -> pd.DataFrame:
    """One row a network, penalty, learning rate and training-set size.

    `smallest_diverged` is the smallest lambda above 0 that any seed diverged with, `largest_stable` the
    largest that none did; either is empty where there is none. `predicted_limit` is `limit` for a data loss
    without curvature, so that the true one is a little lower. Below `under_trained_below` the training is too
    short for the penalty to act (`slowest`): the length of training itself is then what regularises.
    `smallest_collapsed` is the smallest lambda above the best whose mean validation loss is that of guessing
    (to 2 %) or worse; below the best a loss as high is overfitting.

    Args:
        curves: of one study.
        optimizer: its settings; learning rates are the curves' own.
        steps: training steps, by training-set size; NaN where they are not known.
        penalties: those of the curves.
        chance: the loss of guessing, ln(classes); None where there are no classes.
        factors: the largest and the mean of what a schedule multiplies the learning rate with: the largest rate
            is the least stable, and the mean is how fast a penalty acts.
    """
    named = {penalty.name: penalty for penalty in penalties}
    return pd.DataFrame([_row(curve, optimizer, steps, named, chance, factors) for curve in curves], columns=COLUMNS)


def limit(optimizer: OptimizerBase, learning_rate: float, shares: Coefficients, curvature: float = 0.0) -> float:
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
    plain = isinstance(optimizer, SGD)
    momentum = optimizer.momentum if isinstance(optimizer, SGD) else 0.0
    if decay:
        return (2 / learning_rate - curvature / (1 + momentum) * plain) / decay
    if not plain or not l2:
        return np.nan
    assert isinstance(optimizer, SGD)
    slack = 1 + 2 * momentum if optimizer.nesterov else 1.0
    return ((1 + momentum) / (slack * learning_rate) - curvature / 2) / l2


def slowest(optimizer: OptimizerBase, learning_rate: float, shares: Coefficients, steps: float) -> float:
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


def _row(
    curve: Curve,
    optimizer: OptimizerBase,
    steps: Mapping[int, float],
    penalties: Mapping[str, PenaltyBase],
    chance: float | None,
    factors: tuple[float, float],
) -> dict[str, Any]:
    key: Any = curve.key
    share, rate = penalties[key["penalty"]].coefficients(key["penalised_weights"]), key["learning_rate"]
    above = np.greater(curve.lambdas, 0)
    diverged, trained = curve.diverged.any(axis=0), ~np.isnan(curve.scores["validation_loss"])
    ran = (trained | curve.diverged).any(axis=0)
    row = dict(curve.key)
    row["smallest_diverged"] = _first(curve.lambdas[above & diverged])
    row["largest_stable"] = _first(curve.lambdas[above & ran & ~diverged][::-1])
    row["predicted_limit"] = limit(optimizer, rate * factors[0], share)
    row["under_trained_below"] = slowest(optimizer, rate * factors[1], share, steps[key["train_size"]])
    if (ran & (curve.lambdas == 0)).any():
        row["diverged_share_at_zero"] = curve.diverged[:, 0].sum() / (trained | curve.diverged)[:, 0].sum()
    if chance is not None:
        losses = pd.DataFrame(curve.scores["validation_loss"]).mean().to_numpy()
        known = above & np.isfinite(losses)
        best = curve.lambdas[known][losses[known].argmin()] if known.any() else np.inf
        collapsed = np.greater_equal(losses, COLLAPSED * chance) & (curve.lambdas > best)
        row["smallest_collapsed"] = _first(curve.lambdas[np.logical_and(above, collapsed)])
    return row


def _first(values: Any) -> float:
    return float(values[0]) if len(values) else np.nan
