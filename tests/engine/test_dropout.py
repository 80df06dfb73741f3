"""Dropout masks are even, independent of each other, and the same under XLA or not."""

import numpy as np
import pytest
import tensorflow as tf

from regsearch.engine.dropout import Dropout, draw_mask

POSITIONS = tf.range(200_000)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_rate_is_what_is_dropped(rate):
    share = 1 - draw_mask(POSITIONS, rate, tf.constant(1), tf.constant(0)).numpy().mean()
    assert share == pytest.approx(rate, abs=4 * np.sqrt(rate * (1 - rate) / 200_000))


def test_masks_of_other_seeds_steps_and_neighbours_are_independent():
    base = draw_mask(POSITIONS, 0.5, tf.constant(1), tf.constant(0)).numpy()
    others = [
        draw_mask(POSITIONS, 0.5, tf.constant(2), tf.constant(0)).numpy(),
        draw_mask(POSITIONS, 0.5, tf.constant(1), tf.constant(1)).numpy(),
        np.roll(base, 1),
        np.roll(base, 64),
    ]
    for other in others:
        assert (base == other).mean() == pytest.approx(0.5, abs=0.005)


def test_xla_gives_the_same_mask():
    arguments = (POSITIONS, 0.3, tf.constant(7), tf.constant(9))
    assert (draw_mask(*arguments).numpy() == tf.function(draw_mask, jit_compile=True)(*arguments).numpy()).all()


def test_the_layer_scales_what_it_keeps_and_rests_outside_training():
    layer = Dropout(0.25, seed=3)
    x = tf.ones((50, 100))
    first, second = layer(x, training=True).numpy(), layer(x, training=True).numpy()
    assert set(np.unique(first)) == {0.0, np.float32(1 / 0.75)}
    assert (first != second).any()
    assert (layer(x, training=False).numpy() == 1).all()
