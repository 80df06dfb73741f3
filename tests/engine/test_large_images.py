"""Datasets as large as MNIST and CIFAR are held once, as bytes; studies of them and of numeric targets run whole."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from conftest import parsed, parsed_text
from made_up_images import enlarged

from regsearch import data as datasets
from regsearch import study
from regsearch.runner import Settings, plan

SLACK = 5 * 2**20
"""For labels, orders of images, and the sums by which images are standardised."""


def spec(path, changes=()):
    return parsed(("name: digits", f"name: npz\n  path: {path}"), *changes)


@pytest.fixture(scope="module")
def like_mnist(tmp_path_factory):
    x, y = enlarged(70_000, 28, 1)
    path = tmp_path_factory.mktemp("large") / "mnist.npz"
    np.savez(path, x_train=x[:60_000], y_train=y[:60_000], x_test=x[60_000:], y_test=y[60_000:])
    return path


@pytest.mark.parametrize(("train", "standardise"), [(50_000, "false"), (50_000, "true"), (1_000, "false")])
def test_60000_images_take_their_bytes_and_single_precision_only_where_they_are_trained_on(
    like_mnist, train, standardise
):
    more = f"10000\n  test: 10000\n  standardise: {standardise}"
    study_of_it = spec(like_mnist, [("train: 64", f"train: {train}"), ("50\n  test: 50", more)])
    datasets.load(parsed())  # another dataset is held when this one comes
    tracemalloc.start()  # NumPy tells it of every array
    try:
        datasets.describe(study_of_it)
        split = datasets.split(datasets.load(study_of_it), study_of_it.dataset, train, 0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(split.train[0]) == train
    stored = 28 * 28 * 70_000
    used = 4 * 28 * 28 * (train + 10_000 + 10_000)
    one_part = 28 * 28 * max(train, 10_000)  # its bytes, from which its single precision is made
    assert stored + used < peak < stored + used + one_part + SLACK


def test_plan_counts_bytes_as_bytes_and_what_is_trained_on_in_single_precision(tmp_path):
    x, y = enlarged(200, 28, 1)
    np.savez(tmp_path / "a.npz", x=x, y=y)
    small = spec(tmp_path / "a.npz")
    assert plan.count_data_bytes(small, datasets.describe(small)) == 28 * 28 * (200 + 4 * 164)


LARGE = """
name: large
dataset: {name: npz, path: PATH, train: 200, validation: 100, test: 100}
architecture:
  widths: [1, 2]
  layers:
    - Conv2D: {filters: width, kernel_size: 3, strides: 2, activation: relu}
    - MaxPooling2D: {pool_size: 2}
    - Flatten
    - Dense: {units: classes}
grid: {penalties: [l2], lambdas: [0, 0.001], seeds: 1}
training: {optimizer: {SGD: {learning_rate: 0.1, momentum: 0.9}}, batch_size: 20, epochs: 2}
"""


@pytest.mark.slow
@pytest.mark.parametrize(("side", "channels"), [(28, 1), (32, 3)], ids=["like MNIST", "like CIFAR"])
def test_a_study_in_the_shape_of_a_large_dataset_runs_from_end_to_end_and_learns(tmp_path, side, channels):
    x, y = enlarged(400, side, channels)
    np.savez(tmp_path / "a.npz", x=x, y=y)
    outcome = study.run(parsed_text(LARGE.replace("PATH", str(tmp_path / "a.npz"))), tmp_path / "results", Settings())
    assert (outcome.trained, outcome.failed) == (4, {})
    trials = pd.read_csv(tmp_path / "results" / "trials.csv")
    assert (trials["validation_loss"] < np.log(10) + 0.2).all()
    assert trials["test_accuracy"].between(0, 1).all()


@pytest.mark.slow
def test_numeric_targets_are_trained_by_the_squared_error_alike_in_both_engines_and_have_no_accuracy(tmp_path):
    x = np.random.default_rng(0).normal(size=(400, 5, 5, 1)).astype(np.float32)
    targets = x.reshape(400, 25) @ np.random.default_rng(1).normal(size=(25, 2)) / 5
    np.savez(tmp_path / "a.npz", x=x, y=targets)
    text = LARGE.replace("PATH", str(tmp_path / "a.npz")).replace("units: classes", "units: outputs")
    text = text.replace("epochs: 2", "epochs: 5").replace("strides: 2, activation: relu", "strides: 1")
    text = text.replace("    - MaxPooling2D: {pool_size: 2}\n", "").replace("[1, 2]", "[2]")
    tables = []
    for engine in ("population", "reference"):
        study.run(parsed_text(text), tmp_path / engine, Settings(engine))
        tables.append(pd.read_csv(tmp_path / engine / "trials.csv").sort_values("lambda"))
        assert tables[-1][["validation_accuracy", "test_accuracy"]].isna().all(axis=None)
    for name in ("train_loss", "validation_loss", "test_loss"):
        assert tables[0][name].to_numpy() == pytest.approx(tables[1][name].to_numpy(), rel=1e-4)
    assert (tables[0]["test_loss"] < np.var(targets)).all()
