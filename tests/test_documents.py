"""The documents say what is true: their commands, links, pictures, tables, columns and the numbers they quote."""

import argparse
import os
import re
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import quoted
import supported
import yaml
from documents import DOCUMENTS, ROOT, find_reason, list_committed

from regsearch import analysis, errors, report, spec
from regsearch import data as datasets
from regsearch.cli import commands, main, program, streams
from regsearch.grid import costs as sizing
from regsearch.ledger import folder
from regsearch.ledger.records import Epoch, Trial, columns
from regsearch.report import overview

STUDY = ROOT / "results" / "reference" / "study"
FRONT, RESULTS = DOCUMENTS["README.md"], DOCUMENTS["results/README.md"]
COMMANDS = list(dict.fromkeys(command for document in DOCUMENTS.values() for command in document.commands))
PROGRAMS = [command for command in COMMANDS if command.startswith("python tests/") and find_reason(command)]


def test_the_front_page_is_a_page():
    assert len(FRONT.text.splitlines()) <= 160


@pytest.mark.parametrize("name", DOCUMENTS)
def test_lines_are_short_but_for_tables(name):
    for line in DOCUMENTS[name].text.splitlines():
        assert len(line) <= 120 or line.startswith("|"), line


def test_the_map_of_the_house_is_that_of_the_package():
    tree = DOCUMENTS["regsearch/README.md"].text.split("```\nregsearch/\n")[1].split("```")[0]
    named = set(re.findall(r"[├└]── (\S+)", tree))
    paths = [path for path in (ROOT / "regsearch").iterdir() if path.suffix != ".md" and path.name[:2] != "__"]
    assert named == {f"{path.name}/" if path.is_dir() else path.name for path in paths}


def test_ci_runs_the_test_command_as_the_front_page_gives_it():
    (command,) = (line for block in FRONT.blocks("sh") for line in block.splitlines() if "pytest" in line)
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_tables_that_code_makes_are_up_to_date():
    assert supported.written_into(supported.DOCUMENT.read_text()) == supported.DOCUMENT.read_text()
    for document in quoted.TABLES:
        assert quoted.written_into(document) == document.read_text(), document


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name):
    document = DOCUMENTS[name]
    for link in document.links:
        path, _, anchor = link.partition("#")
        target = (document.path.parent / path).resolve() if path else document.path
        assert target.exists(), link
        if anchor:
            assert anchor in DOCUMENTS[str(target.relative_to(ROOT))].anchors, link


def test_every_document_is_reached_from_the_front_page():
    linked = {(FRONT.path.parent / link.partition("#")[0]).resolve() for link in FRONT.links}
    assert {document.path for document in DOCUMENTS.values()} <= linked | {FRONT.path}


def test_the_pictures_that_are_shown_are_those_that_are_committed():
    shown = {
        (document.path.parent / picture).resolve()
        for document in DOCUMENTS.values()
        for picture in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", document.text)
    }
    assert shown == list_committed(".png")
    assert len(shown) <= 5


def test_programs_that_are_named_are_there_and_every_benchmark_is_described():
    text = "\n".join(document.text for document in DOCUMENTS.values())
    for path in set(re.findall(r"(tests/[\w/]+\.(?:py|sh))", text)):
        assert (ROOT / path).exists(), path
    for path in re.findall(r"`(\w+\.py)`", text):
        assert list((ROOT / "tests").rglob(path)) or (ROOT / "regsearch" / path).exists(), path
    described = set(re.findall(r"`(\w+\.py)`", DOCUMENTS["tests/benchmarks/README.md"].text))
    assert described == {path.name for path in (ROOT / "tests" / "benchmarks").glob("*.py")}


class _Parsed(Exception):  # noqa: N818 - no error
    pass


