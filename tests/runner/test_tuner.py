"""The search is a Keras Tuner search that its own tools understand."""

from pathlib import Path

import keras_tuner as kt
import pytest
from conftest import parsed

from regsearch.data import NAMED
from regsearch.engine import Job
from regsearch.grid.cells import make_cells, make_populations
from regsearch.grid.costs import Size
from regsearch.ledger.records import Counts, Epoch, record_completed, record_diverged, record_failed
from regsearch.runner import GridSearch, tuner
from regsearch.runner.tuner import GridTuner

CELLS = make_cells(parsed(), "reference", "digits")
COUNTS = Counts(20, 18)
SIZE = Size(20, 18, 100, 100, 100)


def record(cell):
    """Losses fall with lambda; the first cell diverges and the next four fail."""
    at = CELLS.index(cell)
    if at == 0:
        return record_diverged(cell, COUNTS, [], 1, 0.1)
    if at < 5:
        return record_failed(cell, "why")
    epochs = [Epoch(cell.trial, n, 1.0, 0.0, 1 + at, 0.5, 1.0, 1.0, 1.0) for n in (0, 1)]
    return record_completed(cell, COUNTS, epochs, (1.0, 0.5), 0.1)


@pytest.fixture
def searched(tmp_path):
    jobs = [Job(population, SIZE, 3, "reference", "CPU") for population in make_populations(CELLS, 3)]
    with GridSearch(tmp_path, NAMED["digits"]) as search:
        for job in search.hand_out(jobs, CELLS, {}):
            search.end([record(cell) for cell in job.population.cells])
    return search.tuner


def test_every_trial_is_handed_out_and_ends_once(searched):
    assert searched.oracle.start_order == [cell.trial for cell in CELLS]
    assert searched.oracle.end_order == [cell.trial for cell in CELLS]
    assert not searched.oracle.ongoing_trials


def test_five_failures_in_a_row_do_not_stop_the_grid_and_have_no_score(searched):
    first = [searched.oracle.trials[cell.trial] for cell in CELLS[:5]]
    assert [(trial.status, trial.score) for trial in first] == [("FAILED", None)] * 5
    assert first[0].message == "diverged in epoch 1"


def test_keras_tuners_own_tools_work(searched, capsys):
    searched.results_summary(2)
    assert f"Trial {CELLS[5].trial} summary" in capsys.readouterr().out
    best = searched.get_best_hyperparameters()[0]
    assert best.get("seed") == CELLS[5].seed
    assert best.get("lambda") == CELLS[5].lam
    assert searched.hypermodel.build(best).count_params() > 0
    searched.search_space_summary()


def test_what_the_ledger_has_is_adopted(tmp_path):
    tuner = GridTuner(tmp_path, NAMED["digits"])
    rows = {cell.trial: record(cell).trial for cell in CELLS[:8]}
    tuner.grow(CELLS[:8], rows)
    assert tuner.oracle.end_order == [cell.trial for cell in CELLS[:8]]
    assert tuner.oracle.get_best_trials()[0].trial_id == CELLS[5].trial


def test_a_search_that_grows_keeps_what_it_has_and_knows_the_new(searched):
    more = make_cells(parsed(("[0, 0.01, 0.1]", "[0, 0.001, 0.01, 0.1]")), "reference", "digits")
    searched.grow(more, {cell.trial: record(cell).trial for cell in CELLS})
    assert searched.oracle.end_order == [cell.trial for cell in CELLS]
    assert searched.oracle.max_trials == len(more)
    assert searched.oracle.get_space().get("lambda") in {cell.lam for cell in more}
    new = next(cell for cell in more if cell.lam == 0.001)
    trial = searched.oracle.begin(new)
    assert searched.hypermodel.build(trial.hyperparameters).count_params() > 0


# Each private part of Keras Tuner that is used, by what would break without it.


def test_failures_in_a_row_are_not_counted_by_keras_tuner(tmp_path):
    """`_check_consecutive_failures` raises after three; a grid goes on."""
    oracle = GridTuner(tmp_path, NAMED["digits"]).oracle
    oracle.grow(CELLS)
    for cell in CELLS[:4]:
        oracle.begin(cell)
        oracle.end(record_failed(cell, "why").trial)
    assert [oracle.trials[cell.trial].status for cell in CELLS[:4]] == ["FAILED"] * 4
    assert "_check_consecutive_failures" in vars(kt.Oracle)


def test_trials_are_written_now_and_then_and_not_as_they_end(tmp_path):
    """`_save_trial` and `save` would write three files a trial."""
    oracle = GridTuner(tmp_path, NAMED["digits"]).oracle
    oracle.grow(CELLS)
    oracle.begin(CELLS[5])
    oracle.end(record(CELLS[5]).trial)
    assert not list(tmp_path.rglob("trial.json"))
    oracle.save_unsaved()
    assert [path.parent.name for path in tmp_path.rglob("trial.json")] == [f"trial_{CELLS[5].trial}"]
    assert "_save_trial" in vars(kt.Oracle)


def test_no_network_is_built_to_learn_the_space(tmp_path, monkeypatch):
    """`_populate_initial_space` would build one before there is a cell."""
    assert "_populate_initial_space" in vars(kt.engine.base_tuner.BaseTuner)
    monkeypatch.setattr(tuner.GridHyperModel, "build", lambda *_: pytest.fail("it built one"))
    GridTuner(tmp_path, NAMED["digits"])


def test_keras_tuners_files_lie_in_a_folder_of_their_own(tmp_path):
    """`_project_dir` of the oracle is where they go."""
    oracle = GridTuner(tmp_path, NAMED["digits"]).oracle
    assert Path(oracle._project_dir) == tmp_path / "keras_tuner"
