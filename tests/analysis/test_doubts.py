"""What to doubt follows from the tables, and says what to do."""

import numpy as np
import pandas as pd
from made_up import make_optima

from regsearch.analysis import curves, mechanism, stability, transfer
from regsearch.analysis.scaling import fit_scaling
from regsearch.analysis.tables import Tables
from regsearch.analysis.words import list_doubts


def told(best, missing=0, short=np.nan, stopped_early=False):
    limits = best[["architecture", "penalty", "learning_rate", "train_size"]].assign(under_trained_below=short)
    tables = Tables(
        best,
        fit_scaling(best),
        pd.DataFrame(columns=transfer.COLUMNS),
        limits.reindex(columns=stability.COLUMNS),
        pd.DataFrame(columns=mechanism.COLUMNS),
        pd.DataFrame(columns=curves.RESPONSE),
    )
    return list_doubts(tables, missing, 100, stopped_early)


def good(**columns):
    """Six networks with five seeds, fine grids and two learning rates."""
    one = make_optima(0.0, seeds=5, grid_step=1.5, **columns)
    return pd.concat([one, one.assign(learning_rate=0.2)], ignore_index=True)


def test_a_good_study_has_nothing_to_doubt():
    assert told(good()) == []


def test_each_reason_is_told_once_with_what_to_do():
    best = good()
    best.loc[0, ["status", "best_lambda"]] = ["left_edge", np.nan]
    (edge,) = told(best)
    assert edge.startswith("l2, learning rate 0.1: at w300 the optimum lies below the grid")
    assert "grid.extend" in edge
    (missing,) = told(good(), missing=7)
    assert missing.startswith("7 of 100 networks are not trained yet")
    (seeds,) = told(good().assign(seeds=1))
    assert seeds.startswith("1 seed a network")
    (coarse,) = told(good().assign(grid_step=10**0.5))
    assert "factor 3.16 apart" in coarse
    assert "grid.refine" in coarse
    (rate,) = told(good().query("learning_rate == 0.1"))
    assert "grid.learning_rates" in rate
    (stopped,) = told(good(), stopped_early=True)
    assert stopped.startswith("Early stopping regularises too")
    assert told(good(), short=1e9)[0].startswith("l2, learning rate 0.1: at w300, w1000")
    assert "3 networks can rarely tell" in told(good().query("trainable_weights < 10_000"))[0]


def test_no_networks_leave_only_what_is_missing():
    assert told(good().iloc[:0]) == []
    assert len(told(good().iloc[:0], missing=100)) == 1