@pytest.mark.parametrize("command", [*PROGRAMS, *(f"python tests/benchmarks/{path.name}" for path in (ROOT / "tests" / "benchmarks").glob("*.py") if path.name not in ("measure.py", "optuna_torch.py"))])  # fmt: skip
def test_programs_that_take_too_long_accept_their_options(command, monkeypatch):
    def parse(parser, *_):
        parse_known(parser)
        raise _Parsed

    def parse_known(parser):
        _, unknown = parser.parse_known_args(options)
        assert not unknown

    path, *options = shlex.split(command)[1:]
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse)
    monkeypatch.syspath_prepend(ROOT / Path(path).parent)
    with pytest.raises(_Parsed):
        runpy.run_path(str(ROOT / path), run_name="__main__")


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("best_lambda.csv", analysis.best_lambda.COLUMNS),
        ("scaling.csv", analysis.scaling.COLUMNS),
        ("transfer.csv", analysis.transfer.COLUMNS),
        ("stability.csv", analysis.stability.COLUMNS),
        ("mechanism.csv", analysis.mechanism.COLUMNS),
        ("response.csv", analysis.response.COLUMNS),
        ("trials.csv", list(columns(Trial))),
        ("epochs.csv", list(columns(Epoch))),
        ("calibration.csv", analysis.calibration.COLUMNS),
        ("studies.csv", list(overview._COLUMNS)),
    ],
)
def test_every_column_is_explained_in_its_order(table, expected):
    rows = re.findall(r"^\| (`.*?) \| .+ \|$", RESULTS.section(f"`{table}`"), re.MULTILINE)
    assert [name for row in rows for name in re.findall(r"`(\w+)`", row)] == list(expected)


def test_every_file_status_and_verdict_is_explained():
    named = set(re.findall(r"`([\w./]+)`", "".join(re.findall(r"^\| (`.*?) \|", RESULTS.text, re.MULTILINE))))
    files = {f"{name}/" if "." not in name else name for name in (folder.SPEC, folder.STUDY, *folder.OURS)}
    assert files | set(analysis.STATUSES) | set(analysis.CLAIMS) <= named


def test_exit_codes_are_those_of_the_code():
    kinds = [errors.RegsearchError, *errors.RegsearchError.__subclasses__()]
    signals = {128 + number for number in (signal.SIGINT, signal.SIGTERM)}
    codes = {
        0,
        commands.SOME_FAILED,
        program.NO_OUTPUT,
        streams.READER_GONE,
        *signals,
        *(kind.exit_code for kind in kinds),
    }
    rows = re.findall(r"^\| ([\d, ]+) \|", DOCUMENTS["regsearch/cli/README.md"].text, re.MULTILINE)
    assert {int(code) for row in rows for code in row.split(",")} == codes


def test_helps_point_to_documents():
    pointers = {name: re.findall(r"\S+\.md", command.help) for name, command in main.commands.items()}
    assert pointers["run"] == pointers["slurm"] == ["regsearch/runner/README.md"]
    assert {path for paths in pointers.values() for path in paths} <= set(DOCUMENTS)


def test_every_spec_is_valid():
    found = [
        spec.Spec.parse(block)
        for document in DOCUMENTS.values()
        for block in document.blocks("yaml")
        if yaml.safe_load(block) is not None
    ]
    assert found
    for each in found:
        datasets.describe(each)


@pytest.fixture(scope="module")
def studies():
    return pd.read_csv(STUDY / "studies.csv").set_index(["study", "penalty", "learning_rate", "train_size"])


def test_the_front_page_quotes_the_exponents_of_the_study(studies):
    answer = " ".join(FRONT.section("The answer, for somebody in a hurry").split())
    row = studies.loc["sgd", "l2", 0.05, 500]
    interval = f"N^{row['exponent']:.2f} (95 % interval {row['exponent_low']:.2f} to {row['exponent_high']:.2f})"
    assert interval in answer
    assert row["verdict"] == "constant"
    assert (studies.loc["adamw"]["exponent_low"] > 0).all()
    assert f"all {len(studies)} fits" in answer
    assert (studies["exponent_low"] > -1).all()


def test_more_images_ask_for_a_smaller_lambda_at_every_width_and_penalty():
    best = pd.read_csv(STUDY / "sgd" / "best_lambda.csv")
    by_size = best.pivot_table(index=["penalty", "architecture"], columns="train_size", values="best_grid_lambda")
    assert len(by_size) == 24
    assert (by_size[250] > by_size[1000]).all()


