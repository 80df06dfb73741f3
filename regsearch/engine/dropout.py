"""Dropout masks from (seed, step, position) alone: the same in both engines, on every backend and device.

The backends' own generators differ from each other, and TensorFlow's under XLA from those outside it, so the mask is
a hash of whole numbers instead: MurmurHash3's finalizer (Appleby), which passes its avalanche tests, applied twice.
"""

from math import prod
from typing import Any

import keras
from keras import ops

_GOLDEN = 0x9E3779B1


def draw_mask(position: Any, rate: float, seed: Any, step: Any) -> Any:
    """Which activations a step keeps.

    Args:
        position: where each stands in its batch, counted over (batch, …, channels); whole numbers of any shape.
        rate: the share that is dropped.
        seed: of the layer, whole numbers of a shape that goes with the positions'.
        step: how many steps came before, a whole number.

    Returns:
        Booleans of the shape of `position` with `seed`.
    """
    key = _mix(_mix(ops.cast(seed, "uint32")) + ops.cast(step, "uint32") * _make_word(_GOLDEN))
    hashed = _mix(ops.bitwise_xor(_mix(ops.cast(position, "uint32") + key), key))
    uniform = ops.cast(ops.right_shift(hashed, _make_word(8)), "float32") * 2.0**-24
    return uniform >= rate


def _mix(h: Any) -> Any:
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h = ops.bitwise_xor(h, ops.right_shift(h, _make_word(shift))) * _make_word(factor)
    return ops.bitwise_xor(h, ops.right_shift(h, _make_word(16)))


def _make_word(value: int) -> Any:
    return ops.convert_to_tensor(value, "uint32")


class Dropout(keras.layers.Dropout):
    """Keras's Dropout with the masks above; the step is counted by Keras's own seed generator."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Drops and scales while training."""
        return _drop(self, inputs, ops.shape(inputs)) if training and self.rate else inputs


class SpatialDropout2D(keras.layers.SpatialDropout2D):
    """Keras's SpatialDropout2D with the masks above; a place of the mask is one channel of one image."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Drops whole channels and scales the others while training."""
        batch, *_, channels = ops.shape(inputs)
        return _drop(self, inputs, (batch, 1, 1, channels)) if training and self.rate else inputs


def _drop(layer: Any, inputs: Any, shape: Any) -> Any:
    """What is left of a layer's inputs under a mask of `shape`."""
    seed, step = ops.unstack(layer.seed_generator.next(), 2)
    position = ops.arange(prod(shape), dtype="int32")
    return ops.where(draw_mask(ops.reshape(position, shape), layer.rate, seed, step), inputs / (1 - layer.rate), 0.0)
