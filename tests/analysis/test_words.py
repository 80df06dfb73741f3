"""The verdict in words quotes the numbers of the tables; what to doubt follows from them, and says what to do."""

import numpy as np
import pandas as pd
from made_up import make_optima

from regsearch.analysis import curves, mechanism, stability, transfer
from regsearch.analysis.scaling import fit_scaling
from regsearch.analysis.tables import SETTING, Tables
from regsearch.analysis.words import list_doubts, write_verdict

NAMES = ("w300", "w100000")


def tables(best, regrets=(0.25, 0.5, -0.01), **limits):
    """The tables of a made-up study."""
    moved = pd.DataFrame({"rule": transfer.RULES, "regret": regrets, "regret_se": 0.02}).assign(
        tuned_on=NAMES[0], used_on=NAMES[1], penalty="l2", learning_rate=0.1, train_size=500
    )
    limits = {"predicted_limit": 10.0, "under_trained_below": np.nan, "smallest_diverged": np.nan} | limits
    stable = best[["architecture", *SETTING]].assign(**limits).reindex(columns=stability.COLUMNS)
    grown, response = pd.DataFrame(columns=mechanism.COLUMNS), pd.DataFrame(columns=curves.RESPONSE)
    return Tables(best, fit_scaling(best), moved, stable, grown, response)


def spoken(*parts, **limits):
    return write_verdict(tables(*parts, **limits))


def told(best, missing=0, stopped_early=False, **limits):
    return list_doubts(tables(best, **limits), missing, 100, stopped_early)


def test_each_claim_is_named_with_its_exponent_interval_and_number_of_networks():
    for exponent, words in ((0.0, "constant. "), (-1.0, "inverse. "), (-0.5, "power. ")):
        best = make_optima(exponent)
        (sentence,) = spoken(best)
        fit = fit_scaling(best).iloc[0]
        assert sentence.startswith(f"l2: {words}")
        assert f"N^{fit['exponent']:.2f}" in sentence
        assert f"{fit['exponent_low']:.2f} to {fit['exponent_high']:.2f}, 6 networks" in sentence


def test_the_exponent_of_a_mean_is_told_from_that_of_a_sum():
    best = make_optima(0.0).assign(penalty="l2_mean")
    assert (
        "its exponent is about 1 more than that of the sum, whose best lambda would go about as N^-1.01"
        in spoken(best)[0]
    )
    assert "a mean" not in spoken(make_optima(0.0))[0]


def test_reusing_the_smallest_networks_lambda_on_the_widest_is_priced():
    (sentence,) = spoken(make_optima(0.0))
    assert "lambda of w300 used on w100000 as it is costs 0.250 ± 0.020 in test loss" in sentence
    assert "scaled by 1/N it costs 0.500" in sentence
    assert "fitted on the other networks it gains 0.010" in sentence
    (beyond,) = spoken(make_optima(0.0), (0.25, np.nan, 0.0))
    assert "scaled by 1/N it falls outside the grid" in beyond


def test_doubt_is_stated():
    best = make_optima(0.0)
    best.loc[:2, ["status", "best_lambda"]] = ["no_benefit", np.nan]
    best.loc[3, ["status", "best_lambda"]] = ["right_edge", np.nan]
    (sentence,) = spoken(best)
    assert "undetermined: only 2 of 6 networks" in sentence
    assert "power fitted" not in sentence  # a power that is not known is not quoted either
    assert "Lambda shows no benefit over 0 at w300, w1000 and w3000" in sentence
    assert "above the stable part of the grid at w10000" in sentence
    noise = 12 * np.array([0.05, -0.08, 0.06, 0.03, -0.07, 0.01])
    (wide,) = spoken(make_optima(0.0, noise=noise))
    assert "undetermined. " in wide
    assert "the interval holds 0 (constant), but reaches too far from it, so the data do not settle it" in wide


def test_divergence_collapse_and_short_training_are_told():
    seen = {
        "smallest_diverged": [np.nan, np.nan, 30, 10, 10, 10],
        "smallest_collapsed": 1.0,
        "under_trained_below": 1e9,
    }
    (sentence,) = spoken(make_optima(0.0), **seen, diverged_share_at_zero=[0, 0, 0, 0, 0, 0.5])
    assert "diverged from lambda 10 on (at w10000, w30000 and w100000); theory puts the limit at 10" in sentence
    assert "diverge at lambda 0 too" in sentence
    assert "From lambda 1 on networks collapse to guessing" in sentence
    assert "too short" in sentence


def test_several_rates_are_told_apart_and_nothing_makes_no_sentence():
    both = pd.concat([make_optima(0.0), make_optima(-1.0, learning_rate=0.2)], ignore_index=True)
    first, second = spoken(both)
    assert first.startswith("l2, learning rate 0.1: constant")
    assert second.startswith("l2, learning rate 0.2: inverse")
    assert spoken(make_optima(0.0).iloc[:0]) == []


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
    assert told(good(), under_trained_below=1e9)[0].startswith("l2, learning rate 0.1: at w300, w1000")
    assert "3 networks can rarely tell" in told(good().query("trainable_weights < 10_000"))[0]


def test_no_networks_leave_only_what_is_missing():
    assert told(good().iloc[:0]) == []
    assert len(told(good().iloc[:0], missing=100)) == 1
