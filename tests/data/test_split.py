"""One seed's part of a dataset."""

import numpy as np
import pytest

from regsearch.data import Split


def split_with(answers, loss="cross_entropy"):
    answers = np.array(answers)
    part = np.zeros((len(answers), 2, 2, 1), np.float32), answers
    return Split(part, part, part, 2, loss)


def test_the_loss_of_guessing_is_that_of_the_best_constant_answer():
    labels = [0] * 7 + [1] * 3
    assert split_with(labels).guessing_loss == pytest.approx(-0.7 * np.log(0.7) - 0.3 * np.log(0.3))
    assert split_with([0, 1, 2, 5]).guessing_loss == pytest.approx(np.log(4))
    assert split_with([3, 3, 3]).guessing_loss == 0
    targets = np.array([[0.0, 10.0], [2.0, 10.0], [1.0, 13.0]], np.float32)
    constant = targets.mean(axis=0)
    assert split_with(targets, "squared_error").guessing_loss == pytest.approx(np.mean((targets - constant) ** 2))
