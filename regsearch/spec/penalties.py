"""The penalties a spec may name: what lambda is multiplied with, over the penalised kernels."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from regsearch.spec.values import Named, Number, one_of

NONE = "none"
"""The penalty of a network trained with lambda 0: one network serves every penalty."""

Shares = tuple[float, float, float]
"""The shares (l1, l2, decay) of lambda."""


class PenaltyBase(Named):
    """A penalty of strength lambda.

    A penalty adds λ·(l1·Σ|w| + l2·Σw²) to the loss, with the two shares below, or decays the kernels by
    λ·`decay` beside it: w ← w − ηλw.
    """

    @property
    def name(self) -> str:
        """The name in tables."""
        return self.kind

    @abstractmethod
    def shares(self, penalised: int) -> Shares:
        """The shares of lambda in a network of so many penalised weights."""


class L1(PenaltyBase):
    """λ·Σ|w|, Keras's L1."""

    kind: ClassVar[str] = "l1"

    def shares(self, penalised: int) -> Shares:  # noqa: ARG002 - a sum is the same whatever its length
        """All of lambda is L1."""
        return 1.0, 0.0, 0.0


class L2(PenaltyBase):
    """λ·Σw², Keras's L2 (no ½)."""

    kind: ClassVar[str] = "l2"

    def shares(self, penalised: int) -> Shares:  # noqa: ARG002 - a sum is the same whatever its length
        """All of lambda is L2."""
        return 0.0, 1.0, 0.0


class L1L2(PenaltyBase):
    """λ·(ratio·Σ|w| + (1 − ratio)·Σw²)."""

    kind: ClassVar[str] = "l1_l2"

    ratio: Annotated[Number, Field(gt=0, lt=1)]

    @property
    def name(self) -> str:
        """The name in tables, with the ratio: `l1_l2-0.5`."""
        return f"{self.kind}-{self.ratio!r}"

    def shares(self, penalised: int) -> Shares:  # noqa: ARG002 - a sum is the same whatever its length
        """`ratio` of lambda is L1, the rest L2."""
        return self.ratio, 1.0 - self.ratio, 0.0


class L1Mean(PenaltyBase):
    """λ·Σ|w|/N over the N penalised weights: the guess that a penalty should not grow with them, built in."""

    kind: ClassVar[str] = "l1_mean"

    def shares(self, penalised: int) -> Shares:
        """A weight's part of lambda is L1."""
        return 1.0 / penalised, 0.0, 0.0


class L2Mean(PenaltyBase):
    """λ·Σw²/N over the N penalised weights."""

    kind: ClassVar[str] = "l2_mean"

    def shares(self, penalised: int) -> Shares:
        """A weight's part of lambda is L2."""
        return 0.0, 1.0 / penalised, 0.0


class Decoupled(PenaltyBase):
    """w ← w − ηλw beside the optimizer's step, outside the loss: the decay of AdamW (arXiv 1711.05101)."""

    kind: ClassVar[str] = "decoupled"

    def shares(self, penalised: int) -> Shares:  # noqa: ARG002 - a sum is the same whatever its length
        """All of lambda is decay."""
        return 0.0, 0.0, 1.0


PENALTIES: dict[str, type[PenaltyBase]] = {
    penalty.kind: penalty for penalty in (L1, L2, L1L2, L1Mean, L2Mean, Decoupled)
}

if TYPE_CHECKING:
    Penalty = PenaltyBase
else:
    Penalty = one_of("a penalty", PENALTIES, "`l1` or `{l1_l2: {ratio: 0.5}}`")
