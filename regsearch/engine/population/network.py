"""A population as one pure function: weights and images in, the outputs of every member out."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regsearch.engine.plain import Place
from regsearch.engine.population import kernels, layers, normalization
from regsearch.engine.population.convolution import spread
from regsearch.engine.population.layers import Layouts, MemberLayer, Pass
from regsearch.grid import Architecture, shape_output
from regsearch.randomness import DROPOUT, draw_layer_seed
from regsearch.spec import LayerBase, Residual

MEMBER_LAYERS: dict[str, type[MemberLayer]] = {
    layer.__name__: layer
    for layer in (
        kernels.Conv2D, kernels.DepthwiseConv2D, kernels.SeparableConv2D, kernels.Dense, layers.MaxPooling2D,
        layers.AveragePooling2D, layers.GlobalMaxPooling2D, layers.GlobalAveragePooling2D, layers.ZeroPadding2D,
        layers.Flatten, layers.Dropout, layers.SpatialDropout2D, normalization.BatchNormalization,
        normalization.LayerNormalization, layers.Activation,
    )
}  # fmt: skip


class _Residual(MemberLayer):
    """What comes in, added to what the layers inside make of it."""

    def __init__(self, settings: Residual, stack: list[MemberLayer], place: Place) -> None:
        super().__init__(settings, {}, place)
        self.stack = stack

    def __call__(self, x: Any, now: Pass) -> Any:
        y = _apply(self.stack, x, now)
        return spread(x, y.shape[0]) + y


class Network:
    """The members of a population, all of one architecture.

    Attributes:
        members: how many.
        layouts: where their weights stand.
        sees_batch: whether a layer needs its whole batch at once in training.
    """

    def __init__(self, architecture: Architecture, image: tuple[int, ...], outputs: int, members: int) -> None:
        self.members = members
        self.layouts = Layouts(architecture.penalised)

        def stack(settings: tuple[LayerBase, ...], shape: tuple[int, ...], place: Place) -> list[MemberLayer]:
            made: list[MemberLayer] = []
            for index, each in enumerate(settings):
                here = (*place, index)
                if isinstance(each, Residual):
                    made.append(_Residual(each, stack(each.layers, shape, here), here))
                    continue
                arguments: dict[str, Any] = each.arguments(architecture.width, outputs)
                layer = MEMBER_LAYERS[each.kind](each, arguments, here)
                layer.build(shape, self.layouts)
                made.append(layer)
                shape = shape_output(each.kind, arguments, shape)
            return made

        self.stack = stack(architecture.layers, image, ())
        self.sees_batch = any(layer.settings.sees_batch for layer in _list_layers(self.stack))

    def __call__(
        self, weights: Any, moving: Any, images: Any, training: bool = False, seeds: Any = None, step: Any = 0,
        image: Any = 0,
    ) -> tuple[Any, Any]:  # fmt: skip
        """What the members make of images.

        Args:
            weights: (members, n).
            moving: what layers keep from step to step, (members, m).
            images: (groups, channels, height, width, batch), each group's for as many members, in order.
            training: whether layers do what they do in training alone.
            seeds: of what is dropped, see `draw_seeds`.
            step: how many steps came before.
            image: the place of the first image in its batch.

        Returns:
            Outputs, (members, outputs, batch), and `moving` after them.
        """
        pieces = self.layouts.moving.split(moving)
        now = Pass(self.layouts.weights.split(weights), pieces, self.members, training, seeds, step, image, step >= 0)
        y = spread(_apply(self.stack, images, now), self.members)
        if now.moved:
            moving = self.layouts.moving.join([now.moved[number] for number in range(len(pieces))])
        return y, moving

    def draw_seeds(self, seeds: Sequence[int]) -> NDArray[np.int32]:
        """Of each seed, those of the layers that drop, (seeds, layers)."""
        drawn = [[draw_layer_seed(seed, DROPOUT, *place) for place in self.layouts.dropping] for seed in seeds]
        return np.array(drawn, np.int32).reshape(len(seeds), -1)


def _apply(stack: list[MemberLayer], x: Any, now: Pass) -> Any:
    """What comes out of layers that follow each other."""
    for layer in stack:
        x = layer(x, now)
    return x


def _list_layers(stack: list[MemberLayer]) -> Iterator[MemberLayer]:
    """Every layer in order, those inside a residual too."""
    for layer in stack:
        yield from _list_layers(layer.stack) if isinstance(layer, _Residual) else [layer]
