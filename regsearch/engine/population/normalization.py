"""Layers that normalize, member by member; their scales and offsets are not penalised."""

from typing import Any

from keras import ops

from regsearch.engine.population.convolution import spread
from regsearch.engine.population.layers import Layouts, MemberLayer, Pass
from regsearch.engine.population.weights import Piece


class _Normalization(MemberLayer):
    """A scale and an offset for each channel, if asked for."""

    def build(self, shape: tuple[int, ...], layouts: Layouts) -> None:
        channels = shape[-1:]
        self.gamma = layouts.weights.add(Piece.constant(channels, 1.0)) if self.arguments["scale"] else None
        self.beta = layouts.weights.add(Piece.constant(channels, 0.0)) if self.arguments["center"] else None


class BatchNormalization(_Normalization):
    """Keras's BatchNormalization over the channels."""

    def build(self, shape: tuple[int, ...], layouts: Layouts) -> None:
        super().build(shape, layouts)
        self.mean = layouts.moving.add(Piece.constant(shape[-1:], 0.0))
        self.variance = layouts.moving.add(Piece.constant(shape[-1:], 1.0))

    def __call__(self, x: Any, now: Pass) -> Any:
        x = spread(x, now.members)
        mean, variance = now.moving[self.mean], now.moving[self.variance]
        if now.training:
            before, momentum = (mean, variance), self.arguments["momentum"]
            mean, variance = ops.moments(x, tuple(range(2, len(x.shape))))
            for number, old, new in zip((self.mean, self.variance), before, (mean, variance), strict=True):
                now.moved[number] = old * momentum + ops.stop_gradient(new) * (1 - momentum)
        factor = ops.rsqrt(variance + self.arguments["epsilon"])
        if self.gamma is not None:
            factor = factor * now.weights[self.gamma]
        offset = -mean * factor
        if self.beta is not None:
            offset = offset + now.weights[self.beta]
        return x * _lay_over(factor, x) + _lay_over(offset, x)


class LayerNormalization(_Normalization):
    """Keras's LayerNormalization over the channels or features of each image, at each place."""

    def __call__(self, x: Any, now: Pass) -> Any:
        x = spread(x, now.members)
        mean, variance = ops.moments(x, 1, keepdims=True)
        factor = ops.rsqrt(variance + self.arguments["epsilon"])
        if self.gamma is not None:
            factor = factor * _lay_over(now.weights[self.gamma], x)
        offset = -mean * factor
        if self.beta is not None:
            offset = offset + _lay_over(now.weights[self.beta], x)
        return x * factor + offset


def _lay_over(weights: Any, x: Any) -> Any:
    """One number a channel, (members, channels), as activations have their axes."""
    return ops.reshape(weights, (weights.shape[0], -1) + (1,) * (len(x.shape) - 2))
