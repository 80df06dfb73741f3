"""A relative path of data is looked for beside the spec, then in the current folder, and what is used is never unsaid."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import edited, parsed

import regsearch
from regsearch import data as datasets
from regsearch.cli import main
from regsearch.errors import DatasetError
from regsearch.ledger import claim, read_spec
from regsearch.spec import Spec

SMALL = [("train: 64", "train: 10"), ("validation: 50", "validation: 5"), ("test: 50", "test: 5")]
SMALL += [("batch_size: 32", "batch_size: 5")]
OWN = [("name: digits", "name: npz\n  path: images.npz"), *SMALL]


def save(folder, seed=0):
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "images.npz", x=np.random.default_rng(seed).random((20, 8, 8)), y=np.arange(20) % 2)


@pytest.fixture
def places(tmp_path, monkeypatch):
    """The folder of a spec, and the current one beside it."""
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "own.yaml").write_text(edited(*OWN))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "specs", tmp_path / "here"


def resolve(path="../specs/own.yaml"):
    return datasets.resolve_path(Spec.load(path))


def test_data_beside_the_spec_are_used_wherever_the_command_is_run(places, caplog):
    save(places[0])
    spec = resolve()
    assert Path(spec.dataset.path).samefile(places[0] / "images.npz")
    assert Path(spec.dataset.path).is_absolute()
    assert caplog.messages == []
    for name in ("check", "slurm"):
        result = CliRunner().invoke(main, [name, "../specs/own.yaml"])
        assert result.exit_code == 0, result.output
        assert "expected" not in result.stderr


def test_data_in_the_current_folder_alone_are_used_with_a_warning(places, caplog):
    save(places[1])
    assert resolve().dataset.path == str(places[1] / "images.npz")
    (warning,) = caplog.messages
    assert warning.startswith("../specs/own.yaml:4: dataset.path: expected images.npz beside the spec (")
    assert f"got it in the current folder alone: {places[1]}/images.npz is used." in warning


def test_of_two_files_that_beside_the_spec_is_used_with_a_warning_unless_they_are_the_same(places, caplog):
    save(places[0])
    save(places[1], seed=1)
    assert Path(resolve().dataset.path).samefile(places[0] / "images.npz")
    assert "That beside the spec is used, where version 0.2.0 used the other" in caplog.text
    caplog.clear()
    (places[1] / "images.npz").unlink()
    (places[1] / "images.npz").symlink_to(places[0] / "images.npz")
    resolve()
    assert caplog.messages == []


@pytest.mark.parametrize("name", ["check", "plan", "run", "slurm"])
def test_data_in_neither_folder_are_refused_with_both_places(places, name):
    result = CliRunner().invoke(main, [name, str(places[0] / "own.yaml")])
    assert result.exit_code == 3
    words = (
        f"own.yaml:4: dataset.path: expected images.npz beside the spec ({places[0]}/images.npz) or in the current "
    )
    assert f"{words}folder ({places[1]}/images.npz), got neither. Write the path in full" in result.stderr
    assert result.stdout == ""


def test_a_spec_of_the_current_folder_names_one_place(places, monkeypatch):
    monkeypatch.chdir(places[0])
    words = f"expected images.npz in the folder {places[0]}, got nothing there"
    with pytest.raises(DatasetError, match=re.escape(words)):
        resolve("own.yaml")


def test_a_spec_from_no_file_goes_by_the_current_folder(places, caplog):
    save(places[0])
    save(places[1])
    keywords = Spec(**parsed(*OWN).plain())
    for spec in (parsed(*OWN), keywords, Spec.load(places[0] / "own.yaml").relocate(None)):
        assert datasets.resolve_path(spec).dataset.path == str(places[1] / "images.npz")
    assert caplog.messages == []


def test_full_paths_homes_folders_and_named_datasets_are_resolved_alike(places, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    save(tmp_path / "home")
    (places[0] / "data" / "a").mkdir(parents=True)
    for written, meant in (
        ("npz\n  path: ~/home/images.npz", tmp_path / "home" / "images.npz"),
        (f"npz\n  path: {tmp_path}/home/images.npz", tmp_path / "home" / "images.npz"),
        ("npz\n  path: ../home/images.npz", tmp_path / "home" / "images.npz"),
        ("images\n  path: data\n  size: [8, 8]", places[0] / "data"),
        ("mnist\n  path: data", places[0] / "data"),
    ):
        (places[0] / "own.yaml").write_text(edited(("name: digits", f"name: {written}"), *SMALL))
        assert Path(resolve().dataset.path).samefile(meant)
    for written in ("digits", "mnist"):
        (places[0] / "own.yaml").write_text(edited(("name: digits", f"name: {written}")))
        assert getattr(resolve().dataset, "path", None) is None


def test_a_spec_moved_to_another_folder_with_its_data_and_a_linked_file_are_found(places):
    save(places[0] / "far")
    (places[0] / "images.npz").symlink_to(Path("far", "images.npz"))
    assert datasets.describe(resolve()).pool == 20
    places[0].rename(places[0].with_name("moved"))
    spec = datasets.resolve_path(Spec.load("../moved/own.yaml"))
    assert spec.dataset.path.endswith("moved/images.npz")


def test_the_spec_in_a_results_folder_means_the_data_that_were_trained_on(places, tmp_path):
    """Its text stays as it was written, and the results folder is never searched."""
    save(places[0])
    spec = resolve()
    (tmp_path / "results").mkdir()
    claim(tmp_path / "results", spec, "population", datasets.describe(spec))
    save(tmp_path / "results", seed=1)
    assert (tmp_path / "results" / "spec.yaml").read_text() == edited(*OWN)
    again = datasets.resolve_path(read_spec(tmp_path / "results"))
    assert Path(again.dataset.path).samefile(places[0] / "images.npz")


@pytest.mark.parametrize("moved", [False, True])
def test_results_whose_data_are_not_noted_or_moved_go_by_the_current_folder(places, tmp_path, caplog, moved):
    save(places[0])
    spec = resolve()
    (tmp_path / "results").mkdir()
    claim(tmp_path / "results", spec, "population", datasets.describe(spec))
    if moved:
        (places[0] / "images.npz").rename(places[1] / "images.npz")
    else:  # as version 0.2.0 left it
        save(places[1])
        facts = json.loads((tmp_path / "results" / "study.json").read_text())
        assert facts.pop("dataset_path").endswith("specs/images.npz")
        (tmp_path / "results" / "study.json").write_text(json.dumps(facts))
    again = datasets.resolve_path(read_spec(tmp_path / "results"))
    assert again.dataset.path == str(places[1] / "images.npz")
    assert caplog.messages == []
    claim(tmp_path / "results", spec, "population", datasets.describe(again))  # still the same study


@pytest.mark.slow
def test_a_study_is_resumed_from_another_folder_and_its_networks_are_built(places, tmp_path, monkeypatch):
    save(places[0])
    one = [("widths: [1, 2]", "widths: [1]"), ("[l1, l2]", "[l1]"), ("[0, 0.01, 0.1]", "[0, 0.1]")]
    (places[0] / "own.yaml").write_text(edited(*OWN, *one))
    first = regsearch.run("../specs/own.yaml", tmp_path / "results", workers=0)
    assert len(first.trials) == 4
    monkeypatch.chdir(places[0])
    with monkeypatch.context() as patch:
        patch.setattr("regsearch.runner.work.train", None)
        again = regsearch.run("own.yaml", tmp_path / "results", workers=0)
    assert again.trials.equals(first.trials)
    monkeypatch.chdir(tmp_path)
    network = again.tuner.hypermodel.build(again.tuner.get_best_hyperparameters(1)[0])
    assert network.input_shape == (None, 8, 8, 1)
