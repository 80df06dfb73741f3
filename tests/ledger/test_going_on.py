"""What a user sees of a results folder that is held, taken over, linked, or lacks epochs, from the command line."""

import json
import re
import shutil

import made_up_folder
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import TABLES, edited, parsed_text

from regsearch import ledger, report
from regsearch.cli import main
from regsearch.ledger import holder, holding
from regsearch.runner import Settings, make_plan
from regsearch.runner import work as runner_work

TINY = (("widths: [1, 2]", "widths: [1]"), ("lambdas: [0, 0.01, 0.1]", "lambdas: [0, 0.01]"))


def invoke(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


def run(spec, out, *options):
    return invoke("run", spec, "--out", out, "--workers", "inline", "--quiet", *options)


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(edited(*TINY))
    return path


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    return made_up_folder.write(tmp_path_factory.mktemp("made_up") / "results")


@pytest.fixture
def copy(made_up, tmp_path):
    """Made-up results to damage."""
    return shutil.copytree(made_up, tmp_path / "results")


def lose(path, lost):
    """Removes the lines of epochs.csv that begin so."""
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith(lost)))


@pytest.mark.slow
def test_a_run_whose_folder_another_took_over_ends_with_exit_4_before_it_writes_and_loses_nothing(
    tmp_path, spec, monkeypatch
):
    results, work, before = tmp_path / "results", runner_work.train, []

    def taken_over(*asked):
        records = work(*asked)
        if (results / "trials.csv").read_text().count("\n") > 1:
            before.extend((results / name).read_bytes() for name in ("trials.csv", "epochs.csv", "study.json"))
            path = results / holder.HOLDER
            path.write_text(json.dumps(json.loads(path.read_text()) | {"token": "another", "host": "node17"}))
        return records

    monkeypatch.setattr("regsearch.runner.work.train", taken_over)
    result = run(spec, results)
    assert result.exit_code == 4
    said = r"results: expected a results folder that this run still holds, got one that another run took over "
    assert re.search(said + r"\(process \d+ on node17, since ", result.stderr)
    assert [(results / name).read_bytes() for name in ("trials.csv", "epochs.csv", "study.json")] == before
    assert (results / holder.HOLDER).exists()
    monkeypatch.undo()
    (results / holder.HOLDER).unlink()
    assert run(spec, results).exit_code == 0
    assert len(pd.read_csv(results / "trials.csv")) == 6


@pytest.mark.slow
def test_networks_that_lack_epochs_are_trained_again_to_the_same_tables(tmp_path, spec):
    results = tmp_path / "results"
    assert run(spec, results).exit_code == 0
    expected = {name: (results / name).read_bytes() for name in TABLES}
    trials = ledger.read_trials(results)["trial"]
    lose(results / "epochs.csv", (f"{trials[0]},0,", f"{trials[1]},2,", f"{trials[2]},"))
    result = invoke("run", spec, "--out", results, "--workers", "inline")
    said = (
        f"3 networks are trained again, as epochs.csv lacks their start or their last epoch: {', '.join(trials[:3])}"
    )
    assert result.stderr.count(said) == 1
    assert {name: (results / name).read_bytes() for name in TABLES} == expected
    assert len(ledger.read_epochs(results)) == 6 * 3
    assert "trained again" not in invoke("run", spec, "--out", results, "--workers", "inline").stderr


@pytest.mark.slow
def test_a_fresh_run_of_a_linked_folder_stays_on_the_disk_that_it_is_linked_to(tmp_path, spec):
    (tmp_path / "scratch").mkdir()
    (tmp_path / "results").symlink_to(tmp_path / "scratch" / "tiny")
    assert run(spec, tmp_path / "results").exit_code == 0  # a link to a folder that is not there yet
    assert run(spec, tmp_path / "results", "--fresh").exit_code == 0
    aside, fresh = sorted((tmp_path / "scratch").iterdir(), key=lambda path: len(path.name), reverse=True)
    assert re.fullmatch(r"tiny-\d{8}-\d{6}", aside.name)
    assert fresh.name == "tiny"
    assert (tmp_path / "results").is_symlink()
    for path in (aside, fresh):
        assert len(pd.read_csv(path / "trials.csv")) == 6
        assert not (path / holder.HOLDER).exists()


def test_a_report_leaves_networks_without_epochs_out_of_the_mechanism_and_says_so_once(made_up, copy, caplog):
    whole = report.read(made_up).tables.mechanism.set_index(["architecture", "penalty"])
    trials, best = ledger.read_trials(made_up), whole.loc[("w1", "l1"), "lambda"]
    (trial, *_) = trials.loc[(trials["architecture"] == "w1") & (trials["penalty"] == "l1") & (trials["lambda"] == best), "trial"]  # fmt: skip
    lose(copy / "epochs.csv", f"{trial},")
    found = report.write(report.read(copy)).tables.mechanism.set_index(["architecture", "penalty"])
    expected = f"{copy}: 1 of {len(trials)} networks lack their start or their last epoch in epochs.csv"
    assert caplog.messages == [f"{expected}: mechanism.csv leaves them out"]
    assert found.loc[("w1", "l1"), "seeds"] == whole.loc[("w1", "l1"), "seeds"] - 1 == 2
    others = [place for place in whole.index if place != ("w1", "l1")]
    assert found.loc[others, "seeds"].equals(whole.loc[others, "seeds"])


@pytest.mark.parametrize("removed", [True, False])
def test_a_report_without_any_epochs_says_so_and_has_all_other_tables(copy, removed):
    if removed:
        (copy / "epochs.csv").unlink()
    else:
        (copy / "epochs.csv").write_text(",".join(ledger.columns(ledger.Epoch)) + "\n")
    result = invoke("report", copy, "--xlsx")
    assert result.exit_code == 0
    assert (
        "networks lack their start or their last epoch in epochs.csv: mechanism.csv leaves them out" in result.stderr
    )
    assert set(pd.read_csv(copy / "mechanism.csv")["seeds"]) == {0}
    assert pd.read_csv(copy / "best_lambda.csv")["seeds"].min() > 0


def test_a_plan_counts_networks_without_their_epochs_as_missing(copy, monkeypatch):
    trials = ledger.read_trials(copy)["trial"]
    lose(copy / "epochs.csv", (f"{trials[0]},0,", f"{trials[5]},1,"))
    monkeypatch.setattr("regsearch.runner.timing.measure", lambda *_: None)
    plan = make_plan(parsed_text(made_up_folder.text()), copy, Settings(), 0.0)
    assert plan.trials - plan.finished == 2


def test_a_report_says_at_once_for_whom_it_waits(made_up, monkeypatch):
    monkeypatch.setattr(ledger, "BRIEFLY", 0.2)
    monkeypatch.setattr(holding, "_MOMENT", 0.02)
    with ledger.hold(made_up):
        result = invoke("report", made_up)
    assert result.exit_code == 4
    warning, error = result.stderr.splitlines()
    assert re.search(
        r"warning: .*results: held by another run \(process \d+ on .*Waiting for it, for up to 0 s", warning
    )
    assert "expected a results folder that no other run holds" in error
