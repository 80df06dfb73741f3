"""Sizes from shapes alone are Keras's; the rules that follow from them depend on nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import parsed
from networks import LAYERS, NETWORKS, layers

from regsearch import data as datasets
from regsearch.engine.plain import build, count_weights
from regsearch.errors import SpecError
from regsearch.grid.cells import make_architectures
from regsearch.grid.costs import Size, measure
from regsearch.grid.shapes import Window

DIGITS = datasets.NAMED["digits"]


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_are_those_that_keras_counts(name):
    spec = parsed(layers(NETWORKS[name]))
    for architecture, size in measure(spec, DIGITS).items():
        found = count_weights(build(architecture, DIGITS.image, DIGITS.outputs, seed=0))
        assert (size.weights, size.penalised) == (found.trainable, found.penalised)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
def test_windows_give_the_sizes_that_keras_gives(padding, strides):
    import keras

    for height, width in [(7, 8), (9, 5)]:
        layer = keras.layers.MaxPooling2D((3, 2), strides, padding)
        expected = layer.compute_output_shape((1, height, width, 1))[1:3]
        assert Window((3, 2), strides, padding).output(height, width) == expected


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (
            ("kernel_size: 3", "kernel_size: 9"),
            10,
            "layers[0].Conv2D: expected a window no larger than its input, got [9, 9]",
        ),
        (
            ("units: classes", "units: 9"),
            12,
            "expected the last layer to give 10 numbers an image (`units: classes`), got shape (9,)",
        ),
        (("    - Flatten\n", ""), 11, "got shape (6, 6, 10) at width 1"),
        (("    - Flatten\n", "    - Flatten\n    - MaxPooling2D\n"), 12, "layers[2].MaxPooling2D: expected an image"),
        (("filters: width", "filters: 999999999*width"), 10, "expected from 1 penalised to 1,000,000,000 weights"),
        ((LAYERS, "    - Dropout: {rate: 0.5}\n"), 10, "expected the last layer"),
        (
            ("kernel_size: 3", "kernel_size: 3, dilation_rate: 4"),
            10,
            "layers[0].Conv2D: expected a window no larger than its input, got [9, 9]",
        ),
        (
            ("- Flatten", "- Conv2D: {filters: 4, kernel_size: 1, groups: 3}\n    - Flatten"),
            11,
            "layers[1].Conv2D: expected `groups` to divide the channels that come in and the filters, got 3 groups, 1",
        ),
        (
            (
                "    - Flatten\n",
                "    - Residual:\n      - Dropout: {rate: 0.5}\n      - Conv2D: {filters: 2, kernel_size: 3}\n    - Flatten\n",
            ),
            11,
            "layers[1].Residual: expected layers whose output, which is added to their input, has its shape (6, 6, 1), got (4, 4, 2)",
        ),
        (
            (
                "    - Flatten\n",
                "    - Residual:\n      - Dropout: {rate: 0.5}\n      - Conv2D: {filters: 2, kernel_size: 7}\n    - Flatten\n",
            ),
            13,
            "layers[1].Residual[1].Conv2D: expected a window no larger than its input, got [7, 7]",
        ),
        (("    - Flatten\n", "    - Flatten\n    - SpatialDropout2D: {rate: 0.1}\n"), 12, "expected an image"),
    ],
)
def test_a_layer_that_does_not_fit_is_named_with_file_and_line(change, line, words):
    widths = [("widths: [1, 2]", "widths: [1]")]
    spec = parsed(change, *(widths if change[0] == LAYERS else []))
    with pytest.raises(SpecError) as refused:
        measure(spec, DIGITS)
    assert str(refused.value).startswith(f"tiny.yaml:{line}: architecture.layers[")
    assert words in str(refused.value)


def test_small_networks_train_many_at_once_large_ones_few_and_memory_bounds_both():
    spec = parsed(("widths: [1, 2]", "widths: [1, 8, 64, 512]"))
    sizes = list(measure(spec, DIGITS).values())
    members = [size.members("CPU", 2.0) for size in sizes]
    assert members == sorted(members, reverse=True)
    assert members[0] == 32
    assert all(size.members("CPU", 1e-9) == 1 for size in sizes)
    assert sizes[0].members("GPU", 100.0) == 256
    for size in sizes:
        assert size.members("CPU", 0.01) * size.memory("CPU") <= max(size.memory("CPU"), 0.01 * 2**30)


def test_a_batch_is_computed_whole_where_it_fits_or_a_layer_or_a_gpu_needs_it():
    small, large = Size(1, 1, 1, 20, patches=2**10), Size(1, 1, 1, 256, patches=2**20)
    assert small.sub_batch("CPU") == 20
    assert large.sub_batch("CPU") < 10
    assert large.sub_batch("GPU") == replace(large, sees_batch=True).sub_batch("CPU") == 256
    (normalized,) = measure(
        parsed(("    - Flatten\n", "    - BatchNormalization\n    - Flatten\n"), ("widths: [1, 2]", "widths: [2]")),
        DIGITS,
    ).values()
    assert normalized.sees_batch


def test_the_windows_of_a_separable_convolution_and_what_comes_between_take_memory():
    def sized(*change):
        return next(iter(measure(parsed(("widths: [1, 2]", "widths: [4]"), *change), DIGITS).values()))

    whole = sized()
    parted = sized(("Conv2D: {filters: width", "SeparableConv2D: {depth_multiplier: 3, filters: width"))
    assert parted.patches == whole.patches
    assert parted.state - whole.state == 4 * 5 * (parted.weights - whole.weights)
    assert parted.image - whole.image == 4 * 2 * 36 * 3
    inside = sized(("    - Flatten\n", "    - Residual: [Dropout: {rate: 0.5}]\n    - Flatten\n"))
    assert inside.image - whole.image == 4 * 2 * 36 * 4


@pytest.mark.parametrize("which", ["all", "convolutions"])
def test_the_penalised_kernels_are_those_that_are_chosen(which):
    spec = parsed(("epochs: 2", f"epochs: 2\n  penalised: {which}"))
    for architecture, size in measure(spec, DIGITS).items():
        found = count_weights(build(architecture, DIGITS.image, DIGITS.outputs, seed=0), which)
        assert (size.weights, size.penalised) == (found.trainable, found.penalised)
        assert (size.penalised == 9 * architecture.width) == (which == "convolutions")


def test_work_is_two_for_each_multiplication():
    (size,) = measure(parsed(("widths: [1, 2]", "widths: [4]")), DIGITS).values()
    assert size.work == 2 * (36 * 9 * 4 + 36 * 4 * 10)
    assert size.patches == 36 * 4 * 4  # what comes out: its windows are of the images, which members share
    assert make_architectures(parsed())[0].width == 1
    assert np.isfinite(size.memory("CPU"))
