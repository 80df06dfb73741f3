"""The spec's layers with a member axis: many networks of one shape as one Keras model.

Every weight has a leading member axis; member k of the output depends on member k of the weights alone.
Activations are batch-last (see `convolution`): (members, channels, height, width, batch) or (members, features,
batch), without the member axis up to the first layer with weights.
"""

from typing import Any

import keras
import tensorflow as tf

from regsearch.convolution import convolve, product, slices
from regsearch.dropout import kept
from regsearch.grid import Network
from regsearch.layers import LayerBase
from regsearch.networks import seeded
from regsearch.randomness import DROPOUT, layer_seed
from regsearch.sizing import Size, window_of

IMAGE, VECTOR = 4, 2
"""Axes of activations without a member axis: (channels, height, width, batch) and (features, batch)."""


class MemberLayer(keras.layers.Layer):
    """A layer of the spec over a population.

    Attributes:
        members: how many networks.
        kernel: the penalised weights, (members, …), or None.
    """

    kernel: Any = None

    def __init__(self, settings: LayerBase, arguments: dict[str, Any], members: int, index: int) -> None:
        super().__init__(name=f"{index}_{settings.kind}")
        self.members, self.index, self.arguments = members, index, arguments

    def start(self, seed: int) -> None:
        """Sets every weight to the start that follows from (seed, layer), the same for every member."""

    def add_kernel(self, shape: tuple[int, ...]) -> None:
        """Adds a kernel of `shape` and, if asked for, a bias, for each member."""
        self.kernel = self.add_weight(shape=(self.members, *shape), initializer="zeros", name="kernel")
        if self.arguments["use_bias"]:
            self.bias = self.add_weight(shape=(self.members, shape[-1]), initializer="zeros", name="bias")

    def start_kernel(self, seed: int) -> None:
        """Draws the kernel as Keras draws it for one network; biases start at 0."""
        one = seeded(self.arguments["kernel_initializer"], seed, self.index)(self.kernel.shape[1:])
        self.kernel.assign(tf.broadcast_to(one, self.kernel.shape))
        if self.arguments["use_bias"]:
            self.bias.assign(tf.zeros(self.bias.shape))


