"""`regsearch report`, `suggest` and `--xlsx` on made-up results folders: what is written, and that it stays the same."""

import dataclasses
import io
import json
import os
import shutil
import subprocess
from pathlib import Path

import made_up_folder
import numpy as np
import openpyxl
import pandas as pd
import pytest
from checked_page import Checked
from click.testing import CliRunner

from regsearch import report
from regsearch.cli import main
from regsearch.ledger import folder
from regsearch.report.csv import write_csv

pytestmark = pytest.mark.figures
SOFFICE = shutil.which("soffice") or shutil.which("libreoffice")


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def files(path):
    return {one.relative_to(path): one.read_bytes() for one in path.rglob("*") if one.is_file()}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    path = made_up_folder.write(tmp_path_factory.mktemp("made_up") / "results")
    report.write(report.read(path), xlsx=True)
    return path


@pytest.fixture
def no_figures(monkeypatch):  # in tests that do not look at them
    monkeypatch.setattr("regsearch.report.views.gallery", lambda *_: [])


def test_the_page_holds_every_table_and_figure(results):
    page = Checked((results / "report.html").read_text())
    text = "".join(page.text)
    for table in results.glob("*.csv"):
        if table.stem not in ("trials", "epochs"):
            assert table.stem in page.ids
            for column in pd.read_csv(table).columns:
                assert column in text
    svgs = list(results.glob("figures/*.svg"))
    assert len(svgs) == 2 * 4 == page.tags.count("svg")  # nothing diverges or collapses, so there is no stability map
    assert "img" not in page.tags
    assert {path.stem for path in svgs} == {path.stem for path in results.glob("figures/*.png")}
    assert "constant" in text


def test_a_second_report_gives_the_same_bytes_without_figures_that_the_grid_no_longer_has(results, tmp_path):
    copy, mine = tmp_path / "copy", Path("figures/mine.svg")
    shutil.copytree(results, copy)
    for name in ("figures/response-l1_l2-0.5.svg", mine):
        (copy / name).write_text("")
    report.write(report.read(copy))
    assert files(copy) == files(results) | {mine: b""}


def test_what_is_written_is_listed_as_ours(results):
    named = {*folder.OURS, "spec.yaml", "study.json", ".lock"}
    assert {path.name for path in results.iterdir()} <= named


def test_the_workbook_holds_every_table_as_it_is_in_its_csv(results):
    book = openpyxl.load_workbook(io.BytesIO((results / "tables.xlsx").read_bytes()))
    assert set(book.sheetnames) == {path.stem for path in results.glob("*.csv")}
    for name in book.sheetnames:
        found = pd.DataFrame(list(book[name].values)[1:], columns=[cell.value for cell in book[name][1]])
        expected = pd.read_csv(results / f"{name}.csv")
        assert list(found.columns) == list(expected.columns)
        assert len(found) == len(expected)
        for column in expected.select_dtypes("number"):
            np.testing.assert_allclose(found[column].astype(float), expected[column].astype(float), rtol=1e-8)


@pytest.mark.usefixtures("no_figures")
def test_without_asking_there_is_no_workbook(tmp_path):
    path = made_up_folder.write(tmp_path / "results", made_up_folder.text(("penalties: [l1, l2]", "penalties: [l2]")))
    assert invoke("report", path, "--quiet").exit_code == 0
    assert not (path / "tables.xlsx").exists()
    assert invoke("report", path, "--xlsx", "--quiet").exit_code == 0
    assert (path / "tables.xlsx").exists()


def test_the_loss_is_called_by_what_it_is(results):
    snapshot = report.read(results)
    assert snapshot.loss == "cross-entropy, nats"
    numbers = dataclasses.replace(snapshot, trials=snapshot.trials.assign(validation_accuracy=np.nan))
    assert numbers.loss == "mean squared error"


@pytest.mark.parametrize(("changes", "loss"), [
    ([("seeds: 3", "seeds: 1")], made_up_folder.bowl),
    ([], lambda cell, rng: np.nan),
    ([], lambda cell, rng: None),
    ([("penalties: [l1, l2]", "penalties: [{l1_l2: {ratio: 0.5}}, decoupled]")], made_up_folder.bowl),
], ids=["one seed", "all diverged", "nothing trained", "other penalties"])  # fmt: skip
def test_every_file_is_written_whatever_a_study_lacks(tmp_path, changes, loss):
    widths = (f"widths: {list(made_up_folder.WIDTHS)}", "widths: [2]")
    path = made_up_folder.write(tmp_path / "results", made_up_folder.text(widths, *changes), loss)
    report.write(report.read(path), xlsx=True)
    Checked((path / "report.html").read_text())
    assert (path / "tables.xlsx").exists()


