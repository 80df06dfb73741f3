"""What the penalty is made of, on made-up trials whose sums are known."""

import numpy as np
import pandas as pd
import pytest

from regsearch.analysis.mechanism import measure_mechanism
from regsearch.spec.penalties import L1, L2, Decoupled, L2Mean

PENALTIES = [penalty() for penalty in (L1, L2, L2Mean, Decoupled)]
WEIGHTS = (100, 400, 1600)
LAMBDA = 0.01


def made_up(penalty="l2", seeds=2):
    """Σ|w| starts as N^¾ and ends at half of that, Σw² starts as N^½ and ends at a quarter."""
    trials, epochs, best = [], [], []
    for index, weights in enumerate(WEIGHTS):
        architecture = {"architecture": f"w{index}", "width": index + 1, "trainable_weights": weights + 5}
        architecture |= {"penalised_weights": weights, "learning_rate": 0.1, "train_size": 50, "penalty": penalty}
        best.append({**architecture, "best_grid_lambda": LAMBDA})
        for seed in range(seeds):
            for lam in (LAMBDA, 1.0):
                trial = f"{index}-{seed}-{lam}"
                sums = {"sum_abs_weights": weights**0.75, "sum_squared_weights": weights**0.5}
                epochs.append({"trial": trial, "epoch": 0, "validation_loss": 2.0, **sums})
                epochs.append({"trial": trial, "epoch": 1, "validation_loss": 9.0, **sums})
                ended = {"sum_abs_weights": weights**0.75 / 2, "sum_squared_weights": weights**0.5 / 4}
                row = {"trial": trial, **architecture, "lambda": lam, "seed": seed, "status": "completed"}
                trials.append({**row, "validation_loss": 1.0, **ended})
    return pd.DataFrame(trials), pd.DataFrame(epochs), pd.DataFrame(best)


def test_the_sums_and_their_growth_are_those_of_the_start_and_the_end():
    table = measure_mechanism(*made_up(), PENALTIES)
    assert table["sum_abs_weights_start"].tolist() == pytest.approx([n**0.75 for n in WEIGHTS])
    assert table["sum_squared_weights_end"].tolist() == pytest.approx([n**0.5 / 4 for n in WEIGHTS])
    assert table["sum_abs_weights_start_exponent"].tolist() == pytest.approx([0.75] * 3)
    assert table["sum_squared_weights_end_exponent"].tolist() == pytest.approx([0.5] * 3)
    assert table["seeds"].tolist() == [2, 2, 2]


@pytest.mark.parametrize(("penalty", "value", "gradient"), [
    ("l1", LAMBDA * 100**0.75, LAMBDA),
    ("l2", LAMBDA * 10, 2 * LAMBDA * 100**-0.25),
    ("l2_mean", LAMBDA * 0.1, 2 * LAMBDA * 100**-1.25),
    ("decoupled", 0.0, LAMBDA * 100**-0.25),
])  # fmt: skip
def test_the_penaltys_share_and_pull_follow_its_formula(penalty, value, gradient):
    first = measure_mechanism(*made_up(penalty), PENALTIES).iloc[0]
    assert first["penalty_share_start"] == pytest.approx(value / (value + 2.0))
    assert first["penalty_gradient_start"] == pytest.approx(gradient)
    assert first["penalty_gradient_end"] == pytest.approx(gradient if penalty == "l1" else gradient / 2)


def test_networks_that_diverged_or_are_not_there_leave_gaps_and_no_error():
    trials, epochs, best = made_up()
    trials.loc[trials["architecture"] == "w1", "status"] = "diverged"
    table = measure_mechanism(trials, epochs, best, PENALTIES)
    assert table["seeds"].tolist() == [2, 0, 2]
    assert np.isnan(table.loc[1, "sum_abs_weights_start"])
    assert table.loc[1, "sum_abs_weights_start_exponent"] == pytest.approx(0.75)
    assert measure_mechanism(trials, epochs, best.iloc[:0], PENALTIES).empty


def test_networks_whose_start_is_not_known_are_left_out_of_both_ends():
    trials, epochs, best = made_up()
    trials.loc[trials["trial"] == f"1-1-{LAMBDA}", ["sum_abs_weights"]] = 1e6
    table = measure_mechanism(trials, epochs[epochs["trial"] != f"1-1-{LAMBDA}"], best, PENALTIES)
    assert table["seeds"].tolist() == [2, 1, 2]
    assert table["sum_abs_weights_end"].tolist() == pytest.approx([n**0.75 / 2 for n in WEIGHTS])
