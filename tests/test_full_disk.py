"""A disk that fills at any write: a clear error, a ledger that loads, and a run that finishes after room is made."""

import errno
import math
import os
import re
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


def run(path):
    return study.run(SPEC, path, study.Settings(save_seconds=0.0))


def refusal(path):
    """What a run says when it cannot go on; None if it can."""
    try:
        run(path)
    except ResultsError as error:
        return str(error)


class Disk:
    """Lets so many writes through, and then no more.

    Attributes:
        written: the kind of each write so far: what writes, and the name of the file.
    """

    def __init__(self, monkeypatch, room=math.inf):
        self.room, self.written = room, []
        full = OSError(errno.ENOSPC, "No space left on device")
        for owner, name, error in (
            (Path, "write_bytes", full),
            (Path, "mkdir", full),
            (os, "fsync", full),
            (kt_trial.Trial, "save", tf.errors.ResourceExhaustedError(None, None, "No space left on device")),
        ):
            monkeypatch.setattr(owner, name, self.limited(name, getattr(owner, name), error))

    def limited(self, kind, write, error):
        def limited(*arguments, **named):
            if len(self.written) >= self.room:
                raise error
            self.written.append((kind, name_of(arguments[0])))
            return write(*arguments, **named)

        return limited


def name_of(target):
    """What is written to, alike for files that are alike."""
    if isinstance(target, int):
        target = Path(f"/proc/self/fd/{target}").readlink()
    return re.sub("[0-9a-f]{13,16}", "#", target.name) if isinstance(target, Path) else type(target).__name__


def first_and_last_of_each_kind(written):
    places = {kind: [place for place, other in enumerate(written) if other == kind] for kind in written}
    return sorted({place for found in places.values() for place in (found[0], found[-1])})


def test_a_disk_that_fills_at_any_kind_of_write_loses_nothing(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch)
        run(tmp_path / "roomy")
    names = {name for _, name in disk.written}
    assert {".study.json.partial", ".spec.yaml.partial", "trials.csv", "epochs.csv", ".scaling.csv.partial",
            ".report.html.partial", "Trial", "roomy"} <= names  # fmt: skip
    expected = pd.read_csv(tmp_path / "roomy" / "trials.csv").drop(columns="seconds")
    for room in first_and_last_of_each_kind(disk.written):
        path = tmp_path / str(room)
        with pytest.MonkeyPatch.context() as patch:
            Disk(patch, room)
            refused = refusal(path)
        assert "No space left on device" in refused, disk.written[room]
        assert "run again to go on" in refused
        if (path / "trials.csv").exists() and (path / "trials.csv").stat().st_size:
            assert len(read_trials(path)) in (0, 3, 6)
        run(path)
        assert pd.read_csv(path / "trials.csv").drop(columns="seconds").equals(expected)
        for name in ("epochs.csv", "response.csv", "best_lambda.csv"):
            assert (path / name).read_bytes() == (tmp_path / "roomy" / name).read_bytes()
        assert not [item.name for item in path.rglob("*") if "partial" in item.name or item.suffix == ".tmp"]
