"""The minimum of a curve between the points of its grid."""

import numpy as np
import pytest

from regsearch.analysis.optimum import find_minima, is_rough

COARSE = np.log(10.0 ** np.arange(-4, 1.1, 0.5))
FINE = np.log(10.0 ** np.arange(-4, 1.1, 0.25))


def minimum(x, y, collapsed=()):
    return find_minima(x, np.array([y]), np.isin(x, collapsed))[0]


@pytest.mark.parametrize("at", [-3.0, -2.9, -2.4, -2.31])
def test_a_parabola_is_found_exactly_on_any_grid(at):
    for x in (COARSE, FINE, np.sort(np.concatenate([COARSE, FINE + 0.03]))):
        assert minimum(x, (x - at) ** 2) == pytest.approx(at)


def test_a_cubic_is_found_exactly_where_there_are_points_enough_and_nearly_where_there_are_not():
    for at in np.linspace(-3.0, -2.0, 11):
        bottom = lambda x, at=at: 1 + (x - at) ** 2 + 0.25 * (x - at) ** 3  # noqa: E731
        fine, coarse = (x[np.abs(x - at) < 3] for x in (FINE, COARSE))
        assert minimum(fine, bottom(fine)) == pytest.approx(at)
        assert abs(minimum(coarse, bottom(coarse)) - at) < 0.3


def test_beside_a_collapse_the_lowest_point_stands_and_what_collapsed_pulls_no_curve():
    smooth, no = (FINE - FINE[9] - 0.1) ** 2, np.zeros(len(FINE), bool)
    assert not is_rough(FINE, smooth, no)
    assert is_rough(FINE, smooth, np.isin(FINE, FINE[10]))
    assert minimum(FINE, smooth, FINE[10]) == FINE[9]
    cliff = smooth + 30 * (FINE[10] < FINE)
    assert minimum(FINE, cliff, FINE[11:]) == pytest.approx(FINE[9] + 0.1)
    assert minimum(FINE, cliff) != pytest.approx(FINE[9] + 0.1, abs=0.01)
    assert is_rough(FINE, FINE, no)  # at the edge


def test_the_lowest_point_stands_where_nothing_better_is_known():
    x = np.array([0.0, 1.0, 3.0])
    assert minimum(x, np.ones(3)) == 0.0
    assert minimum(x, np.array([1.0, 2.0, 3.0])) == 0.0
    assert minimum(x, np.array([3.0, 2.0, 1.0])) == 3.0
    assert minimum(np.array([2.0]), np.array([1.0])) == 2.0


def test_the_minimum_stays_between_the_neighbours_however_steep_they_are():
    x = np.array([0.0, 1.0, 3.0])
    assert 0 < minimum(x, np.array([1.0, 0.999, 9.0])) < 3
    rng = np.random.default_rng(0)
    noisy = rng.normal(size=(500, len(FINE)))
    found = find_minima(FINE, noisy, np.zeros(len(FINE), bool))
    lowest = FINE[noisy.argmin(axis=1)]
    assert (np.abs(found - lowest) <= 1.2).all()
    assert ((found >= FINE[0]) & (found <= FINE[-1])).all()


def test_many_curves_at_once_are_the_same_as_one_by_one():
    curves = np.random.default_rng(1).normal(size=(50, len(FINE))).cumsum(axis=1)
    assert find_minima(FINE, curves, np.zeros(len(FINE), bool)) == pytest.approx(
        [minimum(FINE, curve) for curve in curves]
    )
