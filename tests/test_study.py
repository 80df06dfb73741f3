"""The whole path: a spec in, a ledger and tables out; resumed, grown, refused."""

import json

import numpy as np
import pandas as pd
import pytest
from conftest import TABLES, parsed, parsed_text

from regsearch import data as datasets
from regsearch import report, study
from regsearch.errors import DatasetError, DeviceError, ResultsError
from regsearch.grid import cells as grid
from regsearch.grid import costs as sizing
from regsearch.ledger import folder
from regsearch.runner import Planner
from regsearch.runner import work as runner_work

pytestmark = pytest.mark.slow
TINY = [
    ("widths: [1, 2]", "widths: [1]"),
    ("penalties: [l1, l2]", "penalties: [l2]"),
    ("lambdas: [0, 0.01, 0.1]", "lambdas: [0, 0.01]"),
]


def run(path, *changes, engine="population"):
    return study.run(parsed(*TINY, *changes), path, study.Settings(engine))


def facts(path):
    return pd.read_csv(path / "trials.csv").drop(columns="seconds")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("finished") / "results"
    assert run(path).trained == 4
    return path


@pytest.fixture(scope="module")
def finished_by_reference(tmp_path_factory):
    path = tmp_path_factory.mktemp("reference") / "results"
    assert run(path, engine="reference").trained == 4
    return path


@pytest.fixture(params=["population", "reference"])
def engine(request):
    return request.param


@pytest.fixture
def ended(request, engine):
    """A finished study, by each of the engines."""
    return request.getfixturevalue("finished" if engine == "population" else "finished_by_reference")


def stop_at(count, monkeypatch):
    """The training of so many populations, the last of which never begins."""
    work, seen = runner_work.train, []

    def train(spec, job, *asked):
        seen.append(job)
        if len(seen) == count:
            raise KeyboardInterrupt
        return work(spec, job, *asked)

    monkeypatch.setattr("regsearch.runner.work.train", train)


def test_each_trial_of_the_grid_is_in_the_ledger_exactly_once(ended):
    table = facts(ended)
    assert len(table) == table["trial"].nunique() == 1 * 2 * (1 + 1)
    assert table.groupby("penalty").size().to_dict() == {"l2": 2, "none": 2}
    assert len(pd.read_csv(ended / "epochs.csv")) == 4 * 3


def test_the_ledger_records_what_guessing_costs(ended):
    asked = parsed(*TINY)
    for seed, trials in pd.read_csv(ended / "trials.csv").groupby("seed"):
        labels = datasets.split(datasets.load(asked), asked.dataset, 64, seed).validation[1]
        shares = np.bincount(labels) / 50
        entropy = -sum(share * np.log(share) for share in shares if share)
        assert trials["guessing_loss"].tolist() == pytest.approx([entropy] * len(trials))


def test_the_best_lambda_table_has_a_row_for_each_width_and_penalty(ended):
    table = pd.read_csv(ended / "best_lambda.csv")
    assert list(zip(table["architecture"], table["penalty"], strict=True)) == [("w1", "l2")]
    assert table["seeds"].tolist() == [2]
    assert len(pd.read_csv(ended / "response.csv")) == 2


def test_the_same_spec_gives_the_same_numbers(finished, tmp_path):
    run(tmp_path)
    assert facts(tmp_path).equals(facts(finished))
    for name in ("epochs.csv", "response.csv", "best_lambda.csv"):
        assert (tmp_path / name).read_bytes() == (finished / name).read_bytes()


def test_a_stopped_run_resumes_with_what_is_missing_and_ends_the_same(ended, tmp_path, monkeypatch, engine):
    had = {"population": 2, "reference": 1}[engine]
    stop_at(2, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, engine=engine)
    assert len(facts(tmp_path)) == had
    assert run(tmp_path, engine=engine).trained == 4 - had
    assert facts(tmp_path).equals(facts(ended))
    for name in ("epochs.csv", "response.csv", "best_lambda.csv"):
        assert (tmp_path / name).read_bytes() == (ended / name).read_bytes()


def test_engines_agree_on_a_whole_study(finished, finished_by_reference):
    key = ["penalty", "lambda", "seed"]
    here, there = (facts(path).set_index(key).sort_index() for path in (finished, finished_by_reference))
    for name in ("train_loss", "validation_loss", "test_loss", "penalty_value", "max_gradient_norm"):
        assert here[name].to_numpy() == pytest.approx(there[name].to_numpy(), rel=1e-4)


def test_a_second_run_trains_nothing_and_a_grown_grid_only_what_is_new(tmp_path):
    run(tmp_path)
    before = (tmp_path / "trials.csv").read_bytes()
    assert run(tmp_path).trained == 0
    assert (tmp_path / "trials.csv").read_bytes() == before
    assert run(tmp_path, ("lambdas: [0, 0.01]", "lambdas: [0, 0.01, 0.1]")).trained == 2
    assert (tmp_path / "trials.csv").read_bytes().startswith(before)


