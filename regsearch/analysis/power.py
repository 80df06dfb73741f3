"""Power: what exponent a study could tell from another, before it is trained and after."""

import numpy as np
from numpy.typing import ArrayLike

from regsearch.analysis.bracket import CONFIDENCE, find_quantile

SCATTER = 0.3
"""The standard deviation of ln λ* about the line, where no study tells it: what studies on digits have."""
POWER = 0.8
MOST_NETWORKS = 50


def find_detectable(weights: ArrayLike, scatter: float = SCATTER) -> float:
    """How far an exponent must be from a claim's to be told from it in four studies of five; NaN for two networks.

    (t₀.₉₇₅ + t₀.₈)·s/√Sxx, with the networks less two as degrees of freedom; what seeds share comes on top.

    Args:
        weights: of the networks, (networks,).
        scatter: s, of ln λ* about the line.
    """
    x = np.log(np.asarray(weights, float))
    square = float(((x - x.mean()) ** 2).sum()) if len(x) else 0.0
    if len(x) < 3 or square == 0:
        return np.nan
    quantiles = find_quantile((1 + CONFIDENCE) / 2, len(x) - 2) + find_quantile(POWER, len(x) - 2)
    return float(quantiles * scatter / np.sqrt(square))


def count_deciding_networks(smallest: float, widest: float, scatter: float, tolerance: float) -> int | None:
    """How many networks, evenly spread over a range of weights, have an interval that reaches no farther than this.

    None where more than 50 would be needed.
    """
    for count in range(3, MOST_NETWORKS + 1):
        x = np.linspace(np.log(smallest), np.log(widest), count)
        error = scatter / np.sqrt(((x - x.mean()) ** 2).sum())
        if find_quantile((1 + CONFIDENCE) / 2, count - 2) * error <= tolerance:
            return count
    return None
