"""A YAML spec → a frozen `Spec`, or every error at once with file and line. Imports no Keras."""

import math
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from regsearch.errors import SpecError
from regsearch.spec import yaml as source
from regsearch.spec.layers import LAYERS, Layers, Penalised, every
from regsearch.spec.messages import location, message
from regsearch.spec.optimizers import OPTIMIZERS, Optimizer
from regsearch.spec.penalties import PENALTIES, Penalty
from regsearch.spec.schedules import SCHEDULES, Piecewise, Schedule
from regsearch.spec.values import (
    Distinct,
    Flag,
    Fraction,
    Integer,
    Name,
    NonEmpty,
    Number,
    Pair,
    Positive,
    Rate,
    Section,
    Text,
    wrong,
)
from regsearch.spec.yaml import Location, Source

DatasetName = Literal["digits", "mnist", "fashion_mnist", "cifar10", "cifar100", "npz", "images", "planted"]
DOWNLOADED = ("mnist", "fashion_mnist", "cifar10", "cifar100")
"""The datasets that come over the network, unless a `path` says where they lie already."""
OWN = ("npz", "images")
"""The datasets that are the user's own, named by a `path`."""
MAX_TRIALS = 100_000
SMALLEST_LAMBDA = 1e-30


class Dataset(Section):
    """Which images, how many of them, and how noisy their labels are made.

    `size` and `color` say what is made of a folder of images. With `standardise` each channel's mean and standard
    deviation over the training images are taken out of all images.

    Of `planted` data the best L2 lambda goes with the weights by a known `exponent`; the report parts the seeds
    into `draws` studies of their own and says how well these find it.
    """

    name: DatasetName
    path: Text | None = None
    size: Pair | None = None
    color: Literal["rgb", "grayscale"] = "rgb"
    train: Positive | None = None
    validation: Positive
    test: Positive
    label_noise: Fraction = 0.0
    standardise: Flag = False
    exponent: Annotated[Integer, Field(ge=-1, le=1)] | None = None
    draws: Positive = 1

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"name": {"enum": list(OWN)}}},
            "then": {"required": ["path"], "properties": {"path": {"type": "string"}}},
            "else": {
                "if": {"properties": {"name": {"enum": list(DOWNLOADED)}}},
                "else": {"properties": {"path": {"type": "null"}}},
            },
            "allOf": [
                {
                    "if": {"properties": {"name": {"const": "images"}}},
                    "then": {"required": ["size"], "not": {"properties": {"size": {"type": "null"}}}},
                    "else": {"properties": {"size": {"type": "null"}, "color": False}},
                },
                {
                    "if": {"properties": {"name": {"const": "planted"}}},
                    "then": {
                        "required": ["exponent"],
                        "properties": {
                            "exponent": {"type": "integer"},
                            "label_noise": {"const": 0},
                            "standardise": {"const": False},
                        },
                    },
                    "else": {"properties": {"exponent": {"type": "null"}, "draws": {"const": 1}}},
                },
            ],
        }
    )

    @model_validator(mode="after")
    def _arguments_go_with_the_name(self) -> Self:
        planted = self.name == "planted"
        if (self.exponent is not None) != planted:
            expected = "an `exponent` of -1, 0 or 1 with the dataset planted, and with no other"
            raise wrong(expected, f"name {self.name}, exponent {self.exponent}")
        if planted and self.label_noise:
            raise wrong("no `label_noise` with the dataset planted, whose targets are numbers", str(self.label_noise))
        if planted and self.standardise:
            raise wrong("no `standardise` with the dataset planted, whose images are drawn standardised", "true")
        if self.draws > 1 and not planted:
            raise wrong("`draws` with the dataset planted alone", f"name {self.name}, draws {self.draws}")
        if self.name in OWN if self.path is None else self.name not in (*OWN, *DOWNLOADED):
            expected = f"a `path` with the dataset npz or images, and with no other but {', '.join(DOWNLOADED)}"
            raise wrong(expected, f"name {self.name}, path {self.path}")
        if (self.size is not None) != (self.name == "images"):
            expected = "a `size`, [height, width], with the dataset images, and with no other"
            raise wrong(expected, f"name {self.name}, size {self.size and list(self.size)}")
        if "color" in self.model_fields_set and self.name != "images":
            raise wrong("a `color` with the dataset images alone", f"name {self.name}, color {self.color}")
        return self