PLANTED = """
name: planted
dataset: {name: planted, exponent: 1, train: 32, validation: 128, test: 64, draws: 2}
architecture:
  widths: [2, 4, 6]
  layers:
    - Conv2D: {filters: outputs, kernel_size: 4, use_bias: false}
    - Flatten
grid:
  penalties: [l2]
  lambdas: {from: 0.003, to: 0.1, per_decade: 2}
  seeds: 4
  extend: 3
  refine: 4
training:
  optimizer: {SGD: {learning_rate: 0.02, momentum: 0.9}}
  batch_size: 32
  steps_per_epoch: 100
  epochs: 2
"""


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    path = tmp_path_factory.mktemp("grown") / "results"
    study.run(parsed_text(PLANTED), path, study.Settings())
    return path


def test_a_grid_that_ends_below_the_optima_grows_until_it_holds_them(grown):
    best = pd.read_csv(grown / "best_lambda.csv")
    assert set(best["status"]) <= {"interior", "open"}  # two seeds leave ends open
    assert (best["best_lambda"] > 0.1).all()
    table = facts(grown)
    assert table["trial"].is_unique
    counts = table.groupby("lambda")["architecture"].nunique()
    assert counts[:5].tolist() == [3] * 5
    assert counts.index.max() > 0.3
    assert best["grid_step"].max() < 10**0.26
    found = report.write(report.read(grown))
    assert (found.total, found.missing) == (len(table), 0)


def test_a_round_in_which_only_one_network_grows_has_jobs_of_that_one_alone():
    spec = parsed()
    shape = datasets.describe(spec)
    cells = [cell for cell in grid.make_cells(spec, "population", shape.content) if cell.architecture.name == "w2"]
    found = Planner(spec, sizing.measure(spec, shape), study.Settings(), "CPU").plan(cells)
    assert [cell for job in found for cell in job.population.cells] == cells


