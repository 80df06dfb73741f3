"""Layers over many networks at once: what they all are, and those without weights.

Every weight has a leading member axis; member k of the output depends on member k of the weights alone.
Activations are batch-last (see `convolution`): (members, channels, height, width, batch) or (members, features,
batch), without the member axis up to the first layer with weights.
"""

from typing import Any

import keras
import tensorflow as tf

from regsearch.engine.dropout import draw_mask
from regsearch.engine.plain import Place, name_layer
from regsearch.engine.population.convolution import slice_windows
from regsearch.grid import make_window
from regsearch.randomness import DROPOUT, draw_layer_seed
from regsearch.spec import LayerBase

IMAGE, VECTOR = 4, 2
"""Axes of activations without a member axis: (channels, height, width, batch) and (features, batch)."""


class MemberLayer(keras.layers.Layer):
    """A layer of the spec over a population.

    Attributes:
        members: how many networks.
        place: where it stands in the network.
        changes: whether it does something else in training.
    """

    changes = False

    def __init__(self, settings: LayerBase, arguments: dict[str, Any], members: int, place: Place) -> None:
        super().__init__(name=name_layer(settings, place))
        self.settings, self.arguments, self.members, self.place = settings, arguments, members, place

    def start(self, seed: int) -> None:
        """Sets every weight to the start that follows from (seed, layer), the same for every member."""


def apply(layers: list[MemberLayer], x: tf.Tensor, training: bool) -> tf.Tensor:
    """What comes out of layers that follow each other."""
    for layer in layers:
        x = layer(x, training=training) if layer.changes else layer(x)
    return x


class MaxPooling2D(MemberLayer):
    """Keras's MaxPooling2D."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        places = slice_windows(make_window(self.arguments, "pool_size"), x, fill=x.dtype.min)
        y = places[0]
        for place in places[1:]:
            y = tf.maximum(y, place)
        return y


class AveragePooling2D(MemberLayer):
    """Keras's AveragePooling2D; with `same`, padding does not count."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        window = make_window(self.arguments, "pool_size")
        counts = tf.add_n(slice_windows(window, tf.ones((1, *x.shape[-3:-1], 1))))
        return tf.add_n(slice_windows(window, x)) / counts


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


class Dropout(MemberLayer):
    """Keras's Dropout, by the same mask for every member: the one that both engines draw."""

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
        shape = x.shape if len(x.shape) in (IMAGE, VECTOR) else x.shape[1:]
        mask = draw_mask(_count_positions(self.shape_mask(shape)), rate, self.seed.value, self.step.value)
        self.step.assign(self.step.value + 1)
        return tf.where(mask, x / (1 - rate), 0.0)

    def shape_mask(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the mask of one member's activations, from theirs."""
        return shape


class SpatialDropout2D(Dropout):
    """Keras's SpatialDropout2D: one place of the mask is a whole channel."""

    def shape_mask(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape[0], 1, 1, shape[-1]


def _count_positions(shape: tuple[int, ...]) -> tf.Tensor:
    """Where each activation of one member stands, counted over (batch, height, width, channels) as Keras has them."""
    channels, *image, batch = shape
    position, stride = tf.zeros(shape, tf.int32), 1
    for axis, size in [(0, channels), *reversed(list(enumerate(image, 1))), (len(shape) - 1, batch)]:
        along = tf.reshape(tf.range(size), [-1 if other == axis else 1 for other in range(len(shape))])
        position, stride = position + along * stride, stride * size
    return position
