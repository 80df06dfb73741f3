"""Layers over many networks at once: what they all are, and those without weights.

Member k of the output depends on member k of the weights alone. Activations are batch-last (see `convolution`):
(members, channels, height, width, batch) or (members, features, batch), with one place for each group of members up
to the first layer with weights.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import keras
from keras import ops

from regsearch.engine.backend import door
from regsearch.engine.dropout import draw_mask
from regsearch.engine.plain import Place
from regsearch.engine.population.convolution import slice_windows, spread
from regsearch.engine.population.weights import Layout
from regsearch.grid import make_window
from regsearch.spec import LayerBase, Penalised

IMAGE = 5
"""Axes of activations that are images."""


@dataclass
class Pass:
    """Images on their way through a population.

    Attributes:
        weights: each piece of the trainable weights, (members, …).
        moving: each piece of what layers keep from step to step, (members, …).
        members: how many networks.
        training: whether layers do what they do in training alone.
        seeds: of each group of members and layer that drops, whole numbers (groups, layers).
        step: how many steps came before, a whole number.
        image: the place in the batch of the first image here.
        sure: what is true, though XLA cannot know; see `Door.keep`.
        moved: the pieces of `moving` that layers changed, by number.
    """

    weights: list[Any]
    moving: list[Any]
    members: int
    training: bool = False
    seeds: Any = None
    step: Any = 0
    image: Any = 0
    sure: Any = True
    moved: dict[int, Any] = field(default_factory=dict)


@dataclass
class Layouts:
    """What the layers of a network have together.

    Attributes:
        weights: what is trained.
        moving: what layers keep from step to step besides.
        dropping: the places of the layers that drop.
        penalised: which kernels the penalty is over.
    """

    penalised: Penalised
    weights: Layout = field(default_factory=Layout)
    moving: Layout = field(default_factory=Layout)
    dropping: list[Place] = field(default_factory=list)


class MemberLayer(ABC):
    """A layer of the spec over a population.

    Attributes:
        place: where it stands in the network.
        arguments: Keras's.
    """

    def __init__(self, settings: LayerBase, arguments: dict[str, Any], place: Place) -> None:
        self.settings, self.arguments, self.place = settings, arguments, place

    def build(self, shape: tuple[int, ...], layouts: Layouts) -> None:  # noqa: B027 - most have none
        """Adds its weights, for an input of this shape, (height, width, channels) or (features,)."""

    @abstractmethod
    def __call__(self, x: Any, now: Pass) -> Any:
        """What comes out."""


class MaxPooling2D(MemberLayer):
    """Keras's MaxPooling2D; of equal values the first has the gradient."""

    def __call__(self, x: Any, now: Pass) -> Any:
        window = make_window(self.arguments, "pool_size")
        if window.size == window.strides and window.padding == "valid":
            return _pool_apart(x, *window.size, now.sure)
        y, *places = slice_windows(window, x, fill=float("-inf"))
        for place in places:
            y = ops.custom_gradient(_take_larger)(y, place)
        return y


