"""A user's own settings of Keras change no number of a study."""

import json
import os

import pandas as pd
import pytest
from test_cli import command

from regsearch import spec, study

ELSEWHERE = {"backend": "jax", "floatx": "float16", "epsilon": 0.01, "image_data_format": "channels_first"}


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "workers"), [("population", 1), ("reference", 0)])
def test_what_keras_is_set_to_elsewhere_changes_no_number(tmp_path, spec_file, engine, workers):
    path = spec_file(
        ("lambdas: [0, 0.01, 0.1]", "lambdas: [0.01]"), ("widths: [1, 2]", "widths: [1]"), ("seeds: 2", "seeds: 1")
    )
    study.run(spec.load(path), tmp_path / "plain", study.Settings(engine))
    (tmp_path / "keras.json").write_text(json.dumps(ELSEWHERE))
    others = {"KERAS_HOME": str(tmp_path), "KERAS_BACKEND": "torch", "KERAS_MAX_EPOCHS": "1"}
    options = ("--out", tmp_path / "set", "--engine", engine, "--workers", workers or "inline")
    result = command("run", path, *options, env={**os.environ, **others})
    assert result.returncode == 0, result.stderr
    plain, found = (pd.read_csv(tmp_path / name / "trials.csv").drop(columns="seconds") for name in ("plain", "set"))
    assert (plain["epochs"] == 2).all()
    exact = engine == "population"  # the reference engine takes as many threads as there are, and rounds by them
    pd.testing.assert_frame_equal(found, plain, check_exact=exact)
