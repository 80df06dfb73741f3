"""Faults of libraries have a path: fewer networks at a time where memory runs out, no XLA where it fails."""

import json

import pandas as pd
import pytest
import tensorflow as tf
from conftest import parsed

from regsearch import engine, study
from regsearch.engine.population import trainer
from regsearch.runner import faults

OUT_OF_MEMORY = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[9]")
NO_XLA = tf.errors.UnimplementedError(None, None, "could not find compiler for platform Host")


KilledWorker = type("KilledWorker", (Exception,), {})  # as Dask names it


@pytest.mark.parametrize(
    ("error", "memory", "compiler"),
    [
        (MemoryError("no room"), True, False),
        (OUT_OF_MEMORY, True, False),
        (
            tf.errors.InternalError(None, None, "RESOURCE_EXHAUSTED: Out of memory while trying to allocate"),
            True,
            False,
        ),
        (KilledWorker(), True, False),
        (NO_XLA, False, True),
        (tf.errors.InternalError(None, None, "Failed to compile"), False, True),
        (tf.errors.InvalidArgumentError(None, None, "Detected unsupported operations"), False, True),
        (RuntimeError("else"), False, False),
    ],
)
def test_faults_are_told_apart_by_what_helps(error, memory, compiler):
    assert (faults.wants_memory(error), faults.may_be_compilers(error)) == (memory, compiler)


def run(path):
    spec = parsed(("widths: [1, 2]", "widths: [1]"), ("[l1, l2]", "[l1]"), ("seeds: 2", "seeds: 1"))
    engine.forget()
    try:
        outcome = study.run(spec, path, study.Settings())
    finally:
        engine.forget()
    (made,) = json.loads((path / "study.json").read_text())["runs"]
    return outcome, made, pd.read_csv(path / "trials.csv").set_index("trial").sort_index()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return run(tmp_path_factory.mktemp("undisturbed"))[2]


def as_undisturbed(table, undisturbed):
    """Other members or no XLA round otherwise, and no more."""
    assert (table["status"] == "completed").all()
    for name in ("train_loss", "validation_loss", "test_loss", "penalty_value", "max_gradient_norm"):
        assert table[name].to_numpy() == pytest.approx(undisturbed[name].to_numpy(), rel=1e-4)


@pytest.mark.slow
def test_out_of_memory_goes_on_down_to_one_network_at_a_time(tmp_path, undisturbed, monkeypatch):
    run_all, tried = trainer.Trainer.run, []

    def no_room_for_two(self, population, *rest):
        tried.append((self.members, len(population.cells)))
        if self.members > 1:
            raise OUT_OF_MEMORY
        return run_all(self, population, *rest)

    monkeypatch.setattr(trainer.Trainer, "run", no_room_for_two)
    outcome, made, table = run(tmp_path)
    assert not outcome.failed
    assert tried[:3] == [(3, 3), (2, 2), (2, 1)]
    assert tried.count((1, 1)) == 3
    assert len(tried) < 9
    assert sorted(made["tried_again"]) == sorted(table.index)
    as_undisturbed(table, undisturbed)


@pytest.mark.slow
def test_a_network_for_which_there_is_never_room_fails_and_the_others_go_on(tmp_path, monkeypatch):
    run_all = trainer.Trainer.run

    def no_room_for_zero(self, population, *rest):
        if population.first.lam == 0:
            raise MemoryError("no room")
        return run_all(self, population, *rest)

    monkeypatch.setattr(trainer.Trainer, "run", no_room_for_zero)
    outcome, _, table = run(tmp_path)
    assert len(outcome.failed) == 1
    assert table.loc[list(outcome.failed), "lambda"].tolist() == [0]
    assert (table["status"] == "completed").sum() == 2
    assert "no room" in (tmp_path / "failures.log").read_text()


@pytest.mark.slow
def test_without_xla_the_same_networks_train_and_it_is_on_record(tmp_path, undisturbed, monkeypatch):
    function = tf.function

    def none_compiled(what, jit_compile=None, **_):
        def refuse(*_):
            raise NO_XLA

        return refuse if jit_compile else function(what)

    monkeypatch.setattr(tf, "function", none_compiled)
    outcome, made, table = run(tmp_path)
    assert not outcome.failed
    assert sorted(made["without_xla"]) == sorted(made["tried_again"]) == sorted(table.index)
    as_undisturbed(table, undisturbed)


@pytest.mark.slow
def test_an_error_that_is_not_xlas_is_recorded_as_failed_after_all(tmp_path, monkeypatch):
    def always(*_):
        raise NO_XLA

    monkeypatch.setattr(trainer.Trainer, "run", always)
    outcome, _, table = run(tmp_path)
    assert len(outcome.failed) == 3
    assert (table["status"] == "failed").all()
    assert "could not find compiler" in (tmp_path / "failures.log").read_text()
