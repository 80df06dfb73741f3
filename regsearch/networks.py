"""A network of the grid → a plain Keras model at its width, and its weight counts as Keras states them."""

from collections.abc import Callable
from typing import Any

import keras

from regsearch.dropout import Dropout
from regsearch.grid import Network
from regsearch.randomness import DROPOUT, START, layer_seed
from regsearch.records import Counts


def build(
    network: Network,
    image: tuple[int, int, int],
    classes: int,
    seed: int,
    regularizer: Callable[[], keras.regularizers.Regularizer | None] = lambda: None,
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
    model = keras.Sequential([keras.Input(image)])
    for index, layer in enumerate(network.layers):
        arguments: dict[str, Any] = layer.arguments(network.width, classes)
        if initializer := arguments.get("kernel_initializer"):
            arguments["kernel_initializer"] = seeded(initializer, seed, index)
        if layer.penalised:
            arguments["kernel_regularizer"] = regularizer()
        if layer.kind == "Dropout":
            arguments["seed"] = layer_seed(seed, DROPOUT, index)
        kind = Dropout if layer.kind == "Dropout" else getattr(keras.layers, layer.kind)
        model.add(kind(**arguments, name=f"{index}_{layer.kind}"))
    return model


def seeded(initializer: str, seed: int, layer: int) -> keras.initializers.Initializer:
    """Keras's initializer of a name, drawing the start that follows from (seed, layer)."""
    return keras.initializers.get({"class_name": initializer, "config": {"seed": layer_seed(seed, START, layer)}})


def kernels(model: keras.Sequential) -> list[keras.Variable]:
    """The kernels that are penalised, in the order of the layers."""
    return [layer.kernel for layer in model.layers if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense)]


def counts(model: keras.Sequential) -> Counts:
    """The model's trainable and penalised weights."""
    return Counts(
        trainable=sum(int(variable.value.shape.num_elements()) for variable in model.trainable_variables),
        penalised=sum(int(kernel.value.shape.num_elements()) for kernel in kernels(model)),
    )