def test_the_study_quotes_its_own_tables(studies):
    text = " ".join(DOCUMENTS["results/reference/study/README.md"].text.split())
    assert (studies.loc[["sgd", "sgd-rates"], "exponent"].abs() < 0.2).all()
    short = []
    best, limits = (pd.read_csv(STUDY / "adamw" / f"{name}.csv") for name in ("best_lambda", "stability"))
    for rate, rows in best.groupby("learning_rate"):
        below = limits.loc[limits["learning_rate"] == rate, "under_trained_below"].to_numpy()
        short.append(f"{(rows['best_grid_lambda'].to_numpy() < below).sum()} of {len(rows)}")
    assert f"({short[0].split()[0]} and {short[1]})" in text
    mechanism = pd.read_csv(STUDY / "sgd" / "mechanism.csv").query("train_size == 500").groupby("penalty").first()
    start, end = (f"sum_abs_weights_{when}_exponent" for when in ("start", "end"))
    assert f"Σ|w| grows as N^{mechanism.at['l1', start]:.2f}" in text
    assert f"Σ|w| under L1 goes as N^{mechanism.at['l1', end]:.2f}" in text
    assert f"Σw² under L2 as N^{mechanism.at['l2', end.replace('abs', 'squared')]:.2f}" in text
    trained = sum(len(pd.read_csv(path)) for path in STUDY.glob("*/trials.csv.gz"))
    explosions = len(pd.read_csv(STUDY.parent / "explosion" / "trials.csv.gz"))
    assert f"{trained:,} trained networks; {explosions:,} more" in text


def test_how_far_small_networks_narrow_the_range_is_what_suggest_says():
    text = " ".join(DOCUMENTS["results/reference/study/README.md"].text.split())

    snapshots = {study: report.read(STUDY / study) for study in ("sgd", "adamw")}

    def suggest(study, below):
        """Of each setting with a range its penalty, how far the ends are apart, and whether it holds the truth."""
        snapshot = snapshots[study]
        best = snapshot.tables.best_lambda
        widest = best[best["trainable_weights"] == 75050].set_index(["penalty", "learning_rate", "train_size"])
        ranges = [each for each in snapshot.suggest(75050, below=below) if isinstance(each, analysis.Suggestion)]
        truths = [widest.at[tuple(each.setting), "best_lambda"] for each in ranges]
        return [
            (each.setting.penalty, each.high / each.low, each.low <= truth <= each.high)
            for each, truth in zip(ranges, truths, strict=True)
        ]

    four, seven = suggest("sgd", 6000), suggest("sgd", 75050)
    others = [apart for penalty, apart, _ in four if penalty != "l1"]
    assert f"{min(others):.0f} to {max(others):.0f} times apart for L2 and decay" in text
    assert f"up to {round(max(apart for _, apart, _ in four), -1):,.0f} for L1" in text
    apart = sorted(apart for _, apart, _ in seven)
    assert f"from seven networks, {apart[0]:.1f} to {apart[-1]:.1f}" in text
    assert [held for _, _, held in four + seven] == [True] * 18
    assert [held for below in (6000, 75050) for _, _, held in suggest("adamw", below)] == [True] * 5


