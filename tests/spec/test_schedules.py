"""Schedules multiply the learning rate as Keras's own do, a step at a time."""

import keras
import pytest
from conftest import parsed

from regsearch.engine.reference import make_rate
from regsearch.grid import cells as grid
from regsearch.spec.optimizers import Cosine, Piecewise

PIECES = "{piecewise: {boundaries: [2, 3], factors: [1, 2, 0.1]}}"


def scheduled(schedule, epochs=5):
    return parsed(("epochs: 2", f"epochs: {epochs}\n  schedule: {schedule}"), ("train: 64", "train: 90"))


@pytest.mark.parametrize("schedule", ["cosine", "{cosine: {alpha: 0.2}}", PIECES])
def test_the_factors_are_those_of_the_schedule_that_keras_applies(schedule):
    spec = scheduled(schedule)
    keras_own = make_rate(spec.training, grid.make_cells(spec, "reference", "digits")[0])
    factors = [factor for epoch in range(1, 6) for factor in spec.training.factors(90, epoch)]
    assert isinstance(keras_own, keras.optimizers.schedules.LearningRateSchedule)
    assert len(factors) == 5 * 3
    assert [0.05 * factor for factor in factors] == pytest.approx([float(keras_own(s)) for s in range(15)], rel=1e-5)
    largest, mean = spec.training.largest_and_mean_factor()
    assert largest == max(factors)
    assert mean == pytest.approx(sum(factors) / 15, abs=0.51 / 15)  # few steps: the first counts half more


def test_a_boundary_is_the_last_epoch_of_its_factor():
    spec = scheduled(PIECES)
    assert [spec.training.factors(90, epoch) for epoch in (1, 2, 3, 4, 5)] == [
        [1.0] * 3, [1.0] * 3, [2.0] * 3, [0.1] * 3, [0.1] * 3,
    ]  # fmt: skip


def test_without_a_schedule_the_rate_stays():
    spec = parsed()
    assert spec.training.factors(64, 2) == [1.0, 1.0]
    assert spec.training.largest_and_mean_factor() == (1.0, 1.0)
    assert make_rate(spec.training, grid.make_cells(spec, "reference", "digits")[0]) == 0.05


def test_beyond_its_end_a_schedule_stays_where_it_is():
    assert Cosine(alpha=0.3).factor(99, 2, 5) == pytest.approx(0.3)
    assert Piecewise(boundaries=[1], factors=[1, 0.5]).factor(99, 2, 5) == 0.5
