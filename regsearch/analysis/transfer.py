"""Transfer regret: what it costs in test loss to reuse on one network the lambda that was tuned on another."""

from collections.abc import Iterator
from itertools import combinations, islice
from math import comb
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from regsearch.analysis.curves import Curve
from regsearch.analysis.optimum import minima

COLUMNS = [
    "penalty", "tuned_on", "used_on", "rule", "lambda", "test_loss", "regret", "learning_rate", "train_size",
    "regret_se", "tuned_weights", "used_weights", "seeds",
]  # fmt: skip
RULES = ("same", "inverse", "fitted")
MOST_SPLITS = 20

Floats = NDArray[np.float64]


def measure_transfer(curves: list[Curve]) -> pd.DataFrame:
    """The regret of every pair of networks under each rule that moves lambda from one to the other.

    The rules are `same` (λ as it is), `inverse` (λ ∝ 1/N, N the trainable weights) and `fitted` (λ ∝ N^α,
    α the slope of ln λ* against ln N over all networks but the one it is used on; at least two others; an
    optimum at an edge counts as it is).
    Lambdas are chosen by the validation loss of half of the seeds and scored by the test loss of the other
    half, each lambda's own noise so left out of its choice; `test_loss` and `regret` are means over splits
    of the seeds in two (all of them, or 20 drawn with a fixed seed). The regret is the test loss of the
    moved lambda less that of the network's own best, chosen on the same half. `lambda` is the geometric mean
    of the moved ones. `regret_se` is the standard error over seeds; what the seeds share by being chosen on
    one another it does not see.

    Between grid points the test loss is interpolated along ln λ, below the smallest lambda along λ down to 0.
    Where the moved lambda is above all that did not diverge, or below all without a network at 0, `test_loss`
    and `regret` are empty: the grid does not tell.

    Args:
        curves: of one study; those that are compared share penalty, learning rate and training-set size.
    """
    return pd.DataFrame(list(_rows(curves)), columns=COLUMNS)


def _rows(curves: list[Curve]) -> Iterator[dict[str, Any]]:
    settings = sorted({_setting(curve) for curve in curves})
    for setting in settings:
        group = [scored for curve in curves if _setting(curve) == setting and (scored := _scored(curve))]
        shared = sorted(set.intersection(*(set(one.seeds) for one in group))) if group else []
        if len(group) < 2 or len(shared) < 2:
            continue
        penalty, rate, size = setting
        where = {"penalty": penalty, "learning_rate": rate, "train_size": size, "seeds": len(shared)}
        yield from ({**where, **row} for row in _pairs([one.of(shared) for one in group]))


def _setting(curve: Curve) -> tuple[str, float, int]:
    key: Any = curve.key
    return key["penalty"], key["learning_rate"], key["train_size"]


class _Scored:
    """One network's losses at the lambdas that every seed finished.

    Attributes:
        lambdas: (lambdas,), rising; 0 first where it was trained.
        seeds: (seeds,).
        validation, test: (seeds, lambdas).
    """

    def __init__(
        self, name: str, weights: int, lambdas: Floats, seeds: Any, validation: Floats, test: Floats
    ) -> None:
        self.name, self.weights, self.lambdas, self.seeds = name, weights, lambdas, list(seeds)
        self.validation, self.test = validation, test

    def of(self, seeds: list[int]) -> "_Scored":
        """The same with these seeds alone, in this order."""
        rows = [self.seeds.index(seed) for seed in seeds]
        return _Scored(self.name, self.weights, self.lambdas, seeds, self.validation[rows], self.test[rows])

    def best(self, seeds: list[int]) -> float:
        """The lowest mean validation loss of some seeds, by their places, as ln λ, among those above 0."""
        positive = self.lambdas > 0
        means = self.validation[seeds][:, positive].mean(axis=0)
        return float(minima(np.log(self.lambdas[positive]), means[None])[0])

    def scores(self, at: float) -> Floats:
        """Each seed's test loss at ln λ, (seeds,); NaN outside what was trained."""
        positive = self.lambdas > 0
        x = np.log(self.lambdas[positive])
        if at > x[-1] + 1e-9:
            return np.full(len(self.seeds), np.nan)
        if at < x[0] - 1e-9:
            if positive.all():
                return np.full(len(self.seeds), np.nan)
            share = np.exp(at - x[0])
            found: Floats = (1 - share) * self.test[:, 0] + share * self.test[:, 1]
            return found
        losses = self.test[:, positive]
        return np.array([np.interp(at, x, one) for one in losses])


