"""Calibration: how well studies of planted data find the exponent that was planted."""

from typing import Any

import numpy as np
import pandas as pd

from regsearch.analysis.best_lambda import find_best_lambdas
from regsearch.analysis.curves import make_curves
from regsearch.analysis.scaling import fit_scaling

COLUMNS = [
    "penalty", "against", "planted_exponent", "draws", "seeds", "fitted", "mean_exponent", "bias", "spread",
    "coverage", "constant", "inverse", "power", "undetermined", "learning_rate", "train_size",
]  # fmt: skip
CLAIMS = ("constant", "inverse", "power", "undetermined")


def calibrate(trials: pd.DataFrame, exponent: float, draws: int) -> pd.DataFrame:
    """Parts the seeds into draws, analyses each as a study of its own, and sums up what they found.

    `fitted` counts the draws with an interval; `mean_exponent`, `bias` (its distance from the planted
    exponent), `spread` (the standard deviation) and `coverage` (the share of intervals that hold the planted
    exponent) are over those. The columns named as verdicts count them, of all draws.

    Args:
        trials: rows of the ledger.
        exponent: planted for λ·Σw² against the penalised weights; other penalties are left out.
        draws: how many studies; each has its own seeds, as even in number as can be.
    """
    found = []
    for seeds in np.array_split(np.sort(trials["seed"].unique()), draws):
        of_draw = trials[trials["seed"].isin(seeds)]
        rows = fit_scaling(find_best_lambdas(list(make_curves(of_draw))))
        found.append(
            rows[(rows["penalty"] == "l2") & (rows["against"] == "penalised_weights")].assign(seeds=len(seeds))
        )
    table = pd.concat(found) if found else pd.DataFrame(columns=COLUMNS)
    groups = table.groupby(["penalty", "against", "learning_rate", "train_size"], sort=True)
    return pd.DataFrame([summary(group, exponent) | _where(key) for key, group in groups], columns=COLUMNS)


def summary(fits: pd.DataFrame, exponent: float) -> dict[str, Any]:
    """Bias, spread, coverage and verdicts of many studies' fits; see `calibration`.

    Args:
        fits: a row of the table of `scaling` for each study, and its number of seeds.
        exponent: the truth.
    """
    known = fits[fits["exponent_low"].notna()]
    holds = (known["exponent_low"] <= exponent) & (exponent <= known["exponent_high"])
    return {
        "planted_exponent": exponent,
        "draws": len(fits),
        "seeds": int(fits["seeds"].min()),
        "fitted": len(known),
        "mean_exponent": known["exponent"].mean(),
        "bias": known["exponent"].mean() - exponent,
        "spread": known["exponent"].std(ddof=1),
        "coverage": holds.mean(),
        **{claim: int((fits["verdict"] == claim).sum()) for claim in CLAIMS},
    }


def _where(key: Any) -> dict[str, Any]:
    return dict(zip(("penalty", "against", "learning_rate", "train_size"), key, strict=True))
