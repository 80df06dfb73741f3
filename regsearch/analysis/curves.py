"""The trials table → curves of loss against lambda, paired over seeds."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from regsearch.spec import NONE

NETWORK = ["architecture", "width", "trainable_weights", "penalised_weights"]
SETTING = ["learning_rate", "train_size", "penalty"]
SCORES = ["validation_loss", "validation_accuracy", "test_loss", "test_accuracy"]


@dataclass(frozen=True)
class Curve:
    """Scores against lambda of one network, penalty, learning rate and training-set size.

    Attributes:
        key: the columns of NETWORK and SETTING.
        lambdas: (lambdas,), rising; 0 first where it was trained.
        seeds: (seeds,).
        scores: each of SCORES as (seeds, lambdas); NaN where a network diverged or is not trained yet.
        diverged: (seeds, lambdas).
    """

    key: dict[str, object]
    lambdas: NDArray[np.float64]
    seeds: NDArray[np.int64]
    scores: dict[str, NDArray[np.float64]]
    diverged: NDArray[np.bool_]


def shared(trials: pd.DataFrame) -> pd.DataFrame:
    """Gives every penalty the networks trained with lambda 0, which the ledger holds once, as `none`."""
    none = trials["penalty"] == NONE
    penalties = list(trials.loc[~none, "penalty"].unique())
    return pd.concat([trials[~none], *(trials[none].assign(penalty=penalty) for penalty in penalties)])


def make_curves(trials: pd.DataFrame) -> Iterator[Curve]:
    """The curves of a trials table, by weight count, name, learning rate, training-set size and penalty.

    Args:
        trials: rows of the ledger; failed ones are left out.
    """
    rows = shared(trials[trials["status"] != "failed"])
    for _, group in rows.groupby(["trainable_weights", "architecture", *SETTING], sort=True):
        lambdas = np.sort(group["lambda"].unique()).astype(float)
        seeds = np.sort(group["seed"].unique()).astype(np.int64)
        at = np.searchsorted(seeds, group["seed"]), np.searchsorted(lambdas, group["lambda"])
        scores = {}
        for name in SCORES:
            scores[name] = np.full((len(seeds), len(lambdas)), np.nan)
            scores[name][at] = group[name].to_numpy(dtype=float, na_value=np.nan)
        diverged = np.zeros((len(seeds), len(lambdas)), dtype=bool)
        diverged[at] = (group["status"] == "diverged").to_numpy()
        first = group.iloc[0]
        yield Curve({name: first[name] for name in [*NETWORK, *SETTING]}, lambdas, seeds, scores, diverged)
