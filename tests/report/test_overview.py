"""A folder of results folders: `report` rebuilds each, and a table, a figure and a page of all."""

import made_up_folder
import numpy as np
import pandas as pd
import pytest
from checked_page import Checked
from click.testing import CliRunner

from regsearch import report
from regsearch.cli import main
from regsearch.report.figures import exponents


def steep(cell, rng):
    """Lowest at 0.6 / (width² + 1): the best lambda goes as 1/N, N the trainable weights."""
    depth = 1.5 if cell.lam == 0 else 0.1 * np.log(cell.lam * (cell.architecture.width**2 + 1) / 0.6) ** 2
    return 0.8 + depth + 0.02 * rng.normal()


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    path = tmp_path_factory.mktemp("studies")
    made_up_folder.write(path / "flat")
    wider = ("widths: [1, 2, 4, 8, 16, 32]", "widths: [1, 2, 4, 8, 12, 16]"), ("from: 0.001", "from: 0.0001")
    text = made_up_folder.text(*wider)
    made_up_folder.write(path / "steep", text, steep)
    (path / "notes").mkdir()
    result = CliRunner().invoke(main, ["report", str(path)])
    assert result.exit_code == 0, result.output
    return path, result.stdout


def files(path):
    return {one.relative_to(path): one.read_bytes() for one in path.rglob("*") if one.is_file()}


def test_each_study_is_rebuilt_and_all_stand_side_by_side(studies):
    path, printed = studies
    table = pd.read_csv(path / "studies.csv")
    rows = table.set_index(["study", "penalty"])
    assert list(rows.index) == [("flat", "l1"), ("flat", "l2"), ("steep", "l1"), ("steep", "l2")]
    assert rows["verdict"].tolist() == ["constant", "constant", "inverse", "inverse"]
    for study in ("flat", "steep"):
        own = pd.read_csv(path / study / "scaling.csv")
        own = own[own["against"] == "trainable_weights"].set_index("penalty")
        assert rows.loc[study, "exponent"].tolist() == own["exponent"].tolist()
        assert study in printed
    assert not (path / "notes" / "report.html").exists()


def test_joint_fits_over_training_sizes_and_folders_moved_aside_are_left_out(tmp_path):
    sizes = ("  train: 64\n", ""), ("seeds: 3", "seeds: 3\n  train_sizes: [64, 128]")
    made_up_folder.write(tmp_path / "sizes", made_up_folder.text(*sizes))
    made_up_folder.write(tmp_path / "sizes-20261124-120000")
    found = report.write_all(tmp_path)
    assert found.studies["train_size"].tolist() == [64, 128, 64, 128]
    assert set(found.snapshots) == {"sizes"}
    assert exponents.find_points(found.studies).rows["label"][0] == "l1, rate 0.05, 64 images"


def test_the_page_links_to_each_study_and_needs_nothing_else(studies):
    path, _ = studies
    html = (path / "report.html").read_text()
    page = Checked(html)
    assert 'href="flat/report.html"' in html
    assert 'href="steep/report.html"' in html
    assert page.tags.count("svg") == 1
    assert "studies" in page.ids


def test_a_second_report_gives_the_same_bytes(studies):
    path, _ = studies
    before = files(path)
    report.write_all(path)
    assert files(path) == before


def test_points_keep_the_order_and_open_ends(studies):
    path, _ = studies
    table = pd.read_csv(path / "studies.csv")
    table.loc[0, "exponent_low"] = -np.inf
    found = exponents.find_points(table)
    assert found.rows["study"].tolist() == ["flat", "flat", "steep", "steep"]
    assert np.isnan(found.rows["exponent_low"][0])
    assert found.rows["exponent"].tolist() == table["exponent"].tolist()
    assert "2 constant" in found.title
    assert "2 inverse" in found.title
    assert exponents.find_points(table[:0]) is None


def test_a_folder_without_studies_is_the_error_it_always_was(tmp_path):
    result = CliRunner().invoke(main, ["report", str(tmp_path)])
    assert result.exit_code == 4
    assert "expected a results folder, got no such file" in result.output
