"""A mean penalty is a sum with lambda/N: its best lambda goes with one power of the weights more."""

from dataclasses import replace

import numpy as np
import pytest
from calibration import study

from regsearch.analysis.best_lambda import find_best_lambdas
from regsearch.analysis.scaling import fit_scaling
from regsearch.spec.penalties import L2, L2Mean


def test_the_best_lambda_of_a_mean_goes_with_one_power_of_the_weights_more():
    sums, _ = study(np.random.default_rng(0), 6, -1.0, "whole")
    means = []
    for curve in sums:
        weights = curve.architecture.penalised_weights
        share = L2Mean().shares(weights)[1] / L2().shares(weights)[1]  # the same networks, so the same losses
        means.append(replace(curve, setting=curve.setting._replace(penalty="l2_mean"), lambdas=curve.lambdas / share))
    table = fit_scaling(find_best_lambdas([*sums, *means], bootstraps=0))
    fitted = table[table["against"] == "penalised_weights"].set_index("penalty")["exponent"]
    assert fitted["l2_mean"] - fitted["l2"] == pytest.approx(1)
