"""The commands: what they print, how they exit, what they leave."""

import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from bad_specs import BAD
from click.testing import CliRunner
from conftest import CONFIGS_FOLDER, edited, parsed, run_command

from regsearch import engine, study
from regsearch.cli import main
from regsearch.cli.interrupt import Stopped
from regsearch.errors import ResultsError
from regsearch.runner import work as runner_work

QUESTION = """\
name: question
dataset: {name: npz, path: images.npz, train: 60, validation: 20, test: 20}
architectures:
  - name: question
    layers:
      - Conv2D: {filters: 20, kernel_size: [2, 3]}
      - GlobalAveragePooling2D
grid: {penalties: [l1], lambdas: [0.1], seeds: 1}
training: {optimizer: SGD, batch_size: 32, epochs: 1}
"""


FINISHED = ("widths: [1, 2]", "widths: [1]"), ("penalties: [l1, l2]", "penalties: [l1]")


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("name", ["check", "run"])
@pytest.mark.parametrize("wrong", BAD)
def test_a_bad_spec_gives_exit_2_names_file_and_line_and_writes_nothing(tmp_path, monkeypatch, name, wrong):
    monkeypatch.chdir(tmp_path)
    changes, line, words = BAD[wrong]
    Path("bad.yaml").write_text(edited(*changes))
    result = invoke(name, "bad.yaml")
    assert result.exit_code == 2
    assert f"bad.yaml:{line}: " in result.stderr
    assert words in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""
    assert os.listdir(tmp_path) == ["bad.yaml"]


def test_a_missing_spec_and_a_wrong_option_are_exit_2(tmp_path):
    assert invoke("run", tmp_path / "none.yaml").exit_code == 2
    assert invoke("run", "--nonsense").exit_code == 2
    assert invoke("nonsense").exit_code == 2


