"""A population's state between epochs: a killed run goes on where it was, with the same numbers."""

import csv
import dataclasses
import errno
import logging
import os
import signal
from contextlib import suppress
from functools import partial

import numpy as np
import pytest
from agreement import numbers, populate, study
from conftest import parsed

from regsearch import engine, runner
from regsearch import study as studies
from regsearch.cli.interrupt import Stopped
from regsearch.ledger.checkpoints import Checkpoints
from regsearch.runner import NoSignals, work

SHAPES = {"rows": ((None, 2), np.float64), "weights": ((3,), np.float32)}
LAYERS = ("    - Flatten\n", "    - BatchNormalization\n    - Dropout: {rate: 0.3}\n    - Flatten\n")
FEW = ("widths: [1, 2]", "widths: [2]"), ("seeds: 2", "seeds: 1")
DEEP = [
    ("lambdas: [0, 0.01, 0.1]", "lambdas: [0, 0.01]"),
    ("epochs: 2", "epochs: 5"),
    ("{SGD: {learning_rate: 0.05, momentum: 0.9}}", "Adam"),
    LAYERS,
]


def arrays():
    return {"rows": np.arange(6.0).reshape(3, 2), "weights": np.array([1, 2, 3], np.float32)}


def saved(folder, seconds=0.0):
    file = Checkpoints(folder, seconds).of(["a", "b"], members=2)
    file.save(arrays())
    return file


def test_what_is_saved_is_loaded_and_removed(tmp_path):
    found = saved(tmp_path).load(SHAPES)
    assert found.keys() == arrays().keys()
    assert all((found[name] == value).all() for name, value in arrays().items())
    assert len(os.listdir(tmp_path)) == 1
    Checkpoints(tmp_path).remove(["b", "a"])
    assert len(os.listdir(tmp_path)) == 1
    Checkpoints(tmp_path).remove(["a", "b"])
    assert os.listdir(tmp_path) == []


def test_no_state_is_no_warning(tmp_path, caplog):
    assert Checkpoints(tmp_path).of(["a"]).load(SHAPES) is None
    assert not caplog.text


def test_a_state_is_due_only_so_often(tmp_path):
    assert not Checkpoints(tmp_path, seconds=60).of(["a"]).due()
    assert Checkpoints(tmp_path, seconds=0).of(["a"]).due()


@pytest.mark.parametrize("at", range(0, 1000, 37))
def test_a_state_with_a_changed_byte_never_gives_other_numbers(tmp_path, caplog, at):
    file = saved(tmp_path)
    text = bytearray(file.path.read_bytes())
    text[at] ^= 0xFF
    file.path.write_bytes(text)
    with caplog.at_level(logging.WARNING):
        found = file.load(SHAPES)
    if found is None:
        assert "cannot be continued" in caplog.text
    else:  # a byte that carries nothing, such as a date
        assert all((found[name] == value).all() for name, value in arrays().items())


def test_a_state_that_is_cut_short_empty_or_pickled_is_refused(tmp_path, caplog):
    file = saved(tmp_path)
    text = file.path.read_bytes()
    for wrong in (text[:-1], text[:100], b"", b"PK", b"\x80\x04N."):
        file.path.write_bytes(wrong)
        caplog.clear()
        assert file.load(SHAPES) is None
        assert "its population starts afresh" in caplog.text
    with file.path.open("wb") as stream:
        np.savez(stream, made_by=np.array(file.made_by), rows=np.array([{}]), weights=np.zeros(3))
    assert file.load(SHAPES) is None


@pytest.mark.parametrize("change", ["members", "trials", "shape", "kind", "missing"])
def test_a_state_of_another_population_is_refused(tmp_path, caplog, change):
    file = saved(tmp_path)
    if change == "members":
        file = Checkpoints(tmp_path).of(["a", "b"], members=3)
    elif change == "trials":
        file.path.rename(Checkpoints(tmp_path).of(["c", "d"]).path)
        file = Checkpoints(tmp_path).of(["c", "d"], members=2)
    shapes = SHAPES | {
        "shape": {"weights": ((4,), np.float32)},
        "kind": {"weights": ((3,), np.int32)},
        "missing": {"bias": ((3,), np.float32)},
    }.get(change, {})
    assert file.load(shapes) is None
    assert "cannot be continued" in caplog.text


def test_a_full_disk_costs_the_state_and_not_the_training(tmp_path, caplog, monkeypatch):
    file = saved(tmp_path)
    before = file.path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    file.save(arrays() | {"weights": np.zeros(3, np.float32)})
    assert "cannot be saved (No space left on device); training goes on" in caplog.text
    assert file.path.read_bytes() == before
    assert len(os.listdir(tmp_path)) == 1


