"""Layers that normalize, member by member; their scales and offsets are not penalised."""

from typing import Any

import tensorflow as tf

from regsearch.engine.population.layers import IMAGE, VECTOR, MemberLayer


class _Normalization(MemberLayer):
    """A scale and an offset for each channel, if asked for; whether activations are still `shared` by all members."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.shared = len(shape) in (IMAGE, VECTOR)
        self.size = (self.members, shape[0 if self.shared else 1])
        if self.arguments["scale"]:
            self.gamma = self.add_weight(shape=self.size, initializer="ones", name="gamma")
        if self.arguments["center"]:
            self.beta = self.add_weight(shape=self.size, initializer="zeros", name="beta")

    def start(self, seed: int) -> None:
        for variable in self.variables:
            variable.assign(
                tf.ones(variable.shape) if variable.name in ("gamma", "moving_variance") else tf.zeros(variable.shape)
            )

    def broadcast(self, x: tf.Tensor) -> tf.Tensor:
        """Activations, with a member axis."""
        return tf.broadcast_to(x[None], (self.members, *x.shape)) if self.shared else x

    def reshape(self, weights: Any, x: tf.Tensor) -> tf.Tensor:
        """One number a channel, (members, channels), as activations have their axes."""
        return tf.reshape(weights, (self.members, -1) + (1,) * (len(x.shape) - 2))


class BatchNormalization(_Normalization):
    """Keras's BatchNormalization over the channels."""

    changes = True

    def build(self, shape: tuple[int, ...]) -> None:
        super().build(shape)
        self.moving_mean = self.add_weight(shape=self.size, initializer="zeros", trainable=False, name="moving_mean")
        self.moving_variance = self.add_weight(
            shape=self.size, initializer="ones", trainable=False, name="moving_variance"
        )

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        x = self.broadcast(x)
        mean, variance = self.moving_mean.value, self.moving_variance.value
        if training:
            momentum = self.arguments["momentum"]
            mean, variance = tf.nn.moments(x, list(range(2, len(x.shape))))
            self.moving_mean.assign(self.moving_mean.value * momentum + mean * (1 - momentum))
            self.moving_variance.assign(self.moving_variance.value * momentum + variance * (1 - momentum))
        factor = tf.math.rsqrt(variance + self.arguments["epsilon"])
        if self.arguments["scale"]:
            factor *= self.gamma.value
        offset = -mean * factor
        if self.arguments["center"]:
            offset += self.beta.value
        return x * self.reshape(factor, x) + self.reshape(offset, x)


class LayerNormalization(_Normalization):
    """Keras's LayerNormalization over the channels or features of each image, at each place."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        x = self.broadcast(x)
        mean, variance = tf.nn.moments(x, [1], keepdims=True)
        factor = tf.math.rsqrt(variance + self.arguments["epsilon"])
        if self.arguments["scale"]:
            factor *= self.reshape(self.gamma.value, x)
        offset = -mean * factor
        if self.arguments["center"]:
            offset += self.reshape(self.beta.value, x)
        return x * factor + offset
