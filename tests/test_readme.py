"""The README says what is true: its file tree, its commands, its test command in CI."""

import re
import shlex
from pathlib import Path

import pandas as pd
import supported

from regsearch.cli import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_file_tree_is_that_of_the_package():
    tree = README[README.index("regsearch/\n") :].split("```")[0]
    named = set(re.findall(r"[├└]── (\S+)", tree))
    files = [path for ending in ("*.py", "*.html") for path in (ROOT / "regsearch").rglob(ending)]
    there = {path.name for path in files if not path.name.startswith("__")}
    there |= {f"{path.name}/" for path in (ROOT / "regsearch").iterdir() if path.is_dir() and path.name[0] != "_"}
    assert named == there


def test_the_table_of_what_is_supported_is_that_of_the_code():
    """Run `python tests/supported.py` to write it anew."""
    assert README.split(supported.START)[1].split(supported.END)[0].strip() == supported.table().strip()


def test_every_regsearch_command_in_the_readme_exists():
    used = [shlex.split(line) for line in re.findall(r"^regsearch .*$", README, re.MULTILINE)]
    assert len(used) >= 3
    for words in used:
        assert words[1] in main.commands, words
        options = {option for parameter in main.commands[words[1]].params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options


def test_ci_runs_the_test_command_as_the_readme_gives_it():
    (command,) = re.findall(r"^.*bin/pytest -n .*$", README, re.MULTILINE)
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_verdicts_quoted_are_those_of_the_reference_study():
    best = pd.read_csv(ROOT / "results" / "reference" / "digits" / "scaling.csv").set_index(["penalty", "against"])
    for penalty in ("l1", "l2"):
        row = best.loc[(penalty, "trainable_weights")]
        quoted = f"**{penalty}: {row['verdict']}.** Best lambda ∝ N^{row['exponent']:.2f}"
        assert quoted in README
        assert f"95 % interval {row['exponent_low']:.2f} to {row['exponent_high']:.2f}" in README
