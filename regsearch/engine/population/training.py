"""The population engine: trains many networks at once, one compiled call an epoch."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from regsearch.data import Arrays, Loss, Split
from regsearch.engine.population.model import PopulationModel
from regsearch.engine.population.stopping import Patience
from regsearch.grid import KEPT_COMPILED, SCORED_AT_ONCE, Architecture, Population, Size
from regsearch.ledger import Checkpoint, Counts, Epoch, Record, record_completed, record_diverged
from regsearch.randomness import draw_batches
from regsearch.spec import OptimizerBase, Training


def train(
    population: Population,
    split: Split,
    training: Training,
    size: Size,
    members: int,
    device: str = "CPU",
    lowering: str | None = None,
    compiled: bool = True,
    state: Checkpoint | None = None,
    raise_if_stopped: Callable[[], None] = lambda: None,
) -> list[Record]:
    """Trains a population.

    Args:
        population: which networks; they share everything but penalty and lambda.
        split: their data.
        training: optimizer, batch size, epochs.
        size: of its network.
        members: how many to compile for; the population may be smaller, and is filled up with networks that
            are trained and forgotten, so that its numbers are those of a full one.
        device: `CPU` or `GPU`.
        lowering: forces how convolutions are computed.
        compiled: whether XLA compiles it; otherwise TensorFlow runs it as it is, with other rounding.
        state: where its state between epochs is kept, and continued from.
        raise_if_stopped: called before each epoch.

    Returns:
        One record a member, in order.
    """
    started = time.perf_counter()
    image = tuple(int(size) for size in split.train[0].shape[1:])
    first = population.first
    trainer = _trainer(
        first.architecture, image, split.outputs, split.loss, members, training, size, device, lowering, compiled
    )
    scores = trainer.run(population, split, training.epochs, state, raise_if_stopped)
    seconds = (scores.seconds_before + time.perf_counter() - started) / len(population.cells)
    labelled = split.loss == "cross_entropy"
    members_in = range(len(population.cells))
    return [_record(population, member, trainer.counts, scores, labelled, seconds) for member in members_in]


@lru_cache(maxsize=KEPT_COMPILED)
def _trainer(*what: Any) -> "Trainer":
    """One compiled network for every lambda, penalty, learning rate and seed."""
    return Trainer(*what)


def forget() -> None:
    """Lets go of every compiled network and its memory, as after running out of it."""
    _trainer.cache_clear()
    keras.backend.clear_session()


@dataclass
class Scores:
    """What a population's training gave.

    Attributes:
        epochs: each of MEASURES, (epochs, MEASURES, members); the first entry is the start.
        finite: whether every step's total loss was a number, (epochs, members).
        test: data loss and accuracy on the test data, (2, members).
        ended: the last epoch of each member, (members,).
        counted: the epoch whose weights count, (members,).
        seconds_before: what the epochs took that an earlier run trained.
    """

    epochs: NDArray[np.float64]
    finite: NDArray[np.bool_]
    test: NDArray[np.float64]
    ended: NDArray[np.int64]
    counted: NDArray[np.int64]
    seconds_before: float = 0.0


MEASURES = (
    "train_loss", "penalty_value", "validation_loss", "validation_accuracy", "gradient_norm", "sum_abs_weights",
    "sum_squared_weights",
)  # fmt: skip


VALIDATION_LOSS = MEASURES.index("validation_loss")


class Trainer:
    """A population model with its optimizer and its compiled epoch."""

    def __init__(
        self,
        architecture: Architecture,
        image: tuple[int, int, int],
        classes: int,
        loss: Loss,
        members: int,
        training: Training,
        size: Size,
        device: str,
        lowering: str | None = None,
        compiled: bool = True,
    ) -> None:
        self.members, self.settings = members, training
        self._losses = {"cross_entropy": self._cross_entropy, "squared_error": self._squared_error}[loss]
        self.model = PopulationModel(architecture, classes, members, size, device, lowering)
        self.model(tf.zeros((training.batch_size, *image)))
        self.weights = self.model.trainable_variables
        self.optimizer = _optimizer(training.optimizer)
        self.optimizer.build(self.weights)
        self.at_start = [variable.numpy() for variable in self.optimizer.variables]
        # The weights that count of members that are finished, or were better before.
        stops = training.early_stopping is not None
        self.of_members = [variable for variable in self.model.variables if len(variable.shape)] if stops else []
        self.kept = [tf.Variable(variable) for variable in self.of_members]
        compiled = compiled and "native" not in self.model.lowerings.values()
        self.keep = tf.function(self._keep)
        self.epoch = tf.function(self._epoch, jit_compile=compiled)
        self.score_part = tf.function(self._score_part, jit_compile=compiled)

    @property
    def counts(self) -> Counts:
        """One member's trainable and penalised weights."""
        sizes = [sum(int(np.prod(w.shape[1:])) for w in group) for group in (self.weights, self.model.kernels)]
        return Counts(*sizes)

    def run(
        self,
        population: Population,
        split: Split,
        epochs: int,
        state: Checkpoint | None = None,
        raise_if_stopped: Callable[[], None] = lambda: None,
    ) -> Scores:
        """Trains one population from its start, or from its saved state; see `Scores`."""
        started = time.perf_counter()
        first = population.first
        shares = np.zeros((3, self.members), np.float32)
        for member, cell in enumerate(population.cells):
            shares[:, member] = cell.shares(self.counts.penalised)
        l1, l2, decay = map(tf.constant, shares)
        self.model.start(first.seed)
        for variable, value in zip(self.optimizer.variables, self.at_start, strict=True):
            variable.assign(value)
        x, y = tf.constant(split.train[0]), tf.constant(split.train[1])
        validation = _parts(split.validation)
        scored = tuple(map(tf.constant, validation))
        nothing, settings = np.full(self.members, np.nan), self.settings
        patience = Patience(settings.early_stopping, self.members)
        seconds_before = 0.0
        if state and (saved := state.load(self._state_shapes())):
            rows, finite, seconds_before = list(saved["rows"]), list(saved["finite"]), float(saved["seconds"])
            for name, variable in self._variables().items():
                variable.assign(saved[name])
        else:
            scores, sums = self._score(validation, l1, l2)
            rows, finite = [self._row(nothing, sums, scores, nothing)], [np.ones(self.members, bool)]
        for number, row in enumerate(rows[1:], 1):
            patience.see(number, row[VALIDATION_LOSS])
        for number in range(len(rows), epochs + 1):
            raise_if_stopped()
            order = draw_batches(first.seed, number, first.train_size, settings.batch_size, settings.steps_per_epoch)
            rates = first.learning_rate * np.array(settings.factors(first.train_size, number))
            given = (tf.constant(order), tf.constant(rates, tf.float32), *scored, l1, l2, decay)
            found = self.epoch(x, y, *given).numpy().astype(np.float64)
            train_loss, norm, ok, loss, accuracy, *sums = found
            rows.append(self._row(train_loss, np.array(sums), np.array([loss, accuracy]), norm))
            finite.append(ok > 0)
            patience.see(number, rows[-1][VALIDATION_LOSS])
            if self.kept:
                self.keep(tf.constant(patience.counts(number)))
            going = np.logical_and.reduce(finite) & (patience.stopped == 0)
            if not going[: len(population.cells)].any():
                break
            if state and state.due() and number < epochs:
                seconds = seconds_before + time.perf_counter() - started
                variables = {name: variable.numpy() for name, variable in self._variables().items()}
                state.save({"rows": rows, "finite": finite, "seconds": seconds, **variables})
        ended, counted = patience.ends(len(rows) - 1)
        if self.kept:
            self.keep(tf.constant(counted == len(rows) - 1))
            for variable, kept in zip(self.of_members, self.kept, strict=True):
                variable.assign(kept)
        test = self._score(_parts(split.test), l1, l2)[0]
        return Scores(np.array(rows), np.array(finite), test, ended, counted, seconds_before)

    def _keep(self, which: tf.Tensor) -> None:
        """Keeps the weights that members, (members,), have now."""
        for variable, kept in zip(self.of_members, self.kept, strict=True):
            kept.assign(tf.where(tf.reshape(which, (-1,) + (1,) * (len(kept.shape) - 1)), variable.value, kept))

    def _variables(self) -> dict[str, Any]:
        """Everything that changes from epoch to epoch: weights, moving averages, dropout's steps, the optimizer's."""
        variables = [*self.model.variables, *self.optimizer.variables, *self.kept]
        return {f"variable_{index}": variable for index, variable in enumerate(variables)}

    def _state_shapes(self) -> dict[str, tuple[tuple[int | None, ...], Any]]:
        """The shape and type of each array of a saved state."""
        shapes = {name: (tuple(variable.shape), variable.dtype) for name, variable in self._variables().items()}
        rows = {"rows": ((None, len(MEASURES), self.members), np.float64), "finite": ((None, self.members), np.bool_)}
        return {**rows, "seconds": ((), np.float64), **shapes}

    def _row(self, train_loss: Any, sums: Any, scores: Any, norm: Any) -> NDArray[np.float64]:
        """One epoch's measures, (MEASURES, members)."""
        penalty, absolute, squared = np.asarray(sums, np.float64)
        return np.array([train_loss, penalty, scores[0], scores[1], norm, absolute, squared])

    def _score(
        self, parts: tuple[NDArray[Any], ...], l1: tf.Tensor, l2: tf.Tensor
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Data loss and accuracy over data in parts, (2, members), and what `_weigh` gives."""
        found = [self.score_part(*map(tf.constant, part), l1, l2).numpy() for part in zip(*parts, strict=True)]
        return sum(part[:2].astype(np.float64) for part in found) / parts[2].sum(), found[0][2:]

    # What follows is compiled.

    def _cross_entropy(self, x: tf.Tensor, y: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """Cross-entropy and whether the class is right, each (members, batch)."""
        logits = self.model(x, training=training)
        shifted = logits - tf.stop_gradient(tf.reduce_max(logits, axis=1, keepdims=True))
        chosen = tf.one_hot(y, logits.shape[1], axis=0)
        losses = tf.math.log(tf.reduce_sum(tf.exp(shifted), axis=1)) - tf.reduce_sum(shifted * chosen, axis=1)
        right = tf.argmax(logits, axis=1, output_type=tf.int32) == y
        return losses, tf.cast(right, tf.float32)

    def _squared_error(self, x: tf.Tensor, y: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """The squared error, averaged over the targets, and no accuracy, each (members, batch)."""
        losses = tf.reduce_mean(tf.square(self.model(x, training=training) - tf.transpose(y)), axis=1)
        return losses, tf.zeros_like(losses)

    def _weigh(self, l1: tf.Tensor, l2: tf.Tensor) -> tf.Tensor:
        """The penalty, Σ|w| and Σw² over the penalised weights, (3, members)."""
        kernels = [tf.reshape(kernel.value, (self.members, -1)) for kernel in self.model.kernels]
        absolute = tf.add_n([_totals(tf.abs(kernel)) for kernel in kernels])
        squared = tf.add_n([_totals(tf.square(kernel)) for kernel in kernels])
        return tf.stack([l1 * absolute + l2 * squared, absolute, squared])

    def _sums(self, x: tf.Tensor, y: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
        """Sums of losses and of right answers over the images that count, (2, members)."""
        losses, right = self._losses(x, y, training=False)
        return tf.stack([tf.reduce_sum(losses * counted, axis=1), tf.reduce_sum(right * counted, axis=1)])

    def _score_part(self, x: tf.Tensor, y: tf.Tensor, counted: tf.Tensor, l1: tf.Tensor, l2: tf.Tensor) -> tf.Tensor:
        """`_sums` and `_weigh`, (5, members)."""
        return tf.concat([self._sums(x, y, counted), self._weigh(l1, l2)], axis=0)

    def _step(
        self, x: tf.Tensor, y: tf.Tensor, rate: tf.Tensor, l1: tf.Tensor, l2: tf.Tensor, decay: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """One step of every member: data loss, gradient norm, and whether the total loss is a number."""
        with tf.GradientTape() as tape:
            losses, _ = self._losses(x, y, training=True)
            data_loss = tf.reduce_mean(losses, axis=1)
            total = data_loss + self._weigh(l1, l2)[0]
            population = tf.reduce_sum(total)
        gradients = tape.gradient(population, [weight.value for weight in self.weights])
        flat = [tf.reshape(gradient, (self.members, -1)) for gradient in gradients]
        norm = tf.sqrt(tf.add_n([_totals(tf.square(gradient)) for gradient in flat]))
        for kernel in self.model.kernels:
            shrink = rate * decay
            kernel.assign(kernel.value * (1 - tf.reshape(shrink, (-1,) + (1,) * (len(kernel.shape) - 1))))
        self.optimizer.learning_rate.assign(rate)
        self.optimizer.apply(gradients, self.weights)
        return data_loss, norm, tf.math.is_finite(total)

    def _epoch(
        self, x: tf.Tensor, y: tf.Tensor, order: tf.Tensor, rates: tf.Tensor, vx: tf.Tensor, vy: tf.Tensor,
        counted: tf.Tensor, l1: tf.Tensor, l2: tf.Tensor, decay: tf.Tensor,
    ) -> tf.Tensor:  # fmt: skip
        """One epoch of every member, and its validation scores.

        Args:
            x: training images, (n, height, width, channels).
            y: their labels (n,), or targets (n, q).
            order: the indices of each step's batch, (steps, batch).
            rates: the learning rate of each step, (steps,).
            vx: validation images in parts, (parts, images, height, width, channels).
            vy: theirs, (parts, images) or (parts, images, q).
            counted: 1 for each image that counts, 0 for what fills the last part up.
            l1: strengths, (members,).
            l2: likewise.
            decay: likewise.

        Returns:
            Mean data loss, largest gradient norm, whether every total loss was a number, validation loss and
            accuracy, penalty, Σ|w|, Σw²: (8, members).
        """
        loss, norm, finite = tf.zeros(self.members), tf.zeros(self.members), tf.ones(self.members, tf.bool)
        for step in tf.range(order.shape[0]):
            rows = order[step]
            found = self._step(tf.gather(x, rows), tf.gather(y, rows), rates[step], l1, l2, decay)
            loss, norm, finite = loss + found[0], tf.maximum(norm, found[1]), finite & found[2]
        scored = tf.zeros((2, self.members))
        for part in tf.range(vx.shape[0]):
            scored += self._sums(vx[part], vy[part], counted[part])
        scored /= tf.reduce_sum(counted)
        one = tf.stack([loss / order.shape[0], norm, tf.cast(finite, tf.float32)])
        return tf.concat([one, scored, self._weigh(l1, l2)], axis=0)


def _totals(x: tf.Tensor) -> tf.Tensor:
    """Sums of (members, n) over n, mostly as a product with ones: XLA adds up a plain sum one by one."""
    members, n = x.shape
    rows = -(-n // 64)
    x = tf.reshape(tf.pad(x, [[0, 0], [0, rows * 64 - n]]), (members, rows, 64))
    return tf.reduce_sum(tf.matmul(tf.ones((members, 1, rows)), x), axis=(1, 2))


def _optimizer(settings: OptimizerBase) -> Any:
    """Keras's own optimizer; its weight decay is off, since decay is per member here."""
    arguments = dict(settings)
    if settings.kind == "AdamW":
        arguments["weight_decay"] = 0.0
    return getattr(keras.optimizers, settings.kind)(**arguments)


def _parts(data: Arrays) -> tuple[NDArray[Any], ...]:
    """Data in parts of equal size, the last filled up with images that do not count."""
    x, y = data
    size = min(SCORED_AT_ONCE, -(-len(x) // 16) * 16)
    parts = -(-len(x) // size)
    rows = np.resize(np.arange(len(x)), parts * size)
    counted = (np.arange(parts * size) < len(x)).astype(np.float32)
    images, targets = (values[rows].reshape(parts, size, *values.shape[1:]) for values in (x, y))
    return images, targets, counted.reshape(parts, size)


def _record(
    population: Population, member: int, counts: Counts, scores: Scores, labelled: bool, seconds: float
) -> Record:
    """One member's record; it diverged in the first epoch that is not all numbers."""
    cell = population.cells[member]
    epochs: list[Epoch] = []
    trained = slice(scores.ended[member] + 1)
    for number, (values, finite) in enumerate(
        zip(scores.epochs[trained, :, member], scores.finite[trained, member], strict=True)
    ):
        named = dict(zip(MEASURES, map(float, values), strict=True))
        if number == 0:
            named |= {"train_loss": None, "gradient_norm": None}  # type: ignore[dict-item]
        if not labelled:
            named |= {"validation_accuracy": None}  # type: ignore[dict-item]
        epoch = Epoch(trial=cell.trial, epoch=number, **named)
        if not (finite and epoch.finite()):
            return record_diverged(cell, counts, epochs, number, seconds)
        epochs.append(epoch)
    accuracy = float(scores.test[1, member]) if labelled else None
    test, counted = (float(scores.test[0, member]), accuracy), int(scores.counted[member])
    return record_completed(cell, counts, epochs, test, seconds, counted)
