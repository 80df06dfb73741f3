"""How right the analyses are on many made-up studies; `tests/calibration.py` makes the whole table."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from calibration import calibrate as calibrate_made_up
from calibration import study
from scipy import stats

from regsearch.analysis.best_lambda import find_best_lambdas
from regsearch.analysis.calibration import calibrate, summarise
from regsearch.analysis.scaling import fit_scaling
from regsearch.spec.penalties import L2, L2Mean

STUDIES = 80


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["whole", "edge"])
@pytest.mark.parametrize("architectures", [4, 6, 8])
@pytest.mark.parametrize("exponent", [0.0, -1.0])
def test_the_interval_holds_the_truth_as_often_as_it_says_and_the_wrong_claim_is_rare(kind, architectures, exponent):
    found = calibrate_made_up(STUDIES, architectures, exponent, kind, bootstraps=0)
    fitted = found["fitted"]
    # What 95 % coverage gives in that many studies, but once in a thousand times.
    least = stats.binom.ppf(0.001, fitted, 0.95) / fitted
    assert fitted > STUDIES / 2
    assert found["coverage"] >= least
    assert abs(found["bias"]) < 0.05
    wrong = found["inverse"] if exponent == 0 else found["constant"]
    assert wrong < 0.05 * STUDIES
    assert (found["censored_share"] > 0.1) == (kind == "edge")


def test_the_best_lambda_of_a_mean_goes_with_one_power_of_the_weights_more():
    sums, _ = study(np.random.default_rng(0), 6, -1.0, "whole")
    means = []
    for curve in sums:
        weights = curve.architecture.penalised_weights
        share = (
            L2Mean().coefficients(weights)[1] / L2().coefficients(weights)[1]
        )  # the same networks, so the same losses
        means.append(replace(curve, setting=curve.setting._replace(penalty="l2_mean"), lambdas=curve.lambdas / share))
    table = fit_scaling(find_best_lambdas([*sums, *means], bootstraps=0))
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