class ScaledArchitecture(Section):
    """One architecture at several widths."""

    widths: Annotated[tuple[Positive, ...], NonEmpty, Distinct]
    layers: Layers


class NamedArchitecture(Section):
    """One architecture by name, for grids that widths do not describe."""

    name: Name
    layers: Layers


def _single_precision(value: float) -> float:
    if 0 < value < SMALLEST_LAMBDA:
        raise wrong(f"0, or a lambda of at least {SMALLEST_LAMBDA:g}, so that single precision can hold it")
    return value


class LambdaRange(Section):
    """Evenly spaced on a log scale: from `from`, `per_decade` lambdas a factor of ten, none above `to`."""

    start: Annotated[Number, Field(gt=0, le=1e9)] = Field(alias="from")
    stop: Annotated[Number, Field(gt=0, le=1e9)] = Field(alias="to")
    per_decade: Annotated[Integer, Field(ge=1, le=100)] = 2
    zero: Flag = True

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


def _lambda_kind(value: Any) -> str:
    return ":range" if isinstance(value, dict | LambdaRange) else ":list"


def _lambdas_shape(value: Any) -> Any:
    if not isinstance(value, dict | list | tuple | LambdaRange):
        raise wrong("a list of lambdas, or {from: 1e-5, to: 1, per_decade: 2, zero: true}")
    return value


Lambda = Annotated[
    Number,
    Field(ge=0, le=1e9),
    AfterValidator(_single_precision),
    WithJsonSchema({"anyOf": [{"const": 0}, {"type": "number", "minimum": SMALLEST_LAMBDA, "maximum": 1e9}]}),
]
Lambdas = Annotated[
    Annotated[LambdaRange, Tag(":range")] | Annotated[tuple[Lambda, ...], NonEmpty, Distinct, Tag(":list")],
    Discriminator(_lambda_kind),
    BeforeValidator(_lambdas_shape),
]


def _seeds(value: Any) -> Any:
    expected = "a number of seeds from 1 to 1000, or a list of different whole numbers from 0 to 2147483647"
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1000:
        return value
    if not isinstance(value, list | tuple) or not value or len(set(map(repr, value))) < len(value):
        raise wrong(expected)
    for seed in value:
        if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**31:
            raise wrong(expected, repr(seed))
    return tuple(value)


_SEED = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
_SEEDS = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": 1000},
        {"type": "array", "items": _SEED, "minItems": 1, "uniqueItems": True},
    ]
}


class Grid(Section):
    """The axes: every combination is trained.

    `extend` is how many decades the lambdas may grow beyond an edge where an optimum sits, `refine` how many
    lambdas a decade are added around each optimum once it is found; 0 turns either off.
    """

    penalties: Annotated[tuple[Penalty, ...], NonEmpty, Distinct]
    lambdas: Lambdas
    seeds: Annotated[int | tuple[int, ...], BeforeValidator(_seeds), WithJsonSchema(_SEEDS)] = 3
    learning_rates: Annotated[tuple[Rate, ...], NonEmpty, Distinct] | None = None
    train_sizes: Annotated[tuple[Positive, ...], NonEmpty, Distinct] | None = None
    max_trials: Positive = MAX_TRIALS
    extend: Annotated[Integer, Field(ge=0, le=30)] = 0
    refine: Annotated[Integer, Field(ge=0, le=100)] = 0

    def lambda_values(self) -> tuple[float, ...]:
        """Every lambda, 0 included where asked for, in rising order."""
        values = self.lambdas.values() if isinstance(self.lambdas, LambdaRange) else self.lambdas
        return tuple(sorted(float(value) for value in values))

    def seed_values(self) -> tuple[int, ...]:
        """`seeds: 3` is seeds 0, 1 and 2."""
        return self.seeds if isinstance(self.seeds, tuple) else tuple(range(self.seeds))


