"""How the best lambda goes with the weights, on made-up tables of best lambdas whose exponent is known."""

import numpy as np
import pandas as pd
import pytest
from made_up import NOISE, WEIGHTS, make_optima
from scipy import stats

from regsearch.analysis.scaling import find_bounds, fit_scaling, judge


def row(best, against="trainable_weights"):
    ((_, found),) = (table := fit_scaling(best))[table["against"] == against].iterrows()
    return found


@pytest.mark.parametrize(
    ("exponent", "claim"), [(0.0, "constant"), (-1.0, "inverse"), (-0.5, "power"), (1.0, "power"), (-2.0, "power")]
)
def test_the_exponent_and_its_claim_are_found(exponent, claim):
    found = row(make_optima(exponent))
    assert found["exponent"] == pytest.approx(exponent, abs=0.05)
    assert found["exponent_low"] < exponent < found["exponent_high"]
    assert found["verdict"] == claim
    assert (found["points"], found["censored"]) == (6, 0)


def test_the_fit_is_least_squares_with_its_t_interval_and_draws_the_line():
    best = make_optima(-0.5)
    found = row(best)
    expected = stats.linregress(np.log(WEIGHTS), np.log(best["best_lambda"]))
    assert found["exponent"] == pytest.approx(expected.slope)
    assert found["coefficient"] == pytest.approx(np.exp(expected.intercept))
    assert found["p_constant"] == pytest.approx(expected.pvalue)


def test_against_the_width_the_exponent_is_twice_that_against_the_weights():
    assert row(make_optima(-0.5), "width")["exponent"] == pytest.approx(2 * row(make_optima(-0.5))["exponent"])
    assert set(fit_scaling(make_optima(0.0).assign(width=pd.NA))["against"]) == {
        "trainable_weights",
        "penalised_weights",
    }


def test_the_claim_that_holds_has_the_lowest_aicc():
    for exponent, best in ((0.0, "aicc_constant"), (-1.0, "aicc_inverse"), (-0.5, "aicc_free")):
        found = row(make_optima(exponent))
        assert found[["aicc_constant", "aicc_inverse", "aicc_free"]].astype(float).idxmin() == best


def test_four_networks_cannot_tell_0_from_a_quarter_and_have_no_aicc_of_a_free_power():
    noisy = make_optima(0.0, noise=6 * NOISE, weights=WEIGHTS[:4])
    assert row(noisy)["verdict"] == "undetermined"
    assert pd.isna(row(noisy)["aicc_free"])
    assert pd.notna(row(noisy)["aicc_constant"])


@pytest.mark.parametrize(("low", "high", "claim"), [
    (-0.2, 0.3, "constant"), (-0.6, 0.1, "undetermined"), (-1.2, -0.8, "inverse"), (-1.6, -0.9, "undetermined"),
    (-0.8, -0.2, "power"), (0.1, 0.4, "power"), (-1.1, 0.1, "undetermined"), (np.nan, np.nan, "undetermined"),
    (-np.inf, -0.3, "undetermined"), (-0.4, np.inf, "undetermined"), (0.1, np.inf, "power"),
])  # fmt: skip
def test_a_claim_needs_an_interval_that_holds_it_and_lies_close(low, high, claim):
    assert judge(low, high) == claim


def test_an_optimum_at_an_edge_is_beyond_the_middle_of_the_last_step():
    best = make_optima(0.0)
    best.loc[0, "status"], best.loc[5, "status"], best.loc[2, "status"] = "left_edge", "right_edge", "no_benefit"
    best.loc[[0, 2, 5], "best_lambda"] = np.nan
    low, high = find_bounds(best)
    grid = np.log(best["best_grid_lambda"])
    assert (low[0], high[0]) == (-np.inf, pytest.approx(grid[0] + np.log(1.8) / 2))
    assert (low[5], high[5]) == (pytest.approx(grid[5] - np.log(1.8) / 2), np.inf)
    assert (low[2], high[2]) == (-np.inf, pytest.approx(grid[2] + np.log(2)))
    assert low[1] == high[1] == pytest.approx(np.log(best["best_lambda"][1]))


def test_edges_do_not_pass_for_optima():
    """The grid ends at 0.0025: wide networks' optima lie below and are found at its edge."""
    best = make_optima(-0.5)
    beyond = best["best_lambda"] < 0.0025
    best.loc[beyond, ["best_grid_lambda", "status", "best_lambda"]] = [0.0025, "left_edge", np.nan]
    naive = stats.linregress(np.log(WEIGHTS), np.log(best["best_grid_lambda"])).slope
    found = row(best)
    assert found["censored"] == 3
    assert abs(found["exponent"] + 0.5) < 0.15 < abs(naive + 0.5)
    assert found["exponent_low"] < -0.5 < found["exponent_high"]


def test_without_optima_enough_nothing_is_claimed():
    best = make_optima(0.0)
    best.loc[2:, "status"] = "no_benefit"
    best.loc[2:, "best_lambda"] = np.nan
    found = row(best)
    assert found["verdict"] == "undetermined"
    assert (found["points"], found["censored"]) == (6, 4)
    assert found[["exponent", "exponent_low", "aicc_constant"]].isna().all()
    assert fit_scaling(best.iloc[:1]).empty
    assert fit_scaling(best.iloc[:0]).empty


def test_each_penalty_rate_and_size_has_rows_of_its_own():
    both = pd.concat([make_optima(0.0), make_optima(-1.0, penalty="l1"), make_optima(-0.5, learning_rate=0.2)])
    found = (
        fit_scaling(both).query("against == 'trainable_weights'").set_index(["penalty", "learning_rate"])["verdict"]
    )
    assert found.to_dict() == {("l1", 0.1): "inverse", ("l2", 0.1): "constant", ("l2", 0.2): "power"}


def test_training_sizes_are_fitted_beside_the_weights():
    sizes = [250, 500, 1000]
    parts = [
        make_optima(-0.5, train_size=size, noise=0.5 * np.roll(NOISE, index)) for index, size in enumerate(sizes)
    ]
    for size, part in zip(sizes, parts, strict=True):
        part["best_lambda"] *= (size / 500) ** -0.8
    found = fit_scaling(pd.concat(parts))
    joint = found[found["train_size"].isna()].set_index("against")
    assert joint.loc["train_size", "exponent"] == pytest.approx(-0.8, abs=0.05)
    assert joint.loc["penalised_weights", "exponent"] == pytest.approx(-0.5, abs=0.05)
    assert joint.loc["train_size", "points"] == 18
    assert found["train_size"].dropna().unique().tolist() == sizes
