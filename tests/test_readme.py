"""The README says what is true: its file tree, its commands, its test command in CI, the study that it quotes."""

import re
import shlex
import shutil
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import made_up_folder
import numpy as np
import pandas as pd
import pytest
import quoted
import supported
from click.testing import CliRunner

from regsearch import data as datasets
from regsearch.cli import main
from regsearch.grid import costs as sizing
from regsearch.ledger.records import Counts, Epoch, record_completed
from regsearch.runner.cluster import Cluster
from regsearch.runner.site import ThisMachine
from regsearch.runner.workers import use_this_process

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
STUDY = ROOT / "results" / "reference" / "study"


def shell_lines():
    """Every line of the README's shell blocks."""
    return [line for block in re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
            for line in block.splitlines()]  # fmt: skip


def test_the_map_of_the_house_is_that_of_the_package():
    tree = README[README.index("regsearch/\n") :].split("```")[0]
    named = set(re.findall(r"[├└]── (\S+)", tree))
    paths = [path for path in (ROOT / "regsearch").iterdir() if not path.name.startswith("__")]
    assert named == {f"{path.name}/" if path.is_dir() else path.name for path in paths}


def test_ci_runs_the_test_command_as_the_readme_gives_it():
    (command,) = re.findall(r"^.*bin/pytest -n .*$", README, re.MULTILINE)
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_table_of_what_is_supported_is_made_from_the_code():
    assert supported.written_into(README) == README


def test_every_file_and_section_that_the_readme_links_to_is_there():
    sections = {
        re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-")
        for head in re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    }
    links = re.findall(r"\]\(([^)\s]+)\)", README)
    assert len(links) > 10
    for link in links:
        assert link[1:] in sections if link.startswith("#") else (ROOT / link).exists(), link


def test_programs_that_the_readme_names_are_there():
    for path in set(re.findall(r"(tests/[\w/]+\.(?:py|sh))", README)):
        assert (ROOT / path).exists(), path
    named = set(re.findall(r"`(\w+\.py)`", README[README.index("## Developing") :]))
    assert named >= {path.name for path in (ROOT / "tests" / "benchmarks").glob("*.py")} - {
        "measure.py", "plain_keras_tuner.py", "optuna_torch.py",
    }  # fmt: skip
    for name in named:
        assert list((ROOT / "tests").rglob(name)), name


def made_up(_, job, __):
    """In place of training: the best lambda is 0.03 at every width."""
    rng = np.random.default_rng(job.population.first.seed)
    counts = Counts(job.size.weights, job.size.penalised)
    found = []
    for cell in job.population.cells:
        loss = made_up_folder.bowl(cell, rng)
        epochs = [Epoch(cell.trial, epoch, 1.0, 0.1, loss, 0.5, 1.0, 10.0, 5.0) for epoch in (0, 1)]
        found.append(record_completed(cell, counts, epochs, (loss + 0.1, 0.5), 0.1))
    return found


@pytest.mark.slow
def test_every_command_of_the_readme_runs(tmp_path, monkeypatch):
    """All in order, in a folder with the configs; what trains is handed made-up records, here instead of elsewhere."""

    @contextmanager
    def pool(*_):
        yield use_this_process(lambda: None)

    @contextmanager
    def connect(*_):
        yield SimpleNamespace(device="CPU", threads=1, count_processes=lambda _: 1, open_pool=pool)

    monkeypatch.setattr("regsearch.runner.work.train", made_up)
    monkeypatch.setattr(ThisMachine, "count_processes", lambda *_: 0)
    monkeypatch.setattr(Cluster, "connect", connect)
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    shutil.copytree(STUDY / "sgd", tmp_path / "results" / "reference" / "study" / "sgd")
    monkeypatch.chdir(tmp_path)
    ran = set()
    for line in shell_lines():
        words = shlex.split(line.split(" > ")[0])
        if words[0] != "regsearch":
            assert words[0] in ("python3", "sbatch", ".venv/bin/pytest", ".venv/bin/ruff", "pytest", "apt-get"), line
            continue
        result = CliRunner().invoke(main, words[1:])
        assert result.exit_code == 0, f"{line}\n{result.output}"
        ran.add(words[1])
    assert ran == set(main.commands)


def test_the_tables_of_the_study_are_made_from_its_results():
    assert quoted.written_into(README) == README


def test_the_exponents_in_the_headline_are_those_of_the_study():
    table = pd.read_csv(STUDY / "studies.csv").set_index(["study", "penalty", "learning_rate", "train_size"])
    headline = README[: README.index("## Two commands")].replace("\n> ", " ")
    for setting in (("sgd", "l2", 0.05, 500), ("sgd", "l1", 0.05, 500), ("adamw", "decoupled", 0.002, 500)):
        row = table.loc[setting]
        assert f"N^{row['exponent']:.2f} ({row['exponent_low']:.2f} to {row['exponent_high']:.2f})" in headline, (
            setting
        )


def test_the_weight_counts_that_the_readme_quotes_are_those_of_the_study():
    from regsearch import spec

    study = spec.Spec.load(ROOT / "configs" / "study" / "sgd.yaml")
    sizes = [size.weights for size in sizing.measure(study, datasets.describe(study)).values()]
    assert f"{min(sizes):,} to {max(sizes):,} trainable weights" in README
