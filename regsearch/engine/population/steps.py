"""What a population computes: steps, epochs and scores, as pure functions of arrays."""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from regsearch.data import Loss
from regsearch.engine.backend import door
from regsearch.engine.population.convolution import spread
from regsearch.engine.population.network import Network
from regsearch.engine.population.weights import sum_rows
from regsearch.spec import OptimizerBase

Tensors = dict[str, Any]
"""Measures by name, each (members,)."""


class State(NamedTuple):
    """What changes from step to step.

    Attributes:
        weights: (members, n).
        moving: what layers keep besides, (members, m).
        slots: the optimizer's.
    """

    weights: Any
    moving: Any
    slots: list[Any]


class Strengths(NamedTuple):
    """How strongly each member is penalised, each (members, 1)."""

    l1: Any
    l2: Any
    decay: Any


class Examples(NamedTuple):
    """Images and what is to be learnt of them, those of every group one after another.

    Attributes:
        x: images, (n, height, width, channels).
        y: labels (n,), or targets (n, q).
    """

    x: Any
    y: Any


class Part(NamedTuple):
    """Images that are scored together.

    Attributes:
        x: (groups, channels, height, width, images).
        y: labels (groups, images), or targets (groups, images, q).
        counted: 1 for each image that counts, 0 for those that fill up, (images,).
    """

    x: Any
    y: Any
    counted: Any


class _Rate:
    """The learning rate of each member in the step that is computed; Keras's optimizers call it."""

    now: Any = None

    def __call__(self) -> Any:
        return self.now


class Steps:
    """Training and scoring of a network's members, each of which depends on its own weights alone.

    Args:
        network: the members.
        loss: what is minimised.
        optimizer: Keras's.
        shares: what each image of a step counts for in the mean, 0 for those that fill up: (sub-batches, images). A
            step's batch is taken in sub-batches that stay in the cache, whose gradients are added up.
    """

    def __init__(self, network: Network, loss: Loss, optimizer: OptimizerBase, shares: NDArray[np.float32]) -> None:
        self.network, self.shares = network, shares
        self.measure_losses = {"cross_entropy": _cross_entropy, "squared_error": _squared_error}[loss]
        self.penalised = network.layouts.weights.penalised
        self.rate = _Rate()
        self.door = door()
        shape = network.members, self.penalised.shape[1]
        self.slots, self.update = self.door.make_update(_make_optimizer(optimizer, self.rate), shape)

    def train_epoch(
        self, state: State, examples: Examples, rows: Any, rates: Any, seeds: Any, before: Any, validation: Part,
        strengths: Strengths,
    ) -> tuple[State, Tensors]:  # fmt: skip
        """One epoch of every member.

        Args:
            state: before it.
            examples: to train on.
            rows: of `examples` in each step, (steps, sub-batches, groups, images).
            rates: learning rates, (steps, members).
            seeds: of what is dropped, see `Network.draw_seeds`.
            before: how many steps came before.
            validation: what is scored afterwards, in parts, each field with a first axis more.
            strengths: of the penalties.

        Returns:
            The state after it, and the measures by name. The training loss of a member whose total loss was no number
            in some step is none either.
        """

        def step(index: Any, carried: Any) -> Any:
            state, loss, norm, finite = carried
            state, step_loss, step_norm, step_finite = self._step(
                state, examples, rows[index], rates[index][:, None], seeds, before + index, strengths
            )
            return state, loss + step_loss, ops.maximum(norm, step_norm), ops.logical_and(finite, step_finite)

        members, steps = self.network.members, rows.shape[0]
        nothing = ops.zeros(members), ops.zeros(members), ops.ones(members, "bool")
        state, loss, norm, finite = ops.fori_loop(0, steps, step, (state, *nothing))

        def score(index: Any, sums: Tensors) -> Tensors:
            part = Part(*(values[index] for values in validation))
            return {name: sums[name] + value for name, value in self._sum_scores(state, part).items()}

        sums = ops.fori_loop(0, validation.x.shape[0], score, {"loss": nothing[0], "accuracy": nothing[1]})
        counted = ops.sum(validation.counted)
        return state, {
            "train_loss": ops.where(finite, loss / steps, float("nan")),
            "gradient_norm": norm,
            "validation_loss": sums["loss"] / counted,
            "validation_accuracy": sums["accuracy"] / counted,
            **self._weigh(state.weights, strengths),
        }

    def score_part(self, state: State, part: Part, strengths: Strengths) -> tuple[Tensors, Tensors]:
        """Sums of `loss` and `accuracy` over the images that count, and what `_weigh` gives."""
        return self._sum_scores(state, part), self._weigh(state.weights, strengths)

    def _step(
        self, state: State, examples: Examples, rows: Any, rates: Any, seeds: Any, before: Any, strengths: Strengths
    ) -> tuple[State, Any, Any, Any]:
        """One step of every member: the state, data loss, gradient norm, whether the total loss is a number."""
        shares = ops.convert_to_tensor(self.shares)

        def add_part(part: Any, carried: Any) -> Any:
            gradient, loss, moving = carried
            x, y = _gather(examples, rows[part])

            def total(weights: Any) -> tuple[Any, Any]:
                outputs, moved = self.network(weights, moving, x, True, seeds, before, part * shares.shape[1])
                losses, _ = self.measure_losses(outputs, y)
                own = ops.matmul(losses, shares[part][:, None])[:, 0]
                return ops.sum(own), (own, moved)

            _, (own, moved), added = self.door.differentiate(total, state.weights)
            return gradient + added, loss + own, moved

        nothing = self._differentiate_penalty(state.weights, strengths), ops.zeros(self.network.members), state.moving
        parts = self.shares.shape[0]
        gradient, loss, moving = add_part(0, nothing) if parts == 1 else ops.fori_loop(0, parts, add_part, nothing)
        norm = ops.sqrt(sum_rows(ops.square(gradient)))
        finite = ops.isfinite(loss + self._weigh(state.weights, strengths)["penalty_value"])
        self.rate.now = rates
        shrunk = state.weights * (1 - rates * strengths.decay * self.penalised)
        weights, slots = self.update(shrunk, state.slots, gradient)
        return State(weights, moving, slots), loss, norm, finite

    def _differentiate_penalty(self, weights: Any, strengths: Strengths) -> Any:
        return (strengths.l1 * ops.sign(weights) + 2 * strengths.l2 * weights) * self.penalised

    def _weigh(self, weights: Any, strengths: Strengths) -> Tensors:
        """The penalty, Σ|w| and Σw² over the penalised weights."""
        penalised = weights * self.penalised
        absolute, squared = sum_rows(ops.abs(penalised)), sum_rows(ops.square(penalised))
        penalty = strengths.l1[:, 0] * absolute + strengths.l2[:, 0] * squared
        return {"penalty_value": penalty, "sum_abs_weights": absolute, "sum_squared_weights": squared}

    def _sum_scores(self, state: State, part: Part) -> Tensors:
        outputs, _ = self.network(state.weights, state.moving, part.x)
        scores = zip(("loss", "accuracy"), self.measure_losses(outputs, part.y), strict=True)
        return {name: ops.matmul(values, part.counted[:, None])[:, 0] for name, values in scores}


