"""The range suggested for another network: a prediction interval, held against made-up studies."""

import numpy as np
import pandas as pd
import pytest
from conftest import edited, parsed_text
from made_up import NOISE, WEIGHTS, make_optima, make_resampled
from scipy import stats

from regsearch.analysis import suggestion
from regsearch.analysis.suggestion import Refusal, Suggestion
from regsearch.errors import ResultsError


def list_ranges(best, weights, slopes=0.0):
    return suggestion.list_ranges(best, make_resampled(best, slopes), weights)


def suggest(best, *asked, **named):
    return suggestion.suggest(best, make_resampled(best), *asked, **named)


def one(best, weights, **options):
    (found,) = list_ranges(best, weights, **options)
    return found


@pytest.mark.parametrize("weights", [300, 5000, 10_000_000])
def test_with_known_optima_it_is_the_textbook_prediction_interval(weights):
    best = make_optima(-0.5)
    x, y, at = np.log(WEIGHTS), np.log(best["best_lambda"]), np.log(weights)
    fit = stats.linregress(x, y)
    residual = y - fit.intercept - fit.slope * x
    spread = np.sqrt((residual**2).sum() / 4)
    leverage = 1 / 6 + (at - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum()
    reach = stats.t.ppf(0.975, 4) * spread * np.sqrt(1 + leverage)
    height = fit.intercept + fit.slope * at
    found = one(best, weights)
    assert np.log([found.low, found.best, found.high]) == pytest.approx([height - reach, height, height + reach])


def coverage(studies, grid_ends_at=None):
    """The share of made-up studies whose interval holds the next network's best lambda, far outside."""
    rng = np.random.default_rng(3)
    held = fitted = 0
    for _ in range(studies):
        best = make_optima(-0.5, noise=0.3 * rng.normal(size=6))
        if grid_ends_at:
            beyond = best["best_lambda"] < grid_ends_at
            best.loc[beyond, ["best_grid_lambda", "status", "best_lambda"]] = [grid_ends_at, "left_edge", np.nan]
            best.loc[beyond, "best_lambda_high"] = grid_ends_at * 1.3
        truth = 0.01 * (1_000_000 / WEIGHTS[0]) ** -0.5 * np.exp(0.3 * rng.normal())
        found = one(best, 1_000_000)
        if isinstance(found, Suggestion):
            fitted += 1
            held += found.low <= truth <= found.high
    return held / fitted, fitted


def test_it_holds_the_next_networks_best_lambda_as_often_as_it_says():
    share, fitted = coverage(400)
    assert fitted == 400
    assert 0.92 <= share <= 0.98  # 95 %, within three standard errors of 400 studies


def test_it_still_does_where_small_lambdas_are_cut_off_by_the_grid():
    share, fitted = coverage(200, grid_ends_at=0.0013)
    assert fitted > 150
    assert share >= 0.90


def test_it_widens_with_the_distance_and_says_so():
    near, far, below = (one(make_optima(-0.5), weights) for weights in (5000, 10_000_000, 30))
    assert near.high / near.low < below.high / below.low < far.high / far.low
    assert near.words == "Interpolated between 6 networks of 300 to 100000 weights."
    assert "Extrapolated: 10000000 weights are 100 times the weights of the largest network tried" in far.words
    assert "10 times fewer than the smallest network tried has (300)" in below.words
    assert (near.factor, far.factor, below.factor) == (1, 100, 0.1)


def test_what_seeds_share_widens_it_far_outside():
    alone, shared = (one(make_optima(-0.5), 10_000_000, slopes=slopes) for slopes in (0.0, 0.3))
    assert shared.best == alone.best
    assert shared.high / shared.low > 2 * alone.high / alone.low


def test_bounds_count_as_bounds():
    best = make_optima(0.0)
    best.loc[0, ["status", "best_lambda"]] = ["no_benefit", np.nan]
    found = one(best, 5000)
    assert (found.points, found.censored) == (6, 1)
    assert "1 of them known only within bounds" in found.words


@pytest.mark.parametrize("penalty", ["l2", "decoupled", "l1_l2-0.5"])
def test_the_snippet_is_valid_in_a_spec_and_holds_the_interval(penalty):
    found = one(make_optima(-0.5, penalty=penalty), 5_000_000)
    start = edited().index("grid:")
    text = edited()[:start] + found.spec + "  seeds: 2\n" + edited()[edited().index("training:") :]
    grid = parsed_text(text).grid
    assert [one.name for one in grid.penalties] == [penalty]
    assert (grid.lambdas.start, grid.lambdas.stop, grid.lambdas.per_decade) == tuple(found.grid.values())
    lambdas = [lam for lam in grid.lambda_values() if lam > 0]
    assert sum(lam < found.low for lam in lambdas) in (1, 2)  # two where rounding to two digits adds one
    assert sum(lam > found.high for lam in lambdas) in (1, 2)


def test_points_on_a_line_leave_a_range_all_the_same():
    found = one(make_optima(-1.0, noise=np.zeros(6)), WEIGHTS[0])
    assert found.low <= 0.01 * (1 + 1e-9)
    assert found.high >= 0.01 * (1 - 1e-9)
    assert found.grid["from"] < 0.01 / 1.7
    assert 0.01 * 1.7 < found.grid["to"] < 0.04


def test_without_a_fit_it_refuses_and_says_what_to_do():
    best = make_optima(0.0)
    best.loc[2:, ["status", "best_lambda"]] = ["no_benefit", np.nan]
    for weights, words in ((best, "only 2 of 6 networks"), (make_optima(0.0).iloc[:1], "one weight count")):
        refused = one(weights, 5000)
        assert isinstance(refused, Refusal)
        assert words in refused.reason
        assert "run" in refused.reason
    assert list_ranges(best.iloc[:0], 5000) == []


def test_a_folder_without_any_range_is_one_clear_error():
    best = make_optima(0.0)
    best.loc[2:, ["status", "best_lambda"]] = ["no_benefit", np.nan]
    with pytest.raises(
        ResultsError, match=r"(?s)results/x: expected a line .* got none:.*l2, .*only 2 of 6 networks"
    ):
        suggest(best, 5000, None, "results/x")
    with pytest.raises(ResultsError, match="no network has finished"):
        suggest(best.iloc[:0], 5000, None, "results/x")
    with pytest.raises(ResultsError, match=r"penalty: expected one with a best lambda here \(l2\), got l1"):
        suggest(best, 5000, "l1", "results/x")
    given = suggest(pd.concat([best, make_optima(0.0, penalty="l1")], ignore_index=True), 5000, None, "results/x")
    assert [type(one) for one in given] == [Suggestion, Refusal]


def test_networks_of_a_size_and_more_can_be_left_out():
    best = make_optima(-0.5)
    assert suggest(best, 10**6, below=30_000) == list_ranges(best.iloc[:4], 10**6)
    with pytest.raises(ValueError, match="expected more than the 300 weights of the smallest network, got 300"):
        suggest(best, 10**6, below=300)


def test_a_range_that_leaves_all_that_is_trainable_is_refused():
    wild = make_optima(0.0, noise=60 * NOISE)
    refused = one(wild, 10**12)
    assert isinstance(refused, Refusal)
    assert "leave the range for 1000000000000 weights open" in refused.reason


def test_each_setting_has_its_own():
    both = pd.concat(
        [make_optima(0.0), make_optima(-1.0, penalty="l1"), make_optima(-0.5, learning_rate=0.2)], ignore_index=True
    )
    assert [one.setting[:2] for one in list_ranges(both, 1000)] == [
        ("l1", 0.1), ("l2", 0.1), ("l2", 0.2),
    ]  # fmt: skip
