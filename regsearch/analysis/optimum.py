"""Where a curve of mean losses over a grid of lambdas is lowest, between the grid's points."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WINDOW = 1.2
"""In ln λ: half a decade either way, and what rounding needs."""


def find_minima(x: Floats, curves: Floats) -> Floats:
    """The minimum of each curve near its lowest point; that point itself at an edge of the grid.

    It is the minimum of the cubic that fits best within half a decade of the lowest point, where the grid
    has two points or more there on either side; otherwise, or where the cubic has none there, the vertex of
    the parabola through the lowest point and its two neighbours.

    Args:
        x: ln λ, rising, (lambdas,).
        curves: mean losses, (curves, lambdas).

    Returns:
        ln λ at each minimum, (curves,).
    """
    lowest = curves.argmin(axis=1)
    minima = np.empty(len(curves))
    for k in np.unique(lowest):
        chosen = lowest == k
        minima[chosen] = _find_near(x, curves[chosen], int(k))
    return minima


def _find_near(x: Floats, curves: Floats, k: int) -> Floats:
    """The minima of curves that are all lowest at point `k`."""
    if k in (0, len(x) - 1):
        return np.full(len(curves), x[k])
    vertices = _find_vertices(x[k - 1 : k + 2] - x[k], curves[:, k - 1 : k + 2])
    near = np.abs(x - x[k]) <= WINDOW
    if min((x[near] < x[k]).sum(), (x[near] > x[k]).sum()) >= 2:
        turning = _find_turning_points(x[near] - x[k], curves[:, near])
        vertices = np.where(np.isnan(turning), vertices, turning)
    return np.asarray(x[k] + vertices)


def _find_vertices(x: Floats, curves: Floats) -> Floats:
    """The vertices of the parabolas through three points, the middle one lowest and at 0."""
    left, right = x[0], x[2]
    rise_left, rise_right = curves[:, 0] - curves[:, 1], curves[:, 2] - curves[:, 1]
    curvature = rise_left * right - rise_right * left
    flat = curvature <= 0
    vertices = (rise_left * right**2 - rise_right * left**2) / np.where(flat, 1.0, 2 * curvature)
    return np.where(flat, 0.0, vertices)


def _find_turning_points(x: Floats, curves: Floats) -> Floats:
    """The minima of the least-squares cubics; NaN where one has none within the points.

    Of c₁x + c₂x² + c₃x³ the minimum is at 2c₁ / (−2c₂ − √(4c₂² − 12c₁c₃)), the root of the derivative with a
    positive second derivative, in the form that also holds at c₃ = 0.
    """
    _, linear, square, cube = np.linalg.pinv(np.vander(x, 4, increasing=True)) @ curves.T
    under = 4 * square**2 - 12 * linear * cube
    divisor = -2 * square - np.sqrt(np.maximum(under, 0.0))
    missing = (under <= 0) | (divisor == 0)
    x_low = 2 * linear / np.where(missing, 1.0, divisor)
    return np.where(missing | (x_low < x[0]) | (x_low > x[-1]) | (2 * square + 6 * cube * x_low <= 0), np.nan, x_low)
