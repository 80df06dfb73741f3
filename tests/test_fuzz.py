"""Whatever is done to a spec or a ledger, a command ends in time with one of its exit codes, and in its folder.

Bounded by default. The long version, 2,000 specs and 500 ledgers, takes some minutes:

    FUZZ_SPECS=2000 FUZZ_LEDGERS=500 pytest tests/test_fuzz.py
"""

import os
import shutil
import signal
import tempfile
import time
from contextlib import chdir, contextmanager
from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from conftest import SPEC, parsed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regsearch import study
from regsearch.cli import main
from regsearch.runner import work as runner_work

ENDS_WITHIN = 10
EXIT_CODES = {0, 2, 3, 4, 5}

EVERYTHING = """\
name: everything
dataset: {name: digits, validation: 100, test: 100, label_noise: 0.1}
architectures:
  - name: one
    layers:
      - Conv2D: {filters: 4, kernel_size: [2, 3], strides: 2, padding: same, use_bias: false, kernel_initializer: he_normal}
      - BatchNormalization: {momentum: 0.9, epsilon: 1e-3, center: true, scale: false}
      - Activation: {activation: relu}
      - AveragePooling2D: {pool_size: 2, strides: 1, padding: valid}
      - Dropout: {rate: 0.25}
      - Residual: [ZeroPadding2D, DepthwiseConv2D: {kernel_size: 3, depthwise_initializer: he_normal}, SpatialDropout2D: {rate: 0.1}]
      - SeparableConv2D: {filters: 2, kernel_size: 1, dilation_rate: [1, 2], depth_multiplier: 2}
      - GlobalAveragePooling2D
      - LayerNormalization: {epsilon: 1e-3}
      - Dense: {units: classes}
  - name: two
    layers:
      - MaxPooling2D: {pool_size: [2, 1]}
      - Flatten
      - Dense: {units: 5, activation: tanh}
      - Dense: {units: classes}
grid:
  penalties: [l1, {l1_l2: {ratio: 0.5}}, l2_mean, decoupled]
  lambdas: {from: 1e-3, to: 1, per_decade: 1, zero: true}
  seeds: [3, 4]
  learning_rates: [0.01, 0.1]
  train_sizes: [64, 128]
training:
  optimizer: AdamW
  batch_size: 16
  epochs: 3
  memory_gib: 1
  penalised: all
  schedule: {piecewise: {boundaries: [1], factors: [1, 0.1]}}
  early_stopping: {patience: 1, min_delta: 0.01, restore_best_weights: true}
"""
FROM_A_FILE = SPEC.replace("name: digits", "name: npz\n  path: images.npz")
SPECS = [SPEC, EVERYTHING, FROM_A_FILE]

NASTY = [
    None, True, 0, -1, 1e999, float("nan"), 10**400, 2**31, 2**63, 1e-320, "", "~", "=1+1", "../up", "/dev/zero",
    "width", "9*width", "classes*3", "__import__('os').system('ls')", "\x00", "\ud7ff", "a" * 5000, [], {}, [[]],
    {"": ""}, {"a": None}, [None], "1e999", "0x10", ".nan", "!!python/name:os.system", "*a", "&a", "<<", "{", "- -",
    "mnist", "npz", "Conv2D", {"Conv2D": {}}, {"Conv2D": {"filters": 10**9, "kernel_size": 10**9}},
    {"Dense": {"units": 2**31 - 1}}, list(range(1, 500)), {"from": 1e-30, "to": 1e9, "per_decade": 100},
]  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.sampled_from(NASTY).map(deepcopy) | st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


def fuzzed(variable, default):
    """As many examples as the environment asks for, the same each time."""
    return settings(
        max_examples=int(os.environ.get(variable, default)),
        derandomize=True,
        database=None,
        deadline=None,  # `bounded` keeps the time, of the command alone
        suppress_health_check=list(HealthCheck),
    )


@contextmanager
def bounded():
    """Fails what takes too long, at once."""

    def late(*_):
        raise AssertionError(f"it takes more than {ENDS_WITHIN} seconds")

    earlier = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, ENDS_WITHIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)


def invoke(*arguments):
    started = time.monotonic()
    with bounded():
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code in EXIT_CODES, result.output
    assert result.exit_code in (0, 5) or "error" in result.stderr.lower(), result.output
    assert "Traceback" not in result.output
    assert time.monotonic() - started < ENDS_WITHIN
    return result.exit_code