def test_check_prints_1220_and_1200_for_the_layer_of_the_question(tmp_path):
    import numpy as np

    x = np.random.default_rng(0).random((100, 4, 5, 10))
    np.savez(tmp_path / "images.npz", x=x, y=np.arange(100) % 20)
    (tmp_path / "question.yaml").write_text(QUESTION)
    result = run_command("check", "question.yaml", cwd=tmp_path)
    assert result.returncode == 0
    assert re.search(r"question +1220 +1200\b", result.stdout)
    assert result.stderr == ""


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_configs_of_large_datasets_are_valid_without_a_download_and_span_the_weights_they_state(name, monkeypatch):
    monkeypatch.setattr("regsearch.data.download.fetch", None)
    path = CONFIGS_FOLDER / f"{name}.yaml"
    result = invoke("check", path, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    facts = json.loads(result.stdout)
    weights = [row["trainable_weights"] for row in facts["architectures"]]
    assert f"# {weights[0]:,} to {weights[-1]:,} trainable weights" in path.read_text()
    assert f"the {facts['trials']:,} networks of the first round" in path.read_text()
    assert weights[-1] > 100 * weights[0]


@pytest.mark.slow
def test_check_names_layers_that_do_not_fit(spec_file):
    result = invoke("check", spec_file(("kernel_size: 3", "kernel_size: 9")))
    assert result.exit_code == 2
    assert "tiny.yaml:10: architecture.layers[0].Conv2D: expected a window no larger than its input" in result.stderr


def test_too_few_images_are_exit_3(spec_file):
    result = invoke("check", spec_file(("train: 64", "train: 2000")))
    assert result.exit_code == 3
    assert "tiny.yaml:4: dataset.train: expected train + validation + test of at most 1797 images" in result.stderr


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One real run by the command itself, by two workers where there are two cores."""
    path = tmp_path_factory.mktemp("cli")
    (path / "tiny.yaml").write_text(edited(*FINISHED))
    return path, run_command("run", "tiny.yaml", cwd=path)


@pytest.mark.slow
def test_run_puts_data_on_stdout_and_progress_on_stderr(finished):
    path, result = finished
    assert result.returncode == 0, result.stderr
    assert "w1" in result.stdout
    assert "best lambda" in result.stdout
    assert "6 trials: training 6" in result.stderr
    assert "Results are in results/tiny/" in result.stderr
    assert (path / "results" / "tiny" / "best_lambda.csv").exists()


@pytest.mark.slow
def test_workers_of_their_own_give_the_numbers_of_one_process(finished, tmp_path):
    study.run(parsed(*FINISHED), tmp_path, study.Settings())
    workers = finished[0] / "results" / "tiny"
    assert json.loads((workers / "study.json").read_text())["runs"][0]["workers"] == min(2, engine.count_cores())
    one, two = (
        pd.read_csv(path / "trials.csv").drop(columns="seconds").sort_values("trial", ignore_index=True)
        for path in (tmp_path, workers)
    )
    assert two.equals(one)
    for name in ("response.csv", "best_lambda.csv"):
        assert (workers / name).read_bytes() == (tmp_path / name).read_bytes()


@pytest.mark.slow
def test_run_again_says_that_nothing_was_missing(finished, monkeypatch):
    monkeypatch.chdir(finished[0])
    result = invoke("run", "tiny.yaml")
    assert result.exit_code == 0
    assert "nothing was missing, so nothing was trained" in result.stderr


@pytest.mark.slow
def test_quiet_prints_nothing(finished):
    result = run_command("run", "tiny.yaml", "--quiet", cwd=finished[0])
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.slow
def test_report_rebuilds_the_tables_byte_for_byte(finished):
    results = finished[0] / "results" / "tiny"
    before = {name: (results / name).read_bytes() for name in ("response.csv", "best_lambda.csv")}
    for name in before:
        (results / name).unlink()
    assert invoke("report", results).exit_code == 0
    assert before == {name: (results / name).read_bytes() for name in before}


@pytest.mark.slow
def test_another_study_in_the_folder_is_exit_4(finished, spec_file):
    result = invoke("run", spec_file(("epochs: 2", "epochs: 3")), "--out", finished[0] / "results" / "tiny")
    assert result.exit_code == 4
    assert "epochs: 2 there, 3 here" in result.stderr
    assert "Traceback" not in result.output


def test_report_on_what_is_no_results_folder_is_exit_4(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "none", tmp_path, tmp_path / "file"):
        result = invoke("report", path)
        assert result.exit_code == 4, result.output
        assert "expected a" in result.stderr
    assert sorted(os.listdir(tmp_path)) == ["file"]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_in_order_with_everything_finished_kept(tmp_path, number, code):
    (tmp_path / "tiny.yaml").write_text(edited(("widths: [1, 2]", "widths: [1]"), ("seeds: 2", "seeds: 50")))
    process = subprocess.Popen([sys.executable, "-m", "regsearch", "run", "tiny.yaml", "--workers", "1"], cwd=tmp_path, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    ledger = tmp_path / "results" / "tiny" / "trials.csv"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (ledger.exists() and ledger.read_bytes().count(b"\n") > 2):
        time.sleep(0.1)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == code
    assert "run the same command again to go on" in stderr
    assert "Traceback" not in stderr
    assert invoke("report", ledger.parent).exit_code == 0


@pytest.mark.slow
def test_a_grid_in_which_half_diverges_is_exit_0(tmp_path, spec_file):
    spec = spec_file(
        ("widths: [1, 2]", "widths: [1]"), ("[l1, l2]", "[l2]"), ("epochs: 2", "epochs: 30"),
        ("lambdas: [0, 0.01, 0.1]", "lambdas: [0, 0.01, 1000, 10000]"),
    )  # fmt: skip
    result = invoke("run", spec, "--out", tmp_path / "results", "--workers", "inline")
    assert result.exit_code == 0, result.output
    table = pd.read_csv(tmp_path / "results" / "trials.csv")
    assert table["status"].value_counts().to_dict() == {"completed": 4, "diverged": 4}


@pytest.mark.slow
def test_a_trial_that_fails_leaves_the_others_is_named_and_exit_5(tmp_path, spec_file, monkeypatch):
    work = runner_work.train

    def fails(spec, job, *asked):
        if any(cell.lam == 0.1 and cell.seed == 1 and cell.penalty_name == "l2" for cell in job.population.cells):
            raise RuntimeError("made to fail")
        return work(spec, job, *asked)

    monkeypatch.setattr("regsearch.runner.work.train", fails)
    spec, results = spec_file(("widths: [1, 2]", "widths: [1]")), tmp_path / "results"
    result = invoke("run", spec, "--out", results, "--workers", "inline")
    assert result.exit_code == 5
    table = pd.read_csv(results / "trials.csv")
    failed = table[table["status"] == "failed"]
    assert 1 <= len(failed) <= 2  # half of a half of its population
    assert (table["status"] == "completed").sum() == 10 - len(failed)
    assert f"{len(failed)} networks failed: {', '.join(failed['trial'])}" in result.stderr
    assert "made to fail" in (results / "failures.log").read_text()
    monkeypatch.undo()
    assert invoke("run", spec, "--out", results, "--workers", "inline").exit_code == 0


@pytest.mark.slow
def test_fresh_moves_the_results_of_another_study_aside_and_trains(tmp_path, spec_file):
    one = [("widths: [1, 2]", "widths: [1]"), ("seeds: 2", "seeds: 1"), ("[l1, l2]", "[l1]")]
    results = tmp_path / "results"
    assert invoke("run", spec_file(*one), "--out", results, "--workers", "inline").exit_code == 0
    before = (results / "trials.csv").read_bytes()
    other = spec_file(*one, ("epochs: 2", "epochs: 3"))
    refused = invoke("run", other, "--out", results, "--workers", "inline")
    assert (refused.exit_code, "--fresh" in refused.stderr) == (4, True)
    result = invoke("run", other, "--out", results, "--workers", "inline", "--fresh")
    assert result.exit_code == 0
    (aside,) = tmp_path.glob("results-*")
    assert f"earlier results are now in {aside}" in result.stderr
    assert (aside / "trials.csv").read_bytes() == before
    assert invoke("report", aside).exit_code == 0
    assert len(pd.read_csv(results / "epochs.csv")) == 3 * 4


@pytest.mark.slow
def test_report_on_an_unfinished_study_says_what_is_missing(tmp_path, spec_file, monkeypatch):
    work, seen = runner_work.train, []

    def stops(spec, job, *asked):
        seen.append(job)
        if len(seen) == 3:
            raise Stopped(signal.SIGTERM)
        return work(spec, job, *asked)

    monkeypatch.setattr("regsearch.runner.work.train", stops)
    results = tmp_path / "results"
    assert invoke("run", spec_file(), "--out", results, "--workers", "inline").exit_code == 143
    result = invoke("report", results)
    assert result.exit_code == 0
    assert "10 of 20 trials are missing: `regsearch run` trains them" in result.stderr


def test_a_warning_is_said_once(tmp_path, spec_file, monkeypatch):
    def warns(*_, **__):
        for _ in range(3):
            logging.getLogger("regsearch.ledger.checkpoints").warning("the disk is full")
        raise ResultsError("the end")

    monkeypatch.setattr(study, "run", warns)
    result = invoke("run", spec_file(), "--out", tmp_path / "results")
    assert result.exit_code == 4
    assert result.stderr.count("regsearch: warning: the disk is full\n") == 1


@pytest.mark.parametrize("command", ["run", "report"])
def test_a_file_as_results_folder_is_exit_4(tmp_path, spec_file, command):
    (tmp_path / "file").write_text("mine")
    arguments = (
        ["run", spec_file(), "--out", tmp_path / "file"] if command == "run" else ["report", tmp_path / "file"]
    )
    assert invoke(*arguments).exit_code == 4
    assert (tmp_path / "file").read_text() == "mine"


def test_help_needs_no_tensorflow_and_feels_instant():
    code = "import sys\nfrom regsearch.cli import main\ntry: main(['--help'])\nfinally: print(sorted(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    for module in ("tensorflow", "keras", "pandas", "pydantic", "rich"):
        assert f"'{module}'" not in result.stdout
    for name in main.commands:
        assert name in result.stdout
        assert f"Example: regsearch {name} " in invoke(name, "--help").output
