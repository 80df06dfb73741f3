"""Where a curve of mean losses over a grid of lambdas is lowest: between the grid's points, if it is smooth there."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

REACH = np.log(10) / 2 + 1e-6
"""In ln λ: half a decade, within which the curve is fitted, whatever the grid's step."""


def find_minima(x: Floats, curves: Floats, collapsed: NDArray[np.bool_]) -> Floats:
    """The minimum of each curve near its lowest point.

    It is the minimum of the least-squares cubic through the points within half a decade of the lowest, each weighted
    by the part of the axis that it stands for; of a parabola where there are fewer than two of them on a side, or the
    cubic has none there. From where networks collapse on, points do not count. It is the lowest point itself at an
    edge of the grid, and beside a collapse.

    Args:
        x: ln λ, rising, (lambdas,).
        curves: mean losses, (curves, lambdas).
        collapsed: whether any network collapsed, (lambdas,).

    Returns:
        ln λ at each minimum, (curves,).
    """
    lowest = curves.argmin(axis=1)
    minima = x[lowest]
    for k in np.unique(lowest):
        near = _find_near(x, int(k), collapsed)
        if near:
            chosen = lowest == k
            minima[chosen] += _find_lowest(x[near] - x[k], curves[chosen, near])
    return np.asarray(minima)


def is_rough(x: Floats, curve: Floats, collapsed: NDArray[np.bool_]) -> bool:
    """Whether the minimum of a curve, (lambdas,), is the lowest point of its grid, and no fit tells more."""
    return _find_near(x, int(curve.argmin()), collapsed) is None


def _find_near(x: Floats, k: int, collapsed: NDArray[np.bool_]) -> slice | None:
    """The points that tell the minimum near one of them; None where a neighbour of it is missing or collapsed."""
    if k in (0, len(x) - 1) or collapsed[k - 1 : k + 2].any():
        return None
    low = min(int(np.searchsorted(x, x[k] - REACH)), k - 1)
    high = max(int(np.searchsorted(x, x[k] + REACH)), k + 2)
    fallen = np.flatnonzero(collapsed)
    return slice(max(low, *(fallen[fallen < k] + 1), 0), min(high, *fallen[fallen > k], len(x)))


def _find_lowest(x: Floats, losses: Floats) -> Floats:
    """The minima of cubics, or else of parabolas, fitted to points of curves that are all lowest at 0."""
    weights = np.sqrt(np.gradient(x))
    _, linear, square = _fit(x, losses, weights, 3)
    flat = square <= 0
    vertices = np.clip(np.where(flat, 0.0, -linear / np.where(flat, 1.0, 2 * square)), x[0], x[-1])
    if min((x < 0).sum(), (x > 0).sum()) < 2:
        return np.asarray(vertices)
    # Of c₁x + c₂x² + c₃x³ the minimum is at 2c₁ / (−2c₂ − √(4c₂² − 12c₁c₃)), which also holds at c₃ = 0.
    _, linear, square, cube = _fit(x, losses, weights, 4)
    under = 4 * square**2 - 12 * linear * cube
    divisor = -2 * square - np.sqrt(np.maximum(under, 0.0))
    missing = (under <= 0) | (divisor == 0)
    minima = 2 * linear / np.where(missing, 1.0, divisor)
    outside = missing | (minima < x[0]) | (minima > x[-1]) | (2 * square + 6 * cube * minima <= 0)
    return np.where(outside, vertices, minima)


def _fit(x: Floats, losses: Floats, weights: Floats, terms: int) -> Floats:
    """The coefficients of polynomials by weighted least squares, (terms, curves)."""
    return np.asarray(np.linalg.pinv(np.vander(x, terms, increasing=True) * weights[:, None]) @ (losses * weights).T)