class Conv2D(MemberLayer):
    """Keras's Conv2D, member by member."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.window = window_of(self.arguments, "kernel_size")
        self.add_kernel((*self.arguments["kernel_size"], shape[-4], self.arguments["filters"]))
        self.lowering = self.arguments["lowering"](self.arguments["kernel_size"])

    def start(self, seed: int) -> None:
        self.start_kernel(seed)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        bias = self.bias.value if self.arguments["use_bias"] else None
        y = convolve(x, self.kernel.value, bias, self.window, self.lowering)
        return keras.activations.get(self.arguments["activation"])(y)


class Dense(MemberLayer):
    """Keras's Dense over the channels or features, member by member."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.depth_axis = -2 if len(shape) < IMAGE else -4
        self.add_kernel((shape[self.depth_axis], self.arguments["units"]))

    def start(self, seed: int) -> None:
        self.start_kernel(seed)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        before, after = x.shape[: len(x.shape) + self.depth_axis], x.shape[len(x.shape) + self.depth_axis + 1 :]
        flat = tf.reshape(x, (*before, x.shape[self.depth_axis], -1))
        y = product(self.kernel.value, flat)
        if self.arguments["use_bias"]:
            y += self.bias.value[:, :, None]
        y = keras.activations.get(self.arguments["activation"])(y)
        return tf.reshape(y, (self.members, self.arguments["units"], *after))


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
    """Keras's Dropout, with the same mask for every member: that of `dropout`, as the reference engine has it."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.seed = self.add_weight(shape=(), initializer="zeros", dtype="int32", trainable=False, name="seed")
        self.step = self.add_weight(shape=(), initializer="zeros", dtype="int32", trainable=False, name="step")

    def start(self, seed: int) -> None:
        self.seed.assign(layer_seed(seed, DROPOUT, self.index))
        self.step.assign(0)

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        rate = self.arguments["rate"]
        if not training or rate == 0:
            return x
        one = x.shape if len(x.shape) in (IMAGE, VECTOR) else x.shape[1:]
        mask = kept(_positions(one), rate, self.seed.value, self.step.value)
        self.step.assign(self.step.value + 1)
        return tf.where(mask, x / (1 - rate), 0.0)


def _positions(shape: tuple[int, ...]) -> tf.Tensor:
    """Where each activation of one member stands, counted over (batch, height, width, channels) as Keras has them."""
    channels, *image, batch = shape
    found, stride = tf.zeros(shape, tf.int32), 1
    for axis, size in [(0, channels), *reversed(list(enumerate(image, 1))), (len(shape) - 1, batch)]:
        along = tf.reshape(tf.range(size), [-1 if other == axis else 1 for other in range(len(shape))])
        found, stride = found + along * stride, stride * size
    return found


class BatchNormalization(MemberLayer):
    """Keras's BatchNormalization over the channels, member by member."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.shared = len(shape) in (IMAGE, VECTOR)
        size = (self.members, shape[0 if self.shared else 1])
        self.moving_mean = self.add_weight(shape=size, initializer="zeros", trainable=False, name="moving_mean")
        self.moving_variance = self.add_weight(
            shape=size, initializer="ones", trainable=False, name="moving_variance"
        )
        if self.arguments["scale"]:
            self.gamma = self.add_weight(shape=size, initializer="ones", name="gamma")
        if self.arguments["center"]:
            self.beta = self.add_weight(shape=size, initializer="zeros", name="beta")

    def start(self, seed: int) -> None:
        for variable in self.variables:
            variable.assign(
                tf.ones(variable.shape) if variable.name in ("gamma", "moving_variance") else tf.zeros(variable.shape)
            )

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        if self.shared:
            x = tf.broadcast_to(x[None], (self.members, *x.shape))
        over = list(range(2, len(x.shape)))
        mean, variance = self.moving_mean.value, self.moving_variance.value
        if training:
            momentum = self.arguments["momentum"]
            mean, variance = tf.nn.moments(x, over)
            self.moving_mean.assign(self.moving_mean.value * momentum + mean * (1 - momentum))
            self.moving_variance.assign(self.moving_variance.value * momentum + variance * (1 - momentum))
        factor = tf.math.rsqrt(variance + self.arguments["epsilon"])
        if self.arguments["scale"]:
            factor *= self.gamma.value
        offset = -mean * factor
        if self.arguments["center"]:
            offset += self.beta.value
        shape = (self.members, -1) + (1,) * len(over)
        return x * tf.reshape(factor, shape) + tf.reshape(offset, shape)


MEMBER_LAYERS: dict[str, type[MemberLayer]] = {
    layer.__name__: layer
    for layer in (
        Conv2D, Dense, MaxPooling2D, AveragePooling2D, GlobalMaxPooling2D, GlobalAveragePooling2D,
        Flatten, Activation, Dropout, BatchNormalization,
    )
}  # fmt: skip


class PopulationModel(keras.Model):
    """A population: one network of the grid, `members` times.

    Args:
        network: which layers, at which width.
        classes: the number of classes.
        members: how many networks.
        size: of the network, for picking how convolutions are computed.
        device: `CPU` or `GPU`, likewise.
        lowering: forces the lowering of every convolution.
    """

    def __init__(
        self, network: Network, classes: int, members: int, size: Size, device: str, lowering: str | None = None
    ) -> None:
        super().__init__(name="population")

        def picked(kernel_size: tuple[int, int]) -> str:
            return lowering or size.lowering(kernel_size, device)

        self.members = members
        self.stack: list[MemberLayer] = []
        for index, settings in enumerate(network.layers):
            arguments = settings.arguments(network.width, classes) | {"lowering": picked}
            self.stack.append(MEMBER_LAYERS[settings.kind](settings, arguments, members, index))

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Logits, (members, classes, batch), of images (batch, height, width, channels) shared by all members."""
        x = tf.transpose(x, (3, 1, 2, 0))
        for layer in self.stack:
            x = layer(x, training=training) if isinstance(layer, Dropout | BatchNormalization) else layer(x)
        return x

    def start(self, seed: int) -> None:
        """Sets every weight to the start that follows from the seed."""
        for layer in self.stack:
            layer.start(seed)

    @property
    def kernels(self) -> list[keras.Variable]:
        """The penalised weights, each (members, …)."""
        return [layer.kernel for layer in self.stack if layer.kernel is not None]

    @property
    def lowerings(self) -> dict[str, str]:
        """How each convolution is computed."""
        return {layer.name: layer.lowering for layer in self.stack if isinstance(layer, Conv2D)}