def test_what_is_said_of_the_study_is_what_its_tables_say():
    text = " ".join(DOCUMENTS["results/reference/study/README.md"].text.split())
    front = " ".join(DOCUMENTS["README.md"].text.split())
    tables = {name: pd.read_csv(STUDY / name / "scaling.csv") for name in ("sgd", "sgd-rates", "adamw", "adamw-l2")}
    by_weights = {name: table[table["against"] == "trainable_weights"] for name, table in tables.items()}
    single = {name: table[table["train_size"].notna()] for name, table in by_weights.items()}
    every = pd.concat(single.values())
    assert len(every) == 17
    assert every["rules_out"].str.contains("inverse").all()
    assert single["adamw"]["rules_out"].str.contains("constant").all()
    assert single["adamw"]["verdict"].tolist() == ["under_trained", "under_trained", "power"]
    fast = single["adamw"].iloc[-1]
    interval = f"{fast['exponent_low']:.2f} to {fast['exponent_high']:.2f}"
    assert f"it grows as N^{fast['exponent']:.2f} (95 % interval {interval})" in text
    calm = pd.concat([single["sgd"], single["sgd-rates"]])
    calm = calm[(calm["penalty"] != "l1") & (calm["learning_rate"] < 0.1)]
    assert set(calm["verdict"]) == {"constant"}
    (l2,) = single["sgd"].query("penalty == 'l2' and train_size == 500").to_dict("records")
    assert f"N^{l2['exponent']:.2f} (95 % interval {l2['exponent_low']:.2f} to {l2['exponent_high']:.2f})" in front
    assert f"they leave {l2['exponent_at_least']:.2f} to {l2['exponent_at_most']:.2f}" in text
    for row in tables["sgd"].query("against == 'train_size'").to_dict("records"):
        interval = f"{row['exponent_low']:.2f} to {row['exponent_high']:.2f}"
        assert re.search(rf"n\^{row['exponent']:.2f} for [A-Za-z0-9]+ \((95 % interval )?{interval}\)", text), (
            interval
        )
        assert "constant" in row["rules_out"]
    stability = pd.concat([pd.read_csv(STUDY / name / "stability.csv") for name in ("sgd", "sgd-rates")])
    cliffs = stability.loc[stability["penalty"] == "l1", "half_collapsed_exponent"]
    assert f"goes as N^{cliffs.max():.2f} to N^{cliffs.min():.2f}" in text


def test_the_weight_counts_that_are_quoted_are_those_of_the_study():
    study = spec.Spec.load(ROOT / "configs" / "study" / "sgd.yaml")
    sizes = [size.weights for size in sizing.measure(study, datasets.describe(study)).values()]
    for name in ("README.md", "results/reference/study/README.md"):
        assert f"{min(sizes):,} to {max(sizes):,} trainable weights" in " ".join(DOCUMENTS[name].text.split())


def bash(script, cwd):
    """Runs a script as a user would who has activated the environment, but trains nothing; see `processes`."""
    activate = Path(sys.prefix) / "bin" / "activate"
    path = f'PATH="{Path(sys.executable).parent}:$PATH"'
    begin = f"source {shlex.quote(str(activate))}" if activate.exists() else path
    environment = {**os.environ, "MADE_UP_TRAINING": "1"}
    command = ["bash", "-euo", "pipefail", "-c", f"{begin}\n{script}"]
    done = subprocess.run(command, cwd=cwd, env=environment, text=True, capture_output=True, timeout=300)
    return "" if not done.returncode else f"{script}\n{done.stdout[-1000:]}\n{done.stderr[-2000:]}"


@pytest.fixture
def clone(tmp_path):
    """What the commands need of a clone; of the study a part."""
    for name in [*DOCUMENTS, "tests/quoted.py", "tests/supported.py"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name in (
        "configs",
        *(f"results/reference/{name}" for name in ("calibration", "study/sgd", "study/adamw-l2")),
    ):
        shutil.copytree(ROOT / name, tmp_path / name, dirs_exist_ok=True)
    study = tmp_path / "results" / "reference" / "study"
    shutil.copy(STUDY / "studies.csv", study)
    ledger = pd.read_csv(study / "sgd" / "trials.csv.gz", dtype=str, keep_default_na=False)
    kept = ledger[(ledger["train_size"] == "500") & ledger["penalty"].isin(["none", "l2"])]
    kept.to_csv(study / "sgd" / "trials.csv.gz", index=False)
    return tmp_path


def test_every_command_of_the_program_is_shown():
    shown = [command for command in COMMANDS if not find_reason(command)]
    assert {name for command in shown for name in re.findall(r"^regsearch ([a-z]+)", command)} == set(main.commands)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, document in DOCUMENTS.items() if document.blocks("sh")])
def test_what_is_shown_runs(clone, name):
    commands = [command for command in DOCUMENTS[name].commands if not find_reason(command)]
    assert [wrong for command in commands if (wrong := bash(command, clone))] == []
    for script in DOCUMENTS[name].blocks("python"):
        (clone / "example.py").write_text(script)
        assert bash("python example.py", clone) == ""
