"""The intervals of real networks from two grids: every second lambda of a committed ledger, and the others."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from regsearch.analysis.best_lambda import find_best_lambdas
from regsearch.analysis.curves import make_curves
from regsearch.ledger import read_trials

SGD = Path(__file__).parents[2] / "results" / "reference" / "study" / "sgd"


@pytest.fixture(scope="module")
def trials():
    """Eight networks, three penalties, three training-set sizes, ten seeds, four lambdas a decade."""
    return read_trials(SGD).assign(guessing_loss=math.log(10))


def find_intervals(trials, seeds, first):
    """The intervals by some of the seeds and every second lambda, from the first or the second on."""
    steps = np.round(4 * np.log10(trials["lambda"].where(trials["lambda"] > 0, 1.0)))
    chosen = trials["seed"].isin(seeds) & ((trials["lambda"] == 0) | (steps % 2 == first))
    table = find_best_lambdas(list(make_curves(trials[chosen])))
    table = table.set_index(["architecture", "penalty", "train_size"])
    low, high = (table[f"best_lambda_{end}"] for end in ("low", "high"))
    return low.fillna(0.0), high.fillna(np.inf)


@pytest.mark.parametrize("seeds", [(0, 1, 2), (3, 4, 5), tuple(range(5)), tuple(range(10))])
def test_intervals_from_two_grids_of_the_same_networks_overlap(trials, seeds):
    (low, high), (other_low, other_high) = (find_intervals(trials, seeds, first) for first in (0, 1))
    disjoint = (low > other_high) | (other_low > high)
    assert len(disjoint) == 72
    assert disjoint.mean() <= 0.05


@pytest.mark.parametrize(
    ("table", "key", "ends"),
    [("best_lambda", ["architecture", "penalty"], "best_lambda"), ("scaling", ["penalty", "against"], "exponent")],
)
def test_the_default_studys_intervals_meet_those_of_the_same_networks_on_a_fine_grid(table, key, ends):
    default, fine = (
        pd.read_csv(SGD.parents[1] / study / f"{table}.csv").set_index(key) for study in ("digits", "digits_fine")
    )
    assert len(fine) >= 6
    assert set(default.index) == set(fine.index)
    low, high = (default[f"{ends}_{end}"].fillna(open_end) for end, open_end in (("low", -np.inf), ("high", np.inf)))
    assert (low <= fine[f"{ends}_high"]).all()
    assert (fine[f"{ends}_low"] <= high).all()


def test_the_default_study_decides():
    fits = pd.read_csv(SGD.parents[1] / "digits" / "scaling.csv")
    fits = fits[fits["against"] == "trainable_weights"].set_index("penalty")
    assert fits.loc["l2", "verdict"] == "constant"
    assert fits["rules_out"].tolist() == ["inverse", "inverse"]
