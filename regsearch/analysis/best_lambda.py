"""The best lambda of each architecture and penalty, by validation data loss, with its interval and a status."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from regsearch.analysis.curves import SCORES, Curve
from regsearch.analysis.optimum import Floats, find_minima

COLUMNS = [
    "architecture", "width", "penalty", "trainable_weights", "penalised_weights", "learning_rate", "train_size",
    "best_lambda", "best_lambda_low", "best_lambda_high", "best_grid_lambda", "one_se_low", "one_se_high", "status",
    "validation_loss", "validation_loss_at_zero", "test_loss", "test_loss_at_zero", "test_accuracy",
    "test_accuracy_at_zero", "seeds", "grid_step",
]  # fmt: skip
BOOTSTRAPS = 2000
CONFIDENCE = 0.95


def find_best_lambdas(curves: list[Curve], bootstraps: int = BOOTSTRAPS) -> pd.DataFrame:
    """One row an architecture, penalty, learning rate and training-set size.

    Only seeds that have been trained with every lambda count; where there is none yet, only the lambdas that
    every seed has. `best_grid_lambda` has the lowest mean validation loss among the lambdas above 0 that no
    seed diverged with. `best_lambda` is where the curve fitted around it is lowest (`optimum`), with a 95 %
    bootstrap interval over seeds, resampled as whole blocks (none with one seed). `one_se_low` and
    `one_se_high` bound the lambdas whose paired difference to the best is within one standard error.
    `grid_step` is the factor between `best_grid_lambda` and its nearest neighbour among those lambdas.
    `status` is the first that holds:

    - `no_benefit`: the paired 95 % t interval of loss(0) − loss(best) reaches down to 0 (with one seed there
      is no interval, and no benefit can be shown);
    - `left_edge`, `right_edge`: the best is the smallest, or the largest that did not diverge;
    - `multimodal`: another minimum within one standard error, with a significant rise between the two;
    - `interior`.

    `best_lambda` and its interval are empty unless the status is `interior` or `multimodal`.

    Args:
        curves: of one study.
        bootstraps: resamples of an interval; 0 leaves the intervals out, for those who do not read them.
    """
    return pd.DataFrame([row for curve in curves if (row := _row(curve, bootstraps))], columns=COLUMNS)


def _row(curve: Curve, bootstraps: int) -> dict[str, Any] | None:
    seeds = curve.complete_seeds if curve.complete_seeds.any() else np.ones(len(curve.seeds), bool)
    scores = {name: curve.scores[name][seeds] for name in SCORES}
    usable = (curve.lambdas > 0) & ~np.isnan(scores["validation_loss"]).any(axis=0)
    if not usable.any():
        return None
    lambdas, losses = curve.lambdas[usable], scores["validation_loss"][:, usable]
    means = losses.mean(axis=0)
    best = int(means.argmin())
    within = find_one_se_set(losses, best)
    zero = curve.lambdas == 0
    # Where training diverges without the penalty, any finite loss is a benefit.
    tested = zero.any() and not curve.diverged[seeds][:, zero].any()
    status = _status(losses, best, within, scores["validation_loss"][:, zero][:, 0] if tested else None)
    known = status in ("interior", "multimodal")
    low, high = _interval(lambdas, losses, bootstraps) if known else (np.nan, np.nan)
    return {
        **curve.columns,
        "best_lambda": float(np.exp(find_minima(np.log(lambdas), means[None])[0])) if known else np.nan,
        "best_lambda_low": low,
        "best_lambda_high": high,
        "best_grid_lambda": lambdas[best],
        "one_se_low": lambdas[within].min(),
        "one_se_high": lambdas[within].max(),
        "status": status,
        **{name: scores[name][:, usable][:, best].mean() for name in SCORES},
        **{f"{name}_at_zero": scores[name][:, zero].mean() if zero.any() else np.nan for name in SCORES},
        "seeds": int(seeds.sum()),
        "grid_step": min((lambdas[1:] / lambdas[:-1])[max(0, best - 1) : best + 1], default=np.nan),
    }


def _status(losses: Floats, best: int, within: NDArray[np.bool_], at_zero: Floats | None) -> str:
    if at_zero is not None:
        gains = at_zero - losses[:, best]
        if _lower_bound(gains[~np.isnan(gains)]) <= 0:
            return "no_benefit"
    if best == 0:
        return "left_edge"
    if best == losses.shape[1] - 1:
        return "right_edge"
    return "multimodal" if _is_multimodal(losses, best, within) else "interior"


def _lower_bound(differences: Floats) -> float:
    """The lower end of the paired 95 % t interval of a mean difference; −∞ with one seed."""
    count = len(differences)
    if count < 2:
        return -np.inf
    reach = special.stdtrit(count - 1, (1 + CONFIDENCE) / 2) * differences.std(ddof=1) / np.sqrt(count)
    return float(differences.mean() - reach)


def find_one_se_set(losses: Floats, best: int) -> NDArray[np.bool_]:
    """Which lambdas lose no more than one standard error of the paired difference to the best.

    Args:
        losses: (seeds, lambdas).
        best: the index of the best lambda.

    Returns:
        (lambdas,); the best alone where there is one seed.
    """
    differences = losses - losses[:, [best]]
    count = len(losses)
    errors = differences.std(axis=0, ddof=1) / np.sqrt(count) if count > 1 else np.zeros(losses.shape[1])
    return np.asarray(differences.mean(axis=0) <= errors)


def _is_multimodal(losses: Floats, best: int, within: NDArray[np.bool_]) -> bool:
    """Whether a lambda within one standard error of the best is parted from it by a significant rise."""
    for other in np.flatnonzero(within):
        low, high = sorted((best, int(other)))
        for between in range(low + 1, high):
            rises = (losses[:, between] - losses[:, best], losses[:, between] - losses[:, other])
            if all(_lower_bound(rise) > 0 for rise in rises):
                return True
    return False


def _interval(lambdas: Floats, losses: Floats, bootstraps: int) -> tuple[float, float]:
    """The 95 % bootstrap interval of the best lambda, seeds resampled in whole blocks; none with one.

    The percentiles are expanded for few seeds: a plain percentile interval is narrower than a t interval by
    √((n−1)/n) and by the ratio of the normal's quantile to t's (Hesterberg 2015, arXiv 1411.5279).
    """
    count = len(losses)
    if count < 2 or not bootstraps:
        return np.nan, np.nan
    picks = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=bootstraps) / count
    optima = find_minima(np.log(lambdas), picks @ losses)
    tail = special.ndtr(special.stdtrit(count - 1, (1 - CONFIDENCE) / 2) * np.sqrt(count / (count - 1)))
    low, high = np.exp(np.quantile(optima, [tail, 1 - tail]))
    return float(low), float(high)
