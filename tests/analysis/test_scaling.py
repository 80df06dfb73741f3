"""How the best lambda goes with the weights, on made-up tables of best lambdas whose exponent is known."""

import numpy as np
import pandas as pd
import pytest
from made_up import NOISE, WEIGHTS, make_optima, make_resampled
from scipy import stats

from regsearch.analysis import scaling
from regsearch.analysis.scaling import find_bounds, judge


def fit_scaling(best, slopes=0.0, stability=None):
    return scaling.fit_scaling(best, make_resampled(best, slopes), stability)


def row(best, against="trainable_weights", **options):
    ((_, found),) = (table := fit_scaling(best, **options))[table["against"] == against].iterrows()
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
    (-0.1, 0.14, "constant"), (0.05, 0.1, "constant"), (-0.1, 0.2, "undetermined"), (-1.1, -0.9, "inverse"),
    (-1.2, -0.9, "undetermined"), (-0.8, -0.2, "power"), (0.16, 0.4, "power"), (0.1, 0.4, "undetermined"),
    (-1.1, 0.1, "undetermined"), (np.nan, np.nan, "undetermined"), (-np.inf, -0.3, "undetermined"),
    (0.2, np.inf, "power"), (-2.0, -1.2, "power"),
])  # fmt: skip
def test_a_claim_holds_where_the_interval_lies_within_the_tolerance(low, high, claim):
    assert judge(low, high, 0.15) == claim


def test_the_tolerance_is_a_factor_of_two_from_the_smallest_to_the_widest_and_a_quarter_at_most():
    assert row(make_optima(0.0))["tolerance"] == pytest.approx(np.log(2) / np.log(WEIGHTS[-1] / WEIGHTS[0]))
    assert row(make_optima(0.0, weights=WEIGHTS[:3]))["tolerance"] == 0.25


def test_what_seeds_share_widens_the_interval_with_few_degrees_of_freedom():
    alone, shared = row(make_optima(0.0)), row(make_optima(0.0), slopes=0.3)
    assert alone["exponent"] == shared["exponent"]
    wide, narrow = (found["exponent_high"] - found["exponent_low"] for found in (shared, alone))
    spread = make_resampled(make_optima(0.0), 0.3)[:, -1].std(ddof=1) / np.log(WEIGHTS[-1] / 5000)
    own = stats.t.ppf(0.975, 4) * spread * np.sqrt(5 / 4)  # five seeds: four degrees of freedom
    assert wide == pytest.approx(2 * own, rel=0.05)
    assert own > 5 * narrow
    assert shared["p_inverse"] > alone["p_inverse"]


def test_optima_on_one_grid_point_are_not_known_better_than_the_grid():
    best = make_optima(0.0, noise=np.zeros(6)).assign(grid_step=10**0.5, estimate="grid")
    found = row(best)
    error = np.log(10**0.5) / np.sqrt(12) / np.sqrt(((np.log(WEIGHTS) - np.log(WEIGHTS).mean()) ** 2).sum())
    assert found["exponent_high"] == pytest.approx(1.96 * error, rel=0.01)
    assert row(best.assign(grid_step=1.0))["exponent_high"] < 1e-3


def test_points_that_bend_are_no_power():
    middle = np.abs(np.arange(6) - 2.5) / 2.5
    bent = make_optima(0.0)
    bent["best_lambda"] *= np.exp(np.log(4) * middle**2)
    found = row(bent)
    assert found["verdict"] == "bent"
    assert found["p_bent"] < 0.01
    little = make_optima(0.0, noise=NOISE / 100)
    little["best_lambda"] *= np.exp(np.log(1.1) * middle**2)
    assert row(little)["p_bent"] < 0.01
    assert row(little)["verdict"] == "constant"  # it bends, but by less than matters


