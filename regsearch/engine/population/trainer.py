"""A compiled population: from its start, or from its state between epochs, to the end of its training."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any, NamedTuple, Self

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from regsearch.data import Arrays, Loss, Split
from regsearch.engine.backend import door
from regsearch.engine.job import Job
from regsearch.engine.population.network import Network
from regsearch.engine.population.steps import Examples, Part, State, Steps, Strengths
from regsearch.engine.population.stopping import Patience
from regsearch.grid import KEPT_COMPILED, SCORED_AT_ONCE, Architecture, Cell, Population
from regsearch.ledger import Checkpoint, Counts, Epoch, columns
from regsearch.randomness import draw_batches
from regsearch.spec import OptimizerBase, Training

MEASURES = [name for name in columns(Epoch) if name not in ("trial", "epoch")]
Measures = dict[str, NDArray[np.float64]]
"""What is measured at one time, by name, each (members,)."""


@dataclass(frozen=True)
class Program:
    """What a compiled population follows from: lambdas, penalties, rates, seeds and epochs are data to it.

    Attributes:
        image: (height, width, channels) of the input.
        outputs: the number of classes, or of targets where they are numbers.
        groups: of members that share a seed and a training-set size, and so their images.
        each: members of a group.
        batch_size: images a step.
        sub_batch: of these, how many are computed at a time.
        compiled: whether XLA compiles it.
    """

    architecture: Architecture
    image: tuple[int, ...]
    outputs: int
    loss: Loss
    optimizer: OptimizerBase
    groups: int
    each: int
    batch_size: int
    sub_batch: int
    compiled: bool

    @classmethod
    def of(cls, job: Job, split: Split, training: Training) -> Self:
        """The program that trains a job."""
        batch_size = training.batch_size
        return cls(
            job.population.first.architecture, split.train[0].shape[1:], split.outputs, split.loss,
            training.optimizer, job.groups, job.members, batch_size, job.sub_batch or batch_size, job.compiled,
        )  # fmt: skip


class Compiled:
    """The populations that this process keeps compiled, each for whatever of its program is trained next."""

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


class History(NamedTuple):
    """How the training of a population went, those included that only fill it up.

    Attributes:
        epochs: of the start and each epoch.
        test: `loss` and `accuracy` on the test data.
        ended: the last epoch of each member, (members,).
        counted: the epoch whose weights count, (members,).
        seconds_before: what the epochs took that an earlier run trained.
        members: those that train a cell, in the cells' order.
    """

    epochs: list[Measures]
    test: Measures
    ended: NDArray[np.int64]
    counted: NDArray[np.int64]
    seconds_before: float
    members: list[int]


class Trainer:
    """A population's compiled functions, and the loop over epochs that calls them."""

    def __init__(self, program: Program) -> None:
        self.program, self.members = program, program.groups * program.each
        self.network = Network(program.architecture, program.image, program.outputs, self.members)
        sub_batch = program.batch_size if self.network.sees_batch else program.sub_batch
        self.parts = ceil(program.batch_size / sub_batch)
        images = ceil(program.batch_size / self.parts)
        counted = np.arange(self.parts * images).reshape(self.parts, images) < program.batch_size
        shares = (counted / program.batch_size).astype(np.float32)
        steps = Steps(self.network, program.loss, program.optimizer, shares)
        self.slots = steps.slots
        self.train_epoch = door().compile_function(steps.train_epoch, program.compiled)
        self.score_part = door().compile_function(steps.score_part, program.compiled)

    @cached_property
    def counts(self) -> Counts:
        """One member's trainable and penalised weights."""
        penalised = self.network.layouts.weights.penalised
        return Counts(penalised.size, int(penalised.sum()))

    def run(
        self,
        population: Population,
        splits: Sequence[Split],
        training: Training,
        checkpoint: Checkpoint | None = None,
        raise_if_stopped: Callable[[], None] = lambda: None,
    ) -> History:
        """Trains one population from its start, or from its checkpoint.

        Args:
            population: whose groups are no more and no larger than those compiled for.
            splits: the data of each group.
            training: epochs, schedule, early stopping.
            checkpoint: where its state is kept.
            raise_if_stopped: called before each epoch; what it raises ends the training.
        """
        started = time.perf_counter()
        lineup = self._line_up(population, splits)
        seeds = ops.convert_to_tensor(self.network.draw_seeds(lineup.seeds))
        strengths = self._make_strengths(lineup)
        examples = Examples(*map(ops.convert_to_tensor, lineup.join_examples()))
        parts = make_parts([split.validation for split in lineup.splits])
        validation = Part(*map(ops.convert_to_tensor, parts))
        state, kept, epochs, seconds_before = self._begin(lineup.seeds, parts, strengths, checkpoint)
        patience = Patience(training.early_stopping, self.members)
        for number, measures in enumerate(epochs[1:], 1):
            patience.see(number, measures["validation_loss"])
        for number in range(len(epochs), training.epochs + 1):
            raise_if_stopped()
            rows, rates = self._draw_epoch(lineup, training, number)
            before = ops.convert_to_tensor((number - 1) * len(rows), "int32")
            state, scores = self.train_epoch(state, examples, rows, rates, seeds, before, validation, strengths)
            measures = _fetch(scores)
            epochs.append(measures)
            patience.see(number, measures["validation_loss"])
            if training.early_stopping:
                kept = _choose(patience.is_counted(number), state, kept)
            going = np.isfinite(measures["train_loss"]) & (patience.stopped == 0)
            if not going[lineup.members].any():
                break
            if checkpoint and checkpoint.due() and number < training.epochs:
                self._save(checkpoint, state, kept, epochs, seconds_before + time.perf_counter() - started)
        ended, counted = patience.find_ends(len(epochs) - 1)
        if training.early_stopping:
            state = _choose(counted == len(epochs) - 1, state, kept)
        test, _ = self._score(state, make_parts([split.test for split in lineup.splits]), strengths)
        return History(epochs, test, ended, counted, seconds_before, lineup.members)

    def _line_up(self, population: Population, splits: Sequence[Split]) -> "Lineup":
        """Each group of a population in its place; what is missing is filled up by the first group's data."""
        each, groups = self.program.each, population.groups
        rates = np.full(self.members, population.first.learning_rate)
        cells = {place * each + index: cell for place, group in enumerate(groups) for index, cell in enumerate(group)}
        for member, cell in cells.items():
            rates[member] = cell.learning_rate
        firsts = [group[0] for group in groups] + [population.first] * (self.program.groups - len(groups))
        return Lineup(cells, [*splits, *[splits[0]] * (len(firsts) - len(splits))], firsts, rates)

    def _make_strengths(self, lineup: "Lineup") -> Strengths:
        """The members' strengths; those that fill the population up are not penalised."""
        shares = np.zeros((3, self.members, 1), np.float32)
        for member, cell in lineup.cells.items():
            shares[:, member, 0] = cell.coefficients(self.counts.penalised)
        return Strengths(*map(ops.convert_to_tensor, shares))

    def _draw_epoch(self, lineup: "Lineup", training: Training, number: int) -> tuple[Any, Any]:
        """Rows of the examples, (steps, sub-batches, groups, images), and rates, (steps, members), of an epoch."""
        batch, rows, first_row = training.batch_size, [], 0
        for cell, split in zip(lineup.firsts, lineup.splits, strict=True):
            drawn = draw_batches(cell.seed, number, cell.train_size, batch, training.steps_per_epoch)
            rows.append(drawn + first_row)
            first_row += len(split.train[0])
        order = np.stack(rows, axis=1)
        images = ceil(batch / self.parts)
        filled = order[..., np.resize(np.arange(batch), self.parts * images)]
        parted = filled.reshape(*order.shape[:2], self.parts, images).transpose(0, 2, 1, 3)
        rates = np.outer(training.factors(lineup.firsts[0].train_size, number), lineup.rates)
        return ops.convert_to_tensor(parted, "int32"), ops.convert_to_tensor(rates, "float32")

    def _begin(
        self, seeds: Sequence[int], validation: Part, strengths: Strengths, checkpoint: Checkpoint | None
    ) -> tuple[State, State, list[Measures], float]:
        """The state, what is kept, the epochs so far and their seconds: of the seeds' start, or of a checkpoint."""
        layouts, each = self.network.layouts, self.program.each
        weights, moving = (ops.convert_to_tensor(own.start(seeds, each)) for own in (layouts.weights, layouts.moving))
        state = State(weights, moving, self.slots)
        arrays = _name_arrays(state, state)
        shapes = {
            name: (tuple(array.shape), keras.backend.standardize_dtype(array.dtype)) for name, array in arrays.items()
        }
        shapes |= {"measures": ((None, len(MEASURES), self.members), np.float64), "seconds": ((), np.float64)}
        if checkpoint and (saved := checkpoint.load(shapes)):
            slots = [ops.convert_to_tensor(saved[f"slot_{index}"]) for index in range(len(self.slots))]
            state, kept = (
                State(
                    ops.convert_to_tensor(saved[f"{name}weights"]),
                    ops.convert_to_tensor(saved[f"{name}moving"]),
                    slots,
                )
                for name in ("", "kept_")
            )
            epochs = [dict(zip(MEASURES, rows, strict=True)) for rows in saved["measures"]]
            return state, kept, epochs, float(saved["seconds"])
        scores, sums = self._score(state, validation, strengths)
        none = np.full(self.members, np.nan)
        start = {"train_loss": none, "gradient_norm": none}
        start |= {"validation_loss": scores["loss"], "validation_accuracy": scores["accuracy"]}
        return state, state, [start | sums], 0.0

    def _save(
        self, checkpoint: Checkpoint, state: State, kept: State, epochs: list[Measures], seconds: float
    ) -> None:
        """Saves everything that `_begin` takes from a checkpoint."""
        arrays = {name: ops.convert_to_numpy(array) for name, array in _name_arrays(state, kept).items()}
        measures = np.array([[measures[name] for name in MEASURES] for measures in epochs])
        checkpoint.save({"measures": measures, "seconds": np.float64(seconds), **arrays})

    def _score(self, state: State, parts: Part, strengths: Strengths) -> tuple[Measures, Measures]:
        """Mean `loss` and `accuracy` over data, and what is weighed of the weights."""
        results = [
            self.score_part(state, Part(*map(ops.convert_to_tensor, part)), strengths)
            for part in zip(*parts, strict=True)
        ]
        scores = [_fetch(score) for score, _ in results]
        means = {name: sum(score[name] for score in scores) / parts.counted.sum() for name in scores[0]}
        return means, _fetch(results[0][1])


