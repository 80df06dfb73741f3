"""What is recorded of a trained network: one `Trial` each, and one `Epoch` for each of its epochs."""

import math
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self, get_args, get_type_hints

from regsearch.grid import TENSORFLOW, Cell

Status = Literal["completed", "diverged", "failed"]
_MEASURES = (
    "train_loss", "penalty_value", "validation_loss", "validation_accuracy", "sum_abs_weights", "sum_squared_weights"
)  # fmt: skip
"""What both a trial and an epoch have."""


@dataclass(frozen=True)
class Counts:
    """A network's weights: all that are trained, and those that the penalty sums over."""

    trainable: int
    penalised: int


@dataclass
class Epoch:
    """One row of `epochs.csv`; epoch 0 is the start, before any training.

    Attributes:
        validation_accuracy: None where targets are numbers.
        train_loss: the mean data loss over the epoch's batches, each before its step.
        penalty_value: the penalty at the epoch's end; 0 for `decoupled`, which is outside the loss.
        gradient_norm: the largest norm of the gradient of data loss and penalty together in the epoch.
        sum_abs_weights: Σ|w| over the penalised weights.
        sum_squared_weights: Σw² over the penalised weights.
    """

    trial: str
    epoch: int
    train_loss: float | None
    penalty_value: float
    validation_loss: float
    validation_accuracy: float | None
    gradient_norm: float | None
    sum_abs_weights: float
    sum_squared_weights: float

    def finite(self) -> bool:
        """Whether every number is one."""
        return all(math.isfinite(value) for value in vars(self).values() if isinstance(value, float))


@dataclass
class Trial:
    """One row of the ledger, `trials.csv`: one trained network.

    Losses and accuracies are those of the last epoch, or of the one whose weights early stopping restored; a
    network that diverged has none. `guessing_loss` is the validation loss of the best constant answer.
    `backend` is empty where it was TensorFlow.
    """

    trial: str
    architecture: str
    width: int | None
    trainable_weights: int | None
    penalised_weights: int | None
    penalty: str
    lam: float = field(metadata={"column": "lambda"})
    learning_rate: float
    train_size: int
    seed: int
    status: Status
    epochs: int | None = None
    best_epoch: int | None = None
    train_loss: float | None = None
    penalty_value: float | None = None
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    test_loss: float | None = None
    test_accuracy: float | None = None
    sum_abs_weights: float | None = None
    sum_squared_weights: float | None = None
    max_gradient_norm: float | None = None
    diverged_epoch: int | None = None
    engine: str = ""
    seconds: float | None = None
    guessing_loss: float | None = None
    backend: str | None = None

    @classmethod
    def of(cls, cell: Cell, counts: Counts | None, status: Status, **facts: Any) -> Self:
        """The row of a cell with its status and what is known of it."""
        return cls(
            trial=cell.trial,
            architecture=cell.architecture.name,
            width=cell.architecture.width,
            trainable_weights=counts.trainable if counts else None,
            penalised_weights=counts.penalised if counts else None,
            penalty=cell.penalty_name,
            lam=cell.lam,
            learning_rate=cell.learning_rate,
            train_size=cell.train_size,
            seed=cell.seed,
            status=status,
            engine=cell.engine,
            backend=None if cell.backend == TENSORFLOW else cell.backend,
            **facts,
        )


@dataclass
class Record:
    """A trained network's facts: its row of the ledger and its epochs.

    Attributes:
        error: why it failed.
        attempt: 2 where it took a second try, and so on.
        compiled: whether it trained under XLA.
    """

    trial: Trial
    epochs: list[Epoch] = field(default_factory=list)
    error: str = ""
    attempt: int = 1
    compiled: bool = True


def record_completed(
    cell: Cell,
    counts: Counts,
    epochs: list[Epoch],
    test: tuple[float, float | None],
    seconds: float,
    counted: int | None = None,
) -> Record:
    """The record of a network that trained to its last epoch; one whose test loss is no number diverged in it.

    Args:
        cell: where it stands in the grid.
        counts: its weights.
        epochs: the start and every epoch.
        test: loss and accuracy on the test data; no accuracy where targets are numbers.
        seconds: what it took, compiling included.
        counted: the epoch whose weights, and so whose numbers, count; the last unless given.
    """
    last = epochs[-1]
    if not math.isfinite(test[0]):
        return record_diverged(cell, counts, epochs[:-1], last.epoch, seconds)
    scored, trained = last if counted is None else epochs[counted], epochs[1:]
    best = min(trained, key=lambda epoch: epoch.validation_loss)
    trial = Trial.of(
        cell,
        counts,
        "completed",
        epochs=last.epoch,
        best_epoch=best.epoch,
        test_loss=test[0],
        test_accuracy=test[1],
        **{name: getattr(scored, name) for name in _MEASURES},
        max_gradient_norm=max(epoch.gradient_norm or 0.0 for epoch in trained),
        seconds=seconds,
    )
    return Record(trial, epochs)


def record_diverged(cell: Cell, counts: Counts, epochs: list[Epoch], epoch: int, seconds: float) -> Record:
    """The record of a network whose total loss stopped being finite in `epoch`; `epochs` are those before it."""
    trial = Trial.of(cell, counts, "diverged", epochs=max(0, epoch - 1), diverged_epoch=epoch, seconds=seconds)
    return Record(trial, epochs)


def record_failed(cell: Cell, error: str) -> Record:
    """The record of a network that could not be trained."""
    return Record(Trial.of(cell, None, "failed"), error=error)


FIRST_COLUMNS = {Trial: 25, Epoch: 9}
"""How many columns version 0.2.0 wrote. Later ones come at the end, are None by default, and empty in its files."""


def columns(row: type[Trial] | type[Epoch]) -> dict[str, type]:
    """The columns of a row's table in their order, each with the type of its values: str, int or float."""
    hints = get_type_hints(row)
    return {item.metadata.get("column", item.name): _find_type(hints[item.name]) for item in fields(row)}


def _find_type(hint: Any) -> type:
    """The type of a value that may be missing; the text of a `Literal` is text."""
    (first, *_) = get_args(hint) or (hint,)
    return first if isinstance(first, type) else str