@pytest.mark.usefixtures("no_figures")
def test_a_study_json_without_newer_keys_will_do(results, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(results, copy)
    facts = json.loads((copy / "study.json").read_text())
    (copy / "study.json").write_text(json.dumps({name: facts[name] for name in ("engine", "content")}))
    report.write(report.read(copy))
    Checked((copy / "report.html").read_text())


@pytest.mark.usefixtures("no_figures")
def test_keras_tuners_files_are_written_on_request_and_of_one_results_folder_alone(results, tmp_path):
    copy = tmp_path / "studies" / "copy"
    shutil.copytree(results, copy)
    assert invoke("report", copy).exit_code == 0
    assert not (copy / "keras_tuner").exists()
    assert invoke("report", copy, "--keras-tuner").exit_code == 0
    trials = len(pd.read_csv(copy / "trials.csv"))
    assert len(list(copy.glob("keras_tuner/trial_*/trial.json"))) == trials
    refused = invoke("report", copy.parent, "--keras-tuner")
    assert refused.exit_code == 2
    assert "--keras-tuner goes with one results folder" in refused.stderr


def test_suggest_prints_the_range_and_a_snippet(results):
    found = invoke("suggest", results, "--weights", 1_000_000, "--penalty", "l2")
    assert found.exit_code == 0
    assert "for 1000000 trainable weights search lambda from 0.0" in found.stdout
    assert "Extrapolated: 1000000 weights are 97.6 times the weights of the largest network" in found.stdout
    assert "grid:\n  penalties: [l2]\n  lambdas: {from: 0.0" in found.stdout
    assert "l1" not in found.stdout


def test_suggest_as_json_names_every_penalty(results):
    found = json.loads(invoke("suggest", results, "--weights", 500, "--json").stdout)
    assert [one["penalty"] for one in found["suggestions"]] == ["l1", "l2"]
    for one in found["suggestions"]:
        assert one["low"] < 0.03 < one["high"]
        assert one["lambdas"]["from"] < one["low"] < one["high"] < one["lambdas"]["to"]


def test_suggest_without_a_fit_is_exit_4_and_writes_nothing(tmp_path):
    path = made_up_folder.write(tmp_path / "results", loss=lambda cell, rng: cell.lam)
    before = files(path)
    found = invoke("suggest", path, "--weights", 500)
    assert found.exit_code == 4
    assert "only 0 of 6 networks have a best lambda" in found.stderr
    assert "grid.extend" in found.stderr
    assert files(path) == before
    assert invoke("suggest", tmp_path, "--weights", 500).exit_code == 4
    assert invoke("suggest", path, "--weights", 0).exit_code == 2


def test_check_and_help_draw_nothing():
    code = "import sys, regsearch.report, regsearch.cli; assert not {'matplotlib', 'jinja2', 'xlsxwriter'} & set(sys.modules)"
    subprocess.run([os.sys.executable, "-c", code], check=True)


@pytest.mark.slow
@pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not installed")
def test_libreoffice_opens_every_csv_with_numbers_as_numbers(results, tmp_path):
    tables = sorted(results.glob("*.csv"))
    profile = f"-env:UserInstallation=file://{tmp_path / 'profile'}"
    command = [SOFFICE, profile, "--headless", "--convert-to", "xlsx", "--outdir", tmp_path, *tables]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    for table in tables:
        expected = pd.read_csv(table)
        sheet = openpyxl.load_workbook(tmp_path / f"{table.stem}.xlsx").active
        assert sheet.max_row == len(expected) + 1
        for column, title in enumerate(expected.columns, start=1):
            values = [sheet.cell(row, column).value for row in range(2, sheet.max_row + 1)]
            if pd.api.types.is_numeric_dtype(expected[title]):
                assert all(value is None or isinstance(value, int | float) for value in values), (table.stem, title)


def test_an_infinite_number_is_an_empty_cell(tmp_path):
    write_csv(
        tmp_path / "table.csv", pd.DataFrame({"low": [-np.inf, 0.5], "high": [1.5, np.inf], "name": ["=a", "b"]})
    )
    assert (tmp_path / "table.csv").read_text() == "low,high,name\n,1.5,'=a\n0.5,,b\n"
