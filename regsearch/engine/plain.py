"""A network of the grid → a plain Keras model at its width, and its weight counts as Keras states them."""

from collections.abc import Callable, Iterator

import keras

from regsearch.engine.dropout import Dropout, SpatialDropout2D
from regsearch.grid import Architecture
from regsearch.ledger import Counts
from regsearch.randomness import DROPOUT, START, draw_layer_seed
from regsearch.spec import LAYERS, LayerBase, Penalised, Residual

_OURS = {"Dropout": Dropout, "SpatialDropout2D": SpatialDropout2D}
"""Layers whose random numbers are the study's own."""

Regularizers = Callable[[], keras.regularizers.Regularizer | None]
Place = tuple[int, ...]
"""Where a layer stands: its number in the list, and in the list inside a `Residual`, and so on."""


def build(
    architecture: Architecture,
    image: tuple[int, int, int],
    classes: int,
    seed: int,
    regularizer: Regularizers = lambda: None,
) -> keras.Sequential:
    """Builds a network with the start that follows from (seed, layer).

    Args:
        network: which layers, at which width.
        image: (height, width, channels) of the input.
        classes: the number of classes.
        seed: the trial's seed.
        regularizer: makes the regularizer of each penalised kernel.

    Raises:
        ValueError: a layer does not fit its input; the message is Keras's.
    """

    def stacked(shape: tuple[int, ...], layers: tuple[LayerBase, ...], place: Place) -> keras.Sequential:
        model = keras.Sequential([keras.Input(shape)])
        for index, layer in enumerate(layers):
            here = (*place, index)
            if isinstance(layer, Residual):
                made = _residual(stacked(shape, layer.layers, here), named(layer, here))
            else:
                arguments = layer.arguments(architecture.width, classes)
                for number, name in enumerate(layer.kernels.values()):
                    initializer = arguments[f"{name}_initializer"]
                    arguments[f"{name}_initializer"] = seeded(initializer, seed, here, number)
                for kernel in layer.penalised(architecture.penalised):
                    arguments[f"{layer.kernels[kernel]}_regularizer"] = regularizer()
                if layer.kind in _OURS:
                    arguments["seed"] = draw_layer_seed(seed, DROPOUT, *here)
                kind = _OURS.get(layer.kind) or getattr(keras.layers, layer.kind)
                made = kind(**arguments, name=named(layer, here))
            model.add(made)
            shape = model.output_shape[1:]
        return model

    return stacked(image, architecture.layers, ())


def named(layer: LayerBase, place: Place) -> str:
    """The name of a layer in a Keras model: `2_Residual`, `2.0_Conv2D`."""
    return f"{'.'.join(map(str, place))}_{layer.kind}"


def seeded(initializer: str, seed: int, place: Place, kernel: int = 0) -> keras.initializers.Initializer:
    """Keras's initializer of a name, drawing the start that follows from the seed, the layer and the kernel in it."""
    drawn = draw_layer_seed(seed, START, *place, *((kernel,) if kernel else ()))
    return keras.initializers.get({"class_name": initializer, "config": {"seed": drawn}})


def kernels(model: keras.Sequential, penalised: Penalised = "all") -> list[keras.Variable]:
    """The kernels that are penalised, in the order of the layers."""
    found = []
    for layer in _every(model):
        if settings := LAYERS.get(type(layer).__name__):
            found += [getattr(layer, name) for name in settings.penalised(penalised)]
    return found


def counts(model: keras.Sequential, penalised: Penalised = "all") -> Counts:
    """The model's trainable and penalised weights."""
    return Counts(
        trainable=sum(int(variable.value.shape.num_elements()) for variable in model.trainable_variables),
        penalised=sum(int(kernel.value.shape.num_elements()) for kernel in kernels(model, penalised)),
    )


def _residual(inside: keras.Sequential, name: str) -> keras.Model:
    """What comes in, added to what the layers inside make of it."""
    (given,) = inside.inputs
    return keras.Model(given, keras.layers.Add()([given, inside.outputs[0]]), name=name)


def _every(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """Every layer in order, those of models inside the model too."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _every(layer)
        else:
            yield layer
