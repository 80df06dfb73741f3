"""The reference engine: one network at a time, by plain Keras `model.fit`. The other engine is held against it."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
from keras import ops
from numpy.typing import NDArray

from regsearch.data import Arrays, Loss, Split
from regsearch.engine.backend import door
from regsearch.engine.job import Job
from regsearch.engine.plain import build, count_weights, list_kernels
from regsearch.grid import Cell, cost_architecture
from regsearch.ledger import Epoch, Record, record_completed, record_diverged
from regsearch.randomness import draw_batches
from regsearch.spec import Cosine, OptimizerBase, Piecewise, Training

EVALUATED_AT_ONCE = 1024


def train(
    job: Job, splits: Sequence[Split], training: Training, raise_if_stopped: Callable[[], None] = lambda: None
) -> list[Record]:
    """Trains each network of a population in turn.

    Args:
        job: which networks.
        splits: the data of each group of the population.
        training: optimizer, batch size, epochs.
        raise_if_stopped: called after each step; what it raises ends the training.

    Returns:
        One record a member, in order.
    """
    door().make_deterministic()
    groups = zip(job.population.groups, splits, strict=True)
    return [_train(cell, split, training, raise_if_stopped) for group, split in groups for cell in group]


def _train(cell: Cell, split: Split, training: Training, raise_if_stopped: Callable[[], None]) -> Record:
    keras.backend.clear_session()
    started = time.perf_counter()
    architecture, image = cell.architecture, split.train[0].shape[1:]
    l1, l2, decay = cell.coefficients(cost_architecture(architecture, image, split.outputs).penalised)
    model = build(architecture, image, split.outputs, cell.seed, l1, l2)
    kernels = list_kernels(model, architecture.penalised)
    optimizer = _make_optimizer(training.optimizer, make_rate(training, cell), decay)
    penalised = {id(kernel) for kernel in kernels}
    optimizer.exclude_from_weight_decay([w for w in model.trainable_variables if id(w) not in penalised])
    model.compile(optimizer, **_make_scores(split.loss))
    optimizer.build(model.trainable_variables)
    recorder = _Recorder(cell.trial, kernels, split.validation, raise_if_stopped)
    stopping = None
    if training.early_stopping:
        stopping = keras.callbacks.EarlyStopping("val_data_loss", mode="min", **dict(training.early_stopping))
    model.fit(
        _make_stream(split.train, cell, training),
        epochs=training.epochs,
        steps_per_epoch=training.steps(cell.train_size),
        validation_data=split.validation,
        validation_batch_size=EVALUATED_AT_ONCE,
        shuffle=False,
        callbacks=[*filter(None, [stopping]), recorder],
        verbose=0,
    )
    counts = count_weights(model, architecture.penalised)
    if recorder.diverged_epoch is not None:
        seconds = time.perf_counter() - started
        return record_diverged(cell, counts, recorder.epochs, recorder.diverged_epoch, seconds)
    test = _score(model, split.test)
    counted = stopping.best_epoch + 1 if stopping and stopping.restore_best_weights else None
    return record_completed(cell, counts, recorder.epochs, test, time.perf_counter() - started, counted)


def _make_scores(loss: Loss) -> dict[str, Any]:
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


def make_rate(training: Training, cell: Cell) -> keras.optimizers.schedules.LearningRateSchedule | float:
    """The learning rate of a network, or Keras's own schedule of it."""
    rate, schedule, steps = cell.learning_rate, training.schedule, training.steps(cell.train_size)
    if isinstance(schedule, Cosine):
        return keras.optimizers.schedules.CosineDecay(rate, steps * training.epochs, schedule.alpha)
    if isinstance(schedule, Piecewise):
        last_steps = [epoch * steps - 1 for epoch in schedule.boundaries]
        rates = [rate * factor for factor in schedule.factors]
        return keras.optimizers.schedules.PiecewiseConstantDecay(last_steps, rates)
    return rate


def _make_optimizer(settings: OptimizerBase, rate: Any, decay: float) -> keras.optimizers.Optimizer:
    """Keras's optimizer, decaying by `decay` outside the loss (0: not at all), which also records gradient norms."""

    class Recording(getattr(keras.optimizers, settings.kind)):  # type: ignore[misc]
        """Keeps the largest norm of the total gradient since it was last set to 0."""

        def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
            self.largest_norm.assign(keras.ops.maximum(self.largest_norm, _find_norm(grads)))
            return super().apply(grads, trainable_variables)

    optimizer = Recording(**{**dict(settings), "learning_rate": rate, "weight_decay": decay})
    optimizer.largest_norm = optimizer.add_variable((), name="largest_norm")
    return optimizer


def _find_norm(gradients: Sequence[Any]) -> Any:
    """The norm of all gradients together."""
    return ops.sqrt(sum(ops.sum(ops.square(gradient)) for gradient in gradients))


def _make_stream(data: Arrays, cell: Cell, training: Training) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """The batches of every epoch, in order."""
    for epoch in range(1, training.epochs + 1):
        for rows in draw_batches(cell.seed, epoch, cell.train_size, training.batch_size, training.steps_per_epoch):
            yield data[0][rows], data[1][rows]


def _score(model: keras.Sequential, data: Arrays) -> tuple[float, float | None]:
    """Data loss and, where there are labels, accuracy."""
    scores = model.evaluate(*data, batch_size=EVALUATED_AT_ONCE, verbose=0, return_dict=True)
    return scores["data_loss"], scores.get("accuracy")


class _Recorder(keras.callbacks.Callback):
    """Keeps one `Epoch` for the start and each epoch, and stops a network whose loss is no longer finite."""

    def __init__(
        self, trial: str, kernels: list[keras.Variable], validation: Arrays, raise_if_stopped: Callable[[], None]
    ) -> None:
        super().__init__()
        self.trial, self.kernels, self.validation = trial, kernels, validation
        self.raise_if_stopped = raise_if_stopped
        self.epochs: list[Epoch] = []
        self.epoch = 0
        self.diverged_epoch: int | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        loss, accuracy = _score(self.model, self.validation)
        self.record({"val_data_loss": loss} | ({} if accuracy is None else {"val_accuracy": accuracy}), None)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch + 1
        self.model.optimizer.largest_norm.assign(0.0)

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        self.raise_if_stopped()
        if not math.isfinite(logs["loss"]):
            self.stop()

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if self.diverged_epoch is None:
            self.record(logs, float(self.model.optimizer.largest_norm))

    def record(self, logs: dict[str, float], gradient_norm: float | None) -> None:
        """Adds the epoch that ended, unless a number in it is not finite."""
        epoch = Epoch(
            trial=self.trial,
            epoch=self.epoch,
            train_loss=logs.get("data_loss"),
            penalty_value=sum(map(float, self.model.losses), start=0.0),
            validation_loss=logs["val_data_loss"],
            validation_accuracy=logs.get("val_accuracy"),
            gradient_norm=gradient_norm,
            sum_abs_weights=sum(float(ops.sum(ops.abs(kernel))) for kernel in self.kernels),
            sum_squared_weights=sum(float(ops.sum(ops.square(kernel))) for kernel in self.kernels),
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
