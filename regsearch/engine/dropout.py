"""Dropout masks from (seed, step, position) alone, the same in both engines, under XLA or not, on any device.

TensorFlow's own stateless generators give other numbers under XLA than outside it, so the mask is a hash of
whole numbers instead: MurmurHash3's finalizer (Appleby), which passes its avalanche tests, applied twice.
"""

from typing import Any

import keras
import tensorflow as tf

_GOLDEN = 0x9E3779B1


def draw_mask(position: tf.Tensor, rate: float, seed: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
    """Which activations a step keeps.

    Args:
        position: where each stands in its batch, counted over (batch, …, channels); whole numbers of any shape.
        rate: the share that is dropped.
        seed: of the layer, a whole number.
        step: how many steps came before, a whole number.

    Returns:
        Booleans of the shape of `position`.
    """
    key = _mix(_mix(tf.cast(seed, tf.uint32)) + tf.cast(step, tf.uint32) * tf.constant(_GOLDEN, tf.uint32))
    hashed = _mix(tf.bitwise.bitwise_xor(_mix(tf.cast(position, tf.uint32) + key), key))
    uniform = tf.cast(tf.bitwise.right_shift(hashed, tf.constant(8, tf.uint32)), tf.float32) * 2.0**-24
    return uniform >= rate


def _mix(h: tf.Tensor) -> tf.Tensor:
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h = tf.bitwise.bitwise_xor(h, tf.bitwise.right_shift(h, tf.constant(shift, tf.uint32)))
        h *= tf.constant(factor, tf.uint32)
    return tf.bitwise.bitwise_xor(h, tf.bitwise.right_shift(h, tf.constant(16, tf.uint32)))


class Dropout(keras.layers.Dropout):
    """Keras's Dropout with the masks above; the step is counted by Keras's own seed generator."""

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Drops and scales while training."""
        return _drop(self, inputs, tf.shape(inputs)) if training and self.rate else inputs


class SpatialDropout2D(keras.layers.SpatialDropout2D):
    """Keras's SpatialDropout2D with the masks above; a place of the mask is one channel of one image."""

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Drops whole channels and scales the others while training."""
        batch, *_, channels = tf.unstack(tf.shape(inputs))
        return _drop(self, inputs, (batch, 1, 1, channels)) if training and self.rate else inputs


def _drop(layer: Any, inputs: tf.Tensor, shape: Any) -> tf.Tensor:
    """What is left of a layer's inputs under a mask of `shape`."""
    seed, step = tf.unstack(layer.seed_generator.next())
    position = tf.reshape(tf.range(tf.reduce_prod(shape)), shape)
    return tf.where(draw_mask(position, layer.rate, seed, step), inputs / (1 - layer.rate), 0.0)
