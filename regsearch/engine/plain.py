"""An architecture as a plain Keras model at its width, and its weight counts as Keras states them."""

from collections.abc import Callable, Iterator
from math import prod

import keras
import numpy as np
from numpy.typing import NDArray

from regsearch.engine.dropout import Dropout, SpatialDropout2D
from regsearch.engine.starts import draw_layer_start
from regsearch.grid import Architecture
from regsearch.ledger import Counts
from regsearch.randomness import DROPOUT, draw_layer_seed
from regsearch.spec import LAYERS, LayerBase, Penalised, Residual

_OURS = {"Dropout": Dropout, "SpatialDropout2D": SpatialDropout2D}
"""Layers whose random numbers are the study's own."""

Place = tuple[int, ...]
"""Where a layer stands: its number in the list, and in the list inside a `Residual`, and so on."""


def build(
    architecture: Architecture, image: tuple[int, int, int], outputs: int, seed: int, l1: float = 0.0, l2: float = 0.0
) -> keras.Sequential:
    """Builds a network with the start that follows from its seed.

    Args:
        architecture: which layers, at which width.
        image: (height, width, channels) of the input.
        outputs: the number of classes, or of targets where they are numbers.
        seed: the trial's seed.
        l1: strength of the L1 penalty on each penalised kernel.
        l2: strength of the L2 penalty on each penalised kernel.

    Raises:
        ValueError: a layer does not fit its input; the message is Keras's.
    """

    def stack(shape: tuple[int, ...], layers: tuple[LayerBase, ...], place: Place) -> keras.Sequential:
        model = keras.Sequential([keras.Input(shape)])
        for index, settings in enumerate(layers):
            here = (*place, index)
            if isinstance(settings, Residual):
                layer = _make_residual(stack(shape, settings.layers, here), name_layer(settings, here))
            else:
                layer = make(settings, here)
            model.add(layer)
            shape = model.output_shape[1:]
        return model

    def make(settings: LayerBase, place: Place) -> keras.layers.Layer:
        arguments = settings.arguments(architecture.width, outputs)
        for number, name in enumerate(settings.kernels.values()):
            initializer = _make_initializer(arguments[f"{name}_initializer"], seed, place, number)
            arguments[f"{name}_initializer"] = initializer
        for kernel in settings.penalised(architecture.penalised):
            arguments[f"{settings.kernels[kernel]}_regularizer"] = make_regularizer(l1, l2)
        if settings.kind in _OURS:
            arguments["seed"] = draw_layer_seed(seed, DROPOUT, *place)
        kind = _OURS.get(settings.kind) or getattr(keras.layers, settings.kind)
        return kind(**arguments, name=name_layer(settings, place))

    return stack(image, architecture.layers, ())


def name_layer(settings: LayerBase, place: Place) -> str:
    """The name of a layer in a Keras model: `2_Residual`, `2.0_Conv2D`."""
    return f"{'.'.join(map(str, place))}_{settings.kind}"


def _make_initializer(name: str, seed: int, place: Place, kernel: int) -> Callable[..., NDArray[np.float32]]:
    """What gives a kernel the start that follows from the seed, the layer and the kernel in it."""
    return lambda shape, dtype=None: draw_layer_start(name, tuple(shape), seed, place, kernel)  # noqa: ARG005 - Keras's


def make_regularizer(l1: float, l2: float) -> keras.regularizers.Regularizer | None:
    """Keras's own regularizer of these strengths; None where both are 0."""
    return keras.regularizers.L1L2(l1, l2) if l1 or l2 else None


def list_kernels(model: keras.Sequential, penalised: Penalised = "all") -> list[keras.Variable]:
    """The kernels that are penalised, in the order of the layers."""
    return [
        getattr(layer, name)
        for layer in _list_layers(model)
        if (settings := LAYERS.get(type(layer).__name__))
        for name in settings.penalised(penalised)
    ]


def count_weights(model: keras.Sequential, penalised: Penalised = "all") -> Counts:
    """The model's trainable and penalised weights."""
    groups = model.trainable_variables, list_kernels(model, penalised)
    return Counts(*(sum(prod(weights.shape) for weights in group) for group in groups))


def _make_residual(inside: keras.Sequential, name: str) -> keras.Model:
    """What comes in, added to what the layers inside make of it."""
    (inputs,) = inside.inputs
    return keras.Model(inputs, keras.layers.Add()([inputs, inside.outputs[0]]), name=name)


def _list_layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """Every layer in order, those of models inside the model too."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _list_layers(layer)
        else:
            yield layer
