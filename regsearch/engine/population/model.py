"""A population: many networks of one shape as one Keras model, whose layers have a member axis (see `members`)."""

from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from regsearch.engine.plain import Place
from regsearch.engine.population import dropping, kernels, normalization, plain
from regsearch.engine.population.layer import MemberLayer, through
from regsearch.grid import Architecture, Size
from regsearch.spec import LayerBase, Residual

MEMBER_LAYERS: dict[str, type[MemberLayer]] = {
    layer.__name__: layer
    for layer in (
        kernels.Conv2D, kernels.DepthwiseConv2D, kernels.SeparableConv2D, kernels.Dense, plain.MaxPooling2D,
        plain.AveragePooling2D, plain.GlobalMaxPooling2D, plain.GlobalAveragePooling2D, plain.ZeroPadding2D,
        plain.Flatten, dropping.Dropout, dropping.SpatialDropout2D, normalization.BatchNormalization,
        normalization.LayerNormalization, plain.Activation,
    )
}  # fmt: skip


class Added(MemberLayer):
    """`Residual`: what comes in, added to what the layers inside make of it."""

    changes = True

    def __init__(self, settings: LayerBase, stack: list[MemberLayer], members: int, place: Place) -> None:
        super().__init__(settings, {}, members, place)
        self.stack = stack

    def build(self, shape: tuple[int, ...]) -> None:
        """Nothing: each layer inside is built when it is first called."""

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        return x + through(self.stack, x, training)


def _every(layers: list[MemberLayer]) -> Iterator[MemberLayer]:
    for layer in layers:
        if isinstance(layer, Added):
            yield from _every(layer.stack)
        else:
            yield layer


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
        self,
        architecture: Architecture,
        classes: int,
        members: int,
        size: Size,
        device: str,
        lowering: str | None = None,
    ) -> None:
        super().__init__(name="population")

        def picked(kernel_size: tuple[int, int]) -> str:
            return lowering or size.lowering(kernel_size, device)

        def stacked(layers: tuple[LayerBase, ...], place: Place) -> list[MemberLayer]:
            return [made(settings, (*place, index)) for index, settings in enumerate(layers)]

        def made(settings: LayerBase, place: Place) -> MemberLayer:
            if isinstance(settings, Residual):
                return Added(settings, stacked(settings.layers, place), members, place)
            arguments: dict[str, Any] = settings.arguments(architecture.width, classes) | {"lowering": picked}
            return MEMBER_LAYERS[settings.kind](settings, arguments, members, place)

        self.members, self.penalised = members, architecture.penalised
        self.stack = stacked(architecture.layers, ())

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Logits, (members, classes, batch), of images (batch, height, width, channels) shared by all members."""
        return through(self.stack, tf.transpose(x, (3, 1, 2, 0)), training)

    def start(self, seed: int) -> None:
        """Sets every weight to the start that follows from the seed."""
        for layer in self.every():
            layer.start(seed)

    def every(self) -> list[MemberLayer]:
        """Every layer in order, those inside a residual too, which is none itself."""
        return list(_every(self.stack))

    @property
    def kernels(self) -> list[keras.Variable]:
        """The penalised weights, each (members, …)."""
        return [getattr(layer, name) for layer in self.every() for name in layer.settings.penalised(self.penalised)]

    @property
    def lowerings(self) -> dict[str, str]:
        """How each convolution is computed."""
        return {layer.name: layer.lowering for layer in self.every() if layer.settings.convolves}
