"""The population engine against the reference: the same losses for every layer, penalty and optimizer."""

import dataclasses

import numpy as np
import pytest
from conftest import SPEC, parsed

from regsearch import data as datasets
from regsearch.engine import reference
from regsearch.engine.population import training
from regsearch.grid import cells as grid
from regsearch.grid import costs as sizing

pytestmark = pytest.mark.slow
LAYERS = SPEC[SPEC.index("    - Conv2D") : SPEC.index("grid:")]
OPTIMIZER = "{SGD: {learning_rate: 0.05, momentum: 0.9}}"

NETWORKS = {
    "a convolution": "Conv2D: {filters: width, kernel_size: 3}|Flatten",
    "uneven kernel, strides, same": "Conv2D: {filters: width, kernel_size: [2, 5], strides: [2, 3], padding: same}|Flatten",
    "strides, valid": "Conv2D: {filters: width, kernel_size: [3, 2], strides: 2}|Flatten",
    "1x1 kernel": "Conv2D: {filters: width, kernel_size: 3}|Conv2D: {filters: 2*width, kernel_size: 1}|Flatten",
    "no bias": "Conv2D: {filters: width, kernel_size: 3, use_bias: false}|Flatten",
    "initializer": "Conv2D: {filters: width, kernel_size: 3, kernel_initializer: he_normal}|Flatten",
    "activations": "Conv2D: {filters: width, kernel_size: 3, activation: tanh}|Activation: {activation: gelu}|Flatten",
    "two convolutions": "Conv2D: {filters: width, kernel_size: 3, activation: relu}|"
    "Conv2D: {filters: 2*width, kernel_size: 3, padding: same, activation: elu}|Flatten",
    "max pooling": "Conv2D: {filters: width, kernel_size: 3}|MaxPooling2D|Flatten",
    "max pooling, same": "Conv2D: {filters: width, kernel_size: 3}|"
    "MaxPooling2D: {pool_size: 3, strides: 2, padding: same}|Flatten",
    "average pooling": "Conv2D: {filters: width, kernel_size: 3}|AveragePooling2D: {pool_size: [2, 3]}|Flatten",
    "average pooling, same": "Conv2D: {filters: width, kernel_size: 3}|"
    "AveragePooling2D: {pool_size: 3, strides: 2, padding: same}|Flatten",
    "pooling the input": "AveragePooling2D|Conv2D: {filters: width, kernel_size: 2}|Flatten",
    "global max": "Conv2D: {filters: width, kernel_size: 3, activation: relu}|GlobalMaxPooling2D",
    "global average": "Conv2D: {filters: width, kernel_size: 3, activation: relu}|GlobalAveragePooling2D",
    "dense layers": "Flatten|Dense: {units: 2*width, activation: relu}|Dense: {units: width, activation: tanh}",
    "dense over channels": "Conv2D: {filters: width, kernel_size: 3}|Dense: {units: 2*width, activation: relu}|Flatten",
    "dropout": "Conv2D: {filters: width, kernel_size: 3}|Dropout: {rate: 0.3}|Flatten|Dropout: {rate: 0.2}",
    "dropout of the input": "Dropout: {rate: 0.3}|Conv2D: {filters: width, kernel_size: 3}|Flatten",
    "batch normalization": "Conv2D: {filters: width, kernel_size: 3}|BatchNormalization: {momentum: 0.8}|Flatten",
    "batch normalization of the input": "BatchNormalization: {scale: false}|Conv2D: {filters: width, kernel_size: 3}|Flatten",
    "depthwise": "DepthwiseConv2D: {kernel_size: [2, 3], depth_multiplier: width, strides: 2, padding: same}|"
    "DepthwiseConv2D: {kernel_size: 2, depth_multiplier: 2, dilation_rate: [2, 1], use_bias: false, activation: relu}|Flatten",
    "separable": "SeparableConv2D: {filters: width, kernel_size: [3, 2], strides: [2, 1], padding: same, pointwise_initializer: he_normal}|"
    "SeparableConv2D: {filters: 2*width, kernel_size: 3, depth_multiplier: 2, activation: tanh}|Flatten",
    "dilation": "Conv2D: {filters: width, kernel_size: [3, 2], dilation_rate: [2, 3]}|"
    "Conv2D: {filters: width, kernel_size: 3, dilation_rate: 2, padding: same}|Flatten",
    "groups": "Conv2D: {filters: 2*width, kernel_size: 3}|Conv2D: {filters: 4, kernel_size: 2, groups: 2, strides: [1, 2]}|"
    "Conv2D: {filters: 8, kernel_size: 2, groups: 4}|Flatten",
    "padding and spatial dropout": "ZeroPadding2D|SpatialDropout2D: {rate: 0.4}|Conv2D: {filters: width, kernel_size: 3}|"
    "SpatialDropout2D: {rate: 0.4}|ZeroPadding2D: {padding: [[0, 2], [1, 3]]}|Flatten",
    "layer normalization": "Conv2D: {filters: width, kernel_size: 3}|LayerNormalization: {epsilon: 0.01}|Flatten|"
    "Dense: {units: width}|LayerNormalization: {center: false}",
    "layer normalization of the input": "LayerNormalization: {epsilon: 0.1}|Flatten|LayerNormalization: {scale: false}|Dense: {units: width}",
    "residual": "Conv2D: {filters: width, kernel_size: 3}|"
    "Residual: [Conv2D: {filters: width, kernel_size: 3, padding: same, activation: relu}, Conv2D: {filters: width, kernel_size: 1}]|"
    "Flatten|Residual: [Dropout: {rate: 0.2}]",
    "residual in residual": "Residual: [Conv2D: {filters: 1, kernel_size: 3, padding: same}, Dropout: {rate: 0.2}, "
    "Residual: [BatchNormalization: {momentum: 0.8}, DepthwiseConv2D: {kernel_size: 3, padding: same}]]|Conv2D: {filters: width, kernel_size: 3}|Flatten",
    "batch normalization of features": "Conv2D: {filters: width, kernel_size: 3}|Flatten|BatchNormalization: {center: false}",
}  # fmt: skip
OPTIMIZERS = [
    "{SGD: {learning_rate: 0.1}}",
    OPTIMIZER,
    "{SGD: {learning_rate: 0.05, momentum: 0.8, nesterov: true}}",
    "{Adam: {learning_rate: 0.003}}",
    "{Adam: {learning_rate: 0.003, amsgrad: true, beta_1: 0.8}}",
    "{AdamW: {learning_rate: 0.003}}",
    "{RMSprop: {learning_rate: 0.002}}",
    "{RMSprop: {learning_rate: 0.002, momentum: 0.5, centered: true}}",
]
EVERY_PENALTY = ("[l1, l2]", "[l1, l2, {l1_l2: {ratio: 0.3}}, decoupled]")


