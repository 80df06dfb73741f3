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

    @cached_property
    def freedom(self) -> int:
        """Exact points beyond the terms."""
        return int(self.exact.sum()) - int(self.x.shape[1])

    @cached_property
    def fit(self) -> Fit:
        """The line of the highest likelihood."""
        return self._least_squares() if self.exact.all() else self.maximise()

    @property
    def aicc(self) -> float:
        """Akaike's criterion for small samples (Hurvich & Tsai 1989); NaN with no more points than parameters + 1."""
        points, parameters = len(self.low), self.x.shape[1] + 1
        if points <= parameters + 1:
            return np.nan
        penalty = 2 * parameters * (parameters + 1) / (points - parameters - 1)
        return float(2 * parameters - 2 * self.fit.log_likelihood + penalty)

    def hold(self, term: int, slope: float) -> "Line":
        """The line with one term's coefficient held at a value."""
        offset = slope * self.x[:, term]
        return Line(np.delete(self.x, term, axis=1), self.low - offset, self.high - offset)

    def p_value(self, term: int, slope: float) -> float:
        """Two-sided, that a coefficient is `slope`; NaN without freedom.

        The likelihood ratio as a t statistic: with exact points alone this is the ordinary t test, since
        there t² = ν·((RSS at slope / RSS) − 1) = ν·(exp(ratio / points) − 1).
        """
        if self.freedom < 1:
            return np.nan
        ratio = max(0.0, 2 * (self.fit.log_likelihood - self.hold(term, slope).fit.log_likelihood))
        t = np.sqrt(self.freedom * np.expm1(min(ratio / self.exact.sum(), 500.0)))
        return float(2 * special.stdtr(self.freedom, -t))

    def interval(self, term: int, confidence: float) -> tuple[float, float]:
        """The values of a coefficient that the test of `p_value` does not reject; NaN without freedom.

        With exact points alone it is the ordinary t interval. An end that the bounds leave open is infinite.
        """
        if self.freedom < 1:
            return np.nan, np.nan
        best = float(self.fit.coefficients[term])
        if self.exact.all():
            inverse = np.linalg.inv(self.x.T @ self.x)[term, term]
            error = self.fit.scatter * np.sqrt(len(self.low) / self.freedom * inverse)
            reach = float(special.stdtrit(self.freedom, (1 + confidence) / 2) * error)
            return best - reach, best + reach

        def excess(slope: float) -> float:
            return self.p_value(term, slope) - (1 - confidence)

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
        exact = self.exact
        middle = np.where(exact, self.low, np.where(np.isfinite(self.low), self.low, self.high))
        start, *_ = np.linalg.lstsq(self.x, middle, rcond=None)
        scatter = max(0.1, float(np.std(middle - self.x @ start)))
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
