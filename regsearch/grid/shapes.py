"""How kernels slide over an image, what comes out of a layer and what it costs, from shapes alone.

Imports no Keras: tests hold the shapes and counts to Keras's own.
"""

from dataclasses import dataclass, replace
from math import prod
from typing import Any

from regsearch.spec import LayerBase, Location, Penalised, Residual

Shape = tuple[int, ...]
"""Of one image's activations: (height, width, channels) or (features,)."""


@dataclass(frozen=True)
class Window:
    """How a kernel or pool slides: what Keras calls kernel or pool size, strides, padding and dilation rate."""

    size: tuple[int, int]
    strides: tuple[int, int]
    padding: str
    dilation: tuple[int, int] = (1, 1)

    @property
    def reach(self) -> tuple[int, int]:
        """The height and width that it spans, the gaps of its dilation included."""
        (down, right), (rows, columns) = self.size, self.dilation
        return (down - 1) * rows + 1, (right - 1) * columns + 1

    def output(self, height: int, width: int) -> tuple[int, int]:
        """The height and width that come out."""
        return (
            _count_places(height, self.reach[0], self.strides[0], self.padding),
            _count_places(width, self.reach[1], self.strides[1], self.padding),
        )

    def pads(self, height: int, width: int) -> list[list[int]]:
        """What is added before and after height and width, as TensorFlow's `same` does."""
        if self.padding == "valid":
            return [[0, 0], [0, 0]]
        pads = []
        for n, k, s in zip((height, width), self.reach, self.strides, strict=True):
            total = max((_count_places(n, k, s, self.padding) - 1) * s + k - n, 0)
            pads.append([total // 2, total - total // 2])
        return pads


def _count_places(n: int, k: int, s: int, padding: str) -> int:
    return -(-n // s) if padding == "same" else (n - k) // s + 1


class MisfitError(Exception):
    """A layer that does not fit its input.

    Attributes:
        location: of the layer in the spec's list: `(2, "Residual", 0, "Conv2D")`.
        expected: what was expected, and what was found.
    """

    def __init__(self, location: Location, expected: str) -> None:
        super().__init__(expected)
        self.location, self.expected = location, expected


@dataclass(frozen=True)
class Cost:
    """What layers cost, for one image where it goes with the images.

    Attributes:
        weights: trainable weights.
        penalised: weights of the kernels that the penalty is over.
        work: multiplications and additions to score an image.
        activations: numbers that come out of the layers.
        patches: numbers in the windows of all convolutions.
        largest: of these, in the windows of the largest convolution, or in what comes out of a first one: its windows
            are of the images, which members share.
        sees_batch: whether a layer needs its whole batch at once in training.
    """

    weights: int = 0
    penalised: int = 0
    work: int = 0
    activations: int = 0
    patches: int = 0
    largest: int = 0
    sees_batch: bool = False

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.weights + other.weights,
            self.penalised + other.penalised,
            self.work + other.work,
            self.activations + other.activations,
            self.patches + other.patches,
            max(self.largest, other.largest),
            self.sees_batch or other.sees_batch,
        )


def trace(
    layers: tuple[LayerBase, ...],
    shape: Shape,
    width: int | None,
    outputs: int,
    penalised: Penalised,
    location: Location = (),
) -> tuple[Shape, Cost]:
    """What comes out of layers that follow each other, and what they cost together.

    Args:
        layers: of the spec.
        shape: of what goes in.
        width: that their sizes follow.
        outputs: the number of classes or targets, that their sizes follow.
        penalised: which kernels the penalty is over.
        location: of the list itself.

    Raises:
        MisfitError: a layer does not fit what goes in.
    """
    total = Cost()
    for index, layer in enumerate(layers):
        place = (*location, index, layer.kind)
        if isinstance(layer, Residual):
            after, cost = trace(layer.layers, shape, width, outputs, penalised, place)
            if after != shape:
                expected = f"layers whose output, which is added to their input, has its shape {shape}, got {after}"
                raise MisfitError(place, expected)
            cost += Cost(activations=prod(after))
        else:
            arguments = layer.arguments(width, outputs)
            if problem := _find_problem(layer.kind, arguments, shape):
                raise MisfitError(place, problem)
            after = shape_output(layer.kind, arguments, shape)
            cost = _cost_layer(layer, arguments, shape, after, penalised)
            if layer.convolves and not location and not total.weights:
                cost = replace(cost, largest=prod(after))
        shape, total = after, total + cost
    return shape, total


def make_window(arguments: dict[str, Any], size: str) -> Window:
    """The window of a layer's arguments; pools stride by their size unless told otherwise."""
    strides = arguments["strides"] or arguments[size]
    return Window(arguments[size], strides, arguments["padding"], arguments.get("dilation_rate", (1, 1)))


_ANY_SHAPE = ("Flatten", "Dense", "Activation", "Dropout", "BatchNormalization", "LayerNormalization")
_UNCHANGED = ("Activation", "Dropout", "SpatialDropout2D", "BatchNormalization", "LayerNormalization")


def _find_problem(kind: str, arguments: dict[str, Any], shape: Shape) -> str | None:
    """What is expected of a layer's input, where it is not so."""
    if kind not in _ANY_SHAPE and len(shape) != 3:
        return f"an image, shape (height, width, channels), got shape {shape}"
    groups, filters = arguments.get("groups", 1), arguments.get("filters", 1)
    if filters % groups or shape[-1] % groups:
        got = f"{groups} groups, {shape[-1]} channels, {filters} filters"
        return f"`groups` to divide the channels that come in and the filters, got {got}"
    size = next((name for name in ("kernel_size", "pool_size") if name in arguments), None)
    if size and arguments["padding"] == "valid":
        reach = make_window(arguments, size).reach
        if reach[0] > shape[0] or reach[1] > shape[1]:
            return f"a window no larger than its input, got {list(reach)} over an image of shape {shape}"
    return None


def shape_output(kind: str, arguments: dict[str, Any], shape: Shape) -> Shape:
    """The shape that comes out of a layer that fits."""
    if kind in _UNCHANGED:
        return shape
    if kind == "Flatten":
        return (prod(shape),)
    if kind == "Dense":
        return (*shape[:-1], arguments["units"])
    if kind.startswith("Global"):
        return shape[-1:]
    if kind == "ZeroPadding2D":
        rows, columns = map(sum, arguments["padding"])
        return shape[0] + rows, shape[1] + columns, shape[2]
    size = "kernel_size" if "kernel_size" in arguments else "pool_size"
    channels = arguments.get("filters", shape[-1] * arguments.get("depth_multiplier", 1))
    return (*make_window(arguments, size).output(*shape[:2]), channels)


def _cost_layer(layer: LayerBase, arguments: dict[str, Any], before: Shape, after: Shape, which: Penalised) -> Cost:
    """What one layer costs."""
    if layer.kind in ("BatchNormalization", "LayerNormalization"):
        scales = before[-1] * (arguments["scale"] + arguments["center"])
        return Cost(weights=scales, activations=prod(after), sees_batch=layer.sees_batch)
    if not layer.kernels:
        return Cost(activations=prod(after))
    places, channels, window = prod(after[:-1]), before[-1], prod(arguments.get("kernel_size", ()))
    between = channels * arguments.get("depth_multiplier", 1)
    kernels = {
        "Conv2D": window * channels // arguments.get("groups", 1) * after[-1],
        "DepthwiseConv2D": window * between,
        "SeparableConv2D": window * between + between * after[-1],
        "Dense": channels * after[-1],
    }[layer.kind]
    patches = window * channels * places if layer.convolves else 0
    inside = between * places if layer.kind == "SeparableConv2D" else 0
    return Cost(
        weights=kernels + after[-1] * arguments["use_bias"],
        penalised=kernels if layer.penalised(which) else 0,
        work=2 * kernels * places,
        activations=prod(after) + inside,
        patches=patches + inside,
        largest=patches,
    )
