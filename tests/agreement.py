"""What the tests of the population engine share: one population, and what plain Keras makes of its networks."""

import dataclasses
from typing import NamedTuple

import keras
import numpy as np
import pytest
from conftest import BACKEND, parsed
from keras import ops

from regsearch import data, engine, grid
from regsearch.engine import Job
from regsearch.engine.backend import door
from regsearch.engine.plain import build, list_kernels
from regsearch.ledger import Epoch
from regsearch.randomness import draw_batches

OPTIMIZER = "{SGD: {learning_rate: 0.05, momentum: 0.9}}"
EVERY_PENALTY = ("[l1, l2]", "[l1, l2, {l1_l2: {ratio: 0.3}}, decoupled]")


class Study(NamedTuple):
    """A spec of one architecture, the job of its one population, and the data."""

    spec: object
    job: Job
    split: data.Split

    @property
    def cells(self):
        return self.job.population.cells


def study(*changes):
    return study_of(
        parsed(("seeds: 2", "seeds: 1"), ("widths: [1, 2]", "widths: [3]"), ("train: 64", "train: 90"), *changes)
    )


def one_step(*changes):
    """Epochs of one step, so that the first epoch's records are those after the first step."""
    return study(("batch_size: 32", "batch_size: 90"), *changes)


def study_of(spec):
    facts = data.describe(spec)
    (population,) = grid.make_populations(grid.make_cells(spec, "population", facts.content), 99)
    ((architecture, size),) = grid.measure(spec, facts).items()
    split = data.split(data.load(spec), spec.dataset, population.first.train_size, 0, architecture.width)
    job = Job(population, size, len(population.cells), "population", "CPU", size.sub_batch("CPU"), backend=BACKEND)
    return Study(spec, job, split)


def populate(study, cells=None, **changes):
    """The records of a study's population, or of some of its cells, trained together."""
    job = dataclasses.replace(study.job, population=grid.Population(tuple(cells or study.cells)), **changes)
    return engine.train(job, [study.split], study.spec.training)


def fit(study, *members):
    """The records of some members by the reference engine, `model.fit` for each alone."""
    cells = tuple(study.cells[member] for member in members)
    job = dataclasses.replace(study.job, population=grid.Population(cells), engine="reference")
    return engine.train(job, [study.split], study.spec.training)


def step_eagerly(study, member):
    """The epochs, of one step each, and the test loss of one member by plain Keras without `model.fit` or a graph."""
    cell, training = study.cells[member], study.spec.training
    l1, l2, decay = cell.coefficients(study.job.size.penalised)
    assert decay == 0
    model = build(cell.architecture, study.split.train[0].shape[1:], study.split.outputs, cell.seed, l1, l2)
    kernels = list_kernels(model, cell.architecture.penalised)
    settings = dict(training.optimizer) | {"learning_rate": cell.learning_rate}
    optimizer = getattr(keras.optimizers, training.optimizer.kind)(**settings)

    def score(rows_of):
        x, y = rows_of
        logits = model(x, training=False)
        losses = keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)
        return float(ops.mean(losses)), float(np.mean(np.argmax(ops.convert_to_numpy(logits), axis=1) == y))

    def record(number, train_loss=None, gradient_norm=None):
        weights = np.concatenate([ops.convert_to_numpy(kernel).ravel() for kernel in kernels]).astype(float)
        penalty = float(sum(model.losses))
        scores = score(study.split.validation)
        return Epoch(
            cell.trial, number, train_loss, penalty, *scores, gradient_norm, abs(weights).sum(), (weights**2).sum()
        )

    epochs = [record(0)]
    for number in range(1, training.epochs + 1):
        (rows,) = draw_batches(cell.seed, number, cell.train_size, training.batch_size)
        x, y = (values[rows] for values in study.split.train)

        def total(weights, x=x, y=y):
            others = [ops.copy(variable.value) for variable in model.non_trainable_variables]
            logits, moved, penalties = model.stateless_call(weights, others, x, training=True, return_losses=True)
            data_loss = ops.mean(keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True))
            return data_loss + sum(penalties), (data_loss, moved)

        weights = [ops.copy(weight.value) for weight in model.trainable_variables]
        _, (data_loss, moved), gradients = door().differentiate(total, weights)
        optimizer.apply(gradients, model.trainable_variables)
        for variable, value in zip(model.non_trainable_variables, moved, strict=True):
            variable.assign(value)
        norm = np.sqrt(sum(float(ops.sum(ops.square(gradient))) for gradient in gradients))
        epochs.append(record(number, float(data_loss), float(norm)))
    return epochs, score(study.split.test)[0]


def agree(record, epochs, test_loss):
    """Holds a record to epochs of one step: to 1e-5 relative after the first, to 1e-3 afterwards."""
    assert record.trial.status == "completed"
    for epoch, expected in zip(record.epochs, epochs, strict=True):
        tolerance = 1e-5 if epoch.epoch < 2 else 1e-3
        for name, value in dataclasses.asdict(epoch).items():
            if value is None:
                assert getattr(expected, name) is None
            elif name == "validation_accuracy":
                assert value == pytest.approx(expected.validation_accuracy, abs=0.021)  # one image of 50
            elif name != "trial":
                relative = max(tolerance, 1e-4) if name == "gradient_norm" else tolerance
                assert value == pytest.approx(getattr(expected, name), rel=relative, abs=1e-7), (epoch.epoch, name)
    assert record.trial.test_loss == pytest.approx(test_loss, rel=1e-3)


def agree_with_fit(record, expected):
    """Holds a record of epochs of one step to the reference engine's, counts of weights too."""
    for name in ("penalised_weights", "trainable_weights"):
        assert getattr(record.trial, name) == getattr(expected.trial, name)
    agree(record, expected.epochs, expected.trial.test_loss)


def numbers(record):
    """A record's numbers, to be compared exactly."""
    return [dataclasses.asdict(epoch) for epoch in record.epochs], record.trial.test_loss, record.trial.status
