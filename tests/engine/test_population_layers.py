"""Every layer of the population engine gives the losses and gradients of plain Keras, however it is computed."""

from functools import cache

import numpy as np
import pytest
from agreement import agree, agree_with_fit, fit, one_step, populate, step_eagerly, study
from networks import NETWORKS, layers

from regsearch.engine.plain import build
from regsearch.engine.population.model import PopulationModel

pytestmark = pytest.mark.slow

FITTED = "two convolutions", "batch normalization", "separable", "residual"
"""Networks whose whole training is compared, too, with that of the reference engine by `model.fit`."""


@cache
def stepped(name):
    """A network's study of two steps, and what its last member, under L2, makes of them in plain Keras."""
    made = one_step(layers(NETWORKS[name]))
    return made, step_eagerly(made, 4)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_agrees_with_plain_keras(name):
    made, expected = stepped(name)
    agree(populate(made)[4], *expected)
    if name in FITTED:
        longer = one_step(layers(NETWORKS[name]), ("epochs: 2", "epochs: 4"))
        records = populate(longer)
        agree_with_fit(records[1], *fit(longer, 1))


# What the rule picks is tested above; with groups, shifts are computed as patches are.
@pytest.mark.parametrize(
    ("name", "lowering"),
    [
        ("1x1 kernel", "patches"),
        *(
            (name, "shifts")
            for name in ("1x1 kernel", "two convolutions", "uneven kernel, strides, same", "dilation")
        ),
        *(
            (name, "native")
            for name in ("1x1 kernel", "two convolutions", "uneven kernel, strides, same", "dilation")
        ),
        *((name, "native") for name in ("depthwise", "groups")),
    ],
)
def test_every_lowering_of_convolution_gives_the_same_numbers(name, lowering):
    made, expected = stepped(name)
    records = populate(made, lowering=lowering)
    agree(records[4], *expected)
    assert set(records[4].lowerings) == {lowering}


@pytest.mark.parametrize(
    ("name", "lowerings"),
    [
        ("two convolutions", ["patches"] * 2),
        ("1x1 kernel", ["patches", "shifts"]),
        ("separable", ["patches"] * 2),
        ("residual in residual", ["patches"] * 3),
    ],
)
def test_the_start_is_that_of_one_plain_keras_network_and_each_convolution_has_a_lowering(name, lowerings):
    made = study(layers(NETWORKS[name]))
    architecture = made.cells[0].architecture
    model = PopulationModel(architecture, 10, 4, made.job.size, "CPU")
    model(np.zeros((2, 8, 8, 1), np.float32))
    model.start(seed=7)
    plain = build(architecture, (8, 8, 1), 10, seed=7)
    for many, one in zip(model.trainable_variables, plain.trainable_variables, strict=True):
        assert (many.numpy() == one.numpy()).all()
    assert model.lowerings == lowerings
