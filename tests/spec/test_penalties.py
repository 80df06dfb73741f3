"""The penalties' shares of lambda are Keras's regularizers, by their formulas."""

import keras
import numpy as np
import pytest
from conftest import parsed

from regsearch.engine.plain import make_regularizer
from regsearch.grid.cells import make_cells


@pytest.mark.parametrize(
    ("penalty", "formula"),
    [
        ("l1", lambda lam, w: lam * np.abs(w).sum()),
        ("l2", lambda lam, w: lam * np.square(w).sum()),
        ("{l1_l2: {ratio: 0.25}}", lambda lam, w: lam * (0.25 * np.abs(w).sum() + 0.75 * np.square(w).sum())),
        ("l1_mean", lambda lam, w: lam * np.abs(w).mean()),
        ("l2_mean", lambda lam, w: lam * np.square(w).mean()),
        ("decoupled", lambda lam, w: 0.0),
    ],
)
def test_a_penalty_is_its_formula(penalty, formula):
    cell = make_cells(parsed(("[l1, l2]", f"[{penalty}]")), "reference", "digits")[2]
    assert cell.lam == 0.1
    weights = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    regularizer = make_regularizer(*cell.shares(12)[:2])
    value = float(regularizer(keras.ops.convert_to_tensor(weights))) if regularizer else 0.0
    assert value == pytest.approx(formula(0.1, weights), rel=1e-6)
    assert cell.shares(12)[2] == (0.1 if penalty == "decoupled" else 0.0)
