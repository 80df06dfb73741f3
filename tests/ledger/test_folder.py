"""A results folder is held by one run and one study; what is not one, is older or damaged is refused, or moved aside."""

import errno
import json
import os
import re
import shutil
from pathlib import Path

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


@pytest.fixture
def linked(tmp_path):
    """A link to results on another disk, and the results."""
    (tmp_path / "scratch").mkdir()
    real, link = claimed(tmp_path / "scratch" / "real"), tmp_path / "home" / "link"
    link.parent.mkdir()
    link.symlink_to(real)
    return link, real


def test_of_a_link_what_it_leads_to_is_moved_on_its_own_disk_and_it_leads_to_a_fresh_folder(linked):
    link, real = linked
    move_aside(link)
    assert os.listdir(link.parent) == ["link"]
    assert link.readlink() == real
    assert os.listdir(real) == []
    (aside,) = asides(real)
    assert folder.read_facts(aside).content == "digits"
    claimed(link)
    assert (real / "study.json").exists()


def test_a_link_on_the_way_to_the_folder_stays(tmp_path):
    """As where `results` itself is one."""
    (tmp_path / "scratch").mkdir()
    (tmp_path / "results").symlink_to(tmp_path / "scratch")
    path = claimed(tmp_path / "results" / "tiny")
    move_aside(path)
    assert not path.exists()
    assert (tmp_path / "results").is_symlink()
    (aside,) = (tmp_path / "scratch").iterdir()
    assert folder.read_facts(aside).content == "digits"


def test_what_was_moved_aside_is_held_by_nobody(linked):
    link, real = linked
    move_aside(link)
    (aside,) = asides(real)
    assert sorted(os.listdir(aside)) == [".lock", "spec.yaml", "study.json"]


def test_a_link_to_a_folder_that_is_not_there_makes_it_but_not_a_disk(linked):
    link, real = linked
    shutil.rmtree(real)
    move_aside(link)
    with hold(link):
        assert (real / ".lock").exists()
    shutil.rmtree(real.parent)
    with pytest.raises(ResultsError, match=f"got a link to {real}, which is not there. Mount its disk"), hold(link):
        pass
    assert not real.parent.exists()


@pytest.mark.parametrize("target", ["file", "link"])
def test_a_link_to_a_file_or_to_itself_is_refused(tmp_path, target):
    (tmp_path / "file").write_text("mine")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / target)
    move_aside(link)
    with pytest.raises(ResultsError, match="expected a folder for the results, got a"), hold(link):
        pass
    assert sorted(os.listdir(tmp_path)) == ["file", "link"]


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EXDEV, errno.EACCES])
def test_a_folder_that_cannot_be_renamed_as_it_is_a_disk_says_what_to_do(tmp_path, monkeypatch, number):
    path, rename = claimed(tmp_path / "results"), Path.rename

    def refuse(source, target):
        if source == path.resolve():
            raise OSError(number, os.strerror(number))
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", refuse)
    said = f"results: expected a folder that can be renamed to .*results-.*, got: {os.strerror(number)}. Move what"
    with pytest.raises(ResultsError, match=said):
        move_aside(path)
    assert sorted(os.listdir(path)) == [".lock", "spec.yaml", "study.json"]


@pytest.mark.parametrize("name", [".", "..", "../results"])
def test_the_folder_that_a_command_runs_in_is_not_moved_from_under_it(tmp_path, monkeypatch, name):
    path = claimed(tmp_path / "results")
    (path / "shards").mkdir()
    monkeypatch.chdir(path / "shards" if name == ".." else path)
    with pytest.raises(ResultsError, match="got the one that this command runs in. Leave it"):
        move_aside(Path(name))
    assert os.listdir(tmp_path) == ["results"]


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


@pytest.mark.parametrize("name", ["mkdir", "open"])
def test_a_file_system_that_is_read_only_is_one_clear_error(tmp_path, monkeypatch, name):
    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(f"pathlib.Path.{name}", refuse)
    with pytest.raises(ResultsError, match="got: Read-only file system"), hold(tmp_path):
        pass
