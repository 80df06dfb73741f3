"""A folder that version 0.2.0 left half trained is finished by this version, with the numbers 0.2.0 would have given.

`left_by_0.2.0/` is what a kill left of a run of that version, half-way through; `finished_…` is what it wrote when
it was let alone.
"""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from regsearch import study
from regsearch.spec import Spec

LEFT = Path(__file__).parent / "left_by_0.2.0"


@pytest.mark.slow
def test_a_folder_left_by_version_0_2_0_is_finished_with_the_same_numbers(tmp_path):
    for name in ("spec.yaml", "study.json", "trials.csv", "epochs.csv"):
        shutil.copy(LEFT / name, tmp_path / name)
    before = (tmp_path / "trials.csv").read_text().splitlines()
    expected = pd.read_csv(LEFT / "finished_trials.csv")
    left = pd.read_csv(LEFT / "trials.csv")
    assert 0 < len(left) < len(expected)
    outcome = study.run(Spec.load(LEFT / "spec.yaml"), tmp_path, study.Settings())
    assert outcome.trained == len(expected) - len(left)
    after = (tmp_path / "trials.csv").read_text().splitlines()  # later columns come last
    assert all(line.startswith(earlier) for line, earlier in zip(after, before, strict=False))
    trials = pd.read_csv(tmp_path / "trials.csv")[list(expected.columns)]
    same = [table.set_index("trial").sort_index().drop(columns="seconds") for table in (trials, expected)]
    pd.testing.assert_frame_equal(*same, rtol=1e-3)
    tables = [pd.read_csv(path) for path in (tmp_path / "best_lambda.csv", LEFT / "finished_best_lambda.csv")]
    tables[0] = tables[0][list(tables[1].columns)]
    pd.testing.assert_frame_equal(*tables, rtol=1e-3)