def _scored(curve: Curve) -> _Scored | None:
    """A curve's losses, with the seeds that were trained with every lambda; None where fewer than two were."""
    trained = ~np.isnan(curve.scores["validation_loss"]) | curve.diverged
    seeds = trained.all(axis=1)
    usable = ~np.isnan(curve.scores["validation_loss"][seeds]).any(axis=0)
    if seeds.sum() < 2 or not (usable & (curve.lambdas > 0)).any():
        return None
    key: Any = curve.key
    validation, test = (curve.scores[name][seeds][:, usable] for name in ("validation_loss", "test_loss"))
    return _Scored(
        key["architecture"],
        key["trainable_weights"],
        curve.lambdas[usable],
        curve.seeds[seeds].tolist(),
        validation,
        test,
    )


def _halves(count: int) -> list[tuple[list[int], list[int]]]:
    """Ways to part seeds, by their places, in those that choose and those that score."""
    half, everyone = count // 2, set(range(count))
    if comb(count, half) <= MOST_SPLITS:
        chosen = [list(one) for one in islice(combinations(range(count), half), MOST_SPLITS)]
    else:
        rng = np.random.default_rng(0)
        chosen = [sorted(rng.permutation(count)[:half].tolist()) for _ in range(MOST_SPLITS)]
    return [(one, sorted(everyone - set(one))) for one in chosen]


def _pairs(group: list[_Scored]) -> Iterator[dict[str, Any]]:
    """A row for each ordered pair of different networks and each rule."""
    count = len(group[0].seeds)
    weights = np.log([one.weights for one in group])
    halves = _halves(count)
    best = np.array([[one.best(choosing) for one in group] for choosing, _ in halves])
    own = [[used.scores(best[split, j]) for split in range(len(halves))] for j, used in enumerate(group)]
    scoring = np.zeros((len(halves), count), bool)
    for split, (_, rest) in enumerate(halves):
        scoring[split, rest] = True
    for i, tuned in enumerate(group):
        for j, used in enumerate(group):
            if i == j:
                continue
            for rule in RULES:
                slopes = _slopes(rule, np.delete(weights, j), np.delete(best, j, axis=1))
                if slopes is None:
                    continue
                moved = best[:, i] + slopes * (weights[j] - weights[i])
                losses = np.array([used.scores(at) for at in moved])
                regrets = losses - np.array(own[j])
                yield {
                    "tuned_on": tuned.name,
                    "used_on": used.name,
                    "rule": rule,
                    "lambda": float(np.exp(moved.mean())),
                    "test_loss": losses[scoring].mean(),
                    "regret": regrets[scoring].mean(),
                    "regret_se": _error(np.where(scoring, regrets, 0).sum(axis=0) / scoring.sum(axis=0)),
                    "tuned_weights": tuned.weights,
                    "used_weights": used.weights,
                }


def _slopes(rule: str, x: Floats, y: Floats) -> Floats | None:
    """The exponent of each split's lambdas; None where the rule needs more networks.

    Args:
        rule: one of RULES.
        x: ln N of the networks it may be fitted on, (networks,).
        y: their ln λ*, (splits, networks).
    """
    if rule != "fitted":
        return np.full(len(y), {"same": 0.0, "inverse": -1.0}[rule])
    if len(x) < 2 or np.ptp(x) == 0:
        return None
    from_mean = x - x.mean()
    slopes: Floats = y @ from_mean / (from_mean @ from_mean)
    return slopes


def _error(values: Floats) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))
