"""TensorFlow behind the door."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from regsearch.engine.backend.process import ELSEWHERE
from regsearch.errors import DeviceError


def set_up(threads: int, device: str | None) -> None:
    """See `Door.set_up`."""
    tf.get_logger().setLevel("ERROR")
    try:
        if device == "CPU":
            tf.config.set_visible_devices([], "GPU")
        if threads:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        computing = tf.config.threading.get_intra_op_parallelism_threads() or "as many as it takes"
        raise DeviceError(
            f"expected TensorFlow to train with {threads or computing} threads on {device or 'any device'}, on which "
            f"its numbers depend, got a process where it computes already ({computing} threads): {ELSEWHERE}"
        ) from None
    if device == "GPU" and tf.config.list_physical_devices("GPU") and not tf.config.get_visible_devices("GPU"):
        raise DeviceError(f"expected TensorFlow to see its GPU, got a process that hid it: {ELSEWHERE}")


def sees_gpu() -> bool:
    """See `Door.sees_gpu`."""
    return bool(tf.config.list_physical_devices("GPU"))


def compile_function(function: Callable[..., Any], with_xla: bool) -> Callable[..., Any]:
    """See `Door.compile_function`."""
    compiled: Callable[..., Any] = tf.function(function, jit_compile=with_xla, autograph=False)
    return compiled


def differentiate(function: Callable[[Any], tuple[Any, Any]], at: Any) -> tuple[Any, Any, Any]:
    """See `Door.differentiate`."""
    with tf.GradientTape() as tape:
        tape.watch(at)
        value, beside = function(at)
    return value, beside, tape.gradient(value, at)


def multiply(a: Any, b: Any, turn_a: bool = False, turn_b: bool = False) -> Any:
    """See `Door.multiply`."""
    return tf.matmul(a, b, transpose_a=turn_a, transpose_b=turn_b)


def keep(values: Any, sure: Any) -> Any:
    """See `Door.keep`."""
    return (
        values
        if sure is True
        else tf.cond(sure, lambda: values, lambda: tf.nest.map_structure(tf.zeros_like, values))
    )


def make_update(optimizer: keras.Optimizer, shape: tuple[int, ...]) -> tuple[list[Any], Callable[..., Any]]:
    """See `Door.make_update`. Keras's optimizers change variables here, which each step is taken through."""
    weights = keras.Variable(tf.zeros(shape))
    optimizer.build([weights])
    variables = optimizer.variables
    start = [tf.constant(variable.numpy()) for variable in variables]

    def update(before: Any, state: list[Any], gradient: Any) -> tuple[Any, list[Any]]:
        for variable, value in zip([weights, *variables], [before, *state], strict=True):
            variable.assign(value)
        optimizer.apply([gradient], [weights])
        return tf.identity(weights.value), [tf.identity(variable.value) for variable in variables]

    return start, update


def make_deterministic() -> None:
    """See `Door.make_deterministic`."""
    tf.config.experimental.enable_op_determinism()
