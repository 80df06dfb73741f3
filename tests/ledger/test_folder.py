"""A results folder is held by one run and one study; what is not one, is older or damaged is refused, or moved aside."""

import json
import os
import re

import pytest
from conftest import parsed

from regsearch.data import NAMED
from regsearch.errors import ResultsError
from regsearch.ledger import folder, hold, move_aside


def claimed(path, *changes):
    path.mkdir(exist_ok=True)
    folder.claim(path, parsed(*changes), "population", NAMED["digits"])
    return path


def asides(path):
    return sorted(item for item in path.parent.iterdir() if item != path)


def test_moving_aside_keeps_everything_under_a_dated_name_beside_it(tmp_path):
    path = claimed(tmp_path / "results")
    (path / "trials.csv").write_text("mine")
    move_aside(path)
    assert not path.exists()
    (aside,) = asides(path)
    assert re.fullmatch(r"results-\d{8}-\d{6}", aside.name)
    assert (aside / "trials.csv").read_text() == "mine"
    assert folder.read_facts(aside).content == "digits"


def test_two_within_a_second_do_not_meet(tmp_path):
    path = tmp_path / "results"
    for _ in range(3):
        move_aside(claimed(path))
    assert len(asides(path)) == 3


@pytest.mark.parametrize("damage", ["another study", "no study.json", "damaged", "only a ledger"])
def test_what_cannot_be_resumed_can_be_moved_aside(tmp_path, damage):
    path = claimed(tmp_path / "results", *([("epochs: 2", "epochs: 9")] if damage == "another study" else []))
    if damage == "damaged":
        (path / "study.json").write_bytes(b"\xff{")
    elif damage != "another study":
        (path / "study.json").unlink()
        (path / "trials.csv").write_text("trial\n")
    if damage == "only a ledger":
        (path / "spec.yaml").unlink()
    with pytest.raises(ResultsError):
        claimed(path)
    move_aside(path)
    claimed(path)
    assert len(asides(path)) == 1


def test_a_link_is_moved_and_what_it_leads_to_stays(tmp_path):
    real = claimed(tmp_path / "real")
    link = tmp_path / "link"
    link.symlink_to(real)
    move_aside(link)
    assert not link.exists()
    assert (real / "study.json").exists()


def test_nothing_is_moved_where_there_is_nothing(tmp_path):
    move_aside(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    move_aside(tmp_path / "empty")
    assert os.listdir(tmp_path) == ["empty"]


def test_what_is_no_results_folder_or_held_is_never_moved(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "letters.txt").write_text("mine")
    with pytest.raises(ResultsError, match="expected a results folder to move aside"):
        move_aside(home)
    path = claimed(tmp_path / "results")
    with hold(path), pytest.raises(ResultsError, match="held by another run"):
        move_aside(path)
    assert sorted(os.listdir(tmp_path)) == ["home", "results"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "results").write_text("mine")
    with (
        pytest.raises(ResultsError, match="expected a folder for the results, got a file"),
        hold(tmp_path / "results"),
    ):
        pass


@pytest.mark.parametrize("missing", ["engine", "content"])
def test_facts_of_an_older_version_are_one_clear_error(tmp_path, missing):
    path = claimed(tmp_path / "results")
    facts = json.loads((path / "study.json").read_text())
    del facts[missing]
    (path / "study.json").write_text(json.dumps(facts))
    with pytest.raises(ResultsError, match=rf"'{missing}' is missing.*older versions.*--fresh"):
        claimed(path)


def test_facts_that_this_version_does_not_know_are_kept(tmp_path):
    path = claimed(tmp_path / "results")
    facts = json.loads((path / "study.json").read_text())
    (path / "study.json").write_text(json.dumps(facts | {"later": 1}))
    assert folder.read_facts(claimed(path)).facts["later"] == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes to read-only folders")
def test_a_read_only_folder_is_one_clear_error(tmp_path):
    path = claimed(tmp_path / "results")
    path.chmod(0o500)
    try:
        with pytest.raises(ResultsError, match="can be read and written, got: Permission denied"), hold(path):
            pass
    finally:
        path.chmod(0o700)


@pytest.mark.parametrize("name", ["mkdir", "write_bytes"])
def test_a_file_system_that_is_read_only_is_one_clear_error(tmp_path, monkeypatch, name):
    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(f"pathlib.Path.{name}", refuse)
    with pytest.raises(ResultsError, match="got: Read-only file system"), hold(tmp_path):
        pass
