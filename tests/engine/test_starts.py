"""Starts drawn in NumPy are those that Keras draws with TensorFlow."""

from typing import get_args

import keras
import numpy as np
import pytest
from conftest import BACKEND
from keras import ops

from regsearch.engine.starts import draw_start
from regsearch.spec.layers import InitializerName

SHAPES = [(3, 3, 1, 5), (3, 2, 16, 33), (160, 10), (5, 5, 3, 1)]
SEEDS = [0, 1, 12345, 2**24 + 1, 2**31 - 3, 2**31 - 2, 2**31 - 1]


@pytest.mark.skipif(BACKEND != "tensorflow", reason="JAX draws other numbers by itself")
@pytest.mark.parametrize("name", get_args(InitializerName))
@pytest.mark.parametrize("shape", SHAPES)
def test_a_start_is_that_of_keras_on_tensorflow(name, shape):
    for seed in SEEDS:
        initializer = keras.initializers.get({"class_name": name, "config": {"seed": seed}})
        theirs, ours = ops.convert_to_numpy(initializer(shape)), draw_start(name, shape, seed)
        if name.endswith("uniform"):
            assert (ours == theirs).all()
        else:
            assert np.allclose(ours, theirs, rtol=1e-6, atol=1e-6)
        assert ours.dtype == theirs.dtype


def test_numbers_of_a_start_are_spread_as_they_should_be():
    for seed in range(3):
        values = draw_start("lecun_normal", (3, 3, 100, 1000), seed) * 30
        assert values.std() == pytest.approx(1, abs=0.005)
        assert abs(values.mean()) < 0.005
        assert abs(values).max() < 2 / 0.8796
