"""The sections of a spec: its architectures, its grid and its training."""

import math
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, WithJsonSchema, model_validator

from regsearch.spec.layers import Layers, Penalised
from regsearch.spec.optimizers import Optimizer, Schedule
from regsearch.spec.penalties import Penalty
from regsearch.spec.values import Distinct, Flag, Name, Number, Positive, Rate, Section, Whole, wrong

SMALLEST_LAMBDA = 1e-30


class ScaledArchitecture(Section):
    """One architecture at several widths."""

    widths: Distinct[Positive]
    """The widths; sizes of layers may be multiples of `width`."""
    layers: Layers
    """Keras's layers with Keras's arguments. The last gives one number a class: `units: classes`."""


class NamedArchitecture(Section):
    """One architecture by name, for grids that widths do not describe."""

    name: Name
    """The name in the tables."""
    layers: Layers
    """Keras's layers with Keras's arguments. The last gives one number a class: `units: classes`."""


def _single_precision(value: float) -> float:
    if 0 < value < SMALLEST_LAMBDA:
        raise wrong(f"0, or a lambda of at least {SMALLEST_LAMBDA:g}, so that single precision can hold it")
    return value


class LambdaRange(Section):
    """Lambdas evenly spaced on a log scale, none above `to`."""

    start: Annotated[Number, Field(gt=0, le=1e9)] = Field(alias="from")
    """The smallest lambda above 0."""
    stop: Annotated[Number, Field(gt=0, le=1e9)] = Field(alias="to")
    """The largest."""
    per_decade: Annotated[Positive, Field(le=100)] = 2
    """How many a factor of ten."""
    zero: Flag = True
    """Whether lambda 0 is trained too, to compare with."""

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.start > self.stop:
            raise wrong("`from` no larger than `to`", f"from {self.start:g} to {self.stop:g}")
        _single_precision(self.start)
        return self

    def values(self) -> tuple[float, ...]:
        """The lambdas in rising order, rounded to 6 digits so that a grown grid meets the old one."""
        steps = math.floor(math.log10(self.stop / self.start) * self.per_decade + 1e-9)
        points = (self.start * 10 ** (step / self.per_decade) for step in range(steps + 1))
        return (0.0,) * self.zero + tuple(float(f"{point:.6g}") for point in points)


def _lambda_kind(value: object) -> str | None:
    if isinstance(value, dict | LambdaRange):
        return ":range"
    return ":list" if isinstance(value, list | tuple) else None


Lambda = Annotated[
    Number,
    Field(ge=0, le=1e9),
    AfterValidator(_single_precision),
    WithJsonSchema({"anyOf": [{"const": 0}, {"type": "number", "minimum": SMALLEST_LAMBDA, "maximum": 1e9}]}),
]
_LAMBDAS = "a list of lambdas, or {from: 1e-5, to: 1, per_decade: 2, zero: true}"
Lambdas = Annotated[
    Annotated[LambdaRange, Tag(":range")] | Annotated[Distinct[Lambda], Tag(":list")],
    Discriminator(_lambda_kind, "regsearch", "expected {expected}", {"expected": _LAMBDAS}),
]


def _seeds(value: object) -> object:
    expected = "a number of seeds from 1 to 1000, or a list of different whole numbers from 0 to 2147483647"
    if type(value) is int and 1 <= value <= 1000:
        return value
    if not isinstance(value, list | tuple) or not value or len(set(map(repr, value))) < len(value):
        raise wrong(expected)
    for seed in value:
        if type(seed) is not int or not 0 <= seed < 2**31:
            raise wrong(expected, repr(seed))
    return tuple(value)


_Seeds = Annotated[int, Field(ge=1, le=1000)] | Distinct[Whole]


class Grid(Section):
    """The axes of a grid of networks."""

    penalties: Distinct[Penalty]
    """l1, l2, {l1_l2: {ratio: 0.5}}, l1_mean, l2_mean, decoupled: over the penalised kernels."""
    lambdas: Lambdas
    """A list, or a range {from: 1e-5, to: 1, per_decade: 2, zero: true}."""
    seeds: Annotated[int | tuple[int, ...], BeforeValidator(_seeds, json_schema_input_type=_Seeds)] = 3
    """A number of seeds, or a list of them; each has its own split, start and order of batches."""
    learning_rates: Distinct[Rate] | None = None
    """Several learning rates, in place of the optimizer's."""
    train_sizes: Distinct[Positive] | None = None
    """Several numbers of training images, in place of dataset.train."""
    max_trials: Positive = 100_000
    """A larger grid is refused."""
    extend: Annotated[Whole, Field(le=30)] = 0
    """How many decades the lambdas may grow beyond an edge where an optimum sits; 0: none."""
    refine: Annotated[Whole, Field(le=100)] = 0
    """How many lambdas a decade are added around each optimum once it is found; 0: none."""

    def lambda_values(self) -> tuple[float, ...]:
        """Every lambda, 0 included where asked for, in rising order."""
        values = self.lambdas.values() if isinstance(self.lambdas, LambdaRange) else self.lambdas
        return tuple(sorted(float(value) for value in values))

    def seed_values(self) -> tuple[int, ...]:
        """`seeds: 3` is seeds 0, 1 and 2."""
        return self.seeds if isinstance(self.seeds, tuple) else tuple(range(self.seeds))


class EarlyStopping(Section):
    """Keras's EarlyStopping on the validation data loss."""

    patience: Annotated[Whole, Field(le=100_000)]
    """After how many epochs in a row without a better validation loss it stops."""
    min_delta: Annotated[Number, Field(ge=0)] = 0.0
    """By how much a loss must be lower to be better."""
    restore_best_weights: Flag = False
    """Whether the weights of the best epoch count, rather than those of the last."""


class Training(Section):
    """The training of a network."""

    optimizer: Optimizer
    """Keras's optimizer with Keras's arguments, such as {SGD: {learning_rate: 0.05}}."""
    batch_size: Positive = 32
    """Images a step."""
    epochs: Annotated[Positive, Field(le=100_000)]
    """Passes over the training images, or parts of `steps_per_epoch` steps."""
    steps_per_epoch: Positive | None = None
    """Steps between two scores, in place of one pass over the training images."""
    schedule: Schedule | None = None
    """What the learning rate is multiplied with: cosine, or piecewise with boundaries in epochs."""
    early_stopping: EarlyStopping | None = None
    """Ends a network's training once its validation loss no longer falls."""
    penalised: Penalised = "all"
    """Which kernels the penalty is over: all (the default), or those of convolutions."""
    memory_gib: Annotated[Number, Field(gt=0, le=1e6)] = 2.0
    """What the networks that train together may take in one worker; changes no numbers beyond rounding."""

    def steps(self, train_size: int) -> int:
        """Steps of an epoch."""
        return self.steps_per_epoch or -(-train_size // self.batch_size)

    def factors(self, train_size: int, epoch: int) -> list[float]:
        """What the learning rate is multiplied with in each step of an epoch, counted from 1."""
        steps = self.steps(train_size)
        factor = self.schedule.factor if self.schedule else lambda *_: 1.0
        return [factor(step, steps, self.epochs) for step in range((epoch - 1) * steps, epoch * steps)]

    def largest_and_mean_factor(self) -> tuple[float, float]:
        """The largest of all these factors, and their mean."""
        return self.schedule.largest_and_mean(self.epochs) if self.schedule else (1.0, 1.0)
