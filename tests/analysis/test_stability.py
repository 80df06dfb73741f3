"""Divergence seen against predicted: the formulas on a quadratic, and on planted data trained for real."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import parsed_text
from planted_answer import find_best_lambda

from regsearch import data as datasets
from regsearch.analysis.curves import Architecture, Curve
from regsearch.analysis.stability import find_limit, find_slowest, measure_stability
from regsearch.analysis.tables import Setting
from regsearch.engine import Job, train
from regsearch.grid import cells as grid
from regsearch.grid import costs as sizing
from regsearch.spec import penalties
from regsearch.spec.optimizers import SGD, Adam

L1, L2, MIXED, DECAY = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.75, 0.25, 0.0), (0.0, 0.0, 1.0)
OPTIMIZERS = {
    "SGD": SGD(), "momentum": SGD(momentum=0.9), "Nesterov": SGD(momentum=0.9, nesterov=True),
}  # fmt: skip


def descends(optimizer, rate, shares, lam, curvature, steps=4000):
    """Whether Keras's SGD shrinks a weight under h/2·w² and the penalty."""
    _, l2, decay = (lam * share for share in shares)
    weight, velocity = 1.0, 0.0
    for _ in range(steps):
        gradient = (curvature + 2 * l2) * weight
        weight *= 1 - rate * decay
        velocity = optimizer.momentum * velocity - rate * gradient
        weight += optimizer.momentum * velocity - rate * gradient if optimizer.nesterov else velocity
        if abs(weight) > 1e6:
            return False
    return abs(weight) < 1.0


@pytest.mark.parametrize("shares", [L2, MIXED, DECAY])
@pytest.mark.parametrize("curvature", [0.0, 3.0])
@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "Nesterov"] + ["Nesterov"])
def test_the_limit_is_where_descent_on_a_quadratic_turns_into_ascent(name, curvature, shares):
    optimizer, rate = OPTIMIZERS[name], 0.1
    if name == "Nesterov" and shares is DECAY:
        curvature = 0.0  # the limit of a decay beside Nesterov's momentum is stated without curvature
    at = find_limit(optimizer, rate, shares, curvature)
    assert descends(optimizer, rate, shares, 0.98 * at, curvature)
    assert not descends(optimizer, rate, shares, 1.02 * at, curvature)


def test_nesterov_is_less_stable_than_momentum_and_momentum_more_than_none():
    limits = {name: find_limit(optimizer, 0.1, L2) for name, optimizer in OPTIMIZERS.items()}
    assert limits["Nesterov"] < limits["SGD"] < limits["momentum"]
    assert limits["SGD"] == pytest.approx(10)
    assert limits["momentum"] == pytest.approx(19)


def test_lambda_alone_cannot_make_l1_or_adam_diverge():
    assert np.isnan(find_limit(SGD(), 0.1, L1))
    assert np.isnan(find_limit(Adam(), 0.1, L2))
    assert find_limit(Adam(), 0.1, DECAY) == pytest.approx(20)


def test_below_slowest_a_penalty_leaves_more_than_a_twentieth_of_a_weight():
    for shares in (L2, DECAY):
        lam = find_slowest(SGD(), 0.01, shares, 500)
        weight = (1 - 0.01 * lam * (2 if shares is L2 else 1)) ** 500
        assert weight == pytest.approx(np.exp(-3), rel=0.05)
    assert find_slowest(SGD(momentum=0.9), 0.01, L2, 500) == pytest.approx(find_slowest(SGD(), 0.01, L2, 500) / 10)
    assert np.isnan(find_slowest(Adam(), 0.01, L2, 500))


def curve(losses, lambdas=(0.0, 0.1, 1.0, 10.0), guessing=2.0):
    losses = np.array(losses, float)
    diverged, collapsed = np.isinf(losses), np.isfinite(losses) & (losses >= guessing)
    scores = {"validation_loss": np.where(diverged, np.nan, losses)}
    return Curve(
        Architecture("w2", 2, 9, 8),
        Setting("l2", 0.1, 50),
        np.array(lambdas),
        np.arange(len(losses)),
        scores,
        diverged,
        collapsed,
        guessing,
    )


def table(losses):
    ((_, row),) = measure_stability([curve(losses)], SGD(), {50: 100}, [penalties.L2()]).iterrows()
    return row


