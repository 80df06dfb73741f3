"""The best lambda of planted data, by the formula that `regsearch/data/planted.py` states."""

from regsearch.data import planted


def find_best_lambda(exponent: int, width: int, train_size: int) -> float:
    """The best λ of λ·Σw² under the mean squared error, on average over draws of the problem."""
    _, targets = planted.count_channels_and_targets(exponent, width)
    return 1 / (train_size * targets * planted.compute_variance(exponent, width))
