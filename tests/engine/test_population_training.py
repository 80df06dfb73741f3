"""The population engine trains as Keras does: penalties, optimizers, schedules, early stopping; members on their own."""

import dataclasses

import pytest
from agreement import EVERY_PENALTY, OPTIMIZER, agree_with_fit, fit, numbers, one_step, populate, study, study_of
from conftest import BACKEND, parsed
from networks import NETWORKS, layers

from regsearch import data, engine, grid
from regsearch.engine import Job
from regsearch.engine.population.network import Network

pytestmark = pytest.mark.slow
OPTIMIZERS = {
    "{SGD: {learning_rate: 0.1}}": (0, 2, 4, 6, 8),
    OPTIMIZER: (2, 8),
    "{SGD: {learning_rate: 0.05, momentum: 0.8, nesterov: true}}": (4, 6),
    "{Adam: {learning_rate: 0.003}}": (2, 8),
    "{Adam: {learning_rate: 0.003, amsgrad: true, beta_1: 0.8}}": (4, 6),
    "{AdamW: {learning_rate: 0.003}}": (0, 2, 4, 6, 8),
    "{RMSprop: {learning_rate: 0.002}}": (2, 8),
    "{RMSprop: {learning_rate: 0.002, momentum: 0.5, centered: true}}": (4, 6),
}
"""And which members are compared: one without a penalty and the largest lambda of each, or of two."""


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_and_penalty_agrees_with_plain_keras(optimizer):
    made, members = one_step((OPTIMIZER, optimizer), EVERY_PENALTY, ("epochs: 2", "epochs: 4")), OPTIMIZERS[optimizer]
    records = populate(made)
    for member, expected in zip(members, fit(made, *members), strict=True):
        agree_with_fit(records[member], expected)


@pytest.mark.parametrize("widening", ["channels", "targets"])
def test_squared_error_and_epochs_of_many_steps_agree_with_plain_keras(widening):
    planted = f"name: planted\n  exponent: {1 if widening == 'channels' else -1}"
    made = study_of(parsed(
        ("name: digits", planted), ("epochs: 2", "epochs: 2\n  steps_per_epoch: 5"), ("seeds: 2", "seeds: 1"),
        ("widths: [1, 2]", "widths: [3]"), EVERY_PENALTY, ("0.05, momentum", "0.02, momentum"),
    ))  # fmt: skip
    assert made.split.train[1].shape[1] == (1 if widening == "channels" else 3)
    records = populate(made)
    for member, expected in zip((3, 8), fit(made, 3, 8), strict=True):
        agree_with_fit(records[member], expected)
    assert records[0].trial.test_accuracy is None


def test_means_over_the_kernels_of_convolutions_agree_with_plain_keras():
    mixed = layers("Conv2D: {filters: width, kernel_size: 3}|Residual: [SeparableConv2D: {filters: width, kernel_size: 1}]|"
                   "Flatten|Dense: {units: 4}")  # fmt: skip
    made = one_step(
        mixed, ("[l1, l2]", "[l1_mean, l2_mean]"), ("[0, 0.01, 0.1]", "[3]"),
        ("training:\n", "training:\n  penalised: convolutions\n"), ("epochs: 2", "epochs: 4"),
    )  # fmt: skip
    assert made.job.size.penalised == 9 * 3 + 3 + 9
    sums = "sum_abs_weights", "sum_squared_weights"
    for record, expected, weights in zip(populate(made), fit(made, 0, 1), sums, strict=True):
        agree_with_fit(record, expected)
        start = record.epochs[1]
        assert start.penalty_value == pytest.approx(3 * getattr(start, weights) / made.job.size.penalised, rel=1e-5)


@pytest.mark.parametrize(("schedule", "optimizer"), [
    ("{cosine: {alpha: 0.1}}", OPTIMIZER),
    ("{piecewise: {boundaries: [1, 3], factors: [1, 0.5, 0.1]}}", "{AdamW: {learning_rate: 0.003}}"),
])  # fmt: skip
def test_every_schedule_agrees_with_plain_keras_and_moves_decay_too(schedule, optimizer):
    change = ("epochs: 2", f"epochs: 4\n  schedule: {schedule}"), (OPTIMIZER, optimizer)
    lasting = ("batch_size: 32", "batch_size: 45"), ("[l1, l2]", "[l2, decoupled]")
    made = study(*change, *lasting, ("[0, 0.01, 0.1]", "[0.1, 3]"))
    records = populate(made)
    for member, expected in zip((0, 3), fit(made, 0, 3), strict=True):
        for epoch, other in zip(records[member].epochs, expected.epochs, strict=True):
            for name in ("validation_loss", "sum_abs_weights", "sum_squared_weights"):
                assert getattr(epoch, name) == pytest.approx(getattr(other, name), rel=1e-4), (epoch.epoch, name)


NOISY = [("test: 50", "test: 50\n  label_noise: 0.5"), ("batch_size: 32", "batch_size: 30")]


@pytest.fixture(scope="module")
def lasting():
    """The records of networks that do not stop early."""
    return populate(study(*NOISY, ("epochs: 2", "epochs: 20")))