class Lineup(NamedTuple):
    """Who trains where in a compiled population.

    Attributes:
        cells: by the member that trains them.
        splits: the data of each group.
        firsts: a cell of each group.
        rates: the learning rate of each member.
    """

    cells: dict[int, Cell]
    splits: list[Split]
    firsts: list[Cell]
    rates: NDArray[np.float64]

    @property
    def members(self) -> list[int]:
        """Those that train a cell, in the cells' order."""
        return list(self.cells)

    @property
    def seeds(self) -> list[int]:
        """Of each group."""
        return [cell.seed for cell in self.firsts]

    def join_examples(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The training images of every group one after another, and what is to be learnt of them."""
        x, y = (np.concatenate(values) for values in zip(*(split.train for split in self.splits), strict=True))
        return x, y


def make_parts(groups: Sequence[Arrays]) -> Part:
    """Data of each group in parts of equal size, the last filled up; each field has the parts as its first axis."""
    count = len(groups[0][0])
    size = min(SCORED_AT_ONCE, -(-count // 16) * 16)
    parts = -(-count // size)
    rows = np.resize(np.arange(count), parts * size).reshape(parts, size)
    x = np.stack([images[rows] for images, _ in groups], axis=1).transpose(0, 1, 5, 3, 4, 2)
    y = np.stack([labels[rows] for _, labels in groups], axis=1)
    counted = (np.arange(parts * size) < count).astype(np.float32).reshape(parts, size)
    return Part(np.ascontiguousarray(x), y, counted)


def _choose(chosen: NDArray[np.bool_], one: State, other: State) -> State:
    """The weights of some members, (members,), from one state and those of the rest from another."""
    here = ops.convert_to_tensor(chosen[:, None])
    return State(ops.where(here, one.weights, other.weights), ops.where(here, one.moving, other.moving), one.slots)


def _name_arrays(state: State, kept: State) -> dict[str, Any]:
    """Everything that changes from epoch to epoch."""
    slots = {f"slot_{index}": slot for index, slot in enumerate(state.slots)}
    named = {
        "weights": state.weights,
        "moving": state.moving,
        "kept_weights": kept.weights,
        "kept_moving": kept.moving,
    }
    return named | slots


def _fetch(tensors: dict[str, Any]) -> Measures:
    """Measures from where they were computed, in double precision."""
    return {name: ops.convert_to_numpy(tensor).astype(np.float64) for name, tensor in tensors.items()}
