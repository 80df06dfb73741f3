"""Made-up curves of loss against lambda, in families that real ones come in, whose lowest point is known.

x is in decades of lambda from where the family's bottom lies. Each seed has its own bottom, and noise on every loss.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from regsearch.analysis.curves import SCORES, Architecture, Curve
from regsearch.analysis.tables import Setting

GUESSING = np.log(10)


def bowl(x, right):
    """Quadratic near 0 and straight far away, in ln λ; steeper on the right."""
    u = np.log(10) * x
    return 0.1 * u**2 / (1 + np.abs(u)) * np.where(x > 0, right, 1.0)


@dataclass(frozen=True)
class Family:
    """A kind of curve.

    Attributes:
        shape: (x from the seed's own bottom, (seeds, 1) random numbers of the seed) → loss.
        own: the standard deviation of the seeds' own bottoms, in decades.
        noise: x → the standard deviation of the noise.
        tails: degrees of freedom of the noise; None for normal noise.
    """

    shape: object
    own: float = 0.2
    noise: object = lambda x: np.full_like(x, 0.02)
    tails: int | None = None

    def draw(self, x, shifts, rng, noisy=True):
        """Losses (seeds, lambdas) at x (lambdas,) of seeds whose bottoms are shifted by (seeds, 1)."""
        jitter = rng.standard_normal(shifts.shape)
        losses = self.shape(x - shifts, jitter)
        if noisy:
            shape = (len(shifts), len(x))
            drawn = rng.standard_normal(shape) if self.tails is None else rng.standard_t(self.tails, shape)
            losses = losses + self.noise(x) * drawn
        return np.minimum(losses, GUESSING)


def _fade(x):
    """Noise as measured on digits: larger on the left, where networks overfit, and least at the best."""
    return np.clip(0.03 * np.exp(-1.6 * x), 0.03, 0.2)


def _overfit(x):
    """The rise of the loss on the left, as measured on digits."""
    return np.where(x < 0, 1.3 * (1 - np.exp(-((x / 0.85) ** 2))), 0.35 * x**2)


def _valley(x, _):
    right = np.where(x < 1.3, 0.02 * x, 0.026 + 0.8 * (x - 1.3))
    return 1 + np.where(x < 0, 0.5 * np.clip(-x, 0, 3) ** 1.3, right)


FAMILIES = {
    "smooth": Family(lambda x, _: 1 + bowl(x, 1.5)),
    "steep": Family(lambda x, _: 1 + bowl(x, 12.0), own=0.1),
    "collapse": Family(lambda x, jitter: _collapse(x, 0.9 + 0.08 * jitter), own=0.12, noise=_fade),
    "cliff": Family(lambda x, jitter: _collapse(x, 0.3 + 0.08 * jitter), own=0.1, noise=_fade),
    "valley": Family(_valley, own=0.1),
    "heavy": Family(lambda x, _: 1 + bowl(x, 1.5), tails=3),
    "noisy": Family(lambda x, _: 1 + bowl(x, 1.5), noise=lambda x: np.full_like(x, 0.06)),
    "unequal": Family(lambda x, _: 1 + bowl(x, 1.5), noise=_fade),
}


def _collapse(x, cliff):
    """As L2's curve on digits, or L1's, whose networks collapse close to the best lambda, each seed at its own."""
    return np.where(x > cliff, GUESSING, 1 + _overfit(x))


@cache
def find_lowest(name):
    """x where a family's loss is lowest, as a mean over many seeds."""
    family, rng = FAMILIES[name], np.random.default_rng(7)
    x = np.arange(-1.0, 1.0, 0.01)
    total = np.zeros_like(x)
    for _ in range(20):
        total += family.draw(x, family.own * rng.standard_normal((1000, 1)), rng, noisy=False).sum(axis=0)
    return float(x[total.argmin()])


def make_lambdas(low, high, step, rng):
    """ln λ of a grid in decades from low to high, which begins anywhere within a step."""
    return np.log(10) * (np.arange(low, high + 1e-9, step) + step * rng.random())


def make_curve(name, x, losses, weights, penalty="l2", train_size=100, collapsed_from=0.98 * GUESSING):
    """A curve of made-up losses; 0 is its first lambda where ln λ is −∞."""
    lambdas, no = np.exp(x), np.zeros(losses.shape, bool)
    setting = Setting(penalty, 0.1, train_size)
    return Curve(
        Architecture(name, None, weights, weights), setting, lambdas, np.arange(len(losses)),
        dict.fromkeys(SCORES, losses), no, losses >= collapsed_from, GUESSING,
    )  # fmt: skip