class EarlyStopping(Section):
    """Keras's EarlyStopping on the validation data loss."""

    patience: Annotated[Integer, Field(ge=0, le=100_000)]
    min_delta: Annotated[Number, Field(ge=0)] = 0.0
    restore_best_weights: Flag = False


class Training(Section):
    """How each network is trained.

    `steps_per_epoch` is one pass over the training images unless it is given; scores are recorded once an epoch.
    `memory_gib` bounds what the networks that train together may take in one worker; it changes no numbers
    beyond rounding.
    """

    optimizer: Optimizer
    batch_size: Positive = 32
    epochs: Annotated[Positive, Field(le=100_000)]
    steps_per_epoch: Positive | None = None
    schedule: Schedule | None = None
    early_stopping: EarlyStopping | None = None
    penalised: Penalised = "all"
    memory_gib: Annotated[Number, Field(gt=0, le=1e6)] = 2.0

    def steps(self, train_size: int) -> int:
        """Steps of an epoch."""
        return self.steps_per_epoch or -(-train_size // self.batch_size)

    def factors(self, train_size: int, epoch: int) -> list[float]:
        """What the learning rate is multiplied with in each step of an epoch, counted from 1."""
        steps = self.steps(train_size)
        if self.schedule is None:
            return [1.0] * steps
        return [self.schedule.factor(step, steps, self.epochs) for step in range((epoch - 1) * steps, epoch * steps)]

    def largest_and_mean_factor(self) -> tuple[float, float]:
        """The largest of all these factors, and their mean."""
        return (self.schedule.largest(), self.schedule.mean(self.epochs)) if self.schedule else (1.0, 1.0)


class Spec(Section):
    """A study: the question put to one dataset and a grid of networks."""

    name: Name
    dataset: Dataset
    architecture: ScaledArchitecture | None = None
    architectures: Annotated[tuple[NamedArchitecture, ...], NonEmpty] | None = None
    grid: Grid
    training: Training

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["architecture"]}, {"required": ["architectures"]}]}
    )
    _source: Source | None = PrivateAttr(None)

    @property
    def text(self) -> str:
        """The file as it was read."""
        assert self._source is not None
        return self._source.text

    def learning_rates(self) -> tuple[float, ...]:
        """The grid's learning rates, or the optimizer's own."""
        return self.grid.learning_rates or (self.training.optimizer.learning_rate,)

    def train_sizes(self) -> tuple[int, ...]:
        """The grid's training-set sizes, or the dataset's."""
        sizes = self.grid.train_sizes or (self.dataset.train,)
        return tuple(size for size in sizes if size is not None)

    def steps(self) -> dict[int, int]:
        """Training steps in all, by training-set size."""
        return {size: self.training.epochs * self.training.steps(size) for size in self.train_sizes()}

    def problem(self, location: Location, message: str) -> str:
        """One line of an error about this spec, with file and line."""
        if self._source is None:
            return f"{source.dotted(location)}: {message}"
        return self._source.problem(location, message)


SECTIONS: dict[str, type[Section]] = {
    "dataset": Dataset, "architecture": ScaledArchitecture, "architectures": NamedArchitecture, "grid": Grid,
    "training": Training, "early_stopping": EarlyStopping, ":range": LambdaRange, **LAYERS, **OPTIMIZERS,
    **PENALTIES, **SCHEDULES,
}  # fmt: skip
"""The parts of a spec by the key, or the name of a choice, that they stand under."""


def load(path: Path) -> Spec:
    """Reads and validates a spec file.

    Raises:
        SpecError: the file cannot be read or is not valid; every problem is listed, in the file's order.
    """
    return validate(source.read(path))


def validate(text: Source) -> Spec:
    """Validates a parsed spec; see `load`."""
    try:
        spec = Spec.model_validate(text.values())
    except ValidationError as error:
        problems = [(location(found["loc"]), message(found, Spec, SECTIONS)) for found in error.errors()]
    else:
        problems = list(_across_fields(spec))
    if problems:
        problems.sort(key=lambda problem: text.line(problem[0]))
        raise SpecError(*dict.fromkeys(text.problem(*problem) for problem in problems))
    spec._source = text
    return spec