def _gather(examples: Examples, rows: Any) -> tuple[Any, Any]:
    """The images of some rows, (groups, images), as activations, and what is to be learnt of them."""
    flat = ops.reshape(rows, (-1,))
    x, y = (ops.take(values, flat, axis=0) for values in examples)
    x = ops.reshape(x, (*rows.shape, *x.shape[1:]))
    return ops.transpose(x, (0, 4, 2, 3, 1)), ops.reshape(y, (*rows.shape, *y.shape[1:]))


def _cross_entropy(logits: Any, y: Any) -> tuple[Any, Any]:
    """Cross-entropy and whether the class is right, each (members, images), of (members, classes, images)."""
    members, classes, _ = logits.shape
    shifted = logits - ops.stop_gradient(ops.max(logits, axis=1, keepdims=True))
    chosen = spread(ops.one_hot(y, classes, axis=1), members)
    losses = ops.log(ops.sum(ops.exp(shifted), axis=1)) - ops.sum(shifted * chosen, axis=1)
    right = ops.argmax(logits, axis=1) == ops.cast(spread(y, members), "int32")
    return losses, ops.cast(right, "float32")


def _squared_error(outputs: Any, y: Any) -> tuple[Any, Any]:
    """The squared error, averaged over the targets, and no accuracy, each (members, images)."""
    targets = spread(ops.transpose(y, (0, 2, 1)), outputs.shape[0])
    losses = ops.mean(ops.square(outputs - targets), axis=1)
    return losses, ops.zeros_like(losses)


def _make_optimizer(settings: OptimizerBase, rate: _Rate) -> keras.optimizers.Optimizer:
    """Keras's own optimizer; its weight decay is off, since decay is per member here."""
    arguments = dict(settings) | {"learning_rate": rate}
    if settings.kind == "AdamW":
        arguments["weight_decay"] = 0.0
    return getattr(keras.optimizers, settings.kind)(**arguments)
