"""The optimizers and learning-rate schedules a spec may name, with Keras's own names, arguments and defaults."""

import math
from abc import abstractmethod
from bisect import bisect_left
from itertools import pairwise
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from regsearch.spec.values import Flag, Fraction, Named, NonEmpty, Number, Positive, Rate, one_of, wrong


class OptimizerBase(Named):
    """A Keras optimizer with Keras's own arguments; its own weight decay is 0 (see the penalty `decoupled`)."""

    learning_rate: Rate = 0.001


class SGD(OptimizerBase):
    """Keras's SGD."""

    learning_rate: Rate = 0.01
    momentum: Fraction = 0.0
    nesterov: Flag = False


class Adam(OptimizerBase):
    """Keras's Adam."""

    beta_1: Fraction = 0.9
    beta_2: Fraction = 0.999
    epsilon: Rate = 1e-7
    amsgrad: Flag = False


class AdamW(Adam):
    """Keras's AdamW with its own decay off: the penalty `decoupled` is the decay here."""


class RMSprop(OptimizerBase):
    """Keras's RMSprop."""

    rho: Fraction = 0.9
    momentum: Fraction = 0.0
    epsilon: Rate = 1e-7
    centered: Flag = False


OPTIMIZERS: dict[str, type[OptimizerBase]] = {optimizer.kind: optimizer for optimizer in (SGD, Adam, AdamW, RMSprop)}
Optimizer = Annotated[OptimizerBase, one_of("an optimizer", OPTIMIZERS, "`Adam` or `SGD: {learning_rate: 0.05}`")]


class ScheduleBase(Named):
    """A schedule multiplies the learning rate, which may be an axis of the grid, by a factor in every step."""

    @abstractmethod
    def factor(self, step: int, per_epoch: int, epochs: int) -> float:
        """The factor of one step.

        Args:
            step: how many came before, over all epochs.
            per_epoch: steps of an epoch.
            epochs: of the whole training.
        """

    @abstractmethod
    def largest_and_mean(self, epochs: int) -> tuple[float, float]:
        """The largest factor, and the mean of the factors over a training of many steps."""


class Cosine(ScheduleBase):
    """Keras's CosineDecay over the whole training, down to `alpha` times the rate (arXiv 1608.03983)."""

    kind = "cosine"
    alpha: Annotated[Number, Field(ge=0, le=1)] = 0.0

    def factor(self, step: int, per_epoch: int, epochs: int) -> float:
        """(1 − α)·½(1 + cos(π·step/steps)) + α."""
        steps = per_epoch * epochs
        return (1 - self.alpha) * 0.5 * (1 + math.cos(math.pi * min(step, steps) / steps)) + self.alpha

    def largest_and_mean(self, epochs: int) -> tuple[float, float]:  # noqa: ARG002 - as all schedules have it
        """The first factor is the largest; the mean of the cosine over half a turn is 0."""
        return 1.0, (1 + self.alpha) / 2


def _rising(values: tuple[int, ...]) -> tuple[int, ...]:
    if any(later <= earlier for earlier, later in pairwise(values)):
        raise wrong("epochs that rise from each to the next", str(list(values)))
    return values


class Piecewise(ScheduleBase):
    """Keras's PiecewiseConstantDecay with boundaries in epochs: each is the last epoch of its factor."""

    kind = "piecewise"
    boundaries: Annotated[NonEmpty[Positive], AfterValidator(_rising)]
    factors: NonEmpty[Rate]

    @model_validator(mode="after")
    def _one_factor_more(self) -> Self:
        if len(self.factors) != len(self.boundaries) + 1:
            got = f"{len(self.boundaries)} boundaries, {len(self.factors)} factors"
            raise wrong("one factor more than there are boundaries", got)
        return self

    def factor(self, step: int, per_epoch: int, epochs: int) -> float:  # noqa: ARG002 - as all schedules have it
        """The factor of the step's epoch."""
        return self.factors[bisect_left(self.boundaries, step // per_epoch + 1)]

    def largest_and_mean(self, epochs: int) -> tuple[float, float]:
        """The factors are weighted with their epochs."""
        return max(self.factors), sum(self.factor(epoch, 1, epochs) for epoch in range(epochs)) / epochs


SCHEDULES: dict[str, type[ScheduleBase]] = {schedule.kind: schedule for schedule in (Cosine, Piecewise)}
Schedule = Annotated[
    ScheduleBase, one_of("a schedule", SCHEDULES, "`cosine` or `piecewise: {boundaries: [20], factors: [1, 0.1]}`")
]
