"""A population: many networks of one shape as one Keras model, whose layers have a member axis (see `layers`)."""

from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from regsearch.engine.plain import Place
from regsearch.engine.population import kernels, layers, normalization
from regsearch.engine.population.layers import MemberLayer, apply
from regsearch.grid import Architecture, Size
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

    changes = True

    def __init__(self, settings: LayerBase, stack: list[MemberLayer], members: int, place: Place) -> None:
        super().__init__(settings, {}, members, place)
        self.stack = stack

    def build(self, shape: tuple[int, ...]) -> None:
        """Nothing: each layer inside is built when it is first called."""

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        return x + apply(self.stack, x, training)


class PopulationModel(keras.Model):
    """A population: one architecture, `members` times.

    Args:
        architecture: which layers, at which width.
        outputs: the number of classes, or of targets where they are numbers.
        members: how many networks.
        size: of the architecture; with the device it picks how convolutions are computed.
        device: `CPU` or `GPU`.
        lowering: forces how convolutions are computed.
    """

    def __init__(
        self,
        architecture: Architecture,
        outputs: int,
        members: int,
        size: Size,
        device: str,
        lowering: str | None = None,
    ) -> None:
        super().__init__(name="population")

        def pick_lowering(kernel_size: tuple[int, int]) -> str:
            return lowering or size.lowering(kernel_size, device)

        def stack(layers: tuple[LayerBase, ...], place: Place) -> list[MemberLayer]:
            return [make(settings, (*place, index)) for index, settings in enumerate(layers)]

        def make(settings: LayerBase, place: Place) -> MemberLayer:
            if isinstance(settings, Residual):
                return _Residual(settings, stack(settings.layers, place), members, place)
            arguments: dict[str, Any] = settings.arguments(architecture.width, outputs)
            return MEMBER_LAYERS[settings.kind](settings, arguments | {"lowering": pick_lowering}, members, place)

        self.penalised = architecture.penalised
        self.stack = stack(architecture.layers, ())

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Outputs, (members, outputs, batch), of images (batch, height, width, channels) shared by all members."""
        return apply(self.stack, tf.transpose(x, (3, 1, 2, 0)), training)

    def start(self, seed: int) -> None:
        """Sets every weight to the start that follows from the seed."""
        for layer in _list_layers(self.stack):
            layer.start(seed)

    @property
    def kernels(self) -> list[keras.Variable]:
        """The penalised weights, each (members, …)."""
        return [
            getattr(layer, name)
            for layer in _list_layers(self.stack)
            for name in layer.settings.penalised(self.penalised)
        ]

    @property
    def lowerings(self) -> list[str]:
        """How each convolution is computed, in the order of the layers."""
        return [layer.lowering for layer in _list_layers(self.stack) if layer.settings.convolves]


def _list_layers(layers: list[MemberLayer]) -> Iterator[MemberLayer]:
    """Every layer in order, those inside a residual too, which is none itself."""
    for layer in layers:
        if isinstance(layer, _Residual):
            yield from _list_layers(layer.stack)
        else:
            yield layer
