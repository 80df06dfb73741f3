"""The reference engine trains as plain Keras does, and records what happened."""

import keras
import numpy as np
import pytest
from conftest import parsed

from regsearch import data, engine, grid
from regsearch.engine import Job
from regsearch.engine.plain import build
from regsearch.randomness import draw_batches

pytestmark = pytest.mark.slow


def trained(*changes, member=0):
    spec = parsed(("seeds: 2", "seeds: 1"), ("widths: [1, 2]", "widths: [2]"), *changes)
    cell = grid.make_cells(spec, "reference", "digits")[member]
    split = data.split(data.load(spec), spec.dataset, cell.train_size, cell.seed)
    job = Job(
        grid.Population((cell,)), grid.measure(spec, data.describe(spec))[cell.architecture], 1, "reference", "CPU"
    )
    return spec, cell, split, engine.train(job, [split], spec.training)[0]


def by_hand(cell, split, steps, l1=0.0, l2=0.0, decay=0.0, rate=0.05):
    """Plain gradient descent in numpy over Keras's gradients: losses before each step, and the kernels after."""
    import tensorflow as tf

    model = build(cell.architecture, (8, 8, 1), 10, cell.seed)
    kernels = {id(layer.kernel) for layer in model.layers if hasattr(layer, "kernel")}
    losses, norms = [], []
    for rows in np.concatenate([draw_batches(cell.seed, epoch, 64, 32) for epoch in (1, 2)])[:steps]:
        x, y = split.train[0][rows], split.train[1][rows]
        with tf.GradientTape() as tape:
            logits = model(x, training=True)
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True))
        gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
        losses.append(float(loss))
        squared = 0.0
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
            w, g = variable.numpy(), gradient.numpy()
            if id(variable) in kernels:
                g = g + l1 * np.sign(w) + 2 * l2 * w
                w = w - rate * decay * w
            squared += float((g**2).sum())
            variable.assign(w - rate * g)
        norms.append(squared**0.5)
    weights = np.concatenate([v.numpy().ravel() for v in model.trainable_variables if id(v) in kernels])
    return losses, norms, weights


@pytest.mark.parametrize("penalty", ["l1", "l2", "decoupled"])
def test_training_is_gradient_descent_on_data_loss_plus_penalty(penalty):
    _, cell, split, record = trained(("[l1, l2]", f"[{penalty}]"), (", momentum: 0.9", ""), member=2)
    l1, l2, decay = cell.coefficients(738)
    losses, norms, weights = by_hand(cell, split, steps=4, l1=l1, l2=l2, decay=decay)
    one, two = record.epochs[1:]
    assert one.train_loss == pytest.approx(np.mean(losses[:2]), rel=1e-5)
    assert two.train_loss == pytest.approx(np.mean(losses[2:]), rel=1e-4)
    assert two.gradient_norm == pytest.approx(max(norms[2:]), rel=1e-4)
    assert two.sum_abs_weights == pytest.approx(np.abs(weights).sum(), rel=1e-4)
    assert two.sum_squared_weights == pytest.approx((weights**2).sum(), rel=1e-4)
    assert two.penalty_value == pytest.approx(l1 * two.sum_abs_weights + l2 * two.sum_squared_weights, rel=1e-5)


def test_the_record_holds_the_start_every_epoch_and_the_last_ones_scores():
    _, _, split, record = trained()
    assert [epoch.epoch for epoch in record.epochs] == [0, 1, 2]
    assert record.epochs[0].train_loss is None
    assert record.epochs[0].validation_loss == pytest.approx(np.log(10), abs=0.5)
    trial, last = record.trial, record.epochs[-1]
    assert (trial.status, trial.epochs, trial.engine) == ("completed", 2, "reference")
    assert trial.validation_loss == last.validation_loss
    assert trial.best_epoch == 1 + int(np.argmin([epoch.validation_loss for epoch in record.epochs[1:]]))
    assert 0 <= trial.test_accuracy <= 1
    assert trial.test_accuracy * len(split.test[1]) == pytest.approx(
        round(trial.test_accuracy * len(split.test[1])), abs=1e-3
    )


def test_sgd_with_lambda_above_its_limit_diverges_and_says_when():
    # Keras's L2 under SGD with momentum 0.9 and rate 0.05 is unstable above (1 + 0.9) / 0.05 = 38.
    *_, record = trained(("[0, 0.01, 0.1]", "[30, 60]"), ("[l1, l2]", "[l2]"), ("epochs: 2", "epochs: 30"), member=1)
    assert record.trial.status == "diverged"
    assert 1 < record.trial.diverged_epoch < 30
    assert [epoch.epoch for epoch in record.epochs] == list(range(record.trial.diverged_epoch))
    assert record.trial.validation_loss is record.trial.penalty_value is record.trial.test_loss is None
    *_, below = trained(("[0, 0.01, 0.1]", "[30, 60]"), ("[l1, l2]", "[l2]"), ("epochs: 2", "epochs: 30"), member=0)
    assert below.trial.status == "completed"


def test_adamws_own_decay_is_off():
    change = "{SGD: {learning_rate: 0.05, momentum: 0.9}}"
    adam, adamw = (trained((change, f"{{{name}: {{learning_rate: 0.01}}}}"))[3] for name in ("Adam", "AdamW"))
    assert adam.epochs[-1].sum_abs_weights == adamw.epochs[-1].sum_abs_weights
