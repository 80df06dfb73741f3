"""The penalties a spec may name: what lambda is multiplied with, over the penalised kernels."""

from typing import Annotated, ClassVar, NamedTuple

from pydantic import Field

from regsearch.spec.values import Named, Number, one_of

NONE = "none"
"""The penalty of a network trained with lambda 0: one network serves every penalty."""


class Coefficients(NamedTuple):
    """A penalty adds l1·Σ|w| + l2·Σw² to the loss, and decays the kernels beside it: w ← w − η·decay·w."""

    l1: float = 0.0
    l2: float = 0.0
    decay: float = 0.0


class PenaltyBase(Named):
    """A penalty of strength lambda.

    Attributes:
        of_sums: the coefficients at a lambda of 1; a penalty is proportional to lambda.
        is_mean: whether they are divided by the number of penalised weights.
    """

    of_sums: ClassVar[Coefficients]
    is_mean: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """The name in tables."""
        return self.kind

    def coefficients(self, penalised: int) -> Coefficients:
        """The coefficients at a lambda of 1 in a network of so many penalised weights."""
        return Coefficients(*(of_sum / (penalised if self.is_mean else 1) for of_sum in self.of_sums))


class L1(PenaltyBase):
    """λ·Σ|w|, Keras's L1."""

    kind = "l1"
    of_sums = Coefficients(l1=1.0)


class L2(PenaltyBase):
    """λ·Σw², Keras's L2 (no ½)."""

    kind = "l2"
    of_sums = Coefficients(l2=1.0)


class L1L2(PenaltyBase):
    """λ·(ratio·Σ|w| + (1 − ratio)·Σw²)."""

    kind = "l1_l2"
    ratio: Annotated[Number, Field(gt=0, lt=1)]
    """The share of lambda that is L1."""

    @property
    def name(self) -> str:
        """The name in tables, with the ratio: `l1_l2-0.5`."""
        return f"{self.kind}-{self.ratio!r}"

    def coefficients(self, penalised: int) -> Coefficients:  # noqa: ARG002 - sums, however many weights
        """`ratio` of lambda is L1, the rest L2."""
        return Coefficients(l1=self.ratio, l2=1.0 - self.ratio)


class L1Mean(L1):
    """λ·Σ|w|/N over the N penalised weights: the guess that a penalty should not grow with them, built in."""

    kind = "l1_mean"
    is_mean = True


class L2Mean(L2):
    """λ·Σw²/N over the N penalised weights."""

    kind = "l2_mean"
    is_mean = True


class Decoupled(PenaltyBase):
    """w ← w − ηλw beside the optimizer's step, outside the loss: the decay of AdamW (arXiv 1711.05101)."""

    kind = "decoupled"
    of_sums = Coefficients(decay=1.0)


PENALTIES: dict[str, type[PenaltyBase]] = {
    penalty.kind: penalty for penalty in (L1, L2, L1L2, L1Mean, L2Mean, Decoupled)
}
Penalty = Annotated[PenaltyBase, one_of("a penalty", PENALTIES, "`l1` or `{l1_l2: {ratio: 0.5}}`")]
