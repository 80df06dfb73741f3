"""The engine on JAX: held to plain Keras there, and a study to TensorFlow's. It imports no TensorFlow."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import CONFIGS_FOLDER

HERE = Path(__file__).parent
ONE_OF_A_KIND = (
    "two convolutions",
    "max pooling",
    "dropout of the input",
    "batch normalization",
    "separable",
    "residual",
)
"""A network for each kind of layer that computes otherwise than the rest."""


def run_tests(*arguments):
    """Runs tests of the engine again, on JAX."""
    environment = {**os.environ, "REGSEARCH_TEST_BACKEND": "jax"}
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", *arguments],
        capture_output=True, text=True, env=environment, cwd=HERE.parents[1],
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-3000:]


@pytest.mark.slow
def test_a_network_of_each_kind_agrees_with_plain_keras():
    test = f"{HERE / 'test_population_layers.py'}::test_every_layer_agrees_with_plain_keras"
    run_tests(*(f"{test}[{name}]" for name in ONE_OF_A_KIND))


@pytest.mark.jax
@pytest.mark.parametrize(
    "name", ["population_layers", "population_training", "reference", "dropout", "plain", "starts"]
)
def test_everything_agrees_with_plain_keras(name):
    run_tests(str(HERE / f"test_{name}.py"))


@pytest.mark.slow
def test_a_study_gives_the_losses_of_tensorflow_and_never_imports_it(tmp_path):
    spec = CONFIGS_FOLDER / "smoke.yaml"
    (tmp_path / "tensorflow.py").write_text("raise ImportError('TensorFlow was imported')\n")
    blocked = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ['PYTHONPATH']}"}
    tables = {}
    for backend, workers, paths in (("tensorflow", "inline", {}), ("jax", "1", blocked)):
        command = [
            sys.executable,
            "-m",
            "regsearch",
            "run",
            spec,
            "--out",
            tmp_path / f"on_{backend}",
            "--workers",
            workers,
        ]
        command += ["--backend", backend]
        result = subprocess.run(command, capture_output=True, text=True, env=os.environ | paths)
        assert result.returncode == 0, result.stderr
        tables[backend] = pd.read_csv(tmp_path / f"on_{backend}" / "trials.csv")
    keys, losses = ["architecture", "penalty", "lambda", "seed"], ["train_loss", "validation_loss", "test_loss"]
    merged = tables["tensorflow"].merge(tables["jax"], on=keys, suffixes=("", "_on_jax"), validate="one_to_one")
    assert len(merged) == len(tables["jax"]) == len(tables["tensorflow"])
    assert not set(merged["trial"]) & set(merged["trial_on_jax"])
    assert merged["backend"].isna().all()
    assert (merged["backend_on_jax"] == "jax").all()
    for name in losses:
        assert merged[f"{name}_on_jax"].to_numpy() == pytest.approx(merged[name].to_numpy(), rel=1e-3), name
