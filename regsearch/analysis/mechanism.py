"""Mechanism: how the penalty, its gradient and the sums it is made of grow with the number of weights."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from regsearch.analysis.curves import NETWORK, shared
from regsearch.spec import PenaltyBase

MEASURES = ("sum_abs_weights", "sum_squared_weights", "penalty_share", "penalty_gradient")
ENDS = ("start", "end")
GROWING = ("sum_abs_weights", "sum_squared_weights")
COLUMNS = [
    *NETWORK, "penalty", "learning_rate", "train_size", "lambda", "seeds",
    *(f"{name}_{end}" for name in MEASURES for end in ENDS),
    *(f"{name}_{end}_exponent" for name in GROWING for end in ENDS),
]  # fmt: skip


def measure_mechanism(
    trials: pd.DataFrame, epochs: pd.DataFrame, best: pd.DataFrame, penalties: Iterable[PenaltyBase]
) -> pd.DataFrame:
    """What the penalty does to each network at its `best_grid_lambda`, before training and after.

    `penalty_share` is penalty / (penalty + validation data loss); 0 for a decay outside the loss.
    `penalty_gradient` is the mean over the penalised weights of the size of the penalty's pull on one weight:
    λ·(l1 + (2·l2 + decay)·Σ|w|/N) with the penalty's shares. All are means over seeds. The columns
    `<sum>_exponent` repeat, on each row, the slope of ln Σ against ln N (N the penalised weights) over the
    networks of that penalty, learning rate and training-set size: 1 if the sum grew like the weight count;
    at Glorot's start with both dimensions scaled Σ|w| grows like N^¾ and Σw² like N^½.

    Args:
        trials: rows of the ledger.
        epochs: rows of `epochs.csv`.
        best: the table of `best_lambda`.
        penalties: those of the table.
    """
    named = {penalty.name: penalty for penalty in penalties}
    finished = shared(trials[trials["status"] == "completed"])
    at_start = epochs[epochs["epoch"] == 0].set_index("trial")
    rows = []
    for found in best.to_dict("records"):
        chosen = finished[
            (finished["architecture"] == found["architecture"])
            & (finished["penalty"] == found["penalty"])
            & (finished["learning_rate"] == found["learning_rate"])
            & (finished["train_size"] == found["train_size"])
            & np.isclose(finished["lambda"], found["best_grid_lambda"], rtol=1e-9, atol=0)
        ]
        chosen = chosen.sort_values("seed").set_index("trial")  # the ledger's order is that of completion
        begun = at_start.loc[chosen.index.intersection(at_start.index, sort=False)]
        row: dict[str, Any] = {name: found[name] for name in (*NETWORK, "penalty", "learning_rate", "train_size")}
        row |= {"lambda": found["best_grid_lambda"], "seeds": len(chosen)}
        for end, table in zip(ENDS, (begun, chosen), strict=True):
            row |= {f"{name}_{end}": value for name, value in _measures(table, row, named).items()}
        rows.append(row)
    table = pd.DataFrame(rows, columns=COLUMNS)
    for _, group in table.groupby(["penalty", "learning_rate", "train_size"]):
        for name in (f"{name}_{end}" for name in GROWING for end in ENDS):
            table.loc[group.index, f"{name}_exponent"] = _slope(group["penalised_weights"], group[name])
    return table


def _measures(table: pd.DataFrame, row: dict[str, Any], penalties: Mapping[str, PenaltyBase]) -> dict[str, float]:
    shares = penalties[row["penalty"]].coefficients(row["penalised_weights"])
    l1, l2, decay = (row["lambda"] * share for share in shares)
    mean_size = table["sum_abs_weights"] / row["penalised_weights"]
    penalty = l1 * table["sum_abs_weights"] + l2 * table["sum_squared_weights"]
    values = {
        "sum_abs_weights": table["sum_abs_weights"],
        "sum_squared_weights": table["sum_squared_weights"],
        "penalty_share": penalty / (penalty + table["validation_loss"]),
        "penalty_gradient": l1 + (2 * l2 + decay) * mean_size,
    }
    return {name: float(value.mean()) for name, value in values.items()}


def _slope(weights: "pd.Series[Any]", sums: "pd.Series[Any]") -> float:
    """The least-squares slope of ln Σ against ln N; NaN with fewer than two different N or a sum of 0."""
    known = sums.notna() & (sums > 0)
    x, y = np.log(weights[known].to_numpy(float)), np.log(sums[known].to_numpy(float))
    if len(x) < 2 or np.ptp(x) == 0:
        return np.nan
    return float(np.polyfit(x, y, 1)[0])
