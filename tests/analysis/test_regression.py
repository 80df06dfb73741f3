"""A line through points of which some are bounds, against ordinary least squares and against itself."""

import numpy as np
import pytest
from scipy import stats

from regsearch.analysis.regression import Line

X = np.log([100.0, 300, 1000, 3000, 10000, 30000])
Y = 0.5 - 0.7 * X + np.array([0.1, -0.2, 0.15, 0.05, -0.12, 0.02])


def line(low, high=None, x=X):
    return Line(np.column_stack([np.ones(len(x)), x]), np.array(low), np.array(low if high is None else high))


def bounded(above=(), below=()):
    """The points as bounds at their own height where named, else exact."""
    low, high = Y.copy(), Y.copy()
    high[list(above)] = np.inf
    low[list(below)] = -np.inf
    return line(low, high)


def test_exact_points_are_ordinary_least_squares_with_its_t_interval():
    found, expected = line(Y), stats.linregress(X, Y)
    assert found.fit.coefficients == pytest.approx([expected.intercept, expected.slope])
    reach = stats.t.ppf(0.975, 4) * expected.stderr
    assert found.interval(1, 0.95) == pytest.approx((expected.slope - reach, expected.slope + reach))
    assert found.p_value(1, 0.0) == pytest.approx(expected.pvalue)
    assert found.p_value(1, expected.slope) == pytest.approx(1.0)


def test_the_likelihood_maximised_over_exact_points_is_that_of_least_squares():
    exact = line(Y)
    by_newton = exact.maximise()
    assert by_newton[0] == pytest.approx(exact.fit.coefficients, rel=1e-6)
    assert by_newton[1] == pytest.approx(exact.fit.scatter, rel=1e-6)
    assert by_newton[2] == pytest.approx(exact.fit.log_likelihood)


def test_the_interval_by_likelihood_is_the_t_interval_where_all_points_are_exact():
    found = line(Y)
    low, high = found.interval(1, 0.95)
    for end in (low, high):
        assert found.p_value(1, end) == pytest.approx(0.05)


def test_a_bound_far_from_the_line_says_nothing():
    x = np.append(X, np.log(1e5))
    low, high = np.append(Y, -40.0), np.append(Y, np.inf)
    found = line(low, high, x)
    assert found.fit.coefficients == pytest.approx(line(Y).fit.coefficients, abs=1e-4)
    assert found.fit.log_likelihood == pytest.approx(line(Y).fit.log_likelihood, abs=1e-6)


def test_a_bound_pulls_the_line_to_its_side_the_more_the_farther_it_lies():
    x = np.append(X, np.log(1e5))
    expected = float(np.dot(line(Y).fit.coefficients, [1, x[-1]]))
    slopes = []
    for bound in (-0.1, 0.0, 1.0):
        slopes.append(line(np.append(Y, expected + bound), np.append(Y, np.inf), x).fit.coefficients[1])
    exact = line(np.append(Y, expected + 1.0), x=x).fit.coefficients[1]
    assert line(Y).fit.coefficients[1] < slopes[0] < slopes[1] < slopes[2]
    assert slopes[2] == pytest.approx(exact, abs=0.02)  # a bound above the line is met from below


def test_the_maximum_is_one():
    found = bounded(above=[5], below=[0])
    best = found.fit.log_likelihood
    theta = np.append(found.fit.coefficients / found.fit.scatter, 1 / found.fit.scatter)
    rng = np.random.default_rng(0)
    for _ in range(200):
        other = theta + rng.normal(size=3) * 0.05
        assert found.differentiate(other)[0] <= best + 1e-9


def test_the_derivatives_are_those_of_the_likelihood():
    found = bounded(above=[5], below=[0])
    theta = np.array([1.0, -2.0, 3.0])
    value, gradient, curvature = found.differentiate(theta)
    for index in range(3):
        step = np.eye(3)[index] * 1e-5
        above, below = found.differentiate(theta + step), found.differentiate(theta - step)
        assert gradient[index] == pytest.approx((above[0] - below[0]) / 2e-5, rel=1e-5)
        assert curvature[index] == pytest.approx((above[1] - below[1]) / 2e-5, rel=1e-4)
    assert np.isfinite(value)


def test_fewer_exact_points_than_terms_and_one_give_no_interval():
    found = bounded(above=[0, 1, 2, 3])
    assert found.freedom == 0
    assert np.isnan(found.interval(1, 0.95)).all()
    assert np.isnan(found.p_value(1, 0.0))
    assert np.isfinite(bounded(above=[5]).interval(1, 0.95)).all()


def test_points_exactly_on_a_line_have_a_finite_likelihood():
    found = line(1 + 2 * X)
    assert found.fit.coefficients == pytest.approx([1, 2])
    assert np.isfinite(found.aicc)
    low, high = found.interval(1, 0.95)
    assert high - low < 1e-4


def test_aicc_is_empty_where_points_are_no_more_than_parameters_and_one():
    few = line(Y[:4], x=X[:4])
    assert np.isnan(few.aicc)
    assert np.isfinite(few.hold(1, 0.0).aicc)
    rss = ((Y - line(Y).x @ line(Y).fit.coefficients) ** 2).sum()
    expected = 6 * np.log(rss / 6) + 6 * (1 + np.log(2 * np.pi)) + 2 * 3 + 2 * 3 * 4 / (6 - 3 - 1)
    assert line(Y).aicc == pytest.approx(expected)
