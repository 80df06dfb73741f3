"""Between which lambdas the best one lies: tests of grid points against one another, paired over seeds.

Nothing is assumed of the curve but that, on average over seeds, it falls and then rises. If the best lambda were at
or below a grid point a, no grid point above a would have a lower expected loss than a. So a is ruled out where one
above is lower, beyond what the seeds' paired differences scatter; and the same from the right.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
NEAR = np.log(10) + 1e-6
"""In ln λ: pairs of lambdas no farther apart tell how paired differences scatter."""
NO_SPREAD = 1e-6
"""Of ln σ², as good as none: it would be worth millions of degrees of freedom."""
FARTHEST = 0.6
"""Of the way from the last point ruled out to the next, at most so much is ruled out too: beside a cliff the tests
tell that the next is better, but not where between the two the cliff begins."""


@dataclass(frozen=True)
class Scatter:
    """The variance over seeds of a paired difference, as it is among many pairs, and what that is worth.

    Attributes:
        variance: the typical one.
        freedom: as many degrees of freedom as knowing it is worth; 0 where nothing is known, ∞ where all pairs have
            the same variance.
    """

    variance: float
    freedom: float

    def moderate(self, variances: Floats, freedom: int) -> tuple[Floats, float]:
        """Variances of single pairs, drawn towards the typical one, and the degrees of freedom they then have."""
        if np.isinf(self.freedom):
            return np.full_like(variances, self.variance), np.inf
        total = self.freedom + freedom
        return (self.freedom * self.variance + freedom * variances) / max(total, 1.0), total


def pool_scatter(curves: Iterable[tuple[Floats, Floats]]) -> Scatter:
    """How paired differences scatter, by the moments of the logarithms of their variances.

    ln s² of d degrees of freedom has the mean ln σ² + ψ(d/2) − ln(d/2) and the variance ψ′(d/2), to which a spread
    of the true variances with d₀ degrees of freedom adds ψ′(d₀/2) (Smyth 2004, Stat. Appl. Genet. Mol. Biol. 3).

    Args:
        curves: of each network ln λ, rising, (lambdas,), and losses (seeds, lambdas), all finite.
    """
    logs: list[Floats] = []
    for x, losses in curves:
        if len(losses) > 1:
            one, other = np.triu_indices(len(x), 1)
            near = x[other] - x[one] <= NEAR
            variances = (losses[:, one[near]] - losses[:, other[near]]).var(axis=0, ddof=1)
            d = len(losses) - 1
            logs.append(np.log(variances[variances > 0]) - special.digamma(d / 2) + np.log(d / 2))
            noise = special.polygamma(1, d / 2)
    found = np.concatenate(logs) if logs else np.empty(0)
    if len(found) < 2:
        return Scatter(0.0, 0.0)
    spread = found.var(ddof=1) - noise
    if spread <= NO_SPREAD:
        return Scatter(float(np.exp(found.mean())), np.inf)
    # ψ′ falls from ∞ to 0, so that the half has one value; these ends hold every spread from there on.
    half = optimize.brentq(lambda log: special.polygamma(1, np.exp(log)) - spread, -20.0, 20.0)
    d0 = 2 * float(np.exp(half))
    return Scatter(float(np.exp(found.mean() + special.digamma(d0 / 2) - np.log(d0 / 2))), d0)


@dataclass(frozen=True)
class Comparison:
    """Every grid point against every other.

    Attributes:
        differences: mean loss of one less that of another, (lambdas, lambdas).
        errors: their standard errors, likewise; NaN with one seed.
        freedom: degrees of freedom of those.
    """

    differences: Floats
    errors: Floats
    freedom: float

    @property
    def statistics(self) -> Floats:
        """The t of each difference; 0 where nothing is known, ∞ where a difference has no scatter at all."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.nan_to_num(self.differences / self.errors, nan=0.0, posinf=np.inf, neginf=-np.inf)


def compare(losses: Floats, scatter: Scatter) -> Comparison:
    """Compares losses (seeds, lambdas); ∞ where every seed diverged."""
    count = len(losses)
    finite = np.isfinite(losses).all(axis=0)
    known = np.where(finite, losses, 0.0)
    means = np.where(finite, known.mean(axis=0), np.inf)
    centred = known - known.mean(axis=0)
    products = centred.T @ centred / max(1, count - 1)
    squares = np.diag(products)
    variances, freedom = scatter.moderate(np.maximum(squares[:, None] + squares - 2 * products, 0.0), count - 1)
    with np.errstate(invalid="ignore"):
        differences = means[:, None] - means
    errors = np.sqrt(variances / count) if count > 1 else np.full_like(variances, np.nan)
    return Comparison(differences, errors, freedom)


def find_interval(x: Floats, losses: Floats, scatter: Scatter) -> tuple[float, float]:
    """The 95 % interval of the ln λ at which the expected loss is lowest; an open end is infinite.

    From the left, each point is tested against all above it, until the first that is not ruled out; each test has the
    level 2.5 %, and as the hypotheses are nested so has their sequence. Between the last point ruled out and the next
    the end lies where the statistic, taken as a straight line, crosses its critical value. From the right likewise.

    Args:
        x: ln λ, rising, (lambdas,).
        losses: (seeds, lambdas); ∞ where every seed diverged.
        scatter: of the paired differences, see `pool_scatter`.
    """
    compared = compare(losses, scatter)
    if len(losses) < 2:
        return -np.inf, np.inf
    t, critical = compared.statistics, find_quantile((1 + CONFIDENCE) / 2, compared.freedom)
    return _rule_out(x, t, critical), -_rule_out(-x[::-1], t[::-1, ::-1], critical)


def find_quantile(level: float, freedom: float) -> float:
    """The quantile of Student's t; of the normal distribution where the degrees of freedom are infinite."""
    return float(special.stdtrit(freedom, level) if np.isfinite(freedom) else special.ndtri(level))


def _rule_out(x: Floats, t: Floats, critical: float) -> float:
    """How far, from the left, points are ruled out; −∞ where the first is not."""
    largest = np.array([t[index, index + 1 :].max() for index in range(len(x) - 1)])
    kept = np.flatnonzero(~(largest > critical))
    last = int(kept[0]) - 1 if len(kept) else len(largest) - 1
    if last < 0:
        return -np.inf
    if last == len(largest) - 1:
        return float(x[last])
    above, below = largest[last] - critical, critical - largest[last + 1]
    share = above / (above + below) if np.isfinite(above) else 1.0
    return float(x[last] + min(FARTHEST, share) * (x[last + 1] - x[last]))