def study(*changes):
    """A spec of one network, its one population, its split and its size."""
    spec = parsed(("seeds: 2", "seeds: 1"), ("widths: [1, 2]", "widths: [3]"), ("train: 64", "train: 90"), *changes)
    cells = grid.make_cells(spec, "population", "digits")
    (population,) = grid.make_populations(cells, 99)
    split = datasets.split(datasets.load(spec), spec.dataset, 90, population.first.seed)
    ((_, size),) = sizing.measure(spec, datasets.describe(spec)).items()
    return spec, population, split, size


def populate(spec, population, split, size, members=None, lowering=None):
    members = members or len(population.cells)
    return training.train(population, split, spec.training, size, members, "CPU", lowering)


def layers(text):
    lines = "".join(f"    - {layer}\n" for layer in [*text.split("|"), "Dense: {units: classes}"])
    return LAYERS, lines


def agree(found, expected):
    """Losses to 1e-5 relative after the first step, to 1e-3 after the last epoch, and all else likewise."""
    assert (found.trial.status, found.trial.penalised_weights, found.trial.trainable_weights) == (
        "completed", expected.trial.penalised_weights, expected.trial.trainable_weights)  # fmt: skip
    for one, other in zip(found.epochs, expected.epochs, strict=True):
        tolerance = 1e-5 if one.epoch < 2 else 1e-3
        for name, value in dataclasses.asdict(one).items():
            if value is None:
                assert getattr(other, name) is None
            elif name not in ("trial", "validation_accuracy"):
                relative = max(tolerance, 1e-4) if name == "gradient_norm" else tolerance
                assert value == pytest.approx(getattr(other, name), rel=relative, abs=1e-7), (one.epoch, name)
        if one.validation_accuracy is None:
            assert other.validation_accuracy is None
            continue
        assert one.validation_accuracy == pytest.approx(other.validation_accuracy, abs=0.021)  # one image of 50
    assert found.trial.test_loss == pytest.approx(expected.trial.test_loss, rel=1e-3)


