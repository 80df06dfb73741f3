"""JAX behind the door."""

from collections.abc import Callable
from typing import Any

import jax
import keras
from jax import numpy as jnp


def set_up(threads: int, device: str | None) -> None:
    """See `Door.set_up`."""


def sees_gpu() -> bool:
    """See `Door.sees_gpu`."""
    return any(device.platform == "gpu" for device in jax.devices())


def compile_function(function: Callable[..., Any], with_xla: bool) -> Callable[..., Any]:
    """See `Door.compile_function`."""
    return jax.jit(function) if with_xla else function


def differentiate(function: Callable[[Any], tuple[Any, Any]], at: Any) -> tuple[Any, Any, Any]:
    """See `Door.differentiate`."""
    (value, beside), gradient = jax.value_and_grad(function, has_aux=True)(at)
    return value, beside, gradient


def multiply(a: Any, b: Any, turn_a: bool = False, turn_b: bool = False) -> Any:
    """See `Door.multiply`."""
    last = a.ndim - 1
    contracted = (last - turn_a,), (last - (not turn_b),)
    return jax.lax.dot_general(a, b, (contracted, (tuple(range(last - 1)),) * 2))


def keep(values: Any, sure: Any) -> Any:
    """See `Door.keep`."""
    return (
        values
        if sure is True
        else jax.lax.cond(sure, lambda all: all, lambda all: jax.tree.map(jnp.zeros_like, all), values)
    )


def make_update(optimizer: keras.Optimizer, shape: tuple[int, ...]) -> tuple[list[Any], Callable[..., Any]]:
    """See `Door.make_update`."""
    optimizer.build([keras.Variable(jnp.zeros(shape))])

    def update(weights: Any, state: list[Any], gradient: Any) -> tuple[Any, list[Any]]:
        (after,), moved = optimizer.stateless_apply(state, [gradient], [weights])
        return after, moved

    return [jnp.asarray(variable.value) for variable in optimizer.variables], update


def make_deterministic() -> None:
    """See `Door.make_deterministic`: on a CPU it does."""
