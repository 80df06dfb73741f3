"""The reference engine: one network at a time, by plain Keras `model.fit`. The other engine is held against it."""

import math
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from regsearch.data import Arrays, Loss, Split
from regsearch.engine.plain import build, counts, kernels
from regsearch.grid import Cell, Population, weigh
from regsearch.ledger import Checkpoint, Epoch, Record, columns, record_completed, record_diverged
from regsearch.randomness import draw_batches
from regsearch.spec import Cosine, EarlyStopping, OptimizerBase, Piecewise, Training

SCORED_AT_ONCE = 1024
_MEASURES = [name for name in columns(Epoch) if name not in ("trial", "epoch")]


def train(
    population: Population,
    split: Split,
    training: Training,
    state: Checkpoint | None = None,
    raise_if_stopped: Callable[[], None] = lambda: None,
) -> list[Record]:
    """Trains each network of a population in turn.

    Args:
        population: which networks.
        split: their data.
        training: optimizer, batch size, epochs.
        state: where the state between epochs is kept, and continued from, if the population is one network.
        raise_if_stopped: called after each step.

    Returns:
        One record a member, in order.
    """
    tf.config.experimental.enable_op_determinism()
    alone = len(population.cells) == 1
    return [
        _train_one(cell, split, training, state if alone else None, raise_if_stopped) for cell in population.cells
    ]


def _train_one(
    cell: Cell, split: Split, training: Training, state: Checkpoint | None, raise_if_stopped: Callable[[], None]
) -> Record:
    keras.backend.clear_session()
    started = time.perf_counter()
    image = split.train[0].shape[1:]
    l1, l2, decay = cell.shares(weigh(cell.architecture, image, split.outputs).penalised)
    model = build(cell.architecture, image, split.outputs, cell.seed, lambda: _regularizer(l1, l2))
    optimizer = _optimizer(training.optimizer, _rate(training, cell), decay)
    penalised = kernels(model, cell.architecture.penalised)
    optimizer.exclude_from_weight_decay(_not_in(penalised, model.trainable_variables))
    model.compile(optimizer, **_scoring(split.loss))
    optimizer.build(model.trainable_variables)
    stopping = _Stopping(training.early_stopping) if training.early_stopping else None
    recorder = _Recorder(cell.trial, model, penalised, optimizer, stopping, split.validation, started, state)
    recorder.raise_if_stopped = raise_if_stopped
    recorder.resume()
    model.fit(
        _stream(split.train, cell, training, recorder.epoch),
        initial_epoch=recorder.epoch,
        epochs=training.epochs,
        steps_per_epoch=training.steps(cell.train_size),
        validation_data=split.validation,
        validation_batch_size=SCORED_AT_ONCE,
        shuffle=False,
        callbacks=[*filter(None, [stopping]), recorder],
        verbose=0,
    )
    weights = counts(model, cell.architecture.penalised)
    if recorder.diverged_epoch is not None:
        return record_diverged(cell, weights, recorder.epochs, recorder.diverged_epoch, recorder.seconds())
    test = _score(model, split.test)
    counted = stopping.best_epoch + 1 if stopping and stopping.restore_best_weights else None
    return record_completed(cell, weights, recorder.epochs, test, recorder.seconds(), counted)


def _regularizer(l1: float, l2: float) -> keras.regularizers.Regularizer | None:
    """Keras's own regularizer of these strengths."""
    if l1 and l2:
        return keras.regularizers.L1L2(l1, l2)
    if l1:
        return keras.regularizers.L1(l1)
    return keras.regularizers.L2(l2) if l2 else None


