"""How right the analyses are on many made-up studies; `tests/calibration.py` makes the whole tables."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from calibration import judge_gains, judge_networks, judge_studies, make_study
from made_up_curves import FAMILIES
from scipy import stats

from regsearch.analysis.best_lambda import find_best_lambdas, resample_optima
from regsearch.analysis.calibration import calibrate, summarise
from regsearch.analysis.scaling import fit_scaling
from regsearch.spec.penalties import L2, L2Mean

pytestmark = pytest.mark.slow


def holds_as_often(share, count):
    """Whether a share of intervals is what 95 % coverage gives in so many, but once in a thousand times."""
    return share >= stats.binom.ppf(0.001, count, 0.95) / count


@pytest.mark.parametrize("per_decade", [2, 4])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_interval_of_a_best_lambda_holds_it_on_every_kind_of_curve_with_three_seeds(family, per_decade):
    found = judge_networks(family, 3, per_decade, 60)
    assert holds_as_often(found["coverage"], 60)
    assert found["without_own_best"] == 0


@pytest.mark.parametrize("slopes", [0.0, 0.2])
@pytest.mark.parametrize("widths", [4, 8])
@pytest.mark.parametrize("exponent", [0.0, -1.0])
def test_the_interval_of_the_exponent_holds_it_also_where_seeds_have_slopes_of_their_own(exponent, widths, slopes):
    found = judge_studies("penalised_weights", widths, slopes, exponent, 4, 48)
    assert found["fitted"] == 48
    assert holds_as_often(found["coverage"], 48)
    assert found["inverse" if exponent == 0 else "constant"] == 0


def test_so_does_that_of_the_exponent_of_the_training_images():
    found = judge_studies("train_size", 6, 0.2, -1.0, 4, 40)
    assert holds_as_often(found["coverage"], 40)


def test_and_where_the_grid_ends_before_a_quarter_of_the_best_lambdas():
    found = judge_studies("penalised_weights", 8, 0.0, -1.0, 4, 48, whole=False)
    assert found["censored_share"] > 0.15
    assert holds_as_often(found["coverage"], found["fitted"])
    assert found["constant"] == 0


def test_a_bend_is_not_called_constant():
    assert judge_studies("penalised_weights", 8, 0.0, 0.0, 4, 48, bend=np.log10(3))["constant"] <= 2
    assert judge_studies("penalised_weights", 8, 0.0, -0.4, 4, 48)["constant"] == 0


@pytest.mark.parametrize("seeds", [3, 10])
def test_a_gain_is_found_where_there_is_one_and_seldom_where_there_is_none(seeds):
    assert judge_gains(1.0, seeds, 2, 60)["claimed"] > 0.9
    assert judge_gains(0.0, seeds, 4, 120)["claimed"] <= stats.binom.ppf(0.999, 120, 0.025) / 120


def test_the_best_lambda_of_a_mean_goes_with_one_power_of_the_weights_more():
    sums = make_study(np.random.default_rng(0), "smooth", 6, -1.0, 0.0, 4)
    means = []
    for curve in sums:
        weights = curve.architecture.penalised_weights
        share = (
            L2Mean().coefficients(weights)[1] / L2().coefficients(weights)[1]
        )  # the same networks, the same losses
        means.append(replace(curve, setting=curve.setting._replace(penalty="l2_mean"), lambdas=curve.lambdas / share))
    both = [*sums, *means]
    best = find_best_lambdas(both)
    table = fit_scaling(best, resample_optima(both, best))
    fitted = table[table["against"] == "penalised_weights"].set_index("penalty")["exponent"]
    assert fitted["l2_mean"] - fitted["l2"] == pytest.approx(1)


def trials(exponent, seeds=6, noise=0.02):
    rng = np.random.default_rng(0)
    rows = []
    for weights in (100, 1000, 10_000, 100_000):
        for seed in range(seeds):
            bottom = np.log(0.01) + exponent * np.log(weights / 1e3) + noise * rng.normal()
            for lam in [0.0, *10.0 ** np.arange(-6, 2.1, 0.5)]:
                loss = 100.0 if lam == 0 else (np.log(lam) - bottom) ** 2
                where = {"architecture": f"w{weights}", "width": weights, "trainable_weights": weights}
                where |= {"penalised_weights": weights, "penalty": "l2" if lam else "none", "lambda": lam}
                scores = {
                    "validation_loss": loss,
                    "validation_accuracy": 0.1,
                    "test_loss": loss,
                    "test_accuracy": 0.1,
                    "train_loss": loss,
                    "guessing_loss": np.nan,
                }
                setting = {"learning_rate": 0.1, "train_size": 50, "seed": seed, "status": "completed"}
                rows.append({**where, **setting, **scores})
    return pd.DataFrame(rows)


def test_seeds_are_parted_into_draws_that_are_analysed_on_their_own():
    (row,) = calibrate(trials(-1.0), -1.0, draws=3).to_dict("records")
    assert (row["draws"], row["seeds"], row["fitted"]) == (3, 2, 3)
    assert row["mean_exponent"] == pytest.approx(-1.0, abs=0.02)
    assert row["bias"] == pytest.approx(row["mean_exponent"] + 1.0)
    assert row["inverse"] + row["power"] == 3
    (other,) = calibrate(trials(-1.0), 0.0, draws=1).to_dict("records")
    assert other["coverage"] == 0


def test_what_has_no_interval_counts_as_undetermined_alone():
    fits = pd.DataFrame(
        {
            "exponent": [0.1, -0.1, np.nan], "exponent_low": [-0.1, -0.3, np.nan], "exponent_high": [0.3, -0.05, np.nan],
            "verdict": ["constant", "power", "undetermined"], "seeds": 5,
        }
    )  # fmt: skip
    found = summarise(fits, 0.0)
    assert (found["draws"], found["fitted"], found["undetermined"]) == (3, 2, 1)
    assert found["coverage"] == 0.5
    assert found["bias"] == pytest.approx(0.0)


def test_other_penalties_have_no_planted_exponent_and_no_row():
    assert calibrate(trials(0.0).replace({"penalty": {"l2": "l1"}}), 0.0, draws=2).empty
    assert calibrate(trials(0.0).iloc[:0], 0.0, draws=2).empty
