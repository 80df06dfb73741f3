"""The planted problem: its best lambda is the one that ridge regression by another hand finds."""

import numpy as np
import pytest
from conftest import parsed_text
from planted_answer import find_best_lambda
from sklearn.linear_model import Ridge, RidgeCV

from regsearch import data as datasets
from regsearch.analysis.best_lambda import find_best_lambdas
from regsearch.analysis.curves import SCORES, Architecture, Curve
from regsearch.analysis.optimum import find_minima
from regsearch.analysis.tables import Setting
from regsearch.data import planted
from regsearch.engine import Job, train
from regsearch.errors import SpecError
from regsearch.grid import cells as grid
from regsearch.grid import costs as sizing

LAMBDAS = 10.0 ** np.arange(-1.5, 1.51, 0.25)

SPEC = """
name: planted
dataset: {name: planted, exponent: 1, train: 64, validation: 200, test: 100}
architecture:
  widths: [4]
  layers:
    - Conv2D: {filters: outputs, kernel_size: 4, use_bias: false}
    - Flatten
grid:
  penalties: [l2]
  lambdas: {from: 0.1, to: 10, per_decade: 4, zero: false}
  seeds: 1
training:
  optimizer: {SGD: {learning_rate: 0.02, momentum: 0.9}}
  batch_size: 64
  steps_per_epoch: 200
  epochs: 2
"""


def flat(pair):
    return pair[0].reshape(len(pair[0]), -1).astype(float), pair[1].astype(float)


def ridge(exponent, width, seed, lambdas, train=64):
    """Validation losses of scikit-learn's ridge at λ·Σw² under the mean over all targets: its alpha is λ·n·q."""
    validation, _, fitted = (flat(pair) for pair in planted.draw(exponent, width, seed, 400, 10, train))
    targets = fitted[1].shape[1]
    models = (Ridge(alpha=lam * train * targets, fit_intercept=False).fit(*fitted) for lam in lambdas)
    return [
        np.mean((model.predict(validation[0]).reshape(validation[1].shape) - validation[1]) ** 2) for model in models
    ]


@pytest.mark.parametrize("exponent", [1, 0, -1])
@pytest.mark.parametrize("width", [2, 6])
def test_the_formula_is_where_ridge_regression_is_best_on_average(exponent, width):
    expected = find_best_lambda(exponent, width, 64)
    lambdas = expected * LAMBDAS
    losses = np.mean([ridge(exponent, width, seed, lambdas) for seed in range(60)], axis=0)
    best = np.exp(find_minima(np.log(lambdas), losses[None], np.zeros(len(lambdas), bool))[0])
    assert abs(np.log10(best / expected)) < 0.125  # half a grid step


@pytest.mark.parametrize(("exponent", "expected"), [(1, 1.0), (0, 0.0), (-1, -1.0)])
def test_the_exponent_is_the_one_planted(exponent, expected):
    weights = [planted.SIDE**2 * np.prod(planted.count_channels_and_targets(exponent, width)) for width in (2, 8)]
    lambdas = [find_best_lambda(exponent, width, 64) for width in (2, 8)]
    assert np.log(lambdas[1] / lambdas[0]) / np.log(weights[1] / weights[0]) == pytest.approx(expected)


def test_a_seed_is_one_draw_and_fewer_images_are_the_first_of_more():
    many, few, other = (planted.draw(1, 3, seed, 20, 10, train) for seed, train in ((0, 50), (0, 30), (1, 30)))
    for part in range(2):
        assert np.array_equal(many[2][part][:30], few[2][part])
        assert np.array_equal(many[0][part], few[0][part])
        assert not np.array_equal(few[2][part], other[2][part])
    assert few[2][0].shape == (30, 4, 4, 3)
    assert few[2][1].shape == (30, 1)
    assert planted.draw(-1, 5, 0, 20, 10, 30)[2][1].shape == (30, 5)


@pytest.mark.slow
def test_trained_networks_have_the_losses_of_ridge_regression_and_its_best_lambda():
    """The whole way by another hand: closed form, RidgeCV's choice, scikit-learn's losses."""
    spec = parsed_text(SPEC)
    (population,) = grid.make_populations(grid.make_cells(spec, "population", "planted"), 99)
    split = datasets.split(None, spec.dataset, 64, 0, 4)
    size = next(iter(sizing.measure(spec, datasets.describe(spec)).values()))
    job = Job(population, size, len(population.cells), "population", "CPU")
    trials = [record.trial for record in train(job, [split], spec.training)]
    (x, y), (vx, vy) = flat(split.train), flat(split.validation)
    for trial in trials:
        closed = np.linalg.solve(x.T @ x + trial.lam * 64 * np.eye(x.shape[1]), x.T @ y)
        assert trial.validation_loss == pytest.approx(np.mean((vx @ closed - vy) ** 2), rel=1e-3)
        assert trial.sum_squared_weights == pytest.approx((closed**2).sum(), rel=1e-3)
        assert trial.validation_accuracy is None
    lambdas = np.array([trial.lam for trial in trials])
    both = np.vstack([x, vx]), np.vstack([y, vy]).ravel()
    folds = [(np.arange(64), np.arange(64, 264))]
    chosen = RidgeCV(alphas=lambdas * 64, fit_intercept=False, cv=folds, scoring="neg_mean_squared_error").fit(*both)
    losses = np.array([[trial.validation_loss for trial in trials]] * 2)
    scores, no = dict.fromkeys(SCORES, losses), np.zeros(losses.shape, bool)
    curve = Curve(
        Architecture("w4", 4, 64, 64), Setting("l2", 0.02, 64), lambdas, np.arange(2), scores, no, no, np.nan
    )
    (row,) = find_best_lambdas([curve]).to_dict("records")
    assert row["best_grid_lambda"] * 64 == pytest.approx(chosen.alpha_)
    assert abs(np.log10(row["best_lambda"] * 64 / chosen.alpha_)) <= 0.25


@pytest.mark.parametrize(("change", "expected"), [
    (("exponent: 1, ", ""), "the key 'exponent', .* -1, 0 or 1"),
    (("exponent: 1", "exponent: 2"), "at most 1"),
    (("test: 100", "test: 100, label_noise: 0.1"), "no `label_noise`"),
    (("name: planted, exponent: 1", "name: digits, draws: 3"), "the unknown key 'draws' .a key of planted"),
    (("name: planted, exponent: 1", "name: digits, exponent: 1"), "the unknown key 'exponent' .a key of planted"),
])  # fmt: skip
def test_what_does_not_go_with_planted_data_is_refused(change, expected):
    with pytest.raises(SpecError, match=expected):
        parsed_text(SPEC.replace(*change))


def test_planted_data_needs_widths():
    named = SPEC.replace("architecture:\n  widths: [4]\n", "architectures:\n  - name: one\n").replace(
        "  layers", "    layers"
    )
    named = named.replace("    - Conv2D", "      - Conv2D").replace("    - Flatten", "      - Flatten")
    with pytest.raises(SpecError, match="which planted data follow"):
        parsed_text(named)


def test_networks_of_every_width_are_other_trials_though_their_layers_read_the_same():
    cells = grid.make_cells(parsed_text(SPEC.replace("[4]", "[2, 4]")), "population", "planted")
    assert len({cell.trial for cell in cells}) == len(cells)
