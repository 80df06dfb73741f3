"""Layers without weights or chance: pools, padding, flattening, activations, member by member."""

import keras
import tensorflow as tf

from regsearch.engine.population.convolution import slices
from regsearch.engine.population.layer import IMAGE, MemberLayer
from regsearch.grid import window_of


class MaxPooling2D(MemberLayer):
    """Keras's MaxPooling2D."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        parts = slices(window_of(self.arguments, "pool_size"), x, fill=x.dtype.min)
        y = parts[0]
        for part in parts[1:]:
            y = tf.maximum(y, part)
        return y


class AveragePooling2D(MemberLayer):
    """Keras's AveragePooling2D; with `same`, padding does not count."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        window = window_of(self.arguments, "pool_size")
        counts = tf.add_n(slices(window, tf.ones((1, *x.shape[-3:-1], 1))))
        return tf.add_n(slices(window, x)) / counts


class GlobalMaxPooling2D(MemberLayer):
    """Keras's GlobalMaxPooling2D."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.reduce_max(x, axis=(-3, -2))


class GlobalAveragePooling2D(MemberLayer):
    """Keras's GlobalAveragePooling2D."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(x, axis=(-3, -2))


class ZeroPadding2D(MemberLayer):
    """Keras's ZeroPadding2D."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        around = [[0, 0]] * (len(x.shape) - 3)
        return tf.pad(x, [*around, *map(list, self.arguments["padding"]), [0, 0]])


class Flatten(MemberLayer):
    """Keras's Flatten: features in the order height, width, channels."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        if len(x.shape) < IMAGE:
            return x
        before = len(x.shape) - IMAGE
        order = [*range(before), before + 1, before + 2, before, before + 3]
        return tf.reshape(tf.transpose(x, order), (*x.shape[:before], -1, x.shape[-1]))


class Activation(MemberLayer):
    """Keras's Activation."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return keras.activations.get(self.arguments["activation"])(x)