def test_a_study_stopped_while_it_grows_ends_the_same(grown, tmp_path, monkeypatch):
    stop_at(20, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        study.run(parsed_text(PLANTED), tmp_path, study.Settings())
    had = facts(tmp_path)
    assert 12 * 5 < len(had) < len(facts(grown))
    assert report.write(report.read(tmp_path)).missing > 0
    study.run(parsed_text(PLANTED), tmp_path, study.Settings())
    assert (
        facts(tmp_path)
        .sort_values("trial", ignore_index=True)
        .equals(facts(grown).sort_values("trial", ignore_index=True))
    )
    for name in TABLES:
        assert (tmp_path / name).read_bytes() == (grown / name).read_bytes(), name


def test_every_table_has_its_columns_and_planted_data_a_calibration(grown):
    for name in TABLES:
        assert len(pd.read_csv(grown / name)), name
    (row,) = pd.read_csv(grown / "calibration.csv").to_dict("records")
    assert (row["planted_exponent"], row["draws"], row["seeds"]) == (1, 2, 2)
    assert pd.read_csv(grown / "trials.csv")["test_accuracy"].isna().all()


def test_another_study_in_the_folder_is_refused_with_what_differs(ended, engine):
    before = {path: path.read_bytes() for path in ended.iterdir() if path.suffix in (".csv", ".yaml", ".json")}
    with pytest.raises(ResultsError, match=r"(?s)what differs:.*epochs: 2 there, 3 here.*--out"):
        run(ended, ("epochs: 2", "epochs: 3"), engine=engine)
    assert before == {path: path.read_bytes() for path in before}


@pytest.mark.parametrize("name", ["trials.csv", "epochs.csv", "best_lambda.csv", "keras_tuner"])
def test_a_folder_with_files_of_others_is_refused_and_left_as_it_is(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(ResultsError, match=f"expected an empty folder or a results folder, got one with {name}"):
        run(tmp_path)
    assert (tmp_path / name).read_text() == "mine"


def test_a_kill_while_the_folder_is_claimed_leaves_it_free(tmp_path):
    (tmp_path / "study.json").write_text("{}")
    assert run(tmp_path).trained == 4


def test_a_dataset_that_cannot_be_had_leaves_no_folder(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no network")

    monkeypatch.setenv("REGSEARCH_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr("pooch.HTTPDownloader.__call__", refuse)
    with pytest.raises(DatasetError, match="no network"):
        run(tmp_path / "results", ("name: digits", "name: mnist"))
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("damage", ["", "{", "[" * 100_000, "[]"])
def test_a_damaged_study_json_is_one_clear_error(tmp_path, damage):
    (tmp_path / "study.json").write_text(damage)
    with pytest.raises(ResultsError, match=r"study.json: expected the facts of a study as JSON, got a damaged file"):
        report.write(report.read(tmp_path))


def test_a_damaged_stored_spec_is_an_error_of_the_folder(tmp_path):
    (tmp_path / "study.json").write_text('{"engine": "population", "content": "digits"}')
    (tmp_path / "spec.yaml").write_text("nonsense")
    with pytest.raises(ResultsError, match=r"expected the spec of a study in spec.yaml, got a damaged one"):
        report.write(report.read(tmp_path))


def test_a_folder_held_by_another_run_is_refused_and_says_by_whom(tmp_path):
    with folder.hold(tmp_path), pytest.raises(ResultsError, match=r"held by another run \(process \d+ on "):
        run(tmp_path)


def test_a_population_that_fails_twice_is_recorded_as_failed_and_the_others_go_on(tmp_path, monkeypatch):
    work, tried = runner_work.train, []

    def fails(spec, job, *asked):
        tried.append(len(job.population.cells))
        if job.population.first.seed == 0 and any(cell.lam == 0 for cell in job.population.cells):
            raise RuntimeError("no luck")
        return work(spec, job, *asked)

    monkeypatch.setattr("regsearch.runner.work.train", fails)
    outcome = run(tmp_path)
    assert tried == [2, 1, 1, 2]  # the first population, its halves, the second
    assert len(outcome.failed) == 1  # the half with lambda 0
    assert facts(tmp_path)["status"].value_counts().to_dict() == {"completed": 3, "failed": 1}
    assert "no luck" in (tmp_path / "failures.log").read_text()
    monkeypatch.undo()
    assert run(tmp_path).trained == 1
    assert not run(tmp_path).failed
    first, second = json.loads((tmp_path / "study.json").read_text())["runs"]
    assert (len(first["tried_again"]), second["tried_again"]) == (2, [])


@pytest.mark.figures
def test_diverged_networks_are_data_and_drawn(tmp_path):
    spec = parsed(TINY[0], ("lambdas: [0, 0.01, 0.1]", "lambdas: [0, 60]"), ("epochs: 2", "epochs: 45"))
    outcome = study.run(spec, tmp_path, study.Settings())
    assert not outcome.failed
    table = facts(tmp_path)
    assert set(table.loc[table["penalty"] == "l2", "status"]) == {"diverged"}
    assert table.loc[table["status"] == "diverged", "validation_loss"].isna().all()
    shares = pd.read_csv(tmp_path / "response.csv").set_index(["penalty", "lambda"])["diverged_share"]
    assert shares["l2", 60] == 1
    assert shares["l2", 0] == 0
    assert {path.suffix for path in tmp_path.glob("figures/stability-l2.*")} == {".png", ".svg"}


def test_study_json_says_what_ran_where(ended, engine):
    facts = json.loads((ended / "study.json").read_text())
    assert facts["engine"] == engine
    assert facts["seeds"] == [0, 1]
    (made,) = facts["runs"]
    assert {"tensorflow", "keras", "keras-tuner", "numpy", "regsearch"} <= set(made["versions"])
    assert (made["trained"], made["tried_again"], made["device"]) == (4, [], "CPU")
    assert made["seconds"] > 0
    assert made["backend"] == "tensorflow"
    assert (ended / "spec.yaml").read_text() == parsed(*TINY).text


def test_a_run_that_trains_nothing_leaves_the_record_of_those_that_did(tmp_path):
    run(tmp_path)
    before = json.loads((tmp_path / "study.json").read_text())["runs"]
    run(tmp_path)
    assert json.loads((tmp_path / "study.json").read_text())["runs"] == before


def test_a_gpu_that_is_not_there_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("regsearch.engine.backend.find_gpus", list)
    with pytest.raises(DeviceError, match="expected a GPU that tensorflow can use, got none"):
        study.run(parsed(*TINY), tmp_path / "results", study.Settings(device="GPU"))


def test_a_narrowed_grid_narrows_the_tables_and_keeps_the_ledger(tmp_path):
    run(tmp_path)
    run(tmp_path, ("seeds: 2", "seeds: 1"))
    assert pd.read_csv(tmp_path / "best_lambda.csv")["seeds"].tolist() == [1]
    assert len(facts(tmp_path)) == 4


def test_keras_tuners_own_state_knows_every_trial(finished):
    state = json.loads((finished / "keras_tuner" / "oracle.json").read_text())
    assert sorted(state["end_order"]) == sorted(facts(finished)["trial"])
    assert state["ongoing_trials"] == {}
    assert len(list((finished / "keras_tuner").glob("trial_*/trial.json"))) == 4
