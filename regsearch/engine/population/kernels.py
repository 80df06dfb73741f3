"""Layers with kernels, which a penalty may be over, member by member."""

from functools import partial
from typing import Any

import keras
from keras import ops

from regsearch.engine.population.convolution import convolve, group_depthwise, multiply
from regsearch.engine.population.layers import Layouts, MemberLayer, Pass
from regsearch.engine.population.weights import Piece
from regsearch.engine.starts import draw_layer_start
from regsearch.grid import Window, make_window


class _Kernels(MemberLayer):
    def add_kernels(self, layouts: Layouts, units: int, *shapes: tuple[int, ...]) -> None:
        """Adds the layer's kernels, of the shapes that Keras gives them, and a bias a unit if it is asked for."""
        kernels, penalised = self.settings.kernels, self.settings.penalised(layouts.penalised)
        self.numbers = []
        for number, ((attribute, name), shape) in enumerate(zip(kernels.items(), shapes, strict=True)):
            initializer = self.arguments[f"{name}_initializer"]
            start = partial(draw_layer_start, initializer, shape, place=self.place, kernel=number)
            self.numbers.append(layouts.weights.add(Piece(shape, start, attribute in penalised)))
        self.bias = None
        if self.arguments["use_bias"]:
            self.bias = layouts.weights.add(Piece.constant((units,), 0.0))

    def get_kernels(self, now: Pass) -> list[Any]:
        """Each kernel, (members, …)."""
        return [now.weights[number] for number in self.numbers]

    def get_bias(self, now: Pass) -> Any:
        """The bias, (members, units), or None."""
        return None if self.bias is None else now.weights[self.bias]

    def activate(self, y: Any) -> Any:
        return keras.activations.get(self.arguments["activation"])(y)


class Conv2D(_Kernels):
    """Keras's Conv2D."""

    def build(self, shape: tuple[int, ...], layouts: Layouts) -> None:
        self.window = make_window(self.arguments, "kernel_size")
        channels, filters = shape[-1] // self.arguments["groups"], self.arguments["filters"]
        self.add_kernels(layouts, filters, (*self.window.size, channels, filters))

    def __call__(self, x: Any, now: Pass) -> Any:
        (kernel,) = self.get_kernels(now)
        return self.activate(convolve(x, kernel, self.get_bias(now), self.window, now.sure))


class DepthwiseConv2D(_Kernels):
    """Keras's DepthwiseConv2D."""

    def build(self, shape: tuple[int, ...], layouts: Layouts) -> None:
        self.window = make_window(self.arguments, "kernel_size")
        multiplier = self.arguments["depth_multiplier"]
        self.add_kernels(layouts, shape[-1] * multiplier, (*self.window.size, shape[-1], multiplier))

    def __call__(self, x: Any, now: Pass) -> Any:
        (kernel,) = self.get_kernels(now)
        return self.activate(convolve(x, group_depthwise(kernel), self.get_bias(now), self.window, now.sure))


class SeparableConv2D(_Kernels):
    """Keras's SeparableConv2D: a depthwise convolution, then one by a kernel of [1, 1]."""

    pointwise = Window((1, 1), (1, 1), "valid")

    def build(self, shape: tuple[int, ...], layouts: Layouts) -> None:
        self.window = make_window(self.arguments, "kernel_size")
        multiplier, filters = self.arguments["depth_multiplier"], self.arguments["filters"]
        depthwise, pointwise = (*self.window.size, shape[-1], multiplier), (1, 1, shape[-1] * multiplier, filters)
        self.add_kernels(layouts, filters, depthwise, pointwise)

    def __call__(self, x: Any, now: Pass) -> Any:
        depthwise, pointwise = self.get_kernels(now)
        between = convolve(x, group_depthwise(depthwise), None, self.window, now.sure)
        return self.activate(convolve(between, pointwise, self.get_bias(now), self.pointwise, now.sure))


class Dense(_Kernels):
    """Keras's Dense over the channels or features."""

    def build(self, shape: tuple[int, ...], layouts: Layouts) -> None:
        units = self.arguments["units"]
        self.add_kernels(layouts, units, (shape[-1], units))

    def __call__(self, x: Any, now: Pass) -> Any:
        (kernel,) = self.get_kernels(now)
        flat = ops.reshape(x, (*x.shape[:2], -1))
        y = self.activate(multiply(kernel, flat, self.get_bias(now), now.sure))
        return ops.reshape(y, (now.members, self.arguments["units"], *x.shape[2:]))