@pytest.mark.parametrize("restores", [False, True])
def test_early_stopping_agrees_with_plain_keras_and_leaves_the_others_untouched(restores, lasting):
    early = f"{{patience: 2, restore_best_weights: {str(restores).lower()}}}"
    made = study(*NOISY, ("epochs: 2", f"epochs: 40\n  early_stopping: {early}"))
    records = populate(made)
    ended = [record.trial.epochs for record in records]
    assert len(set(ended)) > 1
    assert max(ended) <= 20
    for stopped, whole in zip(records, lasting, strict=True):
        last = stopped.trial.epochs
        assert [epoch.epoch for epoch in stopped.epochs] == list(range(last + 1))
        for epoch, other in zip(stopped.epochs, whole.epochs, strict=False):
            assert dataclasses.replace(epoch, trial="") == dataclasses.replace(other, trial="")
        counted = stopped.epochs[stopped.trial.best_epoch if restores else last]
        assert stopped.trial.validation_loss == counted.validation_loss
        assert stopped.trial.sum_abs_weights == counted.sum_abs_weights
    few = populate(made, made.cells[2:4])
    assert list(map(numbers, few)) == list(map(numbers, records[2:4]))
    members = sorted({ended.index(min(ended)), ended.index(max(ended))})
    for member, expected in zip(members, fit(made, *members), strict=True):
        for name in ("epochs", "best_epoch"):
            assert getattr(records[member].trial, name) == getattr(expected.trial, name)
        for name in ("train_loss", "validation_loss", "test_loss", "sum_abs_weights"):
            assert getattr(records[member].trial, name) == pytest.approx(getattr(expected.trial, name), rel=2e-3)


def test_epochs_of_several_steps_agree_with_plain_keras():
    made = study(("epochs: 2", "epochs: 5"))
    record, (expected,) = populate(made)[1], fit(made, 1)
    for epoch, other in zip(record.epochs[1:], expected.epochs[1:], strict=True):
        for name in ("train_loss", "validation_loss", "gradient_norm"):
            assert getattr(epoch, name) == pytest.approx(getattr(other, name), rel=1e-3)


def test_a_members_numbers_do_not_change_with_who_is_beside_it_nor_from_one_training_to_the_next():
    made = study(EVERY_PENALTY, layers(NETWORKS["dropout"]))
    whole, again, turned = populate(made), populate(made), populate(made, made.cells[::-1])
    few = populate(made, made.cells[3:5])
    assert list(map(numbers, again)) == list(map(numbers, whole))
    assert list(map(numbers, turned)) == list(map(numbers, whole[::-1]))
    assert list(map(numbers, few)) == list(map(numbers, whole[3:5]))


def test_seeds_and_rates_that_train_together_have_the_numbers_that_they_have_apart():
    """Also where a group lacks a member, and where the population lacks a group."""
    rates = ("seeds: 2", "seeds: 3\n  learning_rates: [0.02, 0.05]"), ("learning_rate: 0.05, ", "")
    spec = parsed(*rates, ("widths: [1, 2]", "widths: [3]"), layers(NETWORKS["dropout"]))
    cells = grid.make_cells(spec, "population", "digits")
    (size,) = grid.measure(spec, data.describe(spec)).values()

    def train(population, members, groups):
        job = Job(population, size, members, "population", "CPU", groups=groups, backend=BACKEND)
        splits = [data.split(data.load(spec), spec.dataset, 64, group[0].seed, 3) for group in population.groups]
        return {record.trial.trial: record for record in engine.train(job, splits, spec.training)}

    (wide,) = grid.make_populations(cells, members=99, wide=True)
    assert [len(group) for group in wide.groups] == [10, 10, 10]
    together = train(wide, 10, 3)
    few = train(grid.Population(wide.cells[3:15]), 10, 3)
    for trial, record in few.items():
        assert numbers(record) == numbers(together[trial])
    for apart in grid.make_populations(cells, members=10):
        assert len(apart.groups) == 1
        for trial, record in train(apart, 5, 1).items():
            for one, other in zip(record.epochs, together[trial].epochs, strict=True):
                for name in ("validation_loss", "sum_abs_weights", "penalty_value"):
                    assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-5), (one.epoch, name)


def test_a_diverging_member_leaves_the_others_untouched():
    changes = [("[l1, l2]", "[l2]"), ("epochs: 2", "epochs: 40")]
    made = study(("lambdas: [0, 0.01, 0.1]", "lambdas: [0, 0.01, 60]"), *changes)
    diverging, calm = populate(made), populate(study(*changes))
    assert [record.trial.status for record in diverging] == ["completed", "completed", "diverged"]
    assert list(map(numbers, diverging[:2])) == list(map(numbers, calm[:2]))
    (alone,) = fit(made, 2)
    assert diverging[2].trial.diverged_epoch == alone.trial.diverged_epoch
    assert diverging[2].trial.validation_loss is None


def test_a_population_that_diverges_whole_stops_early():
    made = study(
        ("lambdas: [0, 0.01, 0.1]", "lambdas: [100, 200]"), ("[l1, l2]", "[l2]"), ("epochs: 2", "epochs: 5000")
    )
    passed = []
    records = engine.train(made.job, [made.split], made.spec.training, lambda: passed.append(None))
    assert {record.trial.status for record in records} == {"diverged"}
    assert len(passed) < 100


def test_a_network_is_compiled_once_for_every_lambda_penalty_rate_seed_schedule_and_number_of_epochs(monkeypatch):
    calls, call = [], Network.__call__

    def counted(self, *arguments):
        calls.append(None)  # Python sees a compiled network only while it is traced
        return call(self, *arguments)

    monkeypatch.setattr(Network, "__call__", counted)
    engine.forget()
    made = study()
    populate(made)
    assert (compiling := len(calls)) > 0
    for seed, rate, cells, more in [
        (1, 0.1, made.cells[1:3], "epochs: 3"),
        (2, 0.2, made.cells[3:], "epochs: 3\n  schedule: cosine"),
    ]:
        other = study(("epochs: 2", more))
        other = other._replace(split=data.split(data.load(other.spec), other.spec.dataset, 90, seed))
        populate(other, [dataclasses.replace(cell, seed=seed, learning_rate=rate) for cell in cells])
    assert len(calls) == compiling
