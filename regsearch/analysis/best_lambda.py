"""The best lambda of each architecture and penalty, by validation data loss, with its interval and a status."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from regsearch.analysis.bracket import CONFIDENCE, Scatter, compare, find_interval, find_quantile, pool_scatter
from regsearch.analysis.curves import SCORES, Curve
from regsearch.analysis.optimum import Floats, find_minima, is_rough

COLUMNS = [
    "architecture", "width", "penalty", "trainable_weights", "penalised_weights", "learning_rate", "train_size",
    "best_lambda", "best_lambda_low", "best_lambda_high", "best_grid_lambda", "one_se_low", "one_se_high", "status",
    "validation_loss", "validation_loss_at_zero", "test_loss", "test_loss_at_zero", "test_accuracy",
    "test_accuracy_at_zero", "seeds", "grid_step", "estimate", "best_by_test_loss", "best_by_validation_accuracy",
]  # fmt: skip
RESAMPLES = 500
SMALL = 0.02
"""The share of the loss at lambda 0 below which a gain is none to speak of."""
POINTS = ("interior", "open")
"""The statuses of which the best lambda is known as a point."""


@dataclass(frozen=True)
class Losses:
    """What tells the best lambda of one curve: its losses at the lambdas above 0, and apart at 0.

    Only seeds that have been trained with every lambda count; where there is none yet, only the lambdas that every
    seed has.

    Attributes:
        lambdas: (lambdas,), above 0, rising.
        seeds: (seeds,).
        validation: (seeds, lambdas); ∞ where every seed diverged and, where some did, the loss of guessing for these.
        usable: the lambdas that no seed diverged with, (lambdas,).
        collapsed: the lambdas that a seed collapsed or diverged with, (lambdas,).
        at_zero: (seeds,); ∞ where it diverged, None where lambda 0 was not trained.
    """

    lambdas: Floats
    seeds: NDArray[np.int64]
    validation: Floats
    usable: NDArray[np.bool_]
    collapsed: NDArray[np.bool_]
    at_zero: Floats | None

    @classmethod
    def of(cls, curve: Curve) -> Self | None:
        """Those of a curve; None where no lambda above 0 trained with every seed."""
        seeds = curve.complete_seeds if curve.complete_seeds.any() else np.ones(len(curve.seeds), bool)
        losses, diverged = curve.scores["validation_loss"][seeds], curve.diverged[seeds]
        known = (~np.isnan(losses) | diverged).all(axis=0)
        guess = curve.guessing if np.isfinite(curve.guessing) else np.nanmax(losses, initial=0.0)
        filled = np.where(diverged, guess, losses)
        filled[:, diverged.all(axis=0)] = np.inf
        above, zero = known & (curve.lambdas > 0), curve.lambdas == 0
        usable = ~diverged[:, above].any(axis=0)
        if not usable.any():
            return None
        at_zero = np.where(diverged, np.inf, losses)[:, zero]
        return cls(
            lambdas=curve.lambdas[above],
            seeds=curve.seeds[seeds],
            validation=filled[:, above],
            usable=np.asarray(usable),
            collapsed=np.asarray(np.logical_or(curve.collapsed, curve.diverged)[seeds][:, above].any(axis=0)),
            at_zero=at_zero[:, 0] if at_zero.size and not np.isnan(at_zero).any() else None,
        )

    @property
    def best(self) -> int:
        """The index of the usable lambda with the lowest mean loss."""
        return int(np.where(self.usable, self.validation.mean(axis=0), np.inf).argmin())

    @property
    def trained(self) -> tuple[Floats, Floats]:
        """The ln λ and losses of the usable lambdas."""
        return np.log(self.lambdas[self.usable]), self.validation[:, self.usable]

    @property
    def rough(self) -> bool:
        """See `optimum.is_rough`."""
        x, losses = self.trained
        return is_rough(x, losses.mean(axis=0), self.collapsed[self.usable])

    def find_optima(self, picks: Floats) -> Floats:
        """The ln λ where weighted means over the seeds are lowest, (picks,); see `optimum.find_minima`.

        Args:
            picks: the seeds' weights, (picks, seeds), each row of the sum 1.
        """
        x, losses = self.trained
        return find_minima(x, picks @ losses, self.collapsed[self.usable])


def find_best_lambdas(curves: list[Curve]) -> pd.DataFrame:
    """One row an architecture, penalty, learning rate and training-set size.

    `best_grid_lambda` has the lowest mean validation loss among the lambdas above 0 that no seed diverged with.
    `best_lambda` is where a curve fitted around it is lowest (`optimum.find_minima`) or, where the curve is rough,
    `best_grid_lambda` itself: `estimate` says `curve` or `grid`. `best_lambda_low` and `best_lambda_high` are its
    95 % interval (`bracket.find_interval`), an open end empty. `one_se_low` and `one_se_high` bound the lambdas whose
    paired difference to `best_grid_lambda` is within one standard error. `grid_step` is the factor between
    `best_grid_lambda` and its nearest neighbour among the lambdas that no seed diverged with. `best_by_test_loss` and
    `best_by_validation_accuracy` are the best grid lambdas by those. `status` is the first that holds:

    - `no_benefit`: the 95 % upper bound of what any lambda gains over lambda 0 is less than 2 % of the loss there;
    - `unsure`: a gain over lambda 0 is neither shown nor shown to be so small;
    - `left_edge`, `right_edge`: the best is the smallest lambda, or the largest that no seed diverged with;
    - `open`: it lies inside, but an end of its interval is open;
    - `interior`.

    Without networks at lambda 0 the first two do not occur. `best_lambda` and `estimate` are empty unless the status
    is `interior` or `open`.

    Args:
        curves: of one study.
    """
    found = [(curve, losses) for curve in curves if (losses := Losses.of(curve))]
    scatter = {
        setting: pool_scatter(losses.trained for curve, losses in found if curve.setting == setting)
        for setting in {curve.setting for curve, _ in found}
    }
    rows = [_row(curve, losses, scatter[curve.setting]) for curve, losses in found]
    return pd.DataFrame(rows, columns=COLUMNS)


def resample_optima(curves: list[Curve], best: pd.DataFrame) -> Floats:
    """The ln λ* of each row of the table of best lambdas in each of many resamples of the seeds, (resamples, rows).

    A resample draws whole seeds, the same for all networks, since all share the seeds' splits of the data. NaN where
    the best lambda is not known as a point.
    """
    every = np.unique(np.concatenate([curve.seeds for curve in curves])) if curves else np.empty(0, np.int64)
    count = len(every)
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), RESAMPLES) if count else None
    found = np.full((RESAMPLES, len(best)), np.nan)
    by_key = {(curve.architecture.name, *curve.setting): curve for curve in curves}
    for index, row in enumerate(best.to_dict("records")):
        losses = Losses.of(by_key[row["architecture"], row["penalty"], row["learning_rate"], row["train_size"]])
        if row["status"] in POINTS and losses is not None and drawn is not None and len(losses.seeds) > 1:
            picks = drawn[:, np.searchsorted(every, losses.seeds)].astype(float)
            picks[picks.sum(axis=1) == 0] = 1.0
            found[:, index] = losses.find_optima(picks / picks.sum(axis=1, keepdims=True))
    return found


def _row(curve: Curve, losses: Losses, scatter: Scatter) -> dict[str, Any]:
    best, lambdas = losses.best, losses.lambdas
    x, trained = losses.trained
    place = int(losses.usable[:best].sum())
    within = find_one_se_set(trained, place)
    low, high = np.exp(find_interval(np.log(lambdas), losses.validation, scatter))
    status = _find_status(losses, scatter, bool(low > 0 and np.isfinite(high)))
    known = status in POINTS
    whole = np.full((1, len(losses.seeds)), 1 / len(losses.seeds))
    used = np.isin(curve.seeds, losses.seeds)
    at = {name: curve.scores[name][used][:, curve.lambdas == lambdas[best]].mean() for name in SCORES}
    zero = curve.lambdas == 0
    at_zero = {
        f"{name}_at_zero": curve.scores[name][used][:, zero].mean() if zero.any() else np.nan for name in SCORES
    }
    usable = np.isin(curve.lambdas, lambdas[losses.usable])
    test_loss, accuracy = (curve.scores[name][used][:, usable].mean(axis=0) for name in ("test_loss", SCORES[1]))
    return {
        **curve.columns,
        "best_lambda": float(np.exp(losses.find_optima(whole)[0])) if known else np.nan,
        "best_lambda_low": low if low > 0 else np.nan,
        "best_lambda_high": high if np.isfinite(high) else np.nan,
        "best_grid_lambda": lambdas[best],
        "one_se_low": np.exp(x[within]).min(),
        "one_se_high": np.exp(x[within]).max(),
        "status": status,
        **at,
        **at_zero,
        "seeds": len(losses.seeds),
        "grid_step": min(np.exp(np.diff(x))[max(0, place - 1) : place + 1], default=np.nan),
        "estimate": ("grid" if losses.rough else "curve") if known else "",
        "best_by_test_loss": np.exp(x[test_loss.argmin()]) if np.isfinite(test_loss).all() else np.nan,
        "best_by_validation_accuracy": np.exp(x[accuracy.argmax()]) if np.isfinite(accuracy).all() else np.nan,
    }


def _find_status(losses: Losses, scatter: Scatter, bounded: bool) -> str:
    x, trained = losses.trained
    place = int(trained.mean(axis=0).argmin())
    # Where training diverges without the penalty, any finite loss is a gain.
    if losses.at_zero is not None and np.isfinite(losses.at_zero).all():
        shown, upper = _test_gain(losses.at_zero, trained, scatter)
        if upper < SMALL * losses.at_zero.mean():
            return "no_benefit"
        if not shown:
            return "unsure"
    if place in (0, len(x) - 1):
        return "right_edge" if place else "left_edge"
    return "interior" if bounded else "open"


def _test_gain(at_zero: Floats, losses: Floats, scatter: Scatter) -> tuple[bool, float]:
    """Whether some lambda gains over lambda 0, and the 95 % upper bound of what any gains.

    Both count every lambda (Bonferroni), as the one that gains most was picked among them.
    """
    compared = compare(np.column_stack([at_zero, losses]), scatter)
    gains, errors = compared.differences[0, 1:], compared.errors[0, 1:]
    if np.isnan(errors).any():
        return False, np.inf
    critical = find_quantile(1 - (1 - CONFIDENCE) / 2 / len(gains), compared.freedom)
    return bool((gains > critical * errors).any()), float((gains + critical * errors).max())


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
