"""What a study could tell, held to what made-up studies tell."""

import numpy as np
import pytest
from made_up import WEIGHTS
from scipy import stats

from regsearch.analysis.power import count_deciding_networks, find_detectable


def fits(weights, exponent, scatter, count=2000):
    """The p-values of exponent 0 in many studies of another exponent."""
    rng, x = np.random.default_rng(0), np.log(weights)
    return np.array(
        [stats.linregress(x, exponent * x + scatter * rng.normal(size=len(x))).pvalue for _ in range(count)]
    )


def test_an_exponent_that_is_detectable_is_told_from_0_in_four_studies_of_five():
    for weights, scatter in ((WEIGHTS, 0.3), (WEIGHTS[:4], 0.1)):
        told = (fits(weights, find_detectable(weights, scatter), scatter) < 0.05).mean()
        assert told == pytest.approx(0.8, abs=0.04)


def test_two_networks_or_one_size_tell_nothing():
    assert np.isnan(find_detectable(WEIGHTS[:2]))
    assert np.isnan(find_detectable([100, 100, 100]))


def test_so_many_networks_have_an_interval_within_the_tolerance_and_one_fewer_has_not():
    count = count_deciding_networks(1e3, 1e5, 0.25, 0.15)
    for networks, within in ((count, True), (count - 1, False)):
        x = np.linspace(np.log(1e3), np.log(1e5), networks)
        reach = stats.t.ppf(0.975, networks - 2) * 0.25 / np.sqrt(((x - x.mean()) ** 2).sum())
        assert (reach <= 0.15) == within
    assert count_deciding_networks(1e3, 2e3, 0.5, 0.1) is None
