"""The verdict in words quotes the numbers of the tables; what to doubt follows from them, and says what to do."""

import numpy as np
import pandas as pd
import pytest
from made_up import NOISE, make_optima, make_resampled

from regsearch.analysis import mechanism, response, stability, transfer
from regsearch.analysis.scaling import fit_scaling
from regsearch.analysis.tables import SETTING, Tables
from regsearch.analysis.words import list_doubts, write_verdict

NAMES = ("w300", "w100000")


def tables(best, regrets=(0.25, 0.5, -0.01), **limits):
    """The tables of a made-up study."""
    moved = pd.DataFrame({"rule": transfer.RULES, "regret": regrets, "regret_se": 0.02}).assign(
        tuned_on=NAMES[0], used_on=NAMES[1], penalty="l2", learning_rate=0.1, train_size=500
    )
    limits = dict.fromkeys(("under_trained_below", "smallest_diverged", "half_collapsed"), np.nan) | limits
    stable = best[["architecture", *SETTING]].assign(predicted_limit=10.0).assign(**limits)
    stable = stable.reindex(columns=stability.COLUMNS)
    grown, table = pd.DataFrame(columns=mechanism.COLUMNS), pd.DataFrame(columns=response.COLUMNS)
    return Tables(best, fit_scaling(best, make_resampled(best), stable), moved, stable, grown, table)


def spoken(*parts, **limits):
    return write_verdict(tables(*parts, **limits))


def told(best, missing=0, stopped_early=False, **limits):
    return list_doubts(tables(best, **limits), missing, 100, stopped_early)


@pytest.mark.parametrize(
    ("exponent", "advice", "ruled"),
    [
        (0.0, "constant: keep one lambda for every width, about 0.01.", "1/N is ruled out."),
        (-1.0, "inverse: scale lambda as 1/N: about 0.01 at 300 weights", "one lambda for every width is ruled out."),
        (-0.5, "power: scale lambda as N^-0.5", "one lambda for every width and 1/N are ruled out."),
    ],
)
def test_a_verdict_says_what_to_do_how_sure_and_what_it_costs_otherwise(exponent, advice, ruled):
    best = make_optima(exponent)
    (paragraph,) = spoken(best)
    fit = fit_scaling(best, make_resampled(best)).iloc[0]
    assert paragraph.startswith(f"l2: {advice}")
    assert f"N^{fit['exponent']:.2f}, N the trainable weights" in paragraph
    assert f"{fit['exponent_low']:.2f} to {fit['exponent_high']:.2f}, 6 networks); {ruled}" in paragraph
    assert "lambda of w300 used on w100000 as it is costs 0.250 ± 0.020 in test loss" in paragraph
    assert "scaled by 1/N it costs 0.500 ± 0.020 in test loss." in paragraph


def test_the_exponent_of_a_mean_is_told_from_that_of_a_sum():
    best = make_optima(0.0).assign(penalty="l2_mean")
    assert "where a mean's exponent 0 is 1/N of the sum." in spoken(best)[0]
    assert "a mean" not in spoken(make_optima(0.0))[0]


def test_a_moved_lambda_may_gain_or_fall_outside_the_grid():
    (paragraph,) = spoken(make_optima(0.0), (-0.01, np.nan, 0.0))
    assert "as it is gains 0.010 ± 0.020 in test loss; scaled by 1/N it falls outside the grid." in paragraph


def test_an_undetermined_verdict_says_what_would_decide():
    noisy = make_optima(0.0, noise=5 * NOISE)
    (paragraph,) = spoken(noisy)
    wanted = int(paragraph.split(" widths over the same range would decide.")[0].split()[-1])
    assert 6 < wanted < 50
    best = make_optima(0.0)
    best.loc[:3, ["status", "best_lambda"]] = ["unsure", np.nan]
    (few,) = spoken(best)
    assert "undetermined: only 2 of 6 networks have a best lambda that is known, and a fit needs 3." in few
    assert "Best lambda ∝" not in few


def test_divergence_and_collapse_are_told_once_for_all_penalties():
    seen = {"smallest_diverged": [np.nan, np.nan, 30, 10, 10, 10], "half_collapsed": [2.0, 1.0] * 3}
    *_, sentence = spoken(make_optima(0.0), **seen, diverged_share_at_zero=[0, 0, 0, 0, 0, 0.5])
    assert "diverged from lambda 10 on (at w10000, w30000 and w100000); theory puts the limit at 10" in sentence
    assert "diverge at lambda 0 too" in sentence
    assert "Networks collapse to guessing, half of the seeds, from lambda 1 on with l2." in sentence


def test_training_that_is_too_short_comes_before_any_claim():
    assert spoken(make_optima(0.0), under_trained_below=1e9)[0].startswith("l2: under_trained: train longer")


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
    assert edge.startswith("l2, learning rate 0.1: at w300 the best lambda lies at or below the grid's left edge")
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
