"""A run with workers that is killed comes back with the same tables; `kills.py` does it as often as asked."""

import subprocess
import sys
from pathlib import Path

import kills
import pytest

pytestmark = pytest.mark.slow


def test_a_run_killed_at_a_random_moment_ends_as_an_undisturbed_one(tmp_path):
    spec = tmp_path / "short.yaml"
    text = kills.SPEC
    for long, short in (("[2, 3, 4, 6]", "[2]"), ("    - Dropout: {rate: 0.1}\n", ""), ("epochs: 150", "epochs: 40")):
        assert long in text
        text = text.replace(long, short)
    spec.write_text(text)
    command = [sys.executable, kills.__file__, "1", "--spec", spec, "--seed", "5", "--workers", "1"]
    result = subprocess.run(list(map(str, command)), text=True, capture_output=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 kills (SIGKILL, seed 5)" in result.stdout
    assert result.stdout.endswith("every trial once, every table as undisturbed\n")


def test_what_differs_is_said(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "trials.csv").write_text("trial,loss,seconds\na,1,5\nb,2,5\n")
        (tmp_path / name / "epochs.csv").write_text("trial,epoch\na,1\nb,1\n")
        (tmp_path / name / "best_lambda.csv").write_text("architecture\nw1\n")
    one, other = tmp_path / "one", tmp_path / "other"
    (other / "trials.csv").write_text("trial,loss,seconds\nb,2,6\na,1,7\n")
    assert kills.differences(one, other) == []
    (other / "trials.csv").write_text("trial,loss,seconds\nb,2,6\na,1,7\na,1,7\n")
    (other / "epochs.csv").write_text("trial,epoch\na,1\n")
    Path(other / "best_lambda.csv").unlink()
    (other / "partial").mkdir()
    assert kills.differences(one, other) == [
        "1 rows of trials.csv are repeated",
        "trials.csv differs",
        "epochs.csv differs",
        "best_lambda.csv differs",
        "partial was left behind",
    ]