def test_the_table_says_what_was_seen_to_diverge_and_to_collapse():
    seen = table([[1, 0.5, 2.0, np.inf], [1, 0.5, 2.0, 1.0]])
    assert (seen["largest_stable"], seen["smallest_diverged"], seen["smallest_collapsed"]) == (1.0, 10.0, 1.0)
    assert seen["predicted_limit"] == 10
    assert seen["under_trained_below"] == pytest.approx(3 / (2 * 0.1 * 100))
    assert seen["diverged_share_at_zero"] == 0
    assert table([[1, 0.5, 1.9, 2.0], [1, 0.5, 2.0, 2.0], [1, 0.5, 1.9, 2.0]])["smallest_collapsed"] == 10
    assert table([[1, 0.5, 1.9, 2.0], [1, 0.5, 2.0, 2.0]])["smallest_collapsed"] == 1
    assert np.isnan(table([[2.0, 0.5, 1.0, 1.0]])["smallest_collapsed"])  # lambda 0 is not what it collapses from
    calm = table([[1, 0.5, 0.6, 0.7]])
    assert calm[["smallest_diverged", "smallest_collapsed"]].isna().all()
    assert table([[np.inf, np.inf, np.inf, np.inf], [1, 1, 1, 1]])["diverged_share_at_zero"] == 0.5


def test_a_mean_allows_a_lambda_as_much_larger_as_there_are_weights_and_the_largest_rate_counts():
    calm = curve([[1, 0.5, 0.6, 0.7]])
    mean = replace(calm, setting=calm.setting._replace(penalty="l2_mean"))
    both = measure_stability([calm, mean], SGD(), {50: 100}, [penalties.L2(), penalties.L2Mean()], (2.0, 0.5))
    assert both["predicted_limit"].tolist() == pytest.approx([10 / 2, 8 * 10 / 2])
    assert both["under_trained_below"].tolist() == pytest.approx([3 / 10, 8 * 3 / 10])


PLANTED = """
name: planted
dataset: {{name: planted, exponent: 1, train: 64, validation: 64, test: 64}}
architecture:
  widths: [2]
  layers:
    - Conv2D: {{filters: outputs, kernel_size: 4, use_bias: false}}
    - Flatten
grid:
  penalties: [{penalty}]
  lambdas: {{from: 8, to: 400, per_decade: 8, zero: false}}
  seeds: 1
training:
  optimizer: {optimizer}
  batch_size: 64
  steps_per_epoch: 100
  epochs: 30
"""


@pytest.mark.slow
@pytest.mark.parametrize(("optimizer", "penalty"), [
    ("{SGD: {learning_rate: 0.02}}", "l2"),
    ("{SGD: {learning_rate: 0.05, momentum: 0.9}}", "l2"),
    ("{SGD: {learning_rate: 0.02, momentum: 0.9, nesterov: true}}", "l2"),
    ("{SGD: {learning_rate: 0.02}}", "decoupled"),
    ("{SGD: {learning_rate: 0.05, momentum: 0.9}}", "decoupled"),
])  # fmt: skip
def test_planted_data_diverges_within_a_grid_step_of_the_limit(optimizer, penalty):
    """Full batches, so that training is the descent that the formulas are about."""
    spec = parsed_text(PLANTED.format(optimizer=optimizer, penalty=penalty))
    (population,) = grid.make_populations(grid.make_cells(spec, "population", "planted"), 99)
    split = datasets.split(None, spec.dataset, 64, 0, 2)
    size = next(iter(sizing.measure(spec, datasets.describe(spec)).values()))
    found = train(Job(population, size, len(population.cells), "population", "CPU"), [split], spec.training)
    x = split.train[0].reshape(64, -1)
    curvature = 2 / 64 * np.linalg.eigvalsh(x.T @ x).max()
    settings = spec.training.optimizer
    predicted = find_limit(settings, settings.learning_rate, spec.grid.penalties[0].coefficients(32), curvature)
    diverged = [record.trial.lam for record in found if record.trial.status == "diverged"]
    stable = [record.trial.lam for record in found if record.trial.status == "completed"]
    step = 10 ** (1 / 8)
    assert max(stable) < min(diverged)
    assert predicted / step < min(diverged) < predicted * step
    assert find_best_lambda(1, 2, 64) < predicted
