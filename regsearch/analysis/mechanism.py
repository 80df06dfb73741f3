"""Mechanism: how the penalty, its gradient and the sums it is made of grow with the number of weights."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from regsearch.analysis.curves import ARCHITECTURE
from regsearch.analysis.tables import SETTING, split_settings
from regsearch.spec import PenaltyBase

MEASURES = ("sum_abs_weights", "sum_squared_weights", "penalty_share", "penalty_gradient")
ENDS = ("start", "end")
GROWING = ("sum_abs_weights", "sum_squared_weights")
COLUMNS = [
    *ARCHITECTURE, "penalty", "learning_rate", "train_size", "lambda", "seeds",
    *(f"{name}_{end}" for name in MEASURES for end in ENDS),
    *(f"{name}_{end}_exponent" for name in GROWING for end in ENDS),
]  # fmt: skip


def measure_mechanism(
    trials: pd.DataFrame, epochs: pd.DataFrame, best: pd.DataFrame, penalties: Iterable[PenaltyBase]
) -> pd.DataFrame:
    """What the penalty does to each architecture at its `best_grid_lambda`, before training and after.

    `penalty_share` is penalty / (penalty + validation data loss); 0 for a decay outside the loss.
    `penalty_gradient` is the mean over the penalised weights of the size of the penalty's pull on one weight:
    λ·(l1 + (2·l2 + decay)·Σ|w|/N) with the penalty's shares. All are means over seeds. The columns
    `<sum>_exponent` repeat, on each row, the slope of ln Σ against ln N (N the penalised weights) over the
    architectures of that setting: 1 if the sum grew like the weight count;
    at Glorot's start with both dimensions scaled Σ|w| grows like N^¾ and Σw² like N^½.

    Args:
        trials: rows of the ledger.
        epochs: rows of `epochs.csv`; of these the starts, epoch 0, are enough. Who has none is left out.
        best: the table of `best_lambda`.
        penalties: those of the table.
    """
    by_name = {penalty.name: penalty for penalty in penalties}
    completed = trials[trials["status"] == "completed"]
    places = completed.groupby(["architecture", *SETTING]).indices
    starts = epochs[epochs["epoch"] == 0].set_index("trial")
    rows = []
    for best_row in best.to_dict("records"):
        row: dict[str, Any] = {name: best_row[name] for name in (*ARCHITECTURE, *SETTING)}
        row["lambda"], penalty = best_row["best_grid_lambda"], by_name[row["penalty"]]
        ends = completed.iloc[places.get((row["architecture"], *(row[name] for name in SETTING)), [])]
        ends = ends[np.isclose(ends["lambda"], row["lambda"], rtol=1e-9, atol=0)]
        ends = ends[ends["trial"].isin(starts.index)]
        ends = ends.sort_values("seed").set_index("trial")  # the ledger's order is that of completion
        begun = starts.loc[ends.index]
        row["seeds"] = len(ends)
        for end, networks in zip(ENDS, (begun, ends), strict=True):
            row |= {f"{name}_{end}": value for name, value in _measure(networks, row, penalty).items()}
        rows.append(row)
    table = pd.DataFrame(rows, columns=COLUMNS)
    for _, group in split_settings(table):
        for column in (f"{name}_{end}" for name in GROWING for end in ENDS):
            table.loc[group.index, f"{column}_exponent"] = _slope(group["penalised_weights"], group[column])
    return table


def _measure(networks: pd.DataFrame, row: dict[str, Any], penalty: PenaltyBase) -> dict[str, float]:
    l1, l2, decay = (row["lambda"] * share for share in penalty.coefficients(row["penalised_weights"]))
    mean_size = networks["sum_abs_weights"] / row["penalised_weights"]
    value = l1 * networks["sum_abs_weights"] + l2 * networks["sum_squared_weights"]
    measures = {
        "sum_abs_weights": networks["sum_abs_weights"],
        "sum_squared_weights": networks["sum_squared_weights"],
        "penalty_share": value / (value + networks["validation_loss"]),
        "penalty_gradient": l1 + (2 * l2 + decay) * mean_size,
    }
    return {name: float(values.mean()) for name, values in measures.items()}


def _slope(weights: "pd.Series[Any]", sums: "pd.Series[Any]") -> float:
    """The least-squares slope of ln Σ against ln N; NaN with fewer than two different N or a sum of 0."""
    positive = sums.notna() & (sums > 0)
    x, y = np.log(weights[positive].to_numpy(float)), np.log(sums[positive].to_numpy(float))
    if len(x) < 2 or np.ptp(x) == 0:
        return np.nan
    return float(np.polyfit(x, y, 1)[0])