def test_where_training_is_too_short_at_most_networks_nothing_else_is_said():
    best = make_optima(0.0)
    key = ["architecture", "penalty", "learning_rate", "train_size"]
    limits = best[key].assign(under_trained_below=[1.0] * 4 + [1e-9] * 2)
    assert row(best, stability=limits)["verdict"] == "under_trained"
    assert row(best, stability=limits.assign(under_trained_below=[1.0] * 3 + [np.nan] * 3))["verdict"] == "constant"


def test_claims_are_ruled_out_after_holms_correction_over_the_fits():
    one = make_optima(0.0)
    assert row(one)["rules_out"] == "inverse"
    weak = make_optima(-0.05)  # constant is excluded at 5 % alone, and not among several
    assert 0.01 < row(weak)["p_constant"] < 0.05
    assert row(weak)["rules_out"] == "constant, inverse"
    several = pd.concat([weak, *(make_optima(0.0, learning_rate=rate) for rate in (0.2, 0.3, 0.4, 0.5))])
    found = fit_scaling(several.reset_index(drop=True)).query("against == 'trainable_weights'")
    assert set(found["rules_out"]) == {"inverse"}


def test_the_intervals_of_the_two_end_networks_bound_the_exponent_without_a_curve():
    found, reach = row(make_optima(-0.5)), np.log(WEIGHTS[-1] / WEIGHTS[0])
    ratio = make_optima(-0.5)["best_lambda"].iloc[[0, -1]].to_numpy()
    assert found["exponent_at_least"] == pytest.approx(np.log(ratio[1] / ratio[0] / 4) / reach)
    assert found["exponent_at_most"] == pytest.approx(np.log(ratio[1] / ratio[0] * 4) / reach)
    half_open = make_optima(-0.5)
    half_open.loc[0, "best_lambda_high"] = np.nan
    assert pd.isna(row(half_open)["exponent_at_least"])
    assert pd.notna(row(half_open)["exponent_at_most"])


def test_what_is_no_point_enters_as_the_bounded_end_of_its_interval_or_not_at_all():
    best = make_optima(0.0)
    best.loc[[0, 1, 2, 5], "status"] = ["left_edge", "unsure", "no_benefit", "right_edge"]
    best.loc[[0, 1, 2, 5], "best_lambda"] = np.nan
    best.loc[2, "best_lambda_high"] = np.nan
    low, high = find_bounds(best)
    assert (low[0], high[0]) == (-np.inf, pytest.approx(np.log(best["best_lambda_high"][0])))
    assert (low[1], high[1]) == (-np.inf, pytest.approx(np.log(best["best_lambda_high"][1])))
    assert (low[2], high[2]) == (-np.inf, np.inf)
    assert (low[5], high[5]) == (pytest.approx(np.log(best["best_lambda_low"][5])), np.inf)
    assert low[3] == high[3] == pytest.approx(np.log(best["best_lambda"][3]))
    best.loc[1] = make_optima(0.0).loc[1]
    assert row(best)["censored"] == 3
    assert row(best)["exponent"] == pytest.approx(row(best.drop(index=2))["exponent"], abs=1e-6)


def test_edges_do_not_pass_for_optima():
    """The grid ends at 0.0025: wide networks' optima lie below and are found at its edge."""
    best = make_optima(-0.5)
    beyond = best["best_lambda"] < 0.0025
    best.loc[beyond, ["best_grid_lambda", "status", "best_lambda"]] = [0.0025, "left_edge", np.nan]
    best.loc[beyond, "best_lambda_high"] = 0.003
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
    both = pd.concat(
        [make_optima(0.0), make_optima(-1.0, penalty="l1"), make_optima(-0.5, learning_rate=0.2)], ignore_index=True
    )
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
    found = fit_scaling(pd.concat(parts, ignore_index=True))
    joint = found[found["train_size"].isna()].set_index("against")
    assert joint.loc["train_size", "exponent"] == pytest.approx(-0.8, abs=0.05)
    assert joint.loc["penalised_weights", "exponent"] == pytest.approx(-0.5, abs=0.05)
    assert joint.loc["train_size", "points"] == 18
    assert found["train_size"].dropna().unique().tolist() == sizes
