"""Every layer of the population engine gives the losses and gradients of plain Keras, however it is computed."""

from functools import cache

import pytest
from agreement import agree, agree_with_fit, fit, one_step, populate, step_eagerly
from keras import ops
from networks import NETWORKS, layers

from regsearch.engine.plain import build
from regsearch.engine.population.network import Network

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


@pytest.mark.parametrize("name", ["two convolutions", "depthwise", "batch normalization", "residual in residual"])
@pytest.mark.parametrize("sub_batch", [45, 7])
def test_a_batch_in_sub_batches_gives_the_same_numbers_also_where_they_do_not_divide_it(name, sub_batch):
    made, expected = stepped(name)
    agree(populate(made, sub_batch=sub_batch)[4], *expected)


@pytest.mark.parametrize("name", ["two convolutions", "separable", "batch normalization", "residual in residual"])
def test_the_start_is_that_of_one_plain_keras_network(name):
    architecture = one_step(layers(NETWORKS[name])).cells[0].architecture
    weights = Network(architecture, (8, 8, 1), 10, members=4).layouts.weights
    pieces = weights.split(ops.convert_to_tensor(weights.start([7], each=4)))
    plain = build(architecture, (8, 8, 1), 10, seed=7)
    for many, one in zip(pieces, plain.trainable_variables, strict=True):
        assert (ops.convert_to_numpy(many) == ops.convert_to_numpy(one)).all()
