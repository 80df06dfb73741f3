"""What the tests share: a small spec to vary, and TensorFlow set up as workers have it."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from regsearch import spec
from regsearch.engine import backend

BACKEND = os.environ.get("REGSEARCH_TEST_BACKEND", "tensorflow")
"""What the tests of the engine compute with."""
CONFIGS_FOLDER = Path(__file__).parents[1] / "configs"
CONFIGS = sorted(CONFIGS_FOLDER.rglob("*.yaml"))

SPEC = """\
name: tiny
dataset:
  name: digits
  train: 64
  validation: 50
  test: 50
architecture:
  widths: [1, 2]
  layers:
    - Conv2D: {filters: width, kernel_size: 3, activation: relu}
    - Flatten
    - Dense: {units: classes}
grid:
  penalties: [l1, l2]
  lambdas: [0, 0.01, 0.1]
  seeds: 2
training:
  optimizer: {SGD: {learning_rate: 0.05, momentum: 0.9}}
  batch_size: 32
  epochs: 2
"""


def pytest_configure(config: pytest.Config):
    """Makes the backend ready in the processes that run tests; the one that hands them out needs none."""
    if config.getoption("dist", "no") == "no":
        backend.start(1, "CPU", BACKEND)  # as workers do: another number of threads rounds otherwise
        from regsearch.engine.population import trainer

        trainer.compiled.most = 40  # the same few networks train in many tests, and compiling takes most of the time


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item):
    """Leaves out a study's figures, which take seconds, but for tests marked `figures`: nobody else looks at them.

    In the processes that a test starts too. Warnings are heard, whatever `--quiet` of an earlier test left.
    """
    logging.getLogger("regsearch").setLevel(logging.NOTSET)
    with pytest.MonkeyPatch.context() as patch:
        if not item.get_closest_marker("figures"):
            patch.setattr("regsearch.report.views.gallery", lambda *_: [])
            patch.setenv("PYTHONPATH", str(Path(__file__).with_name("processes")), prepend=os.pathsep)
        return (yield)


def digits_of_0_2_0():
    """The text of the default study as version 0.2.0 had it, whose trials must stay what they are."""
    text = (CONFIGS_FOLDER / "digits.yaml").read_text()
    for now, then in (("from: 1e-4", "from: 1e-5"), ("seeds: 6", "seeds: 3"), ("  refine: 4 ", "  # refine: 4 ")):
        assert now in text
        text = text.replace(now, then)
    return text


TABLES = ["response.csv", "best_lambda.csv", "scaling.csv", "transfer.csv", "stability.csv", "mechanism.csv"]
"""What a study without planted data writes."""


def edited(*changes: tuple[str, str]) -> str:
    """The small spec's text with parts replaced."""
    text = SPEC
    for old, new in changes:
        assert old in text, f"{old!r} is not in the small spec"
        text = text.replace(old, new)
    return text


def parsed(*changes: tuple[str, str]) -> spec.Spec:
    """The small spec with parts replaced."""
    return spec.Spec.parse(edited(*changes), "tiny.yaml")


def parsed_text(text: str) -> spec.Spec:
    """A spec from its text."""
    return spec.Spec.parse(text, "spec.yaml")


def run_command(*arguments, **options):
    """The program in a process of its own."""
    command = [sys.executable, "-m", "regsearch", *map(str, arguments)]
    return subprocess.run(command, text=True, capture_output=True, **options)


@pytest.fixture
def spec_file(tmp_path: Path):
    """Writes the small spec with parts replaced and gives its path."""

    def write(*changes: tuple[str, str]) -> Path:
        path = tmp_path / "tiny.yaml"
        path.write_text(edited(*changes))
        return path

    return write
