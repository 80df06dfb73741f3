"""Output that cannot be written is one clear error; a reader that left, a full log, a letter that is lacking are none."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import made_up_folder
import pytest
from click.testing import CliRunner
from conftest import edited

import regsearch
from regsearch.cli import main
from regsearch.cli.streams import OutputError, open_streams

MNIST = "name: digits", "name: mnist"  # for which no Scikit-learn is imported, which takes a second


def shell(redirection, *arguments, cwd=None):
    command = f"set -o pipefail; {sys.executable} -m regsearch {' '.join(map(str, arguments))} {redirection}"
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=cwd)


@pytest.mark.parametrize("arguments", [["check", "SPEC"], ["--help"]])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_under_stdout_is_one_clear_error(spec_file, arguments):
    result = shell("> /dev/full", *(spec_file(MNIST) if word == "SPEC" else word for word in arguments))
    expected = "regsearch: error: stdout: expected an output that can be written, got: No space left on device\n"
    assert (result.returncode, result.stderr) == (4, expected)


def test_a_reader_that_leaves_is_a_quiet_end(spec_file):
    result = shell("| head -c 0", "check", spec_file(MNIST, ("widths: [1, 2]", f"widths: {list(range(1, 1000))}")))
    assert (result.returncode, result.stdout, result.stderr) == (141, "", "")


def test_closed_streams_are_no_error(spec_file):
    assert shell(">&-", "check", spec_file(MNIST)).returncode == 0
    result = shell("2>&-", "check", spec_file(MNIST))
    assert (result.returncode, "trials on mnist" in result.stdout) == (0, True)
    assert shell(">&- 2>&-", "check", "none.yaml").returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_what_stderr_does_not_take_is_lost_and_no_more():
    result = shell("2> /dev/full", "check", "none.yaml")
    assert (result.returncode, result.stdout) == (2, "")


def test_an_error_of_another_file_is_not_stdouts(tmp_path):
    with pytest.raises(FileNotFoundError), open_streams():
        (tmp_path / "none").read_text()
    with pytest.raises(OSError, match="elsewhere") as raised, open_streams():
        raise OSError(28, "elsewhere", "a file")
    assert not isinstance(raised.value, OutputError)


NO_TEXT = os.fsdecode(b"\xff")


def test_a_spec_and_a_folder_whose_names_are_no_text_are_as_good_as_others(tmp_path):
    path, results = tmp_path / f"spec{NO_TEXT}.yaml", tmp_path / f"results{NO_TEXT}"
    path.write_text(edited(MNIST))
    made_up_folder.write(results)
    study = json.loads((results / "study.json").read_text())
    (results / "study.json").write_text(json.dumps(study | {"runs": [{"command": f"regsearch run {path}"}]}))
    for arguments, code in (
        (("check", path), 0),
        (("check", path, "--json"), 0),
        (("check", tmp_path / f"none{NO_TEXT}"), 2),
        (("slurm", path), 0),
        (("init", tmp_path / f"new{NO_TEXT}.yaml"), 0),
        (("report", results), 0),
        (("report", tmp_path), 0),
        (("suggest", results, "--weights", "1000"), 0),
        (("run", path, f"--no{NO_TEXT}"), 2),
    ):
        done = CliRunner().invoke(main, [str(word) for word in arguments])
        assert done.exit_code == code, (arguments, done.output, done.exception)
    for page in (tmp_path, results):
        assert "</html>" in (page / "report.html").read_text(encoding="utf-8")
    assert regsearch.load(results)._repr_html_().encode()
    done = subprocess.run([sys.executable, "-m", "regsearch", "check", os.fsencode(path)], capture_output=True)
    assert done.returncode == 0
    assert os.fsencode(path) + b": valid" in done.stdout
    done = subprocess.run(
        [sys.executable, "-m", "regsearch", "check", os.fsencode(path), "--json"], capture_output=True
    )
    assert json.loads(done.stdout.decode("utf-8"))["spec"] == str(path)


@pytest.mark.parametrize("encoding", ["latin-1:strict", "utf-16"])
def test_what_a_terminal_cannot_show_ends_nothing(tmp_path, encoding):
    results = made_up_folder.write(tmp_path / "results")
    for arguments in (["report", results], ["datasets"], ["datasets", "--json"], ["check", tmp_path / "nöne×.yaml"]):
        done = subprocess.run(
            [sys.executable, "-m", "regsearch", *arguments],
            capture_output=True,
            env={**os.environ, "PYTHONIOENCODING": encoding},
        )
        assert done.returncode == (2 if "check" in arguments else 0), done.stderr
        assert b"Traceback" not in done.stderr
        if "--json" in arguments:
            assert json.loads(done.stdout.decode(encoding.partition(":")[0]))


@pytest.mark.skipif(not shutil.which("localedef"), reason="there is no localedef here")
def test_a_latin_1_locale_is_one_like_others(tmp_path):
    subprocess.run(
        ["localedef", "-i", "de_DE", "-f", "ISO-8859-1", tmp_path / "de_DE"], check=True, capture_output=True
    )
    made_up_folder.write(tmp_path / os.fsdecode("größe".encode("latin-1")))
    done = subprocess.run(
        [sys.executable, "-m", "regsearch", "report", "größe".encode("latin-1")],
        capture_output=True,
        env={**os.environ, "LOCPATH": str(tmp_path), "LC_ALL": "de_DE"},
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert "w²".encode("latin-1") in done.stdout


@pytest.mark.parametrize("columns", ["0", "1"])
def test_a_terminal_of_hardly_any_width_shows_all_the_same(tmp_path, columns):
    results = made_up_folder.write(tmp_path / "results")
    done = subprocess.run(
        [sys.executable, "-m", "regsearch", "report", results],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": columns, "LINES": columns},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "w32" in done.stdout


def test_quiet_lets_no_warning_through(tmp_path):
    results = made_up_folder.write(tmp_path / "results")
    with (results / "trials.csv").open("a") as file:
        file.write("torn")
    loud, quiet = (
        subprocess.run([sys.executable, "-m", "regsearch", "report", results, *more], capture_output=True, text=True)
        for more in ([], ["--quiet"])
    )
    assert "its last line is torn" in loud.stderr
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
