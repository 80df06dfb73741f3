"""Transfer regret: what it costs to reuse on one network the lambda that was tuned on another."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import combinations, permutations
from math import comb
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from regsearch.analysis.best_lambda import Losses
from regsearch.analysis.curves import Architecture, Curve
from regsearch.analysis.optimum import Floats

COLUMNS = [
    "penalty", "tuned_on", "used_on", "rule", "lambda", "test_loss", "regret", "learning_rate", "train_size",
    "regret_se", "tuned_weights", "used_weights", "seeds", "validation_regret", "validation_regret_se",
]  # fmt: skip
RULES = ("same", "inverse", "fitted")
MOST_SPLITS = 20


def measure_transfer(curves: list[Curve]) -> pd.DataFrame:
    """The regret of every pair of networks under each rule that moves lambda from one to the other.

    The rules are `same` (λ as it is), `inverse` (λ ∝ 1/N, N the trainable weights) and `fitted` (λ ∝ N^α,
    α the slope of ln λ* against ln N over all networks but the one it is used on; at least two others; an
    optimum at an edge counts as it is).
    Lambdas are chosen by the validation loss of half of the seeds and scored on the other half, each lambda's own
    noise so left out of its choice; `test_loss` and `regret` are means over splits of the seeds in two (all of them,
    or 20 drawn with a fixed seed). The regret is the test loss of the moved lambda less that of the network's own
    best, chosen on the same half; `validation_regret` is the same in the loss that chose. `lambda` is the geometric
    mean of the moved ones. The standard errors are by the jackknife over seeds: all is done again without each seed
    in turn, choosing too, so that they hold what splits share by sharing seeds. With two seeds there are none.

    Between grid points losses are interpolated along ln λ, below the smallest lambda along λ down to 0; beside a
    cliff that is the expected loss if the cliff may lie anywhere between the two. Where the moved lambda is above all
    that did not diverge, or below all without a network at 0, the regret is empty: the grid does not tell.

    Args:
        curves: of one study; those of one setting are compared.
    """
    return pd.DataFrame(list(_rows(curves)), columns=COLUMNS)


def _rows(curves: list[Curve]) -> Iterator[dict[str, Any]]:
    for setting in sorted({curve.setting for curve in curves}):
        group = [scores for curve in curves if curve.setting == setting and (scores := _take_scores(curve))]
        if len(group) < 2:
            continue
        seeds = reduce(np.intersect1d, (scores.losses.seeds for scores in group))
        if len(seeds) >= 2:
            key = {**setting._asdict(), "seeds": len(seeds)}
            yield from ({**key, **row} for row in _pair(group, seeds))


@dataclass(frozen=True)
class _Scores:
    """One architecture's losses at the lambdas that every seed finished.

    Attributes:
        losses: which choose.
        lambdas: (lambdas,), rising; 0 first where it was trained.
        of: validation and test losses, (2, seeds, lambdas).
    """

    architecture: Architecture
    losses: Losses
    lambdas: Floats
    of: Floats

    def choose(self, halves: Floats) -> Floats:
        """The ln λ* by mean validation losses of some seeds, (halves,), from the seeds' weights (halves, seeds)."""
        return self.losses.find_optima(halves)

    def score(self, moved: Floats) -> Floats:
        """Each seed's validation and test loss at each ln λ, (2, moved, seeds); NaN outside what was trained."""
        positive = self.lambdas > 0
        x = np.log(self.lambdas[positive])
        place = np.clip(np.searchsorted(x, moved) - 1, 0, max(0, len(x) - 2))
        next_place = np.minimum(place + 1, len(x) - 1)
        width = np.where(next_place > place, x[next_place] - x[place], 1.0)
        share = np.clip((moved - x[place]) / width, 0.0, 1.0)[:, None]
        above = np.swapaxes(self.of[:, :, positive], 1, 2)
        losses = (1 - share) * above[:, place] + share * above[:, next_place]
        below = moved < x[0] - 1e-9
        if positive.all():
            losses[:, below] = np.nan
        else:
            part = np.exp(moved[below] - x[0])[:, None]
            losses[:, below] = (1 - part) * self.of[:, None, :, 0] + part * self.of[:, None, :, 1]
        losses[:, moved > x[-1] + 1e-9] = np.nan
        return losses


