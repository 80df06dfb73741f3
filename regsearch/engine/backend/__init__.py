"""One door to what TensorFlow and JAX do differently; nothing but the modules behind it names either.

Keras computes with one of them in a process. `door()` is the module of that one.
"""

import importlib
from collections.abc import Callable
from typing import Any, Protocol, cast

from regsearch.engine.backend.devices import count_cores, find_gpus
from regsearch.engine.backend.process import import_quietly, start

__all__ = ["BACKENDS", "Door", "count_cores", "door", "find_gpus", "has_gpu", "import_quietly", "start"]

BACKENDS = ("tensorflow", "jax")


class Door(Protocol):
    """What a backend's module has."""

    def set_up(self, threads: int, device: str | None) -> None:
        """Settles threads and devices, before anything is computed; see `start`."""

    def sees_gpu(self) -> bool:
        """Whether a GPU is there for it."""

    def compile_function(self, function: Callable[..., Any], with_xla: bool) -> Callable[..., Any]:
        """A pure function, compiled for the shapes it is called with."""

    def differentiate(self, function: Callable[[Any], tuple[Any, Any]], at: Any) -> tuple[Any, Any, Any]:
        """Value, what goes with it, and gradient of a function that gives the first two."""

    def multiply(self, a: Any, b: Any, turn_a: bool = False, turn_b: bool = False) -> Any:
        """Products of matrices, each of either turned round or not, as the backend computes them without a copy."""

    def keep(self, values: Any, sure: Any) -> Any:
        """The same values, computed once.

        XLA computes again what each user of a value needs of it, number by number, with the indices of every reshape
        on the way: a gradient through a pool takes thrice as long. What comes out of a condition it cannot.

        Args:
            values: arrays; they have no gradient.
            sure: what is true, though XLA does not know: a Boolean array. True itself lets XLA do as it likes.
        """

    def make_update(self, optimizer: Any, shape: tuple[int, ...]) -> tuple[list[Any], Callable[..., Any]]:
        """Steps of a Keras optimizer over weights of a shape, as a pure function.

        Returns:
            Its state at the start, arrays; and (weights, state, gradient) → (weights, state).
        """

    def make_deterministic(self) -> None:
        """Lets plain Keras compute the same each time."""


def door(name: str | None = None) -> Door:
    """The module of a backend, or of the one that Keras computes with here."""
    if name is None:
        import keras

        name = keras.backend.backend()
    return cast(Door, importlib.import_module(f"regsearch.engine.backend.on_{name}"))


def has_gpu(backend: str) -> bool:
    """Whether a backend finds a GPU; it is asked only where the machine has one."""
    if not find_gpus():
        return False
    import_quietly(backend)
    return door(backend).sees_gpu()
