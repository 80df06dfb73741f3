"""The trials table → curves of loss against lambda, paired over seeds."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from regsearch.analysis.tables import SETTING, Setting
from regsearch.spec import NONE

ARCHITECTURE = ["architecture", "width", "trainable_weights", "penalised_weights"]
SCORES = ["validation_loss", "validation_accuracy", "test_loss", "test_accuracy"]
COLLAPSED = 0.98
"""The share of the loss of guessing from which a network's validation loss says that it has learnt nothing."""
UNLEARNT = 0.9
"""The same of its training loss, which tells it from a network that has learnt its training images by heart."""


class Architecture(NamedTuple):
    """One architecture at one width; its fields are the columns of ARCHITECTURE."""

    name: str
    width: int | None
    trainable_weights: int
    penalised_weights: int


@dataclass(frozen=True)
class Curve:
    """Scores against lambda of one architecture in one setting.

    Attributes:
        lambdas: (lambdas,), rising; 0 first where it was trained.
        seeds: (seeds,).
        scores: each of SCORES as (seeds, lambdas); NaN where a network diverged or is not trained yet.
        diverged: (seeds, lambdas).
        collapsed: (seeds, lambdas); the networks that trained to the end and answer no better than a guess.
        guessing: the loss of guessing, as a mean over the seeds; NaN where it is not known.
    """

    architecture: Architecture
    setting: Setting
    lambdas: NDArray[np.float64]
    seeds: NDArray[np.int64]
    scores: dict[str, NDArray[np.float64]]
    diverged: NDArray[np.bool_]
    collapsed: NDArray[np.bool_]
    guessing: float

    @property
    def columns(self) -> dict[str, Any]:
        """What stands in the columns of ARCHITECTURE and SETTING in a row about the curve."""
        return {**dict(zip(ARCHITECTURE, self.architecture, strict=True)), **self.setting._asdict()}

    @cached_property
    def trained(self) -> NDArray[np.bool_]:
        """Which networks have been trained, to the end or until they diverged, (seeds, lambdas)."""
        return np.logical_or(~np.isnan(self.scores["validation_loss"]), self.diverged)

    @cached_property
    def complete_seeds(self) -> NDArray[np.bool_]:
        """Which seeds have been trained with every lambda, (seeds,)."""
        return np.asarray(self.trained.all(axis=1))


def share_zero(trials: pd.DataFrame) -> pd.DataFrame:
    """Gives every penalty the networks trained with lambda 0, which the ledger holds once, as `none`."""
    none = trials["penalty"] == NONE
    penalties = list(trials.loc[~none, "penalty"].unique())
    return pd.concat([trials[~none], *(trials[none].assign(penalty=penalty) for penalty in penalties)])


def make_curves(trials: pd.DataFrame) -> Iterator[Curve]:
    """The curves of a trials table, by weight count, name, learning rate, training-set size and penalty.

    Args:
        trials: rows of the ledger; failed ones are left out.
    """
    read = [*ARCHITECTURE, *SETTING, "lambda", "seed", "status", "guessing_loss", "collapsed", *SCORES]
    rows = share_zero(trials.assign(collapsed=find_collapsed(trials)).loc[trials["status"] != "failed", read])
    order = ["trainable_weights", "architecture", "learning_rate", "train_size", "penalty"]
    for _, group in rows.groupby(order, sort=True):
        lambdas = np.sort(group["lambda"].unique()).astype(float)
        seeds = np.sort(group["seed"].unique()).astype(np.int64)
        places = np.searchsorted(seeds, group["seed"]), np.searchsorted(lambdas, group["lambda"])
        scores = {}
        for name in SCORES:
            scores[name] = np.full((len(seeds), len(lambdas)), np.nan)
            scores[name][places] = group[name].to_numpy(dtype=float, na_value=np.nan)
        diverged, collapsed = np.zeros((2, len(seeds), len(lambdas)), dtype=bool)
        diverged[places] = (group["status"] == "diverged").to_numpy()
        collapsed[places] = group["collapsed"].to_numpy()
        architecture, setting = Architecture(*group.iloc[0][ARCHITECTURE]), Setting(*group.iloc[0][SETTING])
        yield Curve(architecture, setting, lambdas, seeds, scores, diverged, collapsed, group["guessing_loss"].mean())


def find_collapsed(trials: pd.DataFrame) -> "pd.Series[bool]":
    """Which trials collapsed: they trained to the end, and their losses are a guess's; of unknown ones, none."""
    guessing = trials["guessing_loss"].where(trials["guessing_loss"] > 0)  # of one label alone a guess is right
    losses = trials[["validation_loss", "train_loss"]].div(guessing, axis=0)
    return (losses["validation_loss"] >= COLLAPSED) & (losses["train_loss"] >= UNLEARNT)
