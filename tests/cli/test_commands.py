"""Every command: its help, its place in the documents, its JSON; and all of them as a new user would meet them."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from regsearch.cli import main
from regsearch.spec.datasets import DATASETS

DOCUMENT = (Path(__file__).parents[2] / "regsearch" / "cli" / "README.md").read_text()
COMMANDS = sorted(main.commands)


def invoke(*arguments, **options):
    return CliRunner().invoke(main, [str(argument) for argument in arguments], **options)


def example(name):
    (line,) = re.findall(r"Example: (regsearch .*)", invoke(name, "--help").output)
    return line


@pytest.mark.parametrize("name", COMMANDS)
def test_help_begins_with_one_sentence_that_fits_the_list_of_commands(name):
    sentence = main.commands[name].help.split("\n\n")[0]
    assert re.fullmatch(r"[A-Z][^.]*(\.\S[^.]*)*\.", " ".join(sentence.split()))
    listed = re.search(rf"^  {name} +(.+)$", invoke("--help").output, re.MULTILINE)[1]
    assert sentence.startswith(listed.removesuffix("...").rstrip(" ."))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_in_the_help_parses(name):
    words = shlex.split(example(name).split(" > ")[0])
    assert words[:2] == ["regsearch", name]
    with main.commands[name].make_context(name, words[2:]):
        pass


@pytest.mark.parametrize("name", COMMANDS)
def test_the_document_of_the_commands_explains_the_command_and_its_options(name):
    assert re.search(rf"^\| `regsearch {name}\b[^`]*` \| .+ \|$", DOCUMENT, re.MULTILINE)
    options = {
        match[1]: match[2] for match in re.finditer(r"^\| (`--.+?) \| (`.+?) \| .+ \|$", DOCUMENT, re.MULTILINE)
    }
    explained = {
        flag for flags, of in options.items() if f"`{name}`" in of for flag in re.findall(r"`(--[\w-]+)", flags)
    }
    assert explained == {flag for option in main.commands[name].params for flag in option.opts if flag[:2] == "--"}


def test_completion_as_the_document_gives_it():
    (variable,) = set(re.findall(r"_[A-Z]+_COMPLETE", DOCUMENT))
    for shell in ("bash", "zsh", "fish"):
        assert f"{shell}_source" in DOCUMENT
        environment = {**os.environ, variable: f"{shell}_source"}
        code = "from regsearch.cli import main; main(prog_name='regsearch')"
        result = subprocess.run([sys.executable, "-c", code], env=environment, text=True, capture_output=True)
        if "Bash" not in result.stderr:  # Click refuses a bash of before 4.4
            assert "_regsearch_completion" in result.stdout


def test_datasets_lists_every_name_that_a_spec_takes():
    rows = json.loads(invoke("datasets", "--json").stdout)
    assert [row["name"] for row in rows] == list(DATASETS)
    assert rows[0] == {
        "name": "digits", "image": [8, 8, 1], "classes": 10, "images": 1797, "test_images": 0,
        "source": "built into scikit-learn", "cache": None,
    }  # fmt: skip
    table = invoke("datasets").stdout
    for row in rows:
        assert re.search(rf"^ {row['name']} .* {re.escape(row['source'])} *$", table, re.MULTILINE)


def test_datasets_says_where_downloads_are_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("REGSEARCH_DATA", str(tmp_path))
    assert f"Downloads are kept in {tmp_path}/; $REGSEARCH_DATA names another folder." in invoke("datasets").stdout
    rows = {row["name"]: row["cache"] for row in json.loads(invoke("datasets", "--json").stdout)}
    assert rows["mnist"] == str(tmp_path / "mnist")
    assert rows["npz"] is None
    monkeypatch.delenv("REGSEARCH_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "of the user"))
    if sys.platform == "linux":
        assert f"{tmp_path}/of the user/regsearch/;" in invoke("datasets").stdout


def test_check_as_json_has_numbers_as_numbers(spec_file):
    path = spec_file()
    result = invoke("check", path, "--json")
    assert json.loads(result.stdout) == {
        "spec": str(path),
        "name": "tiny",
        "dataset": "digits",
        "trials": 20,
        "architectures": [
            {"architecture": "w1", "width": 1, "trainable_weights": 380, "penalised_weights": 369},
            {"architecture": "w2", "width": 2, "trainable_weights": 750, "penalised_weights": 738},
        ],
        "data": {
            "images": 1797, "validation_images": 0, "test_images": 0, "image": [8, 8, 1], "outputs": 10,
            "loss": "cross_entropy", "lowest": 0.0, "highest": 16.0, "divisor": 16,
            "mean": pytest.approx(0.30526, abs=1e-5), "deviation": pytest.approx(0.37605, abs=1e-5),
            "commonest_share": 183 / 1797, "target_lowest": None, "target_highest": None, "target_mean": None,
            "target_deviation": None, "warnings": [],
        },
    }  # fmt: skip
    assert result.stderr == ""


def test_schema_prints_json_alone():
    result = invoke("schema")
    assert json.loads(result.stdout)["$schema"].endswith("2020-12/schema")
    assert result.stderr == ""


def test_tables_are_never_folded_however_narrow_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    lines = [line for line in invoke("datasets").stdout.splitlines() if "Keras" in line]
    assert len(lines) == 4


def test_init_writes_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = invoke("init")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "Next: regsearch check study.yaml" in result.stderr
    again = invoke("init")
    assert again.exit_code == 2
    assert "study.yaml: expected a new file" in again.stderr


@pytest.mark.slow
def test_a_new_users_first_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert invoke("init", "mine.yaml").exit_code == 0
    text = Path("mine.yaml").read_text()
    small = [
        ("[2, 4, 8, 16, 24]", "[2]"),
        ("seeds: 6", "seeds: 2"),
        ("  refine: 4", "  # refine: 4"),
        ("per_decade: 2", "per_decade: 1"),
        ("epochs: 40", "epochs: 3"),
    ]
    for old, new in small:
        assert old in text
        text = text.replace(old, new)
    Path("mine.yaml").write_text(text)

    checked = invoke("check", "mine.yaml")
    assert re.search(r"^ w2 +2 +746 +730 *$", checked.stdout, re.MULTILINE)
    assert "mine.yaml: valid; 22 trials on digits" in checked.stdout
    seen = "digits: 1,797 images of 8×8×1, 0 to 16 scaled to 0 to 1; 10 classes, the commonest 10.2 %; cross-entropy"
    assert seen in checked.stdout.splitlines()

    planned = invoke("plan", "mine.yaml", "--workers", "inline")
    assert planned.exit_code == 0, planned.output
    assert "22 trials, 0 of them in results/mine/: 22 to train" in planned.stdout
    assert re.search(r"^About \d+ ", planned.stdout, re.MULTILINE)
    assert os.listdir() == ["mine.yaml"]

    ran = invoke("run", "mine.yaml", "--workers", "inline")
    assert ran.exit_code == 0, ran.output
    assert "22 in the grid: trained 22. Results are in results/mine/" in ran.stderr
    assert re.search(r"^ w2 +746 +l1 ", ran.stdout, re.MULTILINE)

    reported = invoke("report", "results/mine")
    assert reported.stdout == ran.stdout

    suggested = invoke("suggest", "results/mine", "--weights", "100000")
    assert (suggested.exit_code, suggested.stdout) == (4, "")  # one network shows no line
    assert "networks" in suggested.stderr

    after = json.loads(invoke("plan", "mine.yaml", "--json").stdout)
    assert (after["trials"], after["finished"], after["missing"], after["populations"]) == (22, 22, 0, 0)
    assert after["seconds"] is None
    assert after["architectures"][0]["architecture"] == "w2"
