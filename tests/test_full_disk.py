"""A disk that fills at any write: a clear error, a ledger that loads, and a run that finishes after room is made."""

import errno
import os
from pathlib import Path

import pandas as pd
import pytest
import tensorflow as tf
from conftest import parsed
from keras_tuner.engine import trial as kt_trial

from regsearch import study
from regsearch.errors import ResultsError
from regsearch.ledger import read_trials

pytestmark = pytest.mark.slow
SPEC = parsed(("widths: [1, 2]", "widths: [1]"), ("lambdas: [0, 0.01, 0.1]", "lambdas: [0, 0.01]"))
MOST_WRITES = 100


def run(path):
    return study.run(SPEC, path, study.Settings(save_seconds=0.0))


def refusal(path):
    """What a run says when it cannot go on; None if it can."""
    try:
        run(path)
    except ResultsError as error:
        return str(error)


class Disk:
    """Lets so many writes through, and then no more."""

    def __init__(self, monkeypatch, room):
        self.room = room
        for owner, name, error in (
            (Path, "write_text", OSError(errno.ENOSPC, "No space left on device")),
            (os, "fsync", OSError(errno.ENOSPC, "No space left on device")),
            (kt_trial.Trial, "save", tf.errors.ResourceExhaustedError(None, None, "No space left on device")),
        ):
            monkeypatch.setattr(owner, name, self.limited(getattr(owner, name), error))

    def limited(self, write, error):
        def limited(*arguments, **named):
            self.room -= 1
            if self.room < 0:
                raise error
            return write(*arguments, **named)

        return limited


def test_a_disk_that_fills_at_any_write_loses_nothing(tmp_path):
    run(tmp_path / "roomy")
    expected = pd.read_csv(tmp_path / "roomy" / "trials.csv").drop(columns="seconds")
    stopped = 0
    for room in range(MOST_WRITES):
        path = tmp_path / str(room)
        with pytest.MonkeyPatch.context() as patch:
            Disk(patch, room)
            refused = refusal(path)
        if refused is None:
            break
        assert "No space left on device" in refused
        assert "run again to go on" in refused
        stopped += 1
        if (path / "trials.csv").exists() and (path / "trials.csv").stat().st_size:
            kept = read_trials(path)
            assert len(kept) in (0, 3, 6)
        run(path)
        assert pd.read_csv(path / "trials.csv").drop(columns="seconds").equals(expected)
        for name in ("epochs.csv", "response.csv", "best_lambda.csv"):
            assert (path / name).read_bytes() == (tmp_path / "roomy" / name).read_bytes()
        assert not [item.name for item in path.rglob("*") if "partial" in item.name or item.suffix == ".tmp"]
    assert 12 < stopped < MOST_WRITES - 1
