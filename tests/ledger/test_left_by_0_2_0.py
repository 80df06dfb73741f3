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
    study.run(Spec.load(LEFT / "spec.yaml"), tmp_path, study.Settings())
    after = (tmp_path / "trials.csv").read_text().splitlines()  # later columns come last
    assert all(line.startswith(earlier) for line, earlier in zip(after, before, strict=False))
    trials = pd.read_csv(tmp_path / "trials.csv")
    assert trials["trial"].is_unique  # nothing that was there is trained again
    both = set(trials["trial"]) & set(expected["trial"])  # where 0.2.0 refined, this version refines by another rule
    assert len(both) > len(left)
    columns = [name for name in expected.columns if name != "seconds"]
    same = [table[table["trial"].isin(both)][columns].set_index("trial").sort_index() for table in (trials, expected)]
    pd.testing.assert_frame_equal(*same, rtol=1e-3)
    assert (pd.read_csv(tmp_path / "best_lambda.csv")["seeds"] == 2).all()
