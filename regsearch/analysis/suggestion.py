"""Suggestion: the range of lambdas to search for a network of another size."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from regsearch.analysis.bracket import CONFIDENCE
from regsearch.analysis.regression import Floats, Line
from regsearch.analysis.scaling import find_bounds, find_shared
from regsearch.analysis.tables import SETTING, Setting, split_settings
from regsearch.errors import ResultsError

PER_DECADE = 4
"""Lambdas a decade of the grid that a suggestion asks for: the best estimate needs quarter decades."""
WIDEST = math.log(1e9)
"""An end farther from lambda 1 than this is as good as open, in ln λ."""

COLUMNS = [*SETTING, "weights", "low", "best", "high", "factor", "words", "spec"]


class Suggestion(NamedTuple):
    """The range for one setting.

    Attributes:
        setting: what the networks of the fit share.
        weights: trainable weights of the network the range is for.
        low, best, high: the 95 % prediction interval of its best lambda, and the line's height there.
        points, censored: networks of the fit, and how many of them are only bounds.
        smallest, largest: trainable weights of the smallest and largest network of the fit.
    """

    setting: Setting
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
            f"{self.setting.words}: for {self.weights} trainable weights search lambda from {self.low:.2g} to "
            f"{self.high:.2g}, likeliest near {self.best:.2g} (95 % prediction interval).\n{self.words}"
        )

    def facts(self) -> dict[str, Any]:
        """Everything, for a script."""
        facts = self._asdict()
        more = {"confidence": CONFIDENCE, "factor": self.factor, "words": self.words, "lambdas": self.grid}
        return {**facts.pop("setting")._asdict(), **facts, **more, "spec": self.spec}

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
        penalty = self.setting.penalty
        if penalty.startswith("l1_l2-"):
            penalty = f"{{l1_l2: {{ratio: {penalty.removeprefix('l1_l2-')}}}}}"
        return f"grid:\n  penalties: [{penalty}]\n  lambdas: {{{span}}}\n"


class Refusal(NamedTuple):
    """Why there is no range for one setting, and what to do."""

    setting: Setting
    reason: str

    @property
    def sentence(self) -> str:
        """The same in words."""
        return f"{self.setting.words}: no range, for {self.reason}"


def list_ranges(best: pd.DataFrame, resampled: Floats, weights: int) -> list[Suggestion | Refusal]:
    """A range, or why there is none, for each setting.

    The range is a 95 % prediction interval of ln λ* at ln N₀, where ln λ* = a + α·ln N was fitted as in `scaling`:
    with all optima known, ŷ ± t·s·√(1 + x₀ᵀ(XᵀX)⁻¹x₀), s² = Σ(residuals²)/ν, ν the points less two, and t the
    97.5 % quantile of Student's t with ν degrees of freedom. Written with the interval [m₋, m₊] of the line's
    height at N₀ it is ŷ ± √((m± − ŷ)² + (t·s)²), which also serves where some optima are only bounds, and where
    networks share seeds (`find_shared`): m± are then the ends of `Line.interval`, ν the exact points less two, and
    s² = σ̂²·exact/ν with σ̂ the likelihood's scatter.

    Args:
        best: the table of `best_lambda`.
        resampled: ln λ* of its rows in resamples of the seeds, by their index.
        weights: N₀, the trainable weights of the network to tune.
    """
    return [_suggest(rows, resampled[:, rows.index], weights, setting) for setting, rows in split_settings(best)]


def suggest(
    best: pd.DataFrame,
    resampled: Floats,
    weights: int,
    penalty: str | None = None,
    folder: str = "",
    below: int | None = None,
) -> list[Suggestion | Refusal]:
    """The ranges of one penalty or of all, and why others have none.

    Args:
        best: the table of `best_lambda`.
        resampled: see `resample_optima`.
        weights: of the network to tune.
        penalty: the only one to go by, as tables name it.
        folder: the results folder, for the error.
        below: goes by networks of fewer trainable weights alone.

    Raises:
        ValueError: `weights` is no count, or no network has fewer than `below`.
        ResultsError: there is no range.
    """
    if weights < 1:
        raise ValueError(f"weights: expected a number of trainable weights, got {weights}")
    if below is not None and len(best):
        smallest = best["trainable_weights"].min()
        if smallest >= below:
            raise ValueError(f"below: expected more than the {smallest} weights of the smallest network, got {below}")
        best = best[best["trainable_weights"] < below]
    penalties = sorted(best["penalty"].unique())
    if penalty is not None and penalty not in penalties:
        names = ", ".join(penalties) or "there is none"
        raise ResultsError(f"{folder}: penalty: expected one with a best lambda here ({names}), got {penalty}")
    ranges = list_ranges(best if penalty is None else best[best["penalty"] == penalty], resampled, weights)
    if not any(isinstance(answer, Suggestion) for answer in ranges):
        reasons = [f"  {answer.sentence}" for answer in ranges]
        lines = "\n".join(reasons or ["  no network has finished yet, or all diverged: `regsearch run` trains them."])
        raise ResultsError(f"{folder}: expected a line of the best lambda against the weights, got none:\n{lines}")
    return ranges


def tabulate(answers: Sequence[Suggestion | Refusal]) -> pd.DataFrame:
    """Ranges as a table, a row each; of a setting without one, why."""
    rows = []
    for answer in answers:
        if isinstance(answer, Refusal):
            rows.append({**answer.setting._asdict(), "words": answer.reason})
        else:
            facts = answer.facts()
            rows.append({name: facts[name] for name in COLUMNS})
    return pd.DataFrame(rows, columns=COLUMNS)


def _suggest(best: pd.DataFrame, resampled: Floats, weights: int, setting: Setting) -> Suggestion | Refusal:
    sizes = best["trainable_weights"]
    if sizes.nunique() < 2:
        return Refusal(setting, "all networks have one weight count. Add widths to the spec and run it again.")
    # The line of `scaling` against the trainable weights, its first term the height at `weights`.
    x = np.column_stack([np.ones(len(best)), np.log(sizes.to_numpy(float) / weights)])
    line = Line(x, *find_bounds(best))
    exact, bounds = int(line.exact.sum()), int((~line.exact).sum())
    if line.freedom < 1:
        return Refusal(
            setting,
            f"only {exact} of {len(best)} networks have a best lambda that is known, and a fit needs 3. Add widths "
            "or seeds, or let the grid grow with grid.extend, and run again.",
        )
    height, shared = float(line.fit.coefficients[0]), find_shared(line, 0, best, resampled)
    reach = float(special.stdtrit(line.freedom, (1 + CONFIDENCE) / 2)) * math.sqrt(line.variance)
    below, above = (math.hypot(end - height, reach) for end in line.interval(0, CONFIDENCE, shared))
    low, high = height - below, height + above
    if not -WIDEST <= low <= high <= WIDEST:
        return Refusal(
            setting,
            f"{exact} known optima and {bounds} bounds leave the range for {weights} weights open. Let the grid grow "
            "with grid.extend, or add widths near that size, and run again.",
        )
    ends = math.exp(low), math.exp(height), math.exp(high)
    return Suggestion(setting, weights, *ends, len(best), bounds, int(sizes.min()), int(sizes.max()))


def _round(value: float, towards: Callable[[float], int]) -> float:
    """Two digits, towards one side; a value that has no more stays."""
    digits = 1 - math.floor(math.log10(value))
    scaled = value * 10.0**digits
    whole = round(scaled) if math.isclose(scaled, round(scaled), rel_tol=1e-9) else towards(scaled)
    return float(f"{whole / 10.0**digits:.2g}")
