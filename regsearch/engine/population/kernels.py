"""Layers with kernels, which a penalty may be over, member by member."""

from typing import Any

import keras
import tensorflow as tf

from regsearch.engine.plain import make_initializer
from regsearch.engine.population.convolution import convolve, group_depthwise, multiply
from regsearch.engine.population.layers import IMAGE, MemberLayer
from regsearch.grid import Window, make_window


class _Kernels(MemberLayer):
    def start(self, seed: int) -> None:
        """Draws the kernels as Keras draws them for one network; biases start at 0."""
        for number, (attribute, name) in enumerate(self.settings.kernels.items()):
            kernel = getattr(self, attribute)
            initializer = make_initializer(self.arguments[f"{name}_initializer"], seed, self.place, number)
            kernel.assign(tf.broadcast_to(initializer(kernel.shape[1:]), kernel.shape))
        if self.arguments["use_bias"]:
            self.bias.assign(tf.zeros(self.bias.shape))

    def add_kernel(self, name: str, *shape: int) -> keras.Variable:
        """Adds a kernel of the shape that Keras gives it, for each member."""
        return self.add_weight(shape=(self.members, *shape), initializer="zeros", name=name)

    def add_bias(self, units: int) -> None:
        """Adds a bias for each member, if it is asked for."""
        if self.arguments["use_bias"]:
            self.bias = self.add_weight(shape=(self.members, units), initializer="zeros", name="bias")

    def activate(self, y: tf.Tensor) -> tf.Tensor:
        return keras.activations.get(self.arguments["activation"])(y)


class _Convolution(_Kernels):
    """A convolution; `lowering` is how it is computed."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.window = make_window(self.arguments, "kernel_size")
        self.lowering = self.arguments["lowering"](self.arguments["kernel_size"])
        self.add_kernels(shape[-4])

    def add_kernels(self, channels: int) -> None:
        """Adds the weights, for so many channels of the input."""

    def get_bias(self) -> Any:
        """The bias, or None."""
        return self.bias.value if self.arguments["use_bias"] else None


class Conv2D(_Convolution):
    """Keras's Conv2D."""

    def add_kernels(self, channels: int) -> None:
        filters = self.arguments["filters"]
        group_channels = channels // self.arguments["groups"]
        self.kernel = self.add_kernel("kernel", *self.window.size, group_channels, filters)
        self.add_bias(filters)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.activate(convolve(x, self.kernel.value, self.get_bias(), self.window, self.lowering))


class DepthwiseConv2D(_Convolution):
    """Keras's DepthwiseConv2D."""

    def add_kernels(self, channels: int) -> None:
        multiplier = self.arguments["depth_multiplier"]
        self.kernel = self.add_kernel("kernel", *self.window.size, channels, multiplier)
        self.add_bias(channels * multiplier)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        kernel = group_depthwise(self.kernel.value)
        return self.activate(convolve(x, kernel, self.get_bias(), self.window, self.lowering))


class SeparableConv2D(_Convolution):
    """Keras's SeparableConv2D: a depthwise convolution, then one by a kernel of [1, 1]."""

    pointwise = Window((1, 1), (1, 1), "valid")

    def add_kernels(self, channels: int) -> None:
        multiplier, filters = self.arguments["depth_multiplier"], self.arguments["filters"]
        self.depthwise_kernel = self.add_kernel("depthwise_kernel", *self.window.size, channels, multiplier)
        self.pointwise_kernel = self.add_kernel("pointwise_kernel", 1, 1, channels * multiplier, filters)
        self.add_bias(filters)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        between = convolve(x, group_depthwise(self.depthwise_kernel.value), None, self.window, self.lowering)
        y = convolve(between, self.pointwise_kernel.value, self.get_bias(), self.pointwise, self.lowering)
        return self.activate(y)


class Dense(_Kernels):
    """Keras's Dense over the channels or features."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.depth_axis = -2 if len(shape) < IMAGE else -4
        self.kernel = self.add_kernel("kernel", shape[self.depth_axis], self.arguments["units"])
        self.add_bias(self.arguments["units"])

    def call(self, x: tf.Tensor) -> tf.Tensor:
        before, after = x.shape[: len(x.shape) + self.depth_axis], x.shape[len(x.shape) + self.depth_axis + 1 :]
        flat = tf.reshape(x, (*before, x.shape[self.depth_axis], -1))
        y = multiply(self.kernel.value, flat)
        if self.arguments["use_bias"]:
            y += self.bias.value[:, :, None]
        return tf.reshape(self.activate(y), (self.members, self.arguments["units"], *after))