def places(value, path=()):
    """Where every value of a document is."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


@st.composite
def changed_values(draw):
    """A spec in which some values, keys or whole sections are others, missing, twice or elsewhere."""
    document = {"": yaml.safe_load(draw(st.sampled_from(SPECS)))}
    for _ in range(draw(st.integers(1, 3))):
        spots = [path for path in places(document) if len(path) > 1]
        if not spots:
            break
        path = draw(st.sampled_from(spots))
        *above, last = path
        holder = document
        for key in above:
            holder = holder[key]
        how = draw(st.sampled_from(["replace", "replace", "remove", "rename", "add", "move"]))
        if how == "replace":
            holder[last] = draw(VALUES)
        elif how == "remove":
            del holder[last]
        elif how == "rename" and isinstance(holder, dict):
            holder[draw(st.text(max_size=8))] = holder.pop(last)
        elif how == "add":
            holder[last] = [holder[last], draw(VALUES)]
        elif how == "move":
            other = document
            for key in draw(st.sampled_from(spots)):
                other = other[key]
            holder[last] = yaml.safe_load(yaml.safe_dump(other))
    return yaml.safe_dump(document[""], allow_unicode=True, sort_keys=False).encode("utf-8", "surrogatepass")


def changed_bytes(draw, text, most=4):
    """Some bytes, lines or slices are others, missing, twice or elsewhere."""
    for _ in range(draw(st.integers(1, most))):
        at = draw(st.integers(0, len(text)))
        end = min(len(text), at + draw(st.sampled_from([0, 1, 2, 8, 40, 400])))
        how = draw(st.sampled_from(["insert", "cut", "flip", "twice", "end", "line", "word"]))
        if how == "insert":
            text = text[:at] + draw(st.binary(max_size=6) | st.text(max_size=6).map(str.encode)) + text[at:]
        elif how == "cut":
            text = text[:at] + text[end:]
        elif how == "flip" and at < len(text):
            text = text[:at] + bytes([text[at] ^ (1 << draw(st.integers(0, 7)))]) + text[at + 1 :]
        elif how == "twice":
            text = text[:end] + text[at:]
        elif how == "end":
            text = text[:at]
        elif how == "line":
            lines = text.splitlines(keepends=True)
            one, other = (draw(st.integers(0, max(0, len(lines) - 1))) for _ in "ab")
            if lines:
                lines[one] = lines[other]
            text = b"".join(lines)
        else:
            word = str(draw(st.sampled_from(NASTY))).encode("utf-8", "surrogatepass")
            text = text[:at] + word[:100] + text[end:]
    return text


@st.composite
def changed_text(draw):
    """A spec whose text was damaged."""
    return changed_bytes(draw, draw(st.sampled_from(SPECS)).encode())


@fuzzed("FUZZ_SPECS", 80)
@given(changed_values() | changed_text())
def test_a_mutated_spec_is_checked_or_refused(text):
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("spec.yaml").write_bytes(text)
        invoke("check", "spec.yaml")
        assert os.listdir() == ["spec.yaml"]


LEDGER_FILES = ["trials.csv", "epochs.csv", "study.json", "spec.yaml"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A small study's results, with a diverged and a failed network among them."""
    folder = tmp_path_factory.mktemp("finished")
    work = runner_work.train

    def fails_once(spec, job, *asked):
        if job.population.first.seed == 1:
            raise RuntimeError("made to fail")
        return work(spec, job, *asked)

    with pytest.MonkeyPatch.context() as patch, chdir(folder):
        patch.setattr("regsearch.runner.work.train", fails_once)
        spec = parsed(("widths: [1, 2]", "widths: [1]"), ("lambdas: [0, 0.01, 0.1]", "lambdas: [0, 0.01, 1000]"))
        study.run(spec, folder / "results" / "tiny", study.Settings())
    return folder


@st.composite
def damage(draw):
    """What to do to a results folder: for some of its files a function of their bytes, or None to remove them."""
    names = draw(st.lists(st.sampled_from(LEDGER_FILES), min_size=1, max_size=2, unique=True))
    return {name: draw(st.sampled_from(["change"] * 8 + ["cell"] * 8 + ["remove", "folder"])) for name in names}


def changed_cell(draw, text):
    """One cell of a CSV is another."""
    rows = [line.split(",") for line in text.decode().splitlines()]
    row = draw(st.integers(0, len(rows) - 1))
    column = draw(st.integers(0, len(rows[row]) - 1))
    rows[row][column] = str(draw(VALUES)).replace("\n", " ")
    return "\n".join([*map(",".join, rows), ""]).encode("utf-8", "surrogatepass")


def trains_nothing(*_):
    raise RuntimeError("nothing is trained here")


@pytest.mark.slow
def test_a_mutated_results_folder_is_used_or_refused(finished, monkeypatch):
    monkeypatch.setattr("regsearch.runner.work.train", trains_nothing)

    @fuzzed("FUZZ_LEDGERS", 40)
    @given(damage(), st.data())
    def check(wrong, data):
        with tempfile.TemporaryDirectory() as folder, chdir(folder):
            shutil.copytree(finished, folder, dirs_exist_ok=True)
            results = Path("results", "tiny")
            shutil.copy(results / "spec.yaml", "spec.yaml")
            for name, how in wrong.items():
                path = results / name
                text = path.read_bytes()
                if how == "change":
                    path.write_bytes(changed_bytes(data.draw, text))
                elif how == "cell" and name.endswith(".csv"):
                    path.write_bytes(changed_cell(data.draw, text))
                else:
                    path.unlink()
                    if how == "folder":
                        path.mkdir()
            invoke("report", results, "--quiet")
            trials = results / "trials.csv"
            before = trials.read_bytes() if trials.is_file() else None
            code = invoke("run", "spec.yaml", "--workers", "inline", "--out", results, "--quiet")
            if code in (2, 3, 4) and before is not None and trials.is_file():
                after = trials.read_bytes()
                torn_off = after == before[: before.rfind(b"\n") + 1]
                header_mended = after.count(b"\n") == 1 and after.startswith(before)
                assert after == before or torn_off or header_mended, "a refused ledger was changed"
            assert sorted(os.listdir()) == ["results", "spec.yaml"]
            assert os.listdir("results") == ["tiny"]

    check()