def _pool_apart(x: Any, down: int, right: int, sure: Any) -> Any:
    """The largest of each window, where windows do not overlap."""
    *before, height, width, batch = x.shape
    rows, columns = height // down, width // right

    def pool(x: Any) -> Any:
        inside = x[..., : rows * down, : columns * right, :]
        windows = ops.reshape(inside, (*before, rows, down, columns, right, batch))
        y, place = windows[..., 0, :, 0, :], ops.zeros((*before, rows, columns, batch), "int32")
        for number in range(1, down * right):
            other = windows[..., number // right, :, number % right, :]
            y, place = ops.maximum(y, other), ops.where(other > y, number, place)
        y, place = door().keep((y, place), sure)

        def differentiate(upstream: Any) -> Any:
            upstream = door().keep(upstream, sure)
            numbers = ops.reshape(ops.arange(down * right), (down, 1, right, 1))
            spread = [ops.reshape(values, (*before, rows, 1, columns, 1, batch)) for values in (place, upstream)]
            inside = ops.reshape(
                ops.where(spread[0] == numbers, spread[1], 0.0), (*before, rows * down, columns * right, batch)
            )
            rest = [[0, 0]] * len(before) + [[0, height - rows * down], [0, width - columns * right], [0, 0]]
            return ops.pad(inside, rest)

        return y, differentiate

    return ops.custom_gradient(pool)(x)


def _take_larger(first: Any, second: Any) -> Any:
    """The larger of each two numbers, and its gradient."""

    def differentiate(upstream: Any) -> Any:
        return ops.where(first >= second, upstream, 0.0), ops.where(first >= second, 0.0, upstream)

    return ops.maximum(first, second), differentiate


class AveragePooling2D(MemberLayer):
    """Keras's AveragePooling2D; with `same`, padding does not count."""

    def __call__(self, x: Any, now: Pass) -> Any:
        window = make_window(self.arguments, "pool_size")
        counts = sum(slice_windows(window, ops.ones((1, 1, *x.shape[-3:-1], 1))))
        return sum(slice_windows(window, x)) / counts


class GlobalMaxPooling2D(MemberLayer):
    """Keras's GlobalMaxPooling2D."""

    def __call__(self, x: Any, now: Pass) -> Any:
        return ops.max(x, axis=(-3, -2))


class GlobalAveragePooling2D(MemberLayer):
    """Keras's GlobalAveragePooling2D."""

    def __call__(self, x: Any, now: Pass) -> Any:
        return ops.mean(x, axis=(-3, -2))


class ZeroPadding2D(MemberLayer):
    """Keras's ZeroPadding2D."""

    def __call__(self, x: Any, now: Pass) -> Any:
        return ops.pad(x, [[0, 0], [0, 0], *map(list, self.arguments["padding"]), [0, 0]])


class Flatten(MemberLayer):
    """Keras's Flatten: features in the order height, width, channels."""

    def __call__(self, x: Any, now: Pass) -> Any:
        return (
            ops.reshape(ops.transpose(x, (0, 2, 3, 1, 4)), (x.shape[0], -1, x.shape[-1]))
            if len(x.shape) == IMAGE
            else x
        )


class Activation(MemberLayer):
    """Keras's Activation."""

    def __call__(self, x: Any, now: Pass) -> Any:
        return keras.activations.get(self.arguments["activation"])(x)


class Dropout(MemberLayer):
    """Keras's Dropout, by the same mask for every member of a seed: the one that both engines draw."""

    def build(self, shape: tuple[int, ...], layouts: Layouts) -> None:
        self.number = len(layouts.dropping)
        layouts.dropping.append(self.place)

    def __call__(self, x: Any, now: Pass) -> Any:
        rate = self.arguments["rate"]
        if not now.training or rate == 0:
            return x
        seeds = ops.reshape(now.seeds[:, self.number], (-1,) + (1,) * (len(x.shape) - 1))
        position = _count_positions(self.shape_mask(x.shape[1:]), now.image)[None]
        mask = door().keep(draw_mask(position, rate, seeds, now.step), now.sure)
        return ops.where(spread(mask, x.shape[0]), x / (1 - rate), 0.0)

    def shape_mask(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the mask of one member's activations, from theirs."""
        return shape


class SpatialDropout2D(Dropout):
    """Keras's SpatialDropout2D: one place of the mask is a whole channel."""

    def shape_mask(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape[0], 1, 1, shape[-1]


def _count_positions(shape: tuple[int, ...], image: Any) -> Any:
    """Where each activation of one member stands, counted over (batch, height, width, channels) as Keras has them."""
    channels, *places, batch = shape
    position, stride = ops.zeros(shape, "int32"), 1
    for axis, size in [(0, channels), *reversed(list(enumerate(places, 1)))]:
        position, stride = position + _lay_along(ops.arange(size), axis, shape) * stride, stride * size
    return position + _lay_along(ops.arange(batch) + image, len(shape) - 1, shape) * stride


def _lay_along(numbers: Any, axis: int, shape: tuple[int, ...]) -> Any:
    return ops.reshape(numbers, [-1 if other == axis else 1 for other in range(len(shape))])
