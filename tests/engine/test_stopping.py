"""Early stopping stops each network where Keras's own would, whoever is beside it."""

import types

import keras
import numpy as np
import pytest

from regsearch.engine.population.stopping import Patience
from regsearch.spec import EarlyStopping

LOSSES = np.random.default_rng(3).choice([0.5, 0.51, 0.6, 0.7, 0.75, 0.9, 1.0], size=(25, 40))


def by_keras(settings, losses):
    """The epoch after which Keras stops, or the last, and its best epoch."""
    callback = keras.callbacks.EarlyStopping("val_loss", mode="min", **dict(settings))
    callback.set_model(
        types.SimpleNamespace(stop_training=False, get_weights=lambda: [1.0], set_weights=lambda _: None)
    )
    callback.on_train_begin()
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"val_loss": float(loss)})
        if callback.model.stop_training:
            break
    return epoch + 1, callback.best_epoch + 1


@pytest.mark.parametrize("patience", [0, 1, 2, 5])
@pytest.mark.parametrize("min_delta", [0.0, 0.05])
@pytest.mark.parametrize("restores", [False, True])
def test_every_network_stops_and_counts_where_keras_says(patience, min_delta, restores):
    settings = EarlyStopping(patience=patience, min_delta=min_delta, restore_best_weights=restores)
    many = Patience(settings, LOSSES.shape[1])
    counted = np.zeros(LOSSES.shape[1], int)
    for epoch, losses in enumerate(LOSSES, 1):
        many.see(epoch, losses)
        counted[many.is_counted(epoch)] = epoch
    ended, last_counted = many.find_ends(len(LOSSES))
    expected = [by_keras(settings, losses) for losses in LOSSES.T]
    assert ended.tolist() == [last for last, _ in expected]
    assert last_counted.tolist() == [best if restores else last for last, best in expected]
    stopped = many.stopped > 0
    assert (counted == last_counted)[stopped | restores].all()


def test_a_loss_that_is_no_number_is_no_better():
    many = Patience(EarlyStopping(patience=1), 1)
    many.see(1, np.array([1.0]))
    many.see(2, np.array([np.nan]))
    assert many.stopped.tolist() == [2]


def test_without_settings_nobody_stops():
    many = Patience(None, 2)
    for epoch in range(1, 9):
        many.see(epoch, np.full(2, float(epoch)))
        assert not many.is_counted(epoch).any()
    assert [part.tolist() for part in many.find_ends(8)] == [[8, 8], [8, 8]]