def facts(path):
    with (path / "trials.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    time = rows[0].index("seconds")
    trials = sorted([*row[:time], *row[time + 1 :]] for row in rows)
    return trials, sorted((path / "epochs.csv").read_text().splitlines())


def train(made, folder, epochs=1000, seconds=0.0):
    """Trains a population that keeps its state there, stopped before more epochs; gives records and epochs trained."""
    passed, records = 0, None

    def raise_if_stopped():
        nonlocal passed
        if passed == epochs:
            raise Stopped(15)
        passed += 1

    job = dataclasses.replace(made.job, checkpoints=Checkpoints(folder, seconds))
    with suppress(Stopped):
        records = engine.train(job, [made.split], made.spec.training, raise_if_stopped)
    return records, passed


@pytest.fixture(scope="module")
def deep():
    """A population and its records, trained without a stop."""
    made = study(*DEEP)
    return made, populate(made)


@pytest.mark.slow
def test_a_population_that_was_stopped_goes_on_from_its_state_with_the_same_numbers(tmp_path, deep):
    made, whole = deep
    for _ in range(2):
        assert train(made, tmp_path, epochs=2) == (None, 2)
    assert len(list(tmp_path.glob("*.npz"))) == 1
    records, trained = train(made, tmp_path)
    assert trained == 5 - 4
    assert list(map(numbers, records)) == list(map(numbers, whole))


@pytest.mark.slow
def test_schedules_and_early_stopping_go_on_where_they_were(tmp_path):
    early = "epochs: 12\n  schedule: cosine\n  early_stopping: {patience: 3, restore_best_weights: true}"
    noisy = ("test: 50", "test: 50\n  label_noise: 0.5"), ("[l1, l2]", "[l2]"), ("epochs: 2", early)
    made = study(("lambdas: [0, 0.01, 0.1]", "lambdas: [0, 0.01]"), *noisy, LAYERS)
    whole = populate(made)
    assert train(made, tmp_path, epochs=3) == (None, 3)
    engine.forget()  # so that nothing but the state can know the weights to restore
    records, trained = train(made, tmp_path)
    assert trained < 12
    assert list(map(numbers, records)) == list(map(numbers, whole))
    assert any(record.trial.epochs < 12 for record in whole)
    assert any(record.trial.best_epoch < record.trial.epochs for record in whole)


@pytest.mark.slow
def test_a_damaged_state_is_passed_over_with_a_warning(tmp_path, deep, caplog):
    made, whole = deep
    train(made, tmp_path, epochs=3)
    (file,) = tmp_path.glob("*.npz")
    file.write_bytes(file.read_bytes()[:-40])
    records, trained = train(made, tmp_path, seconds=60)
    assert trained == 5
    assert "its population starts afresh" in caplog.text
    assert list(map(numbers, records)) == list(map(numbers, whole))


class StopsOnceSaved(NoSignals):
    """Asks a run to stop as soon as there is a state in a folder."""

    def __init__(self, folder):
        self.folder = folder

    def raise_if_stopped(self):
        if list(self.folder.glob("*.npz")):
            raise Stopped(15)


@pytest.mark.slow
def test_a_study_that_was_stopped_goes_on_and_leaves_no_state_behind(tmp_path):
    spec, settings = parsed(*FEW, *DEEP), runner.Settings(save_seconds=0.0)
    studies.run(spec, tmp_path / "whole", settings)
    with pytest.raises(Stopped):
        studies.run(spec, tmp_path / "parts", settings, signals=StopsOnceSaved(tmp_path / "parts" / "partial"))
    assert not facts(tmp_path / "parts")[1][1:]
    studies.run(spec, tmp_path / "parts", settings)
    assert facts(tmp_path / "parts") == facts(tmp_path / "whole")
    for name in ("response.csv", "best_lambda.csv"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not (tmp_path / "parts" / "partial").exists()


def dies_after_three_epochs(spec, job, _, marker, work=work.train):
    """Kills its own process the first time; notes how many epochs the last try trained."""
    passed = 0

    def raise_if_stopped():
        nonlocal passed
        passed += 1
        if passed > 3 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    records = work(spec, job, raise_if_stopped)
    marker.write_text(str(passed))
    return records


@pytest.mark.slow
def test_a_worker_goes_on_from_the_state_that_a_killed_one_left(tmp_path, monkeypatch):
    spec = parsed(
        *FEW, ("[l1, l2]", "[l1]"), ("lambdas: [0, 0.01, 0.1]", "lambdas: [0.01]"), ("epochs: 2", "epochs: 5")
    )
    studies.run(spec, tmp_path / "inline", runner.Settings())
    marker = tmp_path / "died"
    monkeypatch.setattr("regsearch.runner.work.train", partial(dies_after_three_epochs, marker=marker))
    studies.run(spec, tmp_path / "killed", runner.Settings(workers=1, save_seconds=0.0))
    assert marker.read_text() == "2"
    assert facts(tmp_path / "killed") == facts(tmp_path / "inline")
    assert not (tmp_path / "killed" / "partial").exists()
