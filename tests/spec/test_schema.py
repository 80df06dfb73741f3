"""The JSON Schema takes every good spec and refuses every bad one that a schema can."""

import jsonschema
import pytest
from bad_specs import BAD
from conftest import CONFIGS, edited
from good_specs import GOOD

from regsearch import spec
from regsearch.errors import SpecError
from regsearch.spec import schema, yaml
from regsearch.spec.starter import starter

VALIDATOR = jsonschema.Draft202012Validator(schema())

# What takes reading several keys together, or arithmetic, or what YAML itself refuses: no schema can say it.
BEYOND_A_SCHEMA = {
    "not yaml", "a tab", "two documents", "duplicate key", "empty", "only comments", "python tag", "custom tag",
    "merge key", "unknown alias", "a number as key", "noise is NaN", "width unused", "activation at the end",
    "lambda 0 alone", "falling range", "too many trials", "two learning rates", "no training size",
    "two training sizes", "batch above train", "strides and dilation", "no convolution to penalise", "a factor too few",
    "a sigmoid for two classes", "a decimal comma", "decimal commas in a list", "falling boundaries", "a boundary at the end", "width by name", "a name twice", "layers twice", "planted by name",
}  # fmt: skip


def values(text):
    return yaml.parse(text, "x.yaml").values


def test_it_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(schema())
    assert schema()["$schema"].endswith("2020-12/schema")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_config_satisfies_it(path):
    VALIDATOR.validate(values(path.read_text()))


def test_the_starter_satisfies_it():
    VALIDATOR.validate(values(starter("study")))


@pytest.mark.parametrize("name", GOOD)
def test_what_the_spec_takes_the_schema_takes(name):
    text = edited(*GOOD[name])
    spec.Spec.parse(text, "x.yaml")
    VALIDATOR.validate(values(text))


@pytest.mark.parametrize("wrong", BAD)
def test_what_the_spec_refuses_the_schema_refuses(wrong):
    try:
        bad = values(edited(*BAD[wrong][0]))
    except SpecError:
        assert wrong in BEYOND_A_SCHEMA
        return
    assert VALIDATOR.is_valid(bad) == (wrong in BEYOND_A_SCHEMA)


def test_what_is_beyond_it_is_all_in_the_table():
    assert set(BAD) >= BEYOND_A_SCHEMA


def test_every_key_says_what_it_is():
    """Arguments that are Keras's own do not."""
    whole = schema()
    sections = {"Spec": whole, **whole["$defs"]}
    ours = {
        "Spec", "Digits", "Downloaded", "Npz", "ImageFolder", "Planted", "ScaledArchitecture", "NamedArchitecture",
        "Grid", "LambdaRange", "Training", "EarlyStopping",
    }  # fmt: skip
    assert ours <= set(sections)
    for name in ours:
        for key, value in sections[name]["properties"].items():
            assert value["description"].endswith("."), f"{name}.{key}"
