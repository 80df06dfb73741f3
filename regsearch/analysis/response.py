"""Response: the mean scores at each lambda, and how far they are from those at the best."""

from typing import Any

import numpy as np
import pandas as pd

from regsearch.analysis.best_lambda import Losses
from regsearch.analysis.curves import ARCHITECTURE, SCORES, Curve

COLUMNS = [
    *ARCHITECTURE, "penalty", "lambda", "learning_rate", "train_size", "seeds", "diverged_share",
    *(name + end for name in SCORES for end in ("", "_se")), "collapsed_share",
]  # fmt: skip


def average_response(curves: list[Curve]) -> pd.DataFrame:
    """The table of `response`: one row an architecture, penalty, lambda, learning rate and training-set size.

    The columns `<score>` are means over the seeds that did not diverge; `seeds` counts those that ran, of which
    `diverged_share` and `collapsed_share` are shares. The columns `<score>_se` are standard errors, over the seeds
    that finished both, of the difference to the same score at `best_grid_lambda`, where they are 0; empty for one
    seed.
    """
    rows = []
    for curve in curves:
        losses = Losses.of(curve)
        best = None if losses is None else int(np.searchsorted(curve.lambdas, losses.lambdas[losses.best]))
        for index, lam in enumerate(curve.lambdas):
            row: dict[str, Any] = {**curve.columns, "lambda": lam, "seeds": int(curve.trained[:, index].sum())}
            for name in ("diverged", "collapsed"):
                row[f"{name}_share"] = getattr(curve, name)[:, index].sum() / max(1, row["seeds"])
            for name in SCORES:
                values = curve.scores[name]
                at = values[:, index][~np.isnan(values[:, index])]
                row[name] = at.mean() if len(at) else np.nan
                differences = values[:, index] - (np.nan if best is None else values[:, best])
                differences = differences[~np.isnan(differences)]
                count = len(differences)
                row[f"{name}_se"] = differences.std(ddof=1) / np.sqrt(count) if count > 1 else np.nan
            rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)
