"""Transfer regret: what it costs in test loss to reuse on one network the lambda that was tuned on another."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from itertools import combinations, permutations
from math import comb
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from regsearch.analysis.curves import Architecture, Curve
from regsearch.analysis.optimum import Floats, find_minima

COLUMNS = [
    "penalty", "tuned_on", "used_on", "rule", "lambda", "test_loss", "regret", "learning_rate", "train_size",
    "regret_se", "tuned_weights", "used_weights", "seeds",
]  # fmt: skip
RULES = ("same", "inverse", "fitted")
MOST_SPLITS = 20


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
        curves: of one study; those of one setting are compared.
    """
    return pd.DataFrame(list(_rows(curves)), columns=COLUMNS)


def _rows(curves: list[Curve]) -> Iterator[dict[str, Any]]:
    for setting in sorted({curve.setting for curve in curves}):
        group = [losses for curve in curves if curve.setting == setting and (losses := _take_losses(curve))]
        if len(group) < 2:
            continue
        seeds = reduce(np.intersect1d, (losses.seeds for losses in group))
        if len(seeds) >= 2:
            key = {**setting._asdict(), "seeds": len(seeds)}
            yield from ({**key, **row} for row in _pair([losses.of(seeds) for losses in group]))


@dataclass(frozen=True)
class _Losses:
    """One architecture's losses at the lambdas that every seed finished.

    Attributes:
        lambdas: (lambdas,), rising; 0 first where it was trained.
        seeds: (seeds,).
        validation, test: (seeds, lambdas).
    """

    architecture: Architecture
    lambdas: Floats
    seeds: NDArray[np.int64]
    validation: Floats
    test: Floats

    def of(self, seeds: NDArray[np.int64]) -> "_Losses":
        """The same with these seeds alone."""
        chosen = np.isin(self.seeds, seeds)
        return replace(self, seeds=seeds, validation=self.validation[chosen], test=self.test[chosen])

    def choose(self, seeds: list[int]) -> float:
        """The ln λ of the lowest mean validation loss of some seeds, by their places, among lambdas above 0."""
        positive = self.lambdas > 0
        means = self.validation[seeds][:, positive].mean(axis=0)
        return float(find_minima(np.log(self.lambdas[positive]), means[None])[0])

    def score(self, moved: Floats) -> Floats:
        """Each seed's test loss at each ln λ, (moved, seeds); NaN outside what was trained."""
        positive = self.lambdas > 0
        x = np.log(self.lambdas[positive])
        losses = np.transpose([np.interp(moved, x, of_seed) for of_seed in self.test[:, positive]])
        below = moved < x[0] - 1e-9
        share = np.exp(moved[below] - x[0])[:, None]
        losses[below] = np.nan if positive.all() else (1 - share) * self.test[:, 0] + share * self.test[:, 1]
        losses[moved > x[-1] + 1e-9] = np.nan
        return losses


def _take_losses(curve: Curve) -> _Losses | None:
    """A curve's losses, with the seeds that were trained with every lambda; None where fewer than two were."""
    seeds = curve.complete_seeds
    usable = ~np.isnan(curve.scores["validation_loss"][seeds]).any(axis=0)
    if seeds.sum() < 2 or not (usable & (curve.lambdas > 0)).any():
        return None
    validation, test = (curve.scores[name][seeds][:, usable] for name in ("validation_loss", "test_loss"))
    return _Losses(curve.architecture, curve.lambdas[usable], curve.seeds[seeds], validation, test)


def _choose_halves(count: int) -> list[list[int]]:
    """The seeds that choose, by their places, in each way to part them in two; the others score."""
    half = count // 2
    if comb(count, half) <= MOST_SPLITS:
        return [list(seeds) for seeds in combinations(range(count), half)]
    rng = np.random.default_rng(0)
    return [sorted(rng.permutation(count)[:half].tolist()) for _ in range(MOST_SPLITS)]


def _pair(group: list[_Losses]) -> Iterator[dict[str, Any]]:
    """A row for each ordered pair of different architectures and each rule."""
    weights = np.log([losses.architecture.trainable_weights for losses in group])
    halves = _choose_halves(len(group[0].seeds))
    best = np.array([[losses.choose(half) for losses in group] for half in halves])
    own = [losses.score(best[:, j]) for j, losses in enumerate(group)]
    scoring = np.ones((len(halves), len(group[0].seeds)), bool)
    for split, half in enumerate(halves):
        scoring[split, half] = False
    for (i, tuned), (j, used) in permutations(enumerate(group), 2):
        for rule in RULES:
            slopes = _slopes(rule, np.delete(weights, j), np.delete(best, j, axis=1))
            if slopes is None:
                continue
            moved = best[:, i] + slopes * (weights[j] - weights[i])
            losses = used.score(moved)
            regrets = losses - own[j]
            by_seed = np.where(scoring, regrets, 0).sum(axis=0) / scoring.sum(axis=0)
            yield {
                "tuned_on": tuned.architecture.name,
                "used_on": used.architecture.name,
                "rule": rule,
                "lambda": float(np.exp(moved.mean())),
                "test_loss": losses[scoring].mean(),
                "regret": regrets[scoring].mean(),
                "regret_se": float(by_seed.std(ddof=1) / np.sqrt(len(by_seed))),
                "tuned_weights": tuned.architecture.trainable_weights,
                "used_weights": used.architecture.trainable_weights,
            }


def _slopes(rule: str, x: Floats, y: Floats) -> Floats | None:
    """The exponent of each split's lambdas; None where the rule needs more architectures.

    Args:
        rule: one of RULES.
        x: ln N of the architectures it may be fitted on, (architectures,).
        y: their ln λ*, (splits, architectures).
    """
    if rule != "fitted":
        return np.full(len(y), {"same": 0.0, "inverse": -1.0}[rule])
    if len(x) < 2 or np.ptp(x) == 0:
        return None
    from_mean = x - x.mean()
    return np.asarray(y @ from_mean / (from_mean @ from_mean))
