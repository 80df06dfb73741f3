"""The trials table → curves of loss against lambda, paired over seeds, and their means."""

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
RESPONSE = [
    *ARCHITECTURE, "penalty", "lambda", "learning_rate", "train_size", "seeds", "diverged_share",
    *(name + end for name in SCORES for end in ("", "_se")), "collapsed_share",
]  # fmt: skip
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
    """

    architecture: Architecture
    setting: Setting
    lambdas: NDArray[np.float64]
    seeds: NDArray[np.int64]
    scores: dict[str, NDArray[np.float64]]
    diverged: NDArray[np.bool_]
    collapsed: NDArray[np.bool_]

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
    read = [*ARCHITECTURE, *SETTING, "lambda", "seed", "status", "collapsed", *SCORES]
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
        yield Curve(architecture, setting, lambdas, seeds, scores, diverged, collapsed)


def find_collapsed(trials: pd.DataFrame) -> "pd.Series[bool]":
    """Which trials collapsed: they trained to the end, and their losses are a guess's; of unknown ones, none."""
    guessing = trials["guessing_loss"].where(trials["guessing_loss"] > 0)  # of one label alone a guess is right
    losses = trials[["validation_loss", "train_loss"]].div(guessing, axis=0)
    return (losses["validation_loss"] >= COLLAPSED) & (losses["train_loss"] >= UNLEARNT)


def average_response(curves: list[Curve]) -> pd.DataFrame:
    """The table of `response`: one row an architecture, penalty, lambda, learning rate and training-set size.

    The columns `<score>` are means over the seeds that did not diverge; `seeds` counts those that ran, of which
    `diverged_share` and `collapsed_share` are shares.
    The columns `<score>_se` are standard errors after each seed's own level is taken out (`paired_errors`).
    """
    rows = []
    for curve in curves:
        errors = {name: paired_errors(curve.scores[name]) for name in SCORES}
        for index, lam in enumerate(curve.lambdas):
            row = {**curve.columns, "lambda": lam, "seeds": int(curve.trained[:, index].sum())}
            for name in ("diverged", "collapsed"):
                row[f"{name}_share"] = getattr(curve, name)[:, index].sum() / max(1, row["seeds"])
            for name in SCORES:
                values = curve.scores[name][:, index]
                values = values[~np.isnan(values)]
                row[name] = values.mean() if len(values) else np.nan
                row[f"{name}_se"] = errors[name][index]
            rows.append(row)
    return pd.DataFrame(rows, columns=RESPONSE)


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