def one_step(*changes):
    """Epochs of one step, so that the first epoch's records are those after the first step."""
    return study(("batch_size: 32", "batch_size: 90"), ("epochs: 2", "epochs: 4"), *changes)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_agrees_with_plain_keras(name):
    spec, population, split, size = one_step(layers(NETWORKS[name]))
    found = populate(spec, population, split, size)
    for at in (0, 1, 4):
        (expected,) = reference.train(grid.Population(population.cells[at : at + 1]), split, spec.training)
        agree(found[at], expected)


@pytest.mark.parametrize("widths", ["channels", "targets"])
def test_squared_error_and_epochs_of_many_steps_agree_with_plain_keras(widths):
    planted = f"name: planted\n  exponent: {1 if widths == 'channels' else -1}"
    spec = parsed(
        ("name: digits", planted), ("epochs: 2", "epochs: 2\n  steps_per_epoch: 5"), ("seeds: 2", "seeds: 1"),
        ("widths: [1, 2]", "widths: [3]"), EVERY_PENALTY, ("0.05, momentum", "0.02, momentum"),
    )  # fmt: skip
    (population,) = grid.make_populations(grid.make_cells(spec, "population", "planted"), 99)
    split = datasets.split(None, spec.dataset, 64, 0, 3)
    assert split.train[1].shape[1] == (1 if widths == "channels" else 3)
    ((_, size),) = sizing.measure(spec, datasets.describe(spec)).items()
    found = populate(spec, population, split, size)
    for at in (0, 1, 3, 6, 8):
        (expected,) = reference.train(grid.Population(population.cells[at : at + 1]), split, spec.training)
        agree(found[at], expected)
    assert found[0].trial.test_accuracy is None


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_and_penalty_agrees_with_plain_keras(optimizer):
    spec, population, split, size = one_step((OPTIMIZER, optimizer), EVERY_PENALTY)
    found = populate(spec, population, split, size)
    for at in (0, 2, 4, 6, 8):
        (expected,) = reference.train(grid.Population(population.cells[at : at + 1]), split, spec.training)
        agree(found[at], expected)


def test_means_over_the_kernels_of_convolutions_agree_with_plain_keras():
    mixed = layers("Conv2D: {filters: width, kernel_size: 3}|Residual: [SeparableConv2D: {filters: width, kernel_size: 1}]|"
                   "Flatten|Dense: {units: 4}")  # fmt: skip
    spec, population, split, size = one_step(
        mixed, ("[l1, l2]", "[l1_mean, l2_mean]"), ("[0, 0.01, 0.1]", "[3]"),
        ("training:\n", "training:\n  penalised: convolutions\n"),
    )  # fmt: skip
    assert size.penalised == 9 * 3 + 3 + 9
    found = populate(spec, population, split, size)
    for at in (0, 1):
        (expected,) = reference.train(grid.Population(population.cells[at : at + 1]), split, spec.training)
        agree(found[at], expected)
        start, sums = found[at].epochs[1], ("sum_abs_weights", "sum_squared_weights")
        assert start.penalty_value == pytest.approx(3 * getattr(start, sums[at]) / size.penalised, rel=1e-5)


