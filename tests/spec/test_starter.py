"""The starter spec is valid, named like its file, and never written over another."""

import pytest
from conftest import CONFIGS_FOLDER

from regsearch import spec
from regsearch.errors import SpecError
from regsearch.spec import starter


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("mine.yaml", "mine"),
        ("true.yaml", "study"),
        ("12.yaml", "study"),
        ("my study.yaml", "study"),
        ("a-1.yml", "a-1"),
    ],
)
def test_the_study_is_named_like_the_file_where_that_is_a_name(tmp_path, file, name):
    starter.write(tmp_path / file)
    assert spec.Spec.load(tmp_path / file).name == name


def test_a_file_that_is_there_stays_as_it_is(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("mine")
    with pytest.raises(SpecError, match="expected a new file"):
        starter.write(path)
    assert path.read_text() == "mine"
    with pytest.raises(SpecError, match="expected a file that can be written, got: No such file"):
        starter.write(tmp_path / "none" / "study.yaml")


def test_what_is_commented_out_is_right_too():
    text = starter.starter("study")
    rates = text.replace("# learning_rates", "learning_rates").replace(
        "{SGD: {learning_rate: 0.05, momentum: 0.9}}", "Adam"
    )
    sizes = text.replace("# train_sizes", "train_sizes").replace("  train: 500\n", "")
    assert rates != text != sizes
    for changed in (rates, sizes):
        spec.Spec.parse(changed, "x.yaml")


def test_the_starter_asks_what_the_default_study_asks():
    """It differs from configs/digits.yaml in its grid alone."""
    digits = spec.Spec.load(CONFIGS_FOLDER / "digits.yaml")
    small = spec.Spec.parse(starter.starter("digits"), "x")
    assert small.dataset == digits.dataset
    assert small.training == digits.training
    assert small.architecture.layers == digits.architecture.layers
    assert set(small.architecture.widths) < set(digits.architecture.widths)
    assert small.grid == digits.grid
