"""Layers that drop activations, by the same mask for every member: that of `dropout`, which both engines have."""

import tensorflow as tf

from regsearch.engine.dropout import kept
from regsearch.engine.population.layer import IMAGE, VECTOR, MemberLayer
from regsearch.randomness import DROPOUT, draw_layer_seed


class Dropout(MemberLayer):
    """Keras's Dropout."""

    changes = True

    def build(self, shape: tuple[int, ...]) -> None:
        self.seed = self.add_weight(shape=(), initializer="zeros", dtype="int32", trainable=False, name="seed")
        self.step = self.add_weight(shape=(), initializer="zeros", dtype="int32", trainable=False, name="step")

    def start(self, seed: int) -> None:
        self.seed.assign(draw_layer_seed(seed, DROPOUT, *self.place))
        self.step.assign(0)

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        rate = self.arguments["rate"]
        if not training or rate == 0:
            return x
        one = x.shape if len(x.shape) in (IMAGE, VECTOR) else x.shape[1:]
        mask = kept(_positions(self.mask_shape(one)), rate, self.seed.value, self.step.value)
        self.step.assign(self.step.value + 1)
        return tf.where(mask, x / (1 - rate), 0.0)

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the mask of one member's activations."""
        return shape


class SpatialDropout2D(Dropout):
    """Keras's SpatialDropout2D: one place of the mask is a whole channel."""

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape[0], 1, 1, shape[-1]


def _positions(shape: tuple[int, ...]) -> tf.Tensor:
    """Where each activation of one member stands, counted over (batch, height, width, channels) as Keras has them."""
    channels, *image, batch = shape
    found, stride = tf.zeros(shape, tf.int32), 1
    for axis, size in [(0, channels), *reversed(list(enumerate(image, 1))), (len(shape) - 1, batch)]:
        along = tf.reshape(tf.range(size), [-1 if other == axis else 1 for other in range(len(shape))])
        found, stride = found + along * stride, stride * size
    return found
