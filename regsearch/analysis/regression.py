"""A straight line through points of which some are only known to lie below or above a bound."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

Floats = NDArray[np.float64]

SMALLEST_SCATTER = 1e-6
"""In natural logarithms: below it points are as good as on the line, and the likelihood would have no bound."""
STEPS = 200
FARTHEST = 50.0
"""How far from the estimate, in slopes, an interval's end is looked for."""


class Shared(NamedTuple):
    """Variance of one coefficient that the scatter about the line does not show, and its degrees of freedom."""

    variance: float = 0.0
    freedom: float = np.inf

    def add(self, variance: float, freedom: float) -> "Shared":
        """The sum, with the degrees of freedom of Satterthwaite (1946, Biometrics Bulletin 2)."""
        total, square = self.variance + variance, self.variance**2 / self.freedom + variance**2 / freedom
        return Shared(total, total**2 / square if square else np.inf)


NOTHING = Shared()


class Fit(NamedTuple):
    """Coefficients, (terms,), and the standard deviation about the line, where the log-likelihood is highest."""

    coefficients: Floats
    scatter: float
    log_likelihood: float


@dataclass(frozen=True)
class Line:
    """Normal errors about a linear function of `x`, by maximum likelihood.

    Where every point is exact this is least squares. A point only known to lie below or above a bound adds the
    logarithm of the probability that a point falls there (Tobin 1958, Econometrica 26). The likelihood is
    maximised in (coefficients/scatter, 1/scatter), in which it is concave (Olsen 1978, Econometrica 46).

    Attributes:
        x: (points, terms); a column of ones for the intercept.
        low: (points,); −∞ where only an upper bound is known.
        high: (points,); ∞ where only a lower bound is known, equal to `low` for an exact point.
    """

    x: Floats
    low: Floats
    high: Floats

    @cached_property
    def exact(self) -> NDArray[np.bool_]:
        """Which points are known exactly."""
        return np.equal(self.low, self.high)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Of which points anything is known."""
        return np.logical_or(np.isfinite(self.low), np.isfinite(self.high))

    @cached_property
    def freedom(self) -> int:
        """Exact points beyond the terms."""
        return int(self.exact.sum()) - int(self.x.shape[1])

    @cached_property
    def fit(self) -> Fit:
        """The line of the highest likelihood."""
        return self._least_squares() if self.exact.all() else self.maximise()

    @property
    def variance(self) -> float:
        """The variance about the line, as that of exact points without a bias; NaN without freedom."""
        return self.fit.scatter**2 * float(self.exact.sum()) / self.freedom if self.freedom > 0 else np.nan

    @property
    def aicc(self) -> float:
        """Akaike's criterion for small samples (Hurvich & Tsai 1989); NaN with no more points than parameters + 1."""
        points, parameters = int(self.known.sum()), self.x.shape[1] + 1
        if points <= parameters + 1:
            return np.nan
        penalty = 2 * parameters * (parameters + 1) / (points - parameters - 1)
        return float(2 * parameters - 2 * self.fit.log_likelihood + penalty)

    def hold(self, term: int, slope: float) -> "Line":
        """The line with one term's coefficient held at a value."""
        offset = slope * self.x[:, term]
        return Line(np.delete(self.x, term, axis=1), self.low - offset, self.high - offset)

    def weigh(self, term: int) -> Floats:
        """What a coefficient weighs each point with, by least squares through the exact points; 0 for the others."""
        weights = np.zeros(len(self.low))
        weights[self.exact] = np.linalg.pinv(self.x[self.exact])[term]
        return weights

    def p_value(self, term: int, slope: float, shared: Shared = NOTHING) -> float:
        """Two-sided, that a coefficient is `slope`; NaN without freedom.

        The likelihood ratio as a t statistic: with exact points alone this is the ordinary t test, since
        there t² = ν·((RSS at slope / RSS) − 1) = ν·(exp(ratio / points) − 1). Its variance is (distance/t)², to which
        the shared one is added.
        """
        if self.freedom < 1:
            return np.nan
        ratio = max(0.0, 2 * (self.fit.log_likelihood - self.hold(term, slope).fit.log_likelihood))
        t_squared = self.freedom * np.expm1(min(ratio / self.exact.sum(), 500.0))
        distance = (slope - float(self.fit.coefficients[term])) ** 2
        if t_squared == 0 or distance == 0:
            return 1.0
        total = shared.add(distance / t_squared, self.freedom)
        return float(2 * special.stdtr(total.freedom, -np.sqrt(distance / total.variance)))

    def interval(self, term: int, confidence: float, shared: Shared = NOTHING) -> tuple[float, float]:
        """The values of a coefficient that the test of `p_value` does not reject; NaN without freedom.

        With exact points alone and nothing shared it is the ordinary t interval. An end that the bounds leave open is
        infinite.
        """
        if self.freedom < 1:
            return np.nan, np.nan
        best = float(self.fit.coefficients[term])
        if self.exact.all():
            total = shared.add(self.variance * np.linalg.inv(self.x.T @ self.x)[term, term], self.freedom)
            reach = float(special.stdtrit(total.freedom, (1 + confidence) / 2) * np.sqrt(total.variance))
            return best - reach, best + reach

        def excess(slope: float) -> float:
            return self.p_value(term, slope, shared) - (1 - confidence)

        ends = []
        for side in (-1, 1):
            step = 0.1
            while step < FARTHEST and excess(best + side * step) > 0:
                step *= 2
            closed = step < FARTHEST
            ends.append(optimize.brentq(excess, best, best + side * step, xtol=1e-4) if closed else side * np.inf)
        return ends[0], ends[1]

    def _least_squares(self) -> Fit:
        coefficients = np.linalg.lstsq(self.x, self.low, rcond=None)[0].astype(np.float64)
        scatter = max(SMALLEST_SCATTER, float(np.sqrt(np.mean((self.low - self.x @ coefficients) ** 2))))
        residual = (self.low - self.x @ coefficients) / scatter
        return Fit(coefficients, scatter, float(np.sum(_log_density(residual)) - len(self.low) * np.log(scatter)))

    def maximise(self) -> Fit:
        """Newton's method with halved steps; concave, so it ends at the maximum."""
        known = self.known
        middle = np.where(np.isfinite(self.low), self.low, self.high)[known]
        start, *_ = np.linalg.lstsq(self.x[known], middle, rcond=None)
        scatter = max(0.1, float(np.std(middle - self.x[known] @ start)))
        theta = np.append(start / scatter, 1 / scatter)
        value, gradient, curvature = self.differentiate(theta)
        for _ in range(STEPS):
            step = np.linalg.lstsq(curvature, -gradient, rcond=None)[0]
            if -(gradient @ step) < 0 and abs(gradient @ step) < 1e-12:
                break
            size = 1.0
            while size > 1e-10:
                trial = theta + size * step
                if 0 < trial[-1] <= 1 / SMALLEST_SCATTER:
                    new = self.differentiate(trial)
                    if new[0] >= value:
                        break
                size /= 2
            else:
                break
            gained = new[0] - value
            theta, (value, gradient, curvature) = trial, new
            if gained < 1e-12:
                break
        return Fit(theta[:-1] / theta[-1], float(1 / theta[-1]), value)

    def differentiate(self, theta: Floats) -> tuple[float, Floats, Floats]:
        """Log-likelihood, gradient and Hessian in (coefficients/scatter, 1/scatter)."""
        exact, precision = self.exact, theta[-1]
        z = np.column_stack([-self.x[exact], self.low[exact]])  # residual/scatter = z @ theta
        residual = z @ theta
        value = exact.sum() * np.log(precision) + float(_log_density(residual).sum())
        gradient, curvature = -z.T @ residual, -z.T @ z
        gradient[-1] += exact.sum() / precision
        curvature[-1, -1] -= exact.sum() / precision**2
        for bound, sign in ((self.high, 1.0), (self.low, -1.0)):
            only = ~exact & np.isfinite(bound)
            z = sign * np.column_stack([-self.x[only], bound[only]])
            distance = z @ theta
            tail = special.log_ndtr(distance)
            mills = np.exp(_log_density(distance) - tail)
            value += float(tail.sum())
            gradient += z.T @ mills
            curvature -= (z * (mills * (mills + distance))[:, None]).T @ z
        return value, gradient, curvature


def _log_density(x: Floats) -> Floats:
    """The logarithm of the standard normal density."""
    return np.asarray(-(x**2) / 2 - np.log(2 * np.pi) / 2)
