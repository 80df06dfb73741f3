"""Calibration: how well studies of planted data find the exponent that was planted."""

from typing import Any

import numpy as np
import pandas as pd

from regsearch.analysis.best_lambda import find_best_lambdas, resample_optima
from regsearch.analysis.curves import make_curves
from regsearch.analysis.scaling import fit_scaling

COLUMNS = [
    "penalty", "against", "planted_exponent", "draws", "seeds", "fitted", "mean_exponent", "bias", "spread",
    "coverage", "constant", "inverse", "power", "undetermined", "learning_rate", "train_size", "bent",
]  # fmt: skip
VERDICTS = ("constant", "inverse", "power", "bent", "undetermined")


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
    fits = []
    for seeds in np.array_split(np.sort(trials["seed"].unique()), draws):
        curves = list(make_curves(trials[trials["seed"].isin(seeds)]))
        best = find_best_lambdas(curves)
        rows = fit_scaling(best, resample_optima(curves, best))
        rows = rows[(rows["penalty"] == "l2") & (rows["against"] == "penalised_weights")]
        fits.append(rows.assign(seeds=len(seeds)))
    names = ["penalty", "against", "learning_rate", "train_size"]
    groups = pd.concat(fits).groupby(names, sort=True)
    sums = [summarise(group, exponent) | dict(zip(names, key, strict=True)) for key, group in groups]
    return pd.DataFrame(sums, columns=COLUMNS)


def summarise(fits: pd.DataFrame, exponent: float) -> dict[str, Any]:
    """Bias, spread, coverage and verdicts of many studies' fits; see `calibrate`.

    Args:
        fits: a row of the table of `scaling` for each study, and its number of seeds.
        exponent: the truth.
    """
    fitted = fits[fits["exponent_low"].notna()]
    holds = (fitted["exponent_low"] <= exponent) & (exponent <= fitted["exponent_high"])
    return {
        "planted_exponent": exponent,
        "draws": len(fits),
        "seeds": int(fits["seeds"].min()),
        "fitted": len(fitted),
        "mean_exponent": fitted["exponent"].mean(),
        "bias": fitted["exponent"].mean() - exponent,
        "spread": fitted["exponent"].std(ddof=1),
        "coverage": holds.mean(),
        **{verdict: int((fits["verdict"] == verdict).sum()) for verdict in VERDICTS},
    }
