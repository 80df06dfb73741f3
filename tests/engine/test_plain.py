"""Weight counts are Keras's, held to hand calculations; starts follow from the seed."""

import numpy as np
from conftest import parsed

from regsearch.engine.plain import build, count_weights, list_kernels
from regsearch.grid.cells import Architecture, make_architectures
from regsearch.spec.layers import BatchNormalization, Conv2D, Dense, Flatten
from regsearch.spec.values import Count


def test_20_filters_of_2_by_3_on_depth_10_are_1220_weights_of_which_1200_are_penalised():
    layers = (Conv2D(filters=20, kernel_size=[2, 3]), Flatten(), Dense(units="classes"))
    model = build(Architecture("question", None, layers), (2, 3, 10), 2, seed=0)
    conv = model.layers[0]
    assert conv.count_params() == 20 * (2 * 3 * 10 + 1) == 1220
    assert int(np.prod(conv.kernel.shape)) == 1200
    found = count_weights(model)
    assert (found.trainable, found.penalised) == (1220 + 20 * 2 + 2, 1200 + 20 * 2)


def test_counts_at_a_width_are_those_by_hand():
    layers = (
        Conv2D(filters="width", kernel_size=3, use_bias=False),
        BatchNormalization(),
        Conv2D(filters="2*width", kernel_size=[1, 2]),
        Flatten(),
        Dense(units="classes"),
    )
    w = 5
    found = count_weights(build(Architecture("w5", w, layers), (8, 8, 3), 10, seed=0))
    convs = 9 * 3 * w + 2 * w * 2 * w
    dense = 6 * 5 * 2 * w * 10
    assert found.penalised == convs + dense
    assert found.trainable == convs + dense + 2 * w + 2 * w + 10  # BatchNormalization: a scale and an offset each


def test_the_start_follows_from_seed_and_layer():
    architecture = make_architectures(parsed())[1]
    first, again, other = (build(architecture, (8, 8, 1), 10, seed).get_weights() for seed in (0, 0, 1))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert any((a != b).any() for a, b in zip(first, other, strict=True))


def test_kernels_are_those_of_conv2d_and_dense():
    model = build(make_architectures(parsed())[1], (8, 8, 1), 10, seed=0)
    assert [tuple(kernel.shape) for kernel in list_kernels(model)] == [(3, 3, 1, 2), (72, 10)]


def test_sizes_keep_following_the_width_in_a_network():
    assert make_architectures(parsed())[0].layers[0].filters == Count(1, "width")
