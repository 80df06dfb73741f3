"""The layers a spec may name, with Keras's own names, arguments and defaults."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from regsearch.fields import (
    Count,
    Flag,
    Fraction,
    Named,
    NonEmpty,
    Number,
    Pair,
    Size,
    one_of,
    wrong,
)

ActivationName = Literal[
    "linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "swish",
    "sigmoid", "hard_sigmoid", "tanh", "softplus", "softsign",
]  # fmt: skip
InitializerName = Literal[
    "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal"
]
Padding = Literal["valid", "same"]


class LayerBase(Named):
    """A layer of the spec."""

    penalised: ClassVar[bool] = False

    def arguments(self, width: int | None, classes: int | None) -> dict[str, Any]:
        """Keras's arguments of this layer at one width."""
        values = dict(self)
        return {
            name: value.at(width, classes) if isinstance(value, Count) else value for name, value in values.items()
        }

    def counts(self) -> tuple[Count, ...]:
        """The sizes that may follow the width."""
        return tuple(value for _, value in self if isinstance(value, Count))


class Conv2D(LayerBase):
    """Keras's Conv2D; its kernel is penalised."""

    penalised = True
    filters: Size
    kernel_size: Pair
    strides: Pair = (1, 1)
    padding: Padding = "valid"
    activation: ActivationName = "linear"
    use_bias: Flag = True
    kernel_initializer: InitializerName = "glorot_uniform"


class Dense(LayerBase):
    """Keras's Dense; its kernel is penalised."""

    penalised = True
    units: Size
    activation: ActivationName = "linear"
    use_bias: Flag = True
    kernel_initializer: InitializerName = "glorot_uniform"


class _Pooling(LayerBase):
    pool_size: Pair = (2, 2)
    strides: Pair | None = None
    padding: Padding = "valid"


class MaxPooling2D(_Pooling):
    """Keras's MaxPooling2D."""


class AveragePooling2D(_Pooling):
    """Keras's AveragePooling2D."""


class GlobalMaxPooling2D(LayerBase):
    """Keras's GlobalMaxPooling2D."""


class GlobalAveragePooling2D(LayerBase):
    """Keras's GlobalAveragePooling2D."""


class Flatten(LayerBase):
    """Keras's Flatten."""


class Dropout(LayerBase):
    """Keras's Dropout; the masks follow from the seed."""

    rate: Fraction


class BatchNormalization(LayerBase):
    """Keras's BatchNormalization over the last axis; its scale and offset are not penalised."""

    momentum: Fraction = 0.99
    epsilon: Annotated[Number, Field(gt=0)] = 1e-3
    center: Flag = True
    scale: Flag = True


class Activation(LayerBase):
    """Keras's Activation."""

    activation: ActivationName


LAYERS: dict[str, type[LayerBase]] = {
    layer.kind: layer
    for layer in (
        Conv2D, Dense, MaxPooling2D, AveragePooling2D, GlobalMaxPooling2D, GlobalAveragePooling2D,
        Flatten, Dropout, BatchNormalization, Activation,
    )
}  # fmt: skip


if TYPE_CHECKING:
    Layer = LayerBase
else:
    Layer = one_of("a layer", LAYERS, "`Flatten` or `Conv2D: {filters: 8, kernel_size: 3}`")


def _ends_in_logits(layers: tuple[LayerBase, ...]) -> tuple[LayerBase, ...]:
    """The loss takes logits, so the last layer has no activation."""
    last = layers[-1]
    activation = getattr(last, "activation", "linear")
    if activation != "linear":
        raise wrong("a last layer with no activation, since the loss takes logits", f"{activation!r}")
    return layers


Layers = Annotated[tuple[Layer, ...], NonEmpty, AfterValidator(_ends_in_logits)]
