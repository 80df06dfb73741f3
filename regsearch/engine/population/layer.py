"""What every layer with a member axis is: many layers of one shape as one Keras layer.

Every weight has a leading member axis; member k of the output depends on member k of the weights alone.
Activations are batch-last (see `convolution`): (members, channels, height, width, batch) or (members, features,
batch), without the member axis up to the first layer with weights.
"""

from typing import Any

import keras
import tensorflow as tf

from regsearch.engine.plain import Place, named, seeded
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
        super().__init__(name=named(settings, place))
        self.settings, self.arguments, self.members, self.place = settings, arguments, members, place

    def start(self, seed: int) -> None:
        """Sets every weight to the start that follows from (seed, layer), the same for every member."""

    def add_kernel(self, name: str, *shape: int) -> keras.Variable:
        """A kernel of the shape that Keras gives it, for each member."""
        return self.add_weight(shape=(self.members, *shape), initializer="zeros", name=name)

    def add_bias(self, units: int) -> None:
        """A bias for each member, if it is asked for."""
        if self.arguments["use_bias"]:
            self.bias = self.add_weight(shape=(self.members, units), initializer="zeros", name="bias")

    def start_kernels(self, seed: int) -> None:
        """Draws the kernels as Keras draws them for one network; biases start at 0."""
        for number, (attribute, name) in enumerate(self.settings.kernels.items()):
            kernel = getattr(self, attribute)
            one = seeded(self.arguments[f"{name}_initializer"], seed, self.place, number)(kernel.shape[1:])
            kernel.assign(tf.broadcast_to(one, kernel.shape))
        if self.arguments["use_bias"]:
            self.bias.assign(tf.zeros(self.bias.shape))


def through(layers: list[MemberLayer], x: tf.Tensor, training: bool) -> tf.Tensor:
    """What comes out of layers that follow each other."""
    for layer in layers:
        x = layer(x, training=training) if layer.changes else layer(x)
    return x
