"""Transfer regret on made-up curves whose cost of a wrong lambda is known."""

import numpy as np
import pytest

from regsearch.analysis.curves import Architecture, Curve
from regsearch.analysis.tables import Setting
from regsearch.analysis.transfer import measure_transfer

LAMBDAS = np.concatenate([[0.0], 10.0 ** np.arange(-7, 1.01, 0.25)])
WEIGHTS = {"small": 100, "middle": 1000, "wide": 10_000}


def curves(exponent, noise=0.0, seeds=6, lambdas=LAMBDAS, names=tuple(WEIGHTS), learning_rate=0.1):
    """Test loss is the squared distance to the best ln λ, which goes as N^exponent from 0.01 at 100 weights."""
    rng = np.random.default_rng(3)
    found = []
    for name in names:
        weights = WEIGHTS[name]
        best = np.log(0.01 * (weights / 100) ** exponent)
        x = np.log(np.maximum(lambdas, 1e-9))
        losses = (x - best) ** 2 + rng.normal(size=(seeds, 1)) + noise * rng.normal(size=(seeds, len(lambdas)))
        scores = {"validation_loss": losses, "test_loss": losses + 1}
        found.append(make_curve(name, lambdas, scores, learning_rate))
    return found


def make_curve(name, lambdas, scores, learning_rate=0.1):
    shape = scores["test_loss"].shape
    architecture, setting = Architecture(name, None, WEIGHTS[name], WEIGHTS[name]), Setting("l2", learning_rate, 500)
    return Curve(architecture, setting, lambdas, np.arange(shape[0]), scores, *np.zeros((2, *shape), bool), np.nan)


def row(table, tuned_on, used_on, rule):
    chosen = (table["tuned_on"] == tuned_on) & (table["used_on"] == used_on) & (table["rule"] == rule)
    ((_, found),) = table[chosen].iterrows()
    return found


@pytest.mark.parametrize(("exponent", "right"), [(0.0, "same"), (-1.0, "inverse")])
def test_the_rule_that_holds_costs_nothing_and_the_other_what_it_must(exponent, right):
    table = measure_transfer(curves(exponent))
    assert len(table) == 3 * 2 * 3
    for tuned, used in [("small", "wide"), ("wide", "small"), ("small", "middle")]:
        assert abs(row(table, tuned, used, right)["regret"]) < 0.02
        assert abs(row(table, tuned, used, "fitted")["regret"]) < 0.02
        wrong = row(table, tuned, used, "inverse" if right == "same" else "same")
        distance = np.log(WEIGHTS[used] / WEIGHTS[tuned])
        assert wrong["regret"] == pytest.approx(distance**2, rel=0.05)


def test_the_fitted_power_is_that_of_the_other_networks():
    table = measure_transfer(curves(-0.5))
    found = row(table, "small", "wide", "fitted")
    assert found["lambda"] == pytest.approx(0.001, rel=1e-6)
    assert "fitted" not in set(measure_transfer(curves(-0.5, names=("small", "wide")))["rule"])


def moved_by_inverse(lambdas, tuned_on, used_on):
    return row(measure_transfer(curves(0.0, lambdas=lambdas)), tuned_on, used_on, "inverse")


def test_a_lambda_above_the_grid_has_no_loss():
    inside, above = LAMBDAS, LAMBDAS[LAMBDAS < 0.5]
    assert moved_by_inverse(inside, "wide", "small")["lambda"] == pytest.approx(1.0)
    assert moved_by_inverse(inside, "wide", "small")["regret"] == pytest.approx(np.log(100) ** 2, rel=1e-6)
    assert np.isnan(moved_by_inverse(above, "wide", "small")["regret"])


def test_a_lambda_below_the_grid_has_a_loss_where_0_was_trained():
    below = LAMBDAS[LAMBDAS > 2e-3]
    assert np.isnan(moved_by_inverse(below, "small", "wide")["regret"])
    with_zero = moved_by_inverse(np.append(0.0, below), "small", "wide")
    assert with_zero["lambda"] == pytest.approx(1e-4)
    smallest, zero = np.log(below[0] / 0.01) ** 2, np.log(1e-9 / 0.01) ** 2
    assert with_zero["regret"] == pytest.approx(zero + (smallest - zero) * 1e-4 / below[0])


def test_choosing_and_scoring_on_different_seeds_shows_no_gain_that_is_only_noise():
    """All lambdas are as good: the chosen one looks best to the seeds that chose it and to no other."""
    rng = np.random.default_rng(0)
    flat = []
    for name in WEIGHTS:
        losses = rng.normal(size=(40, len(LAMBDAS)))
        flat.append(make_curve(name, LAMBDAS, {"validation_loss": losses, "test_loss": losses}))
    table = measure_transfer(flat)
    same = table[table["rule"] == "same"]
    assert abs(same["test_loss"].mean()) < 0.15
    chosen_and_scored_alike = np.mean([one.scores["test_loss"].mean(axis=0).min() for one in flat])
    assert chosen_and_scored_alike < -0.2


def test_one_seed_or_one_network_has_no_regret_and_settings_do_not_mix():
    assert measure_transfer(curves(0.0, seeds=1)).empty
    assert measure_transfer(curves(0.0, names=("small",))).empty
    assert measure_transfer([]).empty
    two = measure_transfer([*curves(0.0), *curves(-1.0, learning_rate=0.2)])
    assert two.groupby("learning_rate").size().to_dict() == {0.1: 18, 0.2: 18}
    assert row(two[two["learning_rate"] == 0.1], "small", "wide", "same")["regret"] == pytest.approx(0, abs=1e-9)


def test_the_same_curves_give_the_same_table():
    one, two = (measure_transfer(curves(-0.5, noise=0.1, seeds=8)) for _ in range(2))
    assert one.equals(two)
    assert (one["seeds"] == 8).all()
    assert (one["regret_se"] > 0).all()