@pytest.mark.parametrize(("schedule", "optimizer"), [
    ("{cosine: {alpha: 0.1}}", OPTIMIZER),
    ("{piecewise: {boundaries: [1, 3], factors: [1, 0.5, 0.1]}}", "{AdamW: {learning_rate: 0.003}}"),
])  # fmt: skip
def test_every_schedule_agrees_with_plain_keras_and_moves_decay_too(schedule, optimizer):
    change = ("epochs: 2", f"epochs: 4\n  schedule: {schedule}"), (OPTIMIZER, optimizer)
    lasting = ("batch_size: 32", "batch_size: 45"), ("[l1, l2]", "[l2, decoupled]")
    spec, population, split, size = study(*change, *lasting, ("[0, 0.01, 0.1]", "[0.1, 3]"))
    found = populate(spec, population, split, size)
    for at in (0, 3):
        (expected,) = reference.train(grid.Population(population.cells[at : at + 1]), split, spec.training)
        for one, other in zip(found[at].epochs, expected.epochs, strict=True):
            for name in ("validation_loss", "sum_abs_weights", "sum_squared_weights"):
                assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-4), (one.epoch, name)


EAGER = [("test: 50", "test: 50\n  label_noise: 0.5"), ("batch_size: 32", "batch_size: 30")]


def stopping(restores):
    early = f"{{patience: 2, restore_best_weights: {str(restores).lower()}}}"
    return study(*EAGER, ("epochs: 2", f"epochs: 40\n  early_stopping: {early}"))


@pytest.mark.parametrize("restores", [False, True])
def test_early_stopping_agrees_with_plain_keras_and_leaves_the_others_untouched(restores):
    spec, population, split, size = stopping(restores)
    found = populate(spec, population, split, size)
    through = populate(*study(*EAGER, ("epochs: 2", "epochs: 20")))
    ended = [record.trial.epochs for record in found]
    assert len(set(ended)) > 1
    assert max(ended) <= 20
    for stopped, whole in zip(found, through, strict=True):
        last = stopped.trial.epochs
        assert [epoch.epoch for epoch in stopped.epochs] == list(range(last + 1))
        for one, other in zip(stopped.epochs, whole.epochs, strict=False):
            assert dataclasses.replace(one, trial="") == dataclasses.replace(other, trial="")
        counted = stopped.epochs[stopped.trial.best_epoch if restores else last]
        assert stopped.trial.validation_loss == counted.validation_loss
        assert stopped.trial.sum_abs_weights == counted.sum_abs_weights
    few = grid.Population(population.cells[2:4])
    assert [numbers(r) for r in populate(spec, few, split, size, members=5)] == [numbers(r) for r in found[2:4]]
    for at in {ended.index(min(ended)), ended.index(max(ended))}:
        (expected,) = reference.train(grid.Population(population.cells[at : at + 1]), split, spec.training)
        assert (found[at].trial.epochs, found[at].trial.best_epoch) == (
            expected.trial.epochs,
            expected.trial.best_epoch,
        )
        for name in ("train_loss", "validation_loss", "test_loss", "sum_abs_weights"):
            assert getattr(found[at].trial, name) == pytest.approx(getattr(expected.trial, name), rel=2e-3)


@pytest.mark.parametrize("batch", [32, 90])
def test_several_batches_and_epochs_agree_with_plain_keras(batch):
    spec, population, split, size = study(("batch_size: 32", f"batch_size: {batch}"), ("epochs: 2", "epochs: 5"))
    found = populate(spec, population, split, size)
    (expected,) = reference.train(grid.Population(population.cells[1:2]), split, spec.training)
    for one, other in zip(found[1].epochs[1:], expected.epochs[1:], strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, rel=1e-3)
        assert one.validation_loss == pytest.approx(other.validation_loss, rel=1e-3)
        assert one.gradient_norm == pytest.approx(other.gradient_norm, rel=1e-3)


@pytest.mark.parametrize("lowering", sizing.LOWERINGS)
@pytest.mark.parametrize(
    "name", ["two convolutions", "uneven kernel, strides, same", "1x1 kernel", "depthwise", "dilation", "groups"]
)
def test_every_lowering_of_convolution_gives_the_same_numbers(name, lowering):
    spec, population, split, size = one_step(layers(NETWORKS[name]))
    (expected,) = reference.train(grid.Population(population.cells[2:3]), split, spec.training)
    agree(populate(spec, population, split, size, lowering=lowering)[2], expected)


