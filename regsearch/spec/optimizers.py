"""The optimizers a spec may name, with Keras's own names, arguments and defaults."""

from typing import TYPE_CHECKING

from regsearch.spec.values import Flag, Fraction, Named, Rate, one_of


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

if TYPE_CHECKING:
    Optimizer = OptimizerBase
else:
    Optimizer = one_of("an optimizer", OPTIMIZERS, "`Adam` or `SGD: {learning_rate: 0.05}`")