def _across_fields(spec: Spec) -> list[tuple[Location, str]]:
    """What no single field can know."""
    found: list[tuple[Location, str]] = []
    if (spec.architecture is None) == (spec.architectures is None):
        got = "neither" if spec.architecture is None else "both"
        found.append(((), f"expected either `architecture` with widths or a list `architectures`, got {got}"))
    if spec.architecture is None and spec.dataset.name == "planted":
        message = "expected `architecture` with widths, which planted data follow, got `architectures`"
        found.append((("dataset", "name"), message))
    if spec.architecture is not None:
        sizes = [count for layer in spec.architecture.layers for count in layer.counts()]
        follows = any(count.of == "width" for count in sizes) or spec.dataset.name == "planted"
        if len(spec.architecture.widths) > 1 and not follows:
            message = "expected `width` in at least one layer, got layers that are the same at every width"
            found.append((("architecture", "layers"), message))
    names: dict[str, int] = {}
    for index, item in enumerate(spec.architectures or ()):
        here: Location = ("architectures", index)
        if item.name in names:
            found.append(((*here, "name"), f"expected each name once, got {item.name!r} again"))
        names.setdefault(item.name, index)
        same = [other.name for other in (spec.architectures or ())[:index] if other.layers == item.layers]
        if same:
            found.append((here, f"expected different networks, got {item.name!r} with the layers of {same[0]!r}"))
        if any(count.of == "width" for layer in item.layers for count in layer.counts()):
            found.append(((*here, "layers"), "expected sizes as numbers, got `width`, which only `architecture` has"))
    if spec.training.penalised == "convolutions":
        stacks = [("the layers", spec.architecture.layers)] if spec.architecture else []
        stacks += [(f"the layers of {item.name}", item.layers) for item in spec.architectures or ()]
        for got, layers in stacks:
            if not any(layer.convolves for layer in every(layers)):
                message = f"expected a convolution in every network, whose kernel is penalised, got none in {got}"
                found.append((("training", "penalised"), message))
    rates, sizes_given = spec.grid.learning_rates, spec.grid.train_sizes
    if (spec.dataset.train is None) == (sizes_given is None):
        got = "neither" if sizes_given is None else "both"
        found.append((("dataset",), f"expected either dataset.train or grid.train_sizes, got {got}"))
    for index, size in enumerate(spec.train_sizes()):
        if size < spec.training.batch_size:
            where: Location = ("grid", "train_sizes", index) if sizes_given else ("dataset", "train")
            batch = f"at least training.batch_size ({spec.training.batch_size}) training images"
            found.append((where, f"expected {batch}, got {size}"))
    optimizer = spec.training.optimizer
    if rates is not None and "learning_rate" in optimizer.model_fields_set:
        message = "expected the learning rate in one place, got it here and in grid.learning_rates"
        found.append((("training", "optimizer", optimizer.kind, "learning_rate"), message))
    schedule = spec.training.schedule
    if isinstance(schedule, Piecewise) and schedule.boundaries[-1] >= spec.training.epochs:
        message = f"expected epochs below training.epochs ({spec.training.epochs}), got {schedule.boundaries[-1]}"
        found.append((("training", "schedule", schedule.kind, "boundaries"), message))
    trials = _trials(spec)
    if trials > spec.grid.max_trials:
        message = f"expected at most {spec.grid.max_trials:,} trials, got {trials:,}: raise grid.max_trials if meant"
        found.append((("grid",), message))
    if spec.grid.lambda_values() == (0.0,):
        found.append((("grid", "lambdas"), "expected at least one lambda above 0, got only 0"))
    return found


def _trials(spec: Spec) -> int:
    """The number of networks to train, without listing them."""
    lambdas = spec.grid.lambda_values()
    positive = sum(value > 0 for value in lambdas)
    architectures = len(spec.architecture.widths) if spec.architecture else len(spec.architectures or ())
    axes = architectures * len(spec.grid.seed_values()) * len(spec.learning_rates()) * len(spec.train_sizes() or (0,))
    return axes * (positive * len(spec.grid.penalties) + (0.0 in lambdas))