def numbers(record):
    return [dataclasses.asdict(epoch) for epoch in record.epochs], record.trial.test_loss, record.trial.status


def test_a_members_numbers_do_not_change_with_who_is_beside_it():
    spec, population, split, size = study(EVERY_PENALTY)
    whole = populate(spec, population, split, size, members=9)
    turned = grid.Population(population.cells[::-1])
    few = grid.Population(population.cells[3:5])
    assert [numbers(r) for r in populate(spec, turned, split, size, members=9)] == [numbers(r) for r in whole[::-1]]
    assert [numbers(r) for r in populate(spec, few, split, size, members=9)] == [numbers(r) for r in whole[3:5]]


def test_a_diverging_member_leaves_the_others_untouched():
    changes = [("[l1, l2]", "[l2]"), ("epochs: 2", "epochs: 40")]
    spec, population, split, size = study(("lambdas: [0, 0.01, 0.1]", "lambdas: [0, 0.01, 60]"), *changes)
    diverging = populate(spec, population, split, size)
    calm_spec, calm_population, *_ = study(("lambdas: [0, 0.01, 0.1]", "lambdas: [0, 0.01, 0.1]"), *changes)
    calm = populate(calm_spec, calm_population, split, size)
    assert [record.trial.status for record in diverging] == ["completed", "completed", "diverged"]
    assert [numbers(record) for record in diverging[:2]] == [numbers(record) for record in calm[:2]]
    (alone,) = reference.train(grid.Population(population.cells[2:]), split, spec.training)
    assert diverging[2].trial.diverged_epoch == alone.trial.diverged_epoch
    assert diverging[2].trial.validation_loss is None


def test_a_population_that_diverges_whole_stops_early():
    spec, population, split, size = study(("lambdas: [0, 0.01, 0.1]", "lambdas: [100, 200]"), ("[l1, l2]", "[l2]"),
                                          ("epochs: 2", "epochs: 5000"))  # fmt: skip
    assert {record.trial.status for record in populate(spec, population, split, size)} == {"diverged"}


def test_a_network_is_compiled_once_for_every_lambda_penalty_rate_and_seed():
    spec, population, _, size = study(("epochs: 2", "epochs: 3"))
    training._trainer.cache_clear()
    for seed, rate, penalties in [
        (0, 0.05, population.cells),
        (1, 0.1, population.cells[1:3]),
        (2, 0.2, population.cells[3:]),
    ]:
        cells = tuple(dataclasses.replace(cell, seed=seed, learning_rate=rate) for cell in penalties)
        other = datasets.split(datasets.load(spec), spec.dataset, 90, seed)
        training.train(grid.Population(cells), other, spec.training, size, 5)
    assert training._trainer.cache_info().misses == 1
    first = population.first
    trainer = training._trainer(
        first.architecture, (8, 8, 1), 10, "cross_entropy", 5, spec.training, size, "CPU", None, True
    )
    assert training._trainer.cache_info().misses == 1
    assert trainer.epoch.experimental_get_tracing_count() == 1
    assert trainer.score_part.experimental_get_tracing_count() == 1


def test_training_twice_gives_the_same_numbers():
    spec, population, split, size = study(layers(NETWORKS["dropout"]))
    first, second = (populate(spec, population, split, size) for _ in range(2))
    assert [numbers(record) for record in first] == [numbers(record) for record in second]


@pytest.mark.parametrize("name", ["two convolutions", "separable", "residual in residual"])
def test_the_start_is_that_of_one_plain_keras_network(name):
    from regsearch.engine.plain import build
    from regsearch.engine.population.model import PopulationModel

    _, population, _, size = study(layers(NETWORKS[name]))
    architecture = population.first.architecture
    model = PopulationModel(architecture, 10, 4, size, "CPU")
    model(np.zeros((2, 8, 8, 1), np.float32))
    model.start(seed=7)
    plain = build(architecture, (8, 8, 1), 10, seed=7)
    for many, one in zip(model.trainable_variables, plain.trainable_variables, strict=True):
        assert (many.numpy() == one.numpy()).all()
