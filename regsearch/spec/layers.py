"""The layers a spec may name, with Keras's own names, arguments and defaults."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from regsearch.spec.values import Count, Flag, Fraction, Margins, Named, NonEmpty, Pair, Rate, Size, one_of, wrong

ActivationName = Literal[
    "linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "swish",
    "sigmoid", "hard_sigmoid", "tanh", "softplus", "softsign",
]  # fmt: skip
InitializerName = Literal[
    "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal"
]
Padding = Literal["valid", "same"]
Penalised = Literal["all", "convolutions"]
"""Which kernels a penalty may be over: every one, or those of convolutions alone."""
_ONE: Any = Field(default=Count(1), json_schema_extra={"default": 1})  # JSON cannot write a Count


class LayerBase(Named):
    """A layer of the spec.

    Attributes:
        kernels: Keras's attribute of each kernel, which a penalty may be over, and what the names of its
            initializer and regularizer begin with.
        convolves: whether its kernels slide over an image.
        sees_batch: whether what it does to an image in training depends on the others of its batch.
    """

    kernels: ClassVar[dict[str, str]] = {}
    convolves: ClassVar[bool] = False
    sees_batch: ClassVar[bool] = False

    def arguments(self, width: int | None, classes: int | None) -> dict[str, Any]:
        """Keras's arguments of this layer at one width."""
        values: dict[str, Any] = dict(self)
        return {k: v.resolve(width, classes) if isinstance(v, Count) else v for k, v in values.items()}

    @classmethod
    def penalised(cls, which: Penalised) -> tuple[str, ...]:
        """Keras's attributes of the kernels that the penalty is over."""
        return tuple(cls.kernels) if which == "all" or cls.convolves else ()


class _Filters(LayerBase):
    filters: Size


class _Convolution(LayerBase):
    convolves = True
    kernel_size: Pair
    strides: Pair = (1, 1)
    padding: Padding = "valid"
    dilation_rate: Pair = (1, 1)
    activation: ActivationName = "linear"
    use_bias: Flag = True

    @model_validator(mode="after")
    def _strides_or_dilates(self) -> Self:
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            got = f"strides {list(self.strides)} and dilation_rate {list(self.dilation_rate)}"
            raise wrong("strides or a dilation_rate above 1, since Keras has no layer with both", got)
        return self


class Conv2D(_Convolution, _Filters):
    """Keras's Conv2D; its kernel is penalised."""

    kernels: ClassVar[dict[str, str]] = {"kernel": "kernel"}
    groups: Size = _ONE
    kernel_initializer: InitializerName = "glorot_uniform"


class DepthwiseConv2D(_Convolution):
    """Keras's DepthwiseConv2D; its kernel is penalised."""

    kernels: ClassVar[dict[str, str]] = {"kernel": "depthwise"}
    depth_multiplier: Size = _ONE
    depthwise_initializer: InitializerName = "glorot_uniform"


class SeparableConv2D(_Convolution, _Filters):
    """Keras's SeparableConv2D; both of its kernels are penalised."""

    kernels: ClassVar[dict[str, str]] = {"depthwise_kernel": "depthwise", "pointwise_kernel": "pointwise"}
    depth_multiplier: Size = _ONE
    depthwise_initializer: InitializerName = "glorot_uniform"
    pointwise_initializer: InitializerName = "glorot_uniform"


class Dense(LayerBase):
    """Keras's Dense; its kernel is penalised."""

    kernels: ClassVar[dict[str, str]] = {"kernel": "kernel"}
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


class ZeroPadding2D(LayerBase):
    """Keras's ZeroPadding2D."""

    padding: Margins = ((1, 1), (1, 1))


class Flatten(LayerBase):
    """Keras's Flatten."""


class Dropout(LayerBase):
    """Keras's Dropout; the masks follow from the seed."""

    rate: Fraction


class SpatialDropout2D(Dropout):
    """Keras's SpatialDropout2D, which drops whole channels; the masks follow from the seed."""


class BatchNormalization(LayerBase):
    """Keras's BatchNormalization over the last axis; its scale and offset are not penalised."""

    sees_batch = True
    momentum: Fraction = 0.99
    epsilon: Rate = 1e-3
    center: Flag = True
    scale: Flag = True


class LayerNormalization(LayerBase):
    """Keras's LayerNormalization over the last axis; its scale and offset are not penalised."""

    epsilon: Rate = 1e-3
    center: Flag = True
    scale: Flag = True


class Activation(LayerBase):
    """Keras's Activation."""

    activation: ActivationName


class Residual(LayerBase):
    """`Residual: [layers]`: what comes in, added to what the layers make of it (arXiv 1512.03385)."""

    # The alias, as a colon marks what stands in no file, keeps the list at `Residual` itself in errors.
    layers: "NonEmpty[Layer]" = Field(alias=":layers")

    @model_validator(mode="before")
    @classmethod
    def _open(cls, value: object) -> object:
        inside = value[cls.kind] if isinstance(value, dict) and list(value) == [cls.kind] else value
        return inside if isinstance(inside, dict) and list(inside) == [":layers"] else {":layers": inside}

    def plain(self) -> object:
        """`Residual: [layers]`."""
        return {self.kind: [layer.plain() for layer in self.layers]}

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """`Residual: [layers]`."""
        whole = handler.resolve_ref_schema(handler(core))
        return {"description": whole["description"], **cls.under_kind(whole["properties"][":layers"])}


LAYERS: dict[str, type[LayerBase]] = {
    layer.kind: layer
    for layer in (
        Conv2D, DepthwiseConv2D, SeparableConv2D, Dense, MaxPooling2D, AveragePooling2D, GlobalMaxPooling2D,
        GlobalAveragePooling2D, ZeroPadding2D, Flatten, Dropout, SpatialDropout2D, BatchNormalization,
        LayerNormalization, Activation, Residual,
    )
}  # fmt: skip

Layer = Annotated[LayerBase, one_of("a layer", LAYERS, "`Flatten` or `Conv2D: {filters: 8, kernel_size: 3}`")]
Residual.model_rebuild()


def walk_layers(layers: Iterable[LayerBase]) -> Iterator[LayerBase]:
    """Every layer in order, those inside a `Residual` in its place."""
    for layer in layers:
        if isinstance(layer, Residual):
            yield from walk_layers(layer.layers)
        else:
            yield layer


Layers = NonEmpty[Layer]
