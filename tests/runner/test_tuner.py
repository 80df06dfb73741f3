"""The search is a Keras Tuner search that its own tools understand."""

from dataclasses import replace
from pathlib import Path

import keras_tuner as kt
import pytest
from conftest import parsed

from regsearch import ledger, report
from regsearch.data import NAMED
from regsearch.engine import Job
from regsearch.grid.cells import make_cells, make_populations
from regsearch.grid.costs import Size
from regsearch.ledger.records import Counts, Epoch, record_completed, record_diverged, record_failed
from regsearch.runner import GridSearch, write_tuner
from regsearch.runner.tuner import GridHyperModel, GridOracle, GridTuner

CELLS = make_cells(parsed(), "reference", "digits")
COUNTS = Counts(20, 18)
SIZE = Size(20, 18, 100)


def record(cell):
    """Losses fall with lambda; the first cell diverges and the next four fail."""
    at = CELLS.index(cell)
    if at == 0:
        return record_diverged(cell, COUNTS, [], 1, 0.1)
    if at < 5:
        return record_failed(cell, "why")
    epochs = [Epoch(cell.trial, n, 1.0, 0.0, 1 + at, 0.5, 1.0, 1.0, 1.0) for n in (0, 1)]
    return record_completed(cell, COUNTS, epochs, (1.0, 0.5), 0.1)


ROWS = {cell.trial: record(cell).trial for cell in CELLS}


@pytest.fixture
def oracle():
    jobs = [Job(population, SIZE, 3, "reference", "CPU") for population in make_populations(CELLS, 3)]
    search = GridSearch()
    for job in search.hand_out(jobs, CELLS, {}):
        search.end([record(cell) for cell in job.population.cells])
    return search.oracle


@pytest.fixture
def tuner(tmp_path):
    return GridTuner(parsed(), CELLS, ROWS, tmp_path)


def test_every_trial_is_handed_out_and_ends_once(oracle):
    assert oracle.start_order == [cell.trial for cell in CELLS]
    assert oracle.end_order == [cell.trial for cell in CELLS]
    assert not oracle.ongoing_trials


def test_five_failures_in_a_row_do_not_stop_the_grid_and_have_no_score(oracle):
    first = [oracle.trials[cell.trial] for cell in CELLS[:5]]
    assert [(trial.status, trial.score) for trial in first] == [("FAILED", None)] * 5
    assert first[0].message == "diverged in epoch 1"


def test_keras_tuners_own_tools_work(tuner, capsys):
    tuner.results_summary(2)
    assert f"Trial {CELLS[5].trial} summary" in capsys.readouterr().out
    best = tuner.get_best_hyperparameters()[0]
    assert best.get("seed") == CELLS[5].seed
    assert best.get("lambda") == CELLS[5].lam
    assert tuner.hypermodel.build(best).count_params() > 0
    tuner.search_space_summary()


def test_what_the_ledger_has_is_adopted():
    oracle = GridOracle()
    oracle.grow(CELLS[:8], ROWS)
    assert oracle.end_order == [cell.trial for cell in CELLS[:8]]
    assert oracle.get_best_trials()[0].trial_id == CELLS[5].trial


def test_a_search_that_grows_keeps_what_it_has_and_knows_the_new(oracle):
    more = make_cells(parsed(("[0, 0.01, 0.1]", "[0, 0.001, 0.01, 0.1]")), "reference", "digits")
    oracle.grow(more, ROWS)
    assert oracle.end_order == [cell.trial for cell in CELLS]
    assert oracle.max_trials == len(more)
    assert oracle.get_space().get("lambda") in {cell.lam for cell in more}
    new = next(cell for cell in more if cell.lam == 0.001)
    assert oracle.begin(new).hyperparameters.get("lambda") == 0.001


def make_snapshot(folder, count):
    """A results folder of so many trials, or so it says, of which the ledger has the small grid's."""
    spec = parsed()
    ledger.claim(folder, spec, "reference", NAMED["digits"])
    opened = ledger.Ledger(folder)
    opened.append([record(cell) for cell in CELLS])
    snapshot = report.read(folder, CELLS)
    return replace(snapshot, cells=CELLS * (count // len(CELLS)))


@pytest.mark.parametrize(
    ("there", "asked", "written"), [(False, False, False), (True, False, True), (False, True, True)]
)
def test_the_files_of_a_large_grid_are_written_on_request_or_where_they_are_already(tmp_path, there, asked, written):
    large = make_snapshot(tmp_path, 2020)
    assert large.total > 2000
    if there:
        (tmp_path / "keras_tuner").mkdir()
    write_tuner(large, asked)
    assert (tmp_path / "keras_tuner" / "oracle.json").exists() == written


def test_the_files_of_a_small_grid_are_written_once_and_again_where_a_full_disk_left_them_torn(tmp_path):
    small = make_snapshot(tmp_path, len(CELLS))
    state = tmp_path / "keras_tuner" / "oracle.json"
    write_tuner(small, changed=False)
    assert not state.exists()
    write_tuner(small)
    assert len(list(state.parent.glob("trial_*/trial.json"))) == len(CELLS)
    state.unlink()
    write_tuner(small, changed=False)
    assert state.exists()


def test_keras_tuner_reads_its_files_again(tuner):
    tuner.write()
    again = GridOracle()
    again._set_project_dir(tuner.directory, tuner.project_name)
    again.reload()
    assert again.get_best_trials()[0].trial_id == CELLS[5].trial
    assert set(again.trials) == {cell.trial for cell in CELLS}


def test_a_tuner_that_is_only_looked_at_leaves_nothing_behind():
    made = GridTuner(parsed(), CELLS, ROWS)
    folder = Path(made.directory)
    assert folder.is_dir()
    made.clear()
    assert not folder.exists()


# Each private part of Keras Tuner that is used, by what would break without it.


def test_failures_in_a_row_are_not_counted_by_keras_tuner():
    """`_check_consecutive_failures` raises after three; a grid goes on."""
    oracle = GridOracle()
    oracle.grow(CELLS, {})
    for cell in CELLS[:4]:
        oracle.begin(cell)
        oracle.end(record_failed(cell, "why").trial)
    assert [oracle.trials[cell.trial].status for cell in CELLS[:4]] == ["FAILED"] * 4
    assert "_check_consecutive_failures" in vars(kt.Oracle)


def test_trials_are_written_on_request_and_not_as_they_end(tuner, tmp_path):
    """`_save_trial` and `save` would write three files a trial, and `reload` reads them from `_project_dir`."""
    assert not list(tmp_path.rglob("*.json"))
    tuner.write()
    assert len(list((tmp_path / "keras_tuner").glob("trial_*/trial.json"))) == len(CELLS)
    assert {"_save_trial", "_set_project_dir", "_project_dir"} <= set(vars(kt.Oracle))


def test_no_network_is_built_to_learn_the_space(monkeypatch):
    """`_populate_initial_space` would build one before there is a cell."""
    assert "_populate_initial_space" in vars(kt.engine.base_tuner.BaseTuner)
    monkeypatch.setattr(GridHyperModel, "build", lambda *_: pytest.fail("it built one"))
    GridTuner(parsed(), CELLS, ROWS)
