"""A user's own settings of Keras change no number of a study, and settings that came too late are refused."""

import json
import os
import subprocess
import sys

import pandas as pd
import pytest
from conftest import run_command as command

from regsearch import spec, study
from regsearch.engine.backend import process, xla_flags
from regsearch.errors import DeviceError

ELSEWHERE = {"backend": "jax", "floatx": "float16", "epsilon": 0.01, "image_data_format": "channels_first"}
OTHERS = {"KERAS_BACKEND": "torch", "KERAS_MAX_EPOCHS": "1"}


@pytest.fixture
def elsewhere(tmp_path):
    """The environment of a user whose Keras is set to all else."""
    (tmp_path / "keras.json").write_text(json.dumps(ELSEWHERE))
    return {**os.environ, **OTHERS, "KERAS_HOME": str(tmp_path)}


@pytest.mark.slow
def test_what_keras_is_set_to_elsewhere_changes_no_number(tmp_path, spec_file, elsewhere):
    path = spec_file(
        ("lambdas: [0, 0.01, 0.1]", "lambdas: [0.01]"), ("widths: [1, 2]", "widths: [1]"), ("seeds: 2", "seeds: 1")
    )
    study.run(spec.Spec.load(path), tmp_path / "plain", study.Settings())
    result = command("run", path, "--out", tmp_path / "set", "--workers", 1, env=elsewhere)
    assert result.returncode == 0, result.stderr
    plain, changed = (
        pd.read_csv(tmp_path / name / "trials.csv").drop(columns="seconds") for name in ("plain", "set")
    )
    assert (plain["epochs"] == 2).all()
    pd.testing.assert_frame_equal(changed, plain, check_exact=True)


STARTS = """
from regsearch import engine
from regsearch.errors import DeviceError

engine.start()
engine.start(threads=1, device="CPU")
import keras
import tensorflow as tf

config = keras.config
print(config.backend(), config.floatx(), config.epsilon(), config.image_data_format(), config.max_epochs())
float(tf.reduce_sum(tf.ones(3)))
for settings in ((), (1, "CPU"), (0, "CPU"), (2, "CPU")):
    try:
        engine.start(*settings)
        print("started")
    except DeviceError as error:
        print(error)
"""


@pytest.mark.slow
def test_keras_has_its_defaults_in_both_engines_and_another_number_of_threads_is_refused_once_it_computes(elsewhere):
    result = subprocess.run([sys.executable, "-c", STARTS], capture_output=True, text=True, env=elsewhere)
    assert result.returncode == 0, result.stderr
    config, *started, refused = result.stdout.splitlines()
    assert config == "tensorflow float32 1e-07 channels_last None"
    assert started == ["started"] * 3
    assert "expected TensorFlow to train with 2 threads on CPU" in refused
    assert "computes already (1 threads)" in refused


@pytest.mark.slow
@pytest.mark.parametrize("flags", ["--xla_nonsense=1", "nonsense", "--xla_cpu_use_fusion_emitters=perhaps"])
def test_a_flag_that_the_compiler_does_not_know_is_one_clear_error(tmp_path, spec_file, flags):
    result = command("run", spec_file(), "--out", tmp_path / "results", env={**os.environ, "XLA_FLAGS": flags})
    assert result.returncode == 2
    error = result.stderr.splitlines()[-1]
    assert error.startswith(
        f"regsearch: error: XLA_FLAGS: expected flags that the compiler of tensorflow takes, got '{flags}'"
    )
    assert len(result.stderr.splitlines()) == 2


def test_our_own_flags_are_not_tried(monkeypatch):
    monkeypatch.setattr(xla_flags, "_try", pytest.fail)
    for flags in ("", xla_flags.list_xla_flags()):
        monkeypatch.setenv("XLA_FLAGS", flags)
        xla_flags.check_xla_flags("tensorflow")


def test_a_process_that_may_start_no_threads_is_one_clear_error(monkeypatch):
    def fails(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", fails)
    with pytest.raises(
        DeviceError, match=r"expected to start 32 threads, as TensorFlow does, got: can't start new thread"
    ):
        process._check_threads("tensorflow")