def _take_scores(curve: Curve) -> _Scores | None:
    """A curve's losses; None where fewer than two seeds were trained with every lambda."""
    losses = Losses.of(curve)
    if losses is None or curve.complete_seeds.sum() < 2:
        return None
    used = np.isin(curve.seeds, losses.seeds)
    usable = ~np.isnan(curve.scores["validation_loss"][used]).any(axis=0)
    both = np.stack([curve.scores[name][used][:, usable] for name in ("validation_loss", "test_loss")])
    return _Scores(curve.architecture, losses, curve.lambdas[usable], both)


def _choose_halves(count: int) -> NDArray[np.bool_]:
    """Which seeds choose in each way to part them in two, (halves, seeds); the others score."""
    half = count // 2
    if comb(count, half) <= MOST_SPLITS:
        halves = [list(seeds) for seeds in combinations(range(count), half)]
    else:
        rng = np.random.default_rng(0)
        halves = [rng.permutation(count)[:half].tolist() for _ in range(MOST_SPLITS)]
    chosen = np.zeros((len(halves), count), bool)
    for row, seeds in zip(chosen, halves, strict=True):
        row[seeds] = True
    return chosen


def _pair(group: list[_Scores], seeds: NDArray[np.int64]) -> Iterator[dict[str, Any]]:
    """A row for each ordered pair of different architectures and each rule."""
    whole = _measure_all(group, seeds)
    without = [_measure_all(group, np.delete(seeds, index)) for index in range(len(seeds))] if len(seeds) > 2 else []
    for key, (lam, test_loss, validation_regret, regret) in whole.items():
        i, j, rule = key
        parts = np.array([part[key][2:] for part in without])
        errors = np.sqrt((len(parts) - 1) * parts.var(axis=0)) if len(parts) else np.full(2, np.nan)
        yield {
            "tuned_on": group[i].architecture.name,
            "used_on": group[j].architecture.name,
            "rule": rule,
            "lambda": lam,
            "test_loss": test_loss,
            "regret": regret,
            "regret_se": errors[1],
            "tuned_weights": group[i].architecture.trainable_weights,
            "used_weights": group[j].architecture.trainable_weights,
            "validation_regret": validation_regret,
            "validation_regret_se": errors[0],
        }


def _measure_all(group: list[_Scores], seeds: NDArray[np.int64]) -> dict[tuple[int, int, str], tuple[float, ...]]:
    """λ, test loss, and regret in validation and test loss of each pair and rule, by some seeds."""
    weights = np.log([scores.architecture.trainable_weights for scores in group])
    halves = _choose_halves(len(seeds))
    places = [np.searchsorted(scores.losses.seeds, seeds) for scores in group]
    best = np.empty((len(halves), len(group)))
    for index, (scores, place) in enumerate(zip(group, places, strict=True)):
        picks = np.zeros((len(halves), len(scores.losses.seeds)))
        picks[:, place] = halves / halves.sum(axis=1, keepdims=True)
        best[:, index] = scores.choose(picks)
    own = [scores.score(best[:, j])[:, :, place] for j, (scores, place) in enumerate(zip(group, places, strict=True))]
    found: dict[tuple[int, int, str], tuple[float, ...]] = {}
    for i, j in permutations(range(len(group)), 2):
        for rule in RULES:
            slopes = _find_slopes(rule, np.delete(weights, j), np.delete(best, j, axis=1))
            if slopes is None:
                continue
            moved = best[:, i] + slopes * (weights[j] - weights[i])
            losses = group[j].score(moved)[:, :, places[j]]
            validation, test = (losses - own[j])[:, ~halves].mean(axis=1)
            lam, test_loss = float(np.exp(moved.mean())), float(losses[1][~halves].mean())
            found[i, j, rule] = lam, test_loss, float(validation), float(test)
    return found


def _find_slopes(rule: str, x: Floats, y: Floats) -> Floats | None:
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
