"""The population engine: trains many networks at once, one compiled call an epoch."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from regsearch.data import Arrays, Loss, Split
from regsearch.engine.job import Job
from regsearch.engine.population.model import PopulationModel
from regsearch.engine.population.stopping import Patience
from regsearch.grid import KEPT_COMPILED, SCORED_AT_ONCE, Architecture, Cell, Population, Size
from regsearch.ledger import Checkpoint, Counts, Epoch, Record, columns, record_completed, record_diverged
from regsearch.randomness import draw_batches
from regsearch.spec import OptimizerBase, Training

MEASURES = [name for name in columns(Epoch) if name not in ("trial", "epoch")]
Measures = dict[str, NDArray[np.float64]]
"""What is measured at one time, by name, each (members,)."""
Tensors = dict[str, tf.Tensor]
"""The same where it is computed."""


def train(
    job: Job, split: Split, training: Training, raise_if_stopped: Callable[[], None] = lambda: None
) -> list[Record]:
    """Trains a population, from its start or from its state between epochs, which is kept where the job says.

    Args:
        job: which networks, and how.
        split: their data.
        training: optimizer, batch size, epochs.
        raise_if_stopped: called before each epoch; what it raises ends the training.

    Returns:
        One record a member, in order.
    """
    started = time.perf_counter()
    trainer = compiled.prepare(Program.of(job, split, training))
    history = trainer.run(job.population, split, training, job.checkpoint(), raise_if_stopped)
    seconds = (history.seconds_before + time.perf_counter() - started) / len(job.population.cells)
    labelled, lowerings = split.loss == "cross_entropy", trainer.model.lowerings
    return [
        replace(_record(cell, history, member, trainer.counts, labelled, seconds), lowerings=lowerings)
        for member, cell in enumerate(job.population.cells)
    ]


@dataclass(frozen=True)
class Program:
    """What a compiled network follows from: lambdas, penalties, rates, seeds and epochs are data to it.

    Attributes:
        image: (height, width, channels) of the input.
        outputs: the number of classes, or of targets where they are numbers.
        stops_early: whether the weights of members that are finished are kept.
    """

    architecture: Architecture
    image: tuple[int, ...]
    outputs: int
    loss: Loss
    optimizer: OptimizerBase
    stops_early: bool
    size: Size
    members: int
    device: str
    lowering: str | None
    compiled: bool

    @classmethod
    def of(cls, job: Job, split: Split, training: Training) -> Self:
        """The program that trains a job."""
        image, stops_early = split.train[0].shape[1:], training.early_stopping is not None
        return cls(
            job.population.first.architecture, image, split.outputs, split.loss, training.optimizer, stops_early,
            job.size, job.members, job.device, job.lowering, job.compiled,
        )  # fmt: skip


class Compiled:
    """The networks that this process keeps compiled, each for whatever of its program is trained next."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._trainers: dict[Program, Trainer] = {}

    def prepare(self, program: Program) -> "Trainer":
        """The trainer of a program; if it has to be made, the one that was used longest ago goes for it."""
        trainer = self._trainers.pop(program, None)
        if trainer is None:
            while len(self._trainers) >= self.most:
                del self._trainers[next(iter(self._trainers))]
            trainer = Trainer(program)
        self._trainers[program] = trainer
        return trainer

    def forget(self) -> None:
        """Lets go of every one and its memory."""
        self._trainers.clear()
        keras.backend.clear_session()


compiled = Compiled(KEPT_COMPILED)


class Strengths(NamedTuple):
    """How strongly each member is penalised, each (members,)."""

    l1: tf.Tensor
    l2: tf.Tensor
    decay: tf.Tensor


