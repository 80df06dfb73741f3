"""A mean penalty is a sum with lambda/N: its best lambda goes with one power of the weights more."""

import numpy as np
import pandas as pd
import pytest
from conftest import parsed_text

from regsearch import study

SPEC = """
name: means
dataset: {name: planted, exponent: 0, train: 64, validation: 256, test: 64}
architecture:
  widths: [2, 4, 8]
  layers:
    - Conv2D: {filters: outputs, kernel_size: 4, use_bias: false}
    - Flatten
grid:
  penalties: [l2, l2_mean]
  lambdas: {from: 0.1, to: 1000, per_decade: 4}
  seeds: 6
training:
  optimizer: {SGD: {learning_rate: 0.02, momentum: 0.9}}
  batch_size: 64
  steps_per_epoch: 200
  epochs: 2
"""


@pytest.mark.slow
def test_the_best_lambda_of_a_mean_goes_with_one_power_of_the_weights_more(tmp_path):
    study.run(parsed_text(SPEC), tmp_path, study.Settings())
    table = pd.read_csv(tmp_path / "scaling.csv")
    fitted = table[table["against"] == "penalised_weights"].set_index("penalty")["exponent"]
    assert fitted["l2_mean"] - fitted["l2"] == pytest.approx(1, abs=0.15)
    limits = pd.read_csv(tmp_path / "stability.csv").pivot(
        index="architecture", columns="penalty", values="predicted_limit"
    )
    weights = pd.read_csv(tmp_path / "best_lambda.csv").groupby("architecture")["penalised_weights"].first()
    assert np.allclose(limits["l2_mean"] / limits["l2"], weights.loc[limits.index])
