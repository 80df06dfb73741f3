"""Response: how loss and accuracy answer to lambda, with standard errors from seed-paired differences."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from regsearch.analysis.curves import NETWORK, SCORES, Curve

COLUMNS = [
    *NETWORK,
    "penalty",
    "lambda",
    "learning_rate",
    "train_size",
    "seeds",
    "diverged_share",
    *(name + end for name in SCORES for end in ("", "_se")),
]


def average_response(curves: list[Curve]) -> pd.DataFrame:
    """One row a network, penalty, lambda, learning rate and training-set size.

    The columns `<score>` are means over the seeds that did not diverge; `seeds` counts those that ran.
    The columns `<score>_se` are standard errors after each seed's own level is taken out (`paired_errors`).
    """
    rows = []
    for curve in curves:
        errors = {name: paired_errors(curve.scores[name]) for name in SCORES}
        ran = ~np.isnan(curve.scores["validation_loss"]) | curve.diverged
        for index, lam in enumerate(curve.lambdas):
            row = {**curve.key, "lambda": lam, "seeds": int(ran[:, index].sum())}
            row["diverged_share"] = curve.diverged[:, index].sum() / max(1, row["seeds"])
            for name in SCORES:
                values = curve.scores[name][:, index]
                values = values[~np.isnan(values)]
                row[name] = values.mean() if len(values) else np.nan
                row[f"{name}_se"] = errors[name][index]
            rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def paired_errors(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard errors of the means over seeds, with the seeds' own levels taken out.

    Each seed's mean over the lambdas that every seed finished is subtracted first (Cousineau 2005), and the
    variance is scaled by L/(L−1) for the L lambdas it was taken over (Morey 2008).

    Args:
        scores: (seeds, lambdas), NaN where there is none.

    Returns:
        (lambdas,); NaN where fewer than two seeds, or fewer than two lambdas that all seeds finished.
    """
    complete = ~np.isnan(scores).any(axis=0)
    errors = np.full(scores.shape[1], np.nan)
    if complete.sum() < 2 or len(scores) < 2:
        return errors
    level = scores[:, complete].mean(axis=1, keepdims=True)
    correction = np.sqrt(complete.sum() / (complete.sum() - 1))
    for index, values in enumerate((scores - level).T):
        values = values[~np.isnan(values)]
        if len(values) > 1:
            errors[index] = values.std(ddof=1) / np.sqrt(len(values)) * correction
    return errors