class Parts(NamedTuple):
    """Data in parts of equal size, the last filled up with images that do not count.

    Attributes:
        x: images, (parts, images, height, width, channels).
        y: labels (parts, images), or targets (parts, images, q).
        counted: 1 for each image that counts, 0 for those that fill up, (parts, images).
    """

    x: NDArray[Any]
    y: NDArray[Any]
    counted: NDArray[Any]

    @classmethod
    def of(cls, data: Arrays) -> Self:
        """Splits data."""
        count = len(data[0])
        size = min(SCORED_AT_ONCE, -(-count // 16) * 16)
        parts = -(-count // size)
        rows = np.resize(np.arange(count), parts * size)
        x, y = data[0][rows], data[1][rows]
        counted = (np.arange(parts * size) < count).astype(np.float32)
        return cls(*(values.reshape(parts, size, *values.shape[1:]) for values in (x, y, counted)))


class History(NamedTuple):
    """How the training of a population went.

    Attributes:
        epochs: of the start and each epoch.
        test: `loss` and `accuracy` on the test data.
        ended: the last epoch of each member, (members,).
        counted: the epoch whose weights count, (members,).
        seconds_before: what the epochs took that an earlier run trained.
    """

    epochs: list[Measures]
    test: Measures
    ended: NDArray[np.int64]
    counted: NDArray[np.int64]
    seconds_before: float


class Trainer:
    """A population model with its optimizer and its compiled epoch."""

    def __init__(self, program: Program) -> None:
        self.members = program.members
        self._losses = {"cross_entropy": self._cross_entropy, "squared_error": self._squared_error}[program.loss]
        self.model = PopulationModel(
            program.architecture, program.outputs, program.members, program.size, program.device, program.lowering
        )
        self.model(tf.zeros((1, *program.image)))
        self.weights = self.model.trainable_variables
        self.optimizer = _make_optimizer(program.optimizer)
        self.optimizer.build(self.weights)
        self.optimizer_start = [variable.numpy() for variable in self.optimizer.variables]
        # The weights that count, of members that are finished or were better before.
        variables = self.model.variables if program.stops_early else []
        self.snapshot = [(variable, tf.Variable(variable)) for variable in variables if len(variable.shape)]
        jit_compile = program.compiled and "native" not in self.model.lowerings
        self.take_snapshot = tf.function(self._take_snapshot)
        self.train_epoch = tf.function(self._train_epoch, jit_compile=jit_compile)
        self.score_part = tf.function(self._score_part, jit_compile=jit_compile)

    @property
    def counts(self) -> Counts:
        """One member's trainable and penalised weights."""
        sizes = [sum(int(np.prod(w.shape[1:])) for w in group) for group in (self.weights, self.model.kernels)]
        return Counts(*sizes)

    def run(
        self,
        population: Population,
        split: Split,
        training: Training,
        checkpoint: Checkpoint | None = None,
        raise_if_stopped: Callable[[], None] = lambda: None,
    ) -> History:
        """Trains one population from its start, or from its checkpoint."""
        started = time.perf_counter()
        first, strengths = population.first, self._make_strengths(population)
        train, parts = tuple(map(tf.constant, split.train)), Parts.of(split.validation)
        validation = Parts(*map(tf.constant, parts))
        epochs, seconds_before = self._begin(first.seed, parts, strengths, checkpoint)
        patience = Patience(training.early_stopping, self.members)
        for number, measures in enumerate(epochs[1:], 1):
            patience.see(number, measures["validation_loss"])
        for number in range(len(epochs), training.epochs + 1):
            raise_if_stopped()
            order = draw_batches(first.seed, number, first.train_size, training.batch_size, training.steps_per_epoch)
            rates = first.learning_rate * np.array(training.factors(first.train_size, number))
            steps = tf.constant(order), tf.constant(rates, tf.float32)
            measures = _fetch(self.train_epoch(train, *steps, validation, strengths))
            epochs.append(measures)
            patience.see(number, measures["validation_loss"])
            if self.snapshot:
                self.take_snapshot(tf.constant(patience.is_counted(number)))
            going = np.isfinite(measures["train_loss"]) & (patience.stopped == 0)
            if not going[: len(population.cells)].any():
                break
            if checkpoint and checkpoint.due() and number < training.epochs:
                self._save(checkpoint, epochs, seconds_before + time.perf_counter() - started)
        ended, counted = patience.find_ends(len(epochs) - 1)
        if self.snapshot:
            self.take_snapshot(tf.constant(counted == len(epochs) - 1))
            for variable, kept in self.snapshot:
                variable.assign(kept)
        test, _ = self._score(Parts.of(split.test), strengths)
        return History(epochs, test, ended, counted, seconds_before)

    def _make_strengths(self, population: Population) -> Strengths:
        """The members' strengths; those that fill the population up are not penalised."""
        shares = np.zeros((3, self.members), np.float32)
        for member, cell in enumerate(population.cells):
            shares[:, member] = cell.coefficients(self.counts.penalised)
        return Strengths(*map(tf.constant, shares))

    def _begin(
        self, seed: int, validation: Parts, strengths: Strengths, checkpoint: Checkpoint | None
    ) -> tuple[list[Measures], float]:
        """Sets everything to the start of a seed, or to a checkpoint; gives the epochs so far, and their seconds."""
        self.model.start(seed)
        for variable, value in zip(self.optimizer.variables, self.optimizer_start, strict=True):
            variable.assign(value)
        variables = self._name_variables()
        shapes = {name: (tuple(variable.shape), variable.dtype) for name, variable in variables.items()}
        shapes |= {"measures": ((None, len(MEASURES), self.members), np.float64), "seconds": ((), np.float64)}
        if checkpoint and (state := checkpoint.load(shapes)):
            for name, variable in variables.items():
                variable.assign(state[name])
            return [dict(zip(MEASURES, rows, strict=True)) for rows in state["measures"]], float(state["seconds"])
        scores, sums = self._score(validation, strengths)
        none = np.full(self.members, np.nan)
        start = {"train_loss": none, "gradient_norm": none}
        start |= {"validation_loss": scores["loss"], "validation_accuracy": scores["accuracy"]}
        return [start | sums], 0.0

    def _save(self, checkpoint: Checkpoint, epochs: list[Measures], seconds: float) -> None:
        """Saves everything that `_begin` takes from a checkpoint."""
        variables = {name: variable.numpy() for name, variable in self._name_variables().items()}
        measures = np.array([[measures[name] for name in MEASURES] for measures in epochs])
        checkpoint.save({"measures": measures, "seconds": np.float64(seconds), **variables})

    def _name_variables(self) -> dict[str, Any]:
        """Everything that changes from epoch to epoch: weights, moving averages, dropout's steps, the optimizer's."""
        variables = [*self.model.variables, *self.optimizer.variables, *(kept for _, kept in self.snapshot)]
        return {f"variable_{index}": variable for index, variable in enumerate(variables)}

    def _score(self, parts: Parts, strengths: Strengths) -> tuple[Measures, Measures]:
        """Mean `loss` and `accuracy` over data, and what `_weigh` gives."""
        results = [self.score_part(*map(tf.constant, part), strengths) for part in zip(*parts, strict=True)]
        scores = [_fetch(score) for score, _ in results]
        means = {name: sum(score[name] for score in scores) / parts.counted.sum() for name in scores[0]}
        return means, _fetch(results[0][1])

    # What follows is compiled.

    def _take_snapshot(self, chosen: tf.Tensor) -> None:
        """Keeps the weights that the chosen members, (members,), have now."""
        for variable, kept in self.snapshot:
            kept.assign(tf.where(tf.reshape(chosen, (-1,) + (1,) * (len(kept.shape) - 1)), variable.value, kept))

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

    def _weigh(self, strengths: Strengths) -> Tensors:
        """The penalty, Σ|w| and Σw² over the penalised weights, each (members,)."""
        kernels = [tf.reshape(kernel.value, (self.members, -1)) for kernel in self.model.kernels]
        absolute = tf.add_n([_sum_rows(tf.abs(kernel)) for kernel in kernels])
        squared = tf.add_n([_sum_rows(tf.square(kernel)) for kernel in kernels])
        penalty = strengths.l1 * absolute + strengths.l2 * squared
        return {"penalty_value": penalty, "sum_abs_weights": absolute, "sum_squared_weights": squared}

    def _sum_scores(self, x: tf.Tensor, y: tf.Tensor, counted: tf.Tensor) -> Tensors:
        """Sums of losses and of right answers over the images that count, each (members,)."""
        losses, right = self._losses(x, y, training=False)
        return {"loss": tf.reduce_sum(losses * counted, axis=1), "accuracy": tf.reduce_sum(right * counted, axis=1)}

    def _score_part(
        self, x: tf.Tensor, y: tf.Tensor, counted: tf.Tensor, strengths: Strengths
    ) -> tuple[Tensors, Tensors]:
        """The sums of one part, and what `_weigh` gives."""
        return self._sum_scores(x, y, counted), self._weigh(strengths)

    def _step(
        self, x: tf.Tensor, y: tf.Tensor, rate: tf.Tensor, strengths: Strengths
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """One step of every member: data loss, gradient norm, and whether the total loss is a number."""
        with tf.GradientTape() as tape:
            losses, _ = self._losses(x, y, training=True)
            data_loss = tf.reduce_mean(losses, axis=1)
            total = data_loss + self._weigh(strengths)["penalty_value"]
            population = tf.reduce_sum(total)
        gradients = tape.gradient(population, [weight.value for weight in self.weights])
        flat = [tf.reshape(gradient, (self.members, -1)) for gradient in gradients]
        norm = tf.sqrt(tf.add_n([_sum_rows(tf.square(gradient)) for gradient in flat]))
        for kernel in self.model.kernels:
            shrink = rate * strengths.decay
            kernel.assign(kernel.value * (1 - tf.reshape(shrink, (-1,) + (1,) * (len(kernel.shape) - 1))))
        self.optimizer.learning_rate.assign(rate)
        self.optimizer.apply(gradients, self.weights)
        return data_loss, norm, tf.math.is_finite(total)

    def _train_epoch(
        self,
        train: tuple[tf.Tensor, tf.Tensor],
        order: tf.Tensor,
        rates: tf.Tensor,
        validation: Parts,
        strengths: Strengths,
    ) -> Tensors:
        """One epoch of every member.

        Args:
            train: training images, (n, height, width, channels), and their labels (n,) or targets (n, q).
            order: the indices of each step's batch, (steps, batch).
            rates: the learning rate of each step, (steps,).
            validation: what is scored afterwards.
            strengths: of the penalties.

        Returns:
            `MEASURES`, each (members,). The training loss of a member whose total loss was no number in some step
            is none either.
        """
        train_loss, norm = tf.zeros(self.members), tf.zeros(self.members)
        finite = tf.ones(self.members, tf.bool)
        for step in tf.range(order.shape[0]):
            x, y = (tf.gather(values, order[step]) for values in train)
            step_loss, step_norm, step_finite = self._step(x, y, rates[step], strengths)
            train_loss, norm, finite = train_loss + step_loss, tf.maximum(norm, step_norm), finite & step_finite
        loss, right = tf.zeros(self.members), tf.zeros(self.members)
        for part in tf.range(validation.x.shape[0]):
            sums = self._sum_scores(*(values[part] for values in validation))
            loss, right = loss + sums["loss"], right + sums["accuracy"]
        counted = tf.reduce_sum(validation.counted)
        return {
            "train_loss": tf.where(finite, train_loss / order.shape[0], np.nan),
            "gradient_norm": norm,
            "validation_loss": loss / counted,
            "validation_accuracy": right / counted,
            **self._weigh(strengths),
        }


def _fetch(tensors: Tensors) -> Measures:
    """Measures from where they were computed, in double precision."""
    return {name: tensor.numpy().astype(np.float64) for name, tensor in tensors.items()}


def _sum_rows(x: tf.Tensor) -> tf.Tensor:
    """Sums of (members, n) over n, mostly as a product with ones: XLA adds up a plain sum one by one."""
    members, n = x.shape
    rows = -(-n // 64)
    x = tf.reshape(tf.pad(x, [[0, 0], [0, rows * 64 - n]]), (members, rows, 64))
    return tf.reduce_sum(tf.matmul(tf.ones((members, 1, rows)), x), axis=(1, 2))


def _make_optimizer(settings: OptimizerBase) -> keras.optimizers.Optimizer:
    """Keras's own optimizer; its weight decay is off, since decay is per member here."""
    arguments = dict(settings)
    if settings.kind == "AdamW":
        arguments["weight_decay"] = 0.0
    return getattr(keras.optimizers, settings.kind)(**arguments)


def _record(cell: Cell, history: History, member: int, counts: Counts, labelled: bool, seconds: float) -> Record:
    """One member's record; it diverged in the first epoch that is not all numbers."""
    epochs: list[Epoch] = []
    for number, measures in enumerate(history.epochs[: history.ended[member] + 1]):
        values: dict[str, Any] = {name: float(measures[name][member]) for name in MEASURES}
        if number == 0:
            values |= {"train_loss": None, "gradient_norm": None}
        if not labelled:
            values |= {"validation_accuracy": None}
        epoch = Epoch(cell.trial, number, **values)
        if not epoch.finite():
            return record_diverged(cell, counts, epochs, number, seconds)
        epochs.append(epoch)
    test = float(history.test["loss"][member]), float(history.test["accuracy"][member]) if labelled else None
    return record_completed(cell, counts, epochs, test, seconds, int(history.counted[member]))