def _scoring(loss: Loss) -> dict[str, Any]:
    """Keras's loss, and the metrics of the same loss alone and of accuracy."""
    if loss == "squared_error":
        return {
            "loss": keras.losses.MeanSquaredError(),
            "metrics": [keras.metrics.MeanSquaredError(name="data_loss")],
        }
    metrics = [
        keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="data_loss"),
        keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
    ]
    return {"loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "metrics": metrics}


def _rate(training: Training, cell: Cell) -> Any:
    """The learning rate, or Keras's own schedule of it."""
    rate, schedule, steps = cell.learning_rate, training.schedule, training.steps(cell.train_size)
    if isinstance(schedule, Cosine):
        return keras.optimizers.schedules.CosineDecay(rate, steps * training.epochs, schedule.alpha)
    if isinstance(schedule, Piecewise):
        last_steps = [epoch * steps - 1 for epoch in schedule.boundaries]
        rates = [rate * factor for factor in schedule.factors]
        return keras.optimizers.schedules.PiecewiseConstantDecay(last_steps, rates)
    return rate


def _optimizer(settings: OptimizerBase, learning_rate: Any, decay: float) -> Any:
    """Keras's optimizer, decaying by `decay` outside the loss (0: not at all), which also records gradient norms."""
    arguments = {**dict(settings), "learning_rate": learning_rate, "weight_decay": decay}

    class Recording(getattr(keras.optimizers, settings.kind)):  # type: ignore[misc]
        """Keeps the largest norm of the total gradient since it was last set to 0."""

        def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
            self.largest_norm.assign(keras.ops.maximum(self.largest_norm, tf.linalg.global_norm(grads)))
            return super().apply(grads, trainable_variables)

    optimizer = Recording(**arguments)
    optimizer.largest_norm = keras.Variable(0.0, trainable=False, name="largest_norm")
    return optimizer


def _not_in(some: list[Any], variables: list[Any]) -> list[Any]:
    chosen = {id(variable) for variable in some}
    return [variable for variable in variables if id(variable) not in chosen]


def _stream(data: Arrays, cell: Cell, training: Training, done: int) -> tf.data.Dataset:
    """The batches of every epoch after the first `done`, in order."""
    x, y = tf.constant(data[0]), tf.constant(data[1])

    def indices() -> Any:
        for epoch in range(done + 1, training.epochs + 1):
            yield from draw_batches(cell.seed, epoch, cell.train_size, training.batch_size, training.steps_per_epoch)

    order = tf.data.Dataset.from_generator(indices, output_signature=tf.TensorSpec(training.batch_size, tf.int32))
    return order.map(lambda rows: (tf.gather(x, rows), tf.gather(y, rows)))


def _score(model: keras.Sequential, data: Arrays) -> tuple[float, float | None]:
    """Data loss and, where there are labels, accuracy."""
    scores = model.evaluate(*data, batch_size=SCORED_AT_ONCE, verbose=0, return_dict=True)
    return scores["data_loss"], scores.get("accuracy")


class _Stopping(keras.callbacks.EarlyStopping):
    """Keras's own early stopping, which also goes on where a run was that ended."""

    def __init__(self, settings: EarlyStopping) -> None:
        super().__init__(monitor="val_data_loss", mode="min", **dict(settings))
        self.seen: list[float] = []
        self.best_before: list[NDArray[Any]] | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        for epoch, loss in enumerate(self.seen):
            self.on_epoch_end(epoch, {self.monitor: loss})
        if self.best_before:
            self.best_weights = self.best_before

    def weights(self) -> dict[str, NDArray[Any]]:
        """The weights to restore."""
        found = self.best_weights or self.best_before or []
        return {f"best_{index}": weight for index, weight in enumerate(found)} if self.restore_best_weights else {}


class _Recorder(keras.callbacks.Callback):
    """Keeps one `Epoch` for the start and each epoch, and stops a network whose loss is no longer finite."""

    def __init__(
        self,
        trial: str,
        model: keras.Sequential,
        penalised: list[keras.Variable],
        optimizer: Any,
        stopping: _Stopping | None,
        validation: Arrays,
        started: float,
        state: Checkpoint | None,
    ) -> None:
        super().__init__()
        self.started, self.state, self.seconds_before = started, state, 0.0
        self.stopping = stopping
        self.raise_if_stopped: Callable[[], None] = lambda: None
        self.trial, self.plain, self.optimizer, self.validation = trial, model, optimizer, validation
        self.kernels = penalised
        self.epochs: list[Epoch] = []
        self.epoch = 0
        self.diverged_epoch: int | None = None

    def seconds(self) -> float:
        """What the network took, in earlier runs too."""
        return self.seconds_before + time.perf_counter() - self.started

    def resume(self) -> None:
        """Goes on from the saved state, if there is one."""
        variables = self.variables()
        shapes = {name: (tuple(variable.shape), variable.dtype) for name, variable in variables.items()}
        rows = {"rows": ((None, len(_MEASURES)), np.float64), "seconds": ((), np.float64)}
        restores = self.stopping is not None and self.stopping.restore_best_weights
        weights = self.plain.get_weights() if restores else []
        best = {f"best_{index}": (weight.shape, weight.dtype) for index, weight in enumerate(weights)}
        if self.state is None or (saved := self.state.load({**rows, **shapes, **best})) is None:
            return
        for name, variable in variables.items():
            variable.assign(saved[name])
        for number, row in enumerate(saved["rows"]):
            values = [None if math.isnan(value) else float(value) for value in row]
            measures: dict[str, Any] = dict(zip(_MEASURES, values, strict=True))
            self.epochs.append(Epoch(self.trial, number, **measures))
        self.epoch, self.seconds_before = len(self.epochs) - 1, float(saved["seconds"])
        if self.stopping:
            self.stopping.seen = [epoch.validation_loss for epoch in self.epochs[1:]]
            self.stopping.best_before = [saved[name] for name in best]

    def save(self) -> None:
        """Saves the state, if that is due."""
        ends = self.model.stop_training or self.epoch == self.params["epochs"]
        if self.state and self.state.due() and not ends:
            rows = np.array([[getattr(epoch, name) for name in _MEASURES] for epoch in self.epochs], np.float64)
            variables = {name: variable.numpy() for name, variable in self.variables().items()}
            self.state.save({"rows": rows, "seconds": self.seconds(), **variables, **self.best_weights()})

    def best_weights(self) -> dict[str, NDArray[Any]]:
        """The weights that early stopping would restore."""
        return self.stopping.weights() if self.stopping else {}

    def variables(self) -> dict[str, Any]:
        """Everything that changes from epoch to epoch."""
        found = [*self.plain.variables, *self.optimizer.variables]
        return {f"variable_{index}": variable for index, variable in enumerate(found)}

    def on_train_begin(self, logs: Any = None) -> None:
        if self.epochs:
            return
        loss, accuracy = _score(self.plain, self.validation)
        self.record({"val_data_loss": loss} | ({} if accuracy is None else {"val_accuracy": accuracy}), None)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch + 1
        self.optimizer.largest_norm.assign(0.0)

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        self.raise_if_stopped()
        if not math.isfinite(logs["loss"]):
            self.stop()

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if self.diverged_epoch is None:
            self.record(logs, float(self.optimizer.largest_norm))
        if self.diverged_epoch is None:
            self.save()

    def record(self, logs: dict[str, float], gradient_norm: float | None) -> None:
        """Adds the epoch that ended, unless a number in it is not finite."""
        epoch = Epoch(
            trial=self.trial,
            epoch=self.epoch,
            train_loss=logs.get("data_loss"),
            penalty_value=float(sum(self.plain.losses, start=tf.constant(0.0))),
            validation_loss=logs["val_data_loss"],
            validation_accuracy=logs.get("val_accuracy"),
            gradient_norm=gradient_norm,
            sum_abs_weights=float(sum(tf.reduce_sum(tf.abs(kernel.value)) for kernel in self.kernels)),
            sum_squared_weights=float(sum(tf.reduce_sum(tf.square(kernel.value)) for kernel in self.kernels)),
        )
        if epoch.finite():
            self.epochs.append(epoch)
        else:
            self.stop()

    def stop(self) -> None:
        """Notes the epoch in which the network diverged; training ends."""
        if self.diverged_epoch is None:
            self.diverged_epoch = self.epoch
        self.model.stop_training = True
