"""Suggestion: the range of lambdas to search for a network of another size."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from regsearch.analysis.best_lambda import CONFIDENCE
from regsearch.analysis.regression import Line
from regsearch.analysis.scaling import find_bounds
from regsearch.analysis.tables import Setting, split_settings
from regsearch.errors import ResultsError

PER_DECADE = 4
"""Lambdas a decade of the grid that a suggestion asks for: the best estimate needs quarter decades."""


@dataclass(frozen=True)
class _Answer:
    """What the networks of a fit share, as columns and in words."""

    penalty: str
    learning_rate: float
    train_size: int

    @property
    def setting(self) -> str:
        """All of it, in words."""
        return f"{self.penalty}, learning rate {self.learning_rate:g}, {self.train_size} training images"


@dataclass(frozen=True)
class Suggestion(_Answer):
    """The range for one setting.

    Attributes:
        weights: trainable weights of the network the range is for.
        low, best, high: the 95 % prediction interval of its best lambda, and the line's height there.
        points, censored: networks of the fit, and how many of them are only bounds.
        smallest, largest: trainable weights of the smallest and largest network of the fit.
    """

    weights: int
    low: float
    best: float
    high: float
    points: int
    censored: int
    smallest: int
    largest: int

    @property
    def factor(self) -> float:
        """How many times the largest network's weights, or how small a part of the smallest's; 1 within."""
        return self.weights / min(max(self.weights, self.smallest), self.largest)

    @property
    def words(self) -> str:
        """How far the range rests on networks that were trained."""
        networks = f"{self.points} networks of {self.smallest} to {self.largest} weights"
        networks += f", {self.censored} of them known only within bounds" if self.censored else ""
        if self.factor == 1:
            return f"Interpolated between {networks}."
        if self.factor > 1:
            beyond = f"{self.factor:.3g} times the weights of the largest network tried ({self.largest})"
        else:
            beyond = f"{1 / self.factor:.3g} times fewer than the smallest network tried has ({self.smallest})"
        return (
            f"Extrapolated: {self.weights} weights are {beyond}. The interval widens with the distance, but that "
            f"the line goes on straight is an assumption ({networks})."
        )

    @property
    def sentence(self) -> str:
        """The range and what it rests on, in words."""
        return (
            f"{self.setting}: for {self.weights} trainable weights search lambda from {self.low:.2g} to "
            f"{self.high:.2g}, likeliest near {self.best:.2g} (95 % prediction interval).\n{self.words}"
        )

    def facts(self) -> dict[str, Any]:
        """Everything, for a script."""
        more = {"confidence": CONFIDENCE, "factor": self.factor, "words": self.words, "lambdas": self.grid}
        return {**asdict(self), **more, "spec": self.spec}

    @property
    def grid(self) -> dict[str, float | int]:
        """The range as the spec writes it: in whole steps, and one beyond either end, so that none is an edge."""
        low = _round(self.low / 10 ** (1 / PER_DECADE), math.floor)
        steps = math.ceil(PER_DECADE * math.log10(self.high / low) - 1e-9) + 1
        return {"from": low, "to": _round(low * 10 ** (steps / PER_DECADE), math.ceil), "per_decade": PER_DECADE}

    @property
    def spec(self) -> str:
        """The part of a spec that searches the range."""
        span = ", ".join(f"{name}: {value:g}" for name, value in self.grid.items())
        penalty = self.penalty
        if penalty.startswith("l1_l2-"):
            penalty = f"{{l1_l2: {{ratio: {penalty.removeprefix('l1_l2-')}}}}}"
        return f"grid:\n  penalties: [{penalty}]\n  lambdas: {{{span}}}\n"


@dataclass(frozen=True)
class Refusal(_Answer):
    """Why there is no range for one setting, and what to do."""

    reason: str

    @property
    def sentence(self) -> str:
        """The same in words."""
        return f"{self.setting}: no range, for {self.reason}"


def list_ranges(best: pd.DataFrame, weights: int) -> list[Suggestion | Refusal]:
    """A range, or why there is none, for each setting.

    The range is a 95 % prediction interval of ln λ* at ln N₀, where ln λ* = a + α·ln N was fitted as in `scaling`:
    with all optima known, ŷ ± t·s·√(1 + x₀ᵀ(XᵀX)⁻¹x₀), s² = Σ(residuals²)/ν, ν the points less two, and t the
    97.5 % quantile of Student's t with ν degrees of freedom. Written with the interval [m₋, m₊] of the line's
    height at N₀ it is ŷ ± √((m± − ŷ)² + (t·s)²), which also serves where some optima are only bounds: m± are then
    the ends of `Line.interval` (a likelihood ratio as t statistic), ν the exact points less two, and
    s² = σ̂²·exact/ν with σ̂ the likelihood's scatter.

    Args:
        best: the table of `best_lambda`.
        weights: N₀, the trainable weights of the network to tune.
    """
    return [_suggest(rows, weights, setting) for setting, rows in split_settings(best)]


def suggest(
    best: pd.DataFrame, weights: int, penalty: str | None = None, folder: str = "", below: int | None = None
) -> list[Suggestion | Refusal]:
    """The ranges of one penalty or of all, and why others have none.

    Args:
        best: the table of `best_lambda`.
        weights: of the network to tune.
        penalty: the only one to go by, as tables name it.
        folder: the results folder, for the error.
        below: goes by networks of fewer trainable weights alone.

    Raises:
        ValueError: no network has fewer weights than `below`.
        ResultsError: there is no range.
    """
    if below is not None and len(best):
        smallest = best["trainable_weights"].min()
        if smallest >= below:
            raise ValueError(f"expected more than the {smallest} weights of the smallest network, got {below}")
        best = best[best["trainable_weights"] < below]
    penalties = sorted(best["penalty"].unique())
    if penalty is not None and penalty not in penalties:
        names = ", ".join(penalties) or "there is none"
        raise ResultsError(f"{folder}: --penalty: expected one with a best lambda here ({names}), got {penalty}")
    ranges = list_ranges(best if penalty is None else best[best["penalty"] == penalty], weights)
    if not any(isinstance(answer, Suggestion) for answer in ranges):
        reasons = [f"  {answer.sentence}" for answer in ranges]
        lines = "\n".join(reasons or ["  no network has finished yet, or all diverged: `regsearch run` trains them."])
        raise ResultsError(f"{folder}: expected a line of the best lambda against the weights, got none:\n{lines}")
    return ranges


def _predict(line: Line) -> tuple[float, float, float]:
    """The 95 % prediction interval of a new point where all terms but the first are 0.

    Returns:
        low, the line's height, high; an end that the bounds leave open is infinite, and all ends are NaN
        without freedom.
    """
    height = float(line.fit.coefficients[0])
    ends = line.interval(0, CONFIDENCE)
    if line.freedom < 1:
        return np.nan, height, np.nan
    spread = line.fit.scatter * math.sqrt(line.exact.sum() / line.freedom)
    reach = float(special.stdtrit(line.freedom, (1 + CONFIDENCE) / 2)) * spread
    low, high = (side * math.hypot(end - height, reach) for side, end in zip((-1, 1), ends, strict=True))
    return height + low, height, height + high


def _fit_at(best: pd.DataFrame, weights: float) -> Line | None:
    """The line of `scaling` against the trainable weights, its first term the height at `weights`."""
    if best["trainable_weights"].nunique() < 2:
        return None
    distance = np.log(best["trainable_weights"].to_numpy(float) / weights)
    return Line(np.column_stack([np.ones(len(best)), distance]), *find_bounds(best))


def _suggest(best: pd.DataFrame, weights: int, setting: Setting) -> Suggestion | Refusal:
    line = _fit_at(best, weights)
    if line is None:
        return Refusal(*setting, "all networks have one weight count. Add widths to the spec and run it again.")
    exact, bounds = int(line.exact.sum()), int((~line.exact).sum())
    if line.freedom < 1:
        return Refusal(
            *setting,
            f"only {exact} of {len(best)} networks have a best lambda inside the grid that beats lambda 0, and a fit "
            "needs 3. Add widths or seeds, or let the grid grow with grid.extend, and run again.",
        )
    low, height, high = _predict(line)
    if not (np.isfinite(low) and np.isfinite(high)) or max(abs(low), abs(high)) > math.log(1e9):
        return Refusal(
            *setting,
            f"{exact} known optima and {bounds} bounds leave the range for {weights} weights open. Let the grid grow "
            "with grid.extend, or add widths near that size, and run again.",
        )
    sizes = best["trainable_weights"]
    return Suggestion(
        *setting,
        weights=weights,
        low=math.exp(low),
        best=math.exp(height),
        high=math.exp(high),
        points=len(best),
        censored=bounds,
        smallest=int(sizes.min()),
        largest=int(sizes.max()),
    )


def _round(value: float, towards: Callable[[float], int]) -> float:
    """Two digits, towards one side; a value that has no more stays."""
    digits = 1 - math.floor(math.log10(value))
    scaled = value * 10.0**digits
    whole = round(scaled) if math.isclose(scaled, round(scaled), rel_tol=1e-9) else towards(scaled)
    return float(f"{whole / 10.0**digits:.2g}")
