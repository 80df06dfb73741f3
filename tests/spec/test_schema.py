"""The JSON Schema takes every good spec and refuses every bad one that a schema can."""

import jsonschema
import pytest
from bad_specs import BAD
from conftest import CONFIGS, edited

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
    "falling boundaries", "a boundary at the end",
}  # fmt: skip

GOOD = {
    "as it is": [],
    "compact layers": [("- Flatten", "- {Flatten: }"), ("[l1, l2]", "[{l1: }, l2: {}]")],
    "sizes": [("filters: width", "filters: width * 3"), ("units: classes", 'units: "classes"')],
    "kernel of two": [("kernel_size: 3", "kernel_size: [2, 3], strides: [1, 2], padding: same")],
    "a ratio": [("[l1, l2]", "[l1, {l1_l2: {ratio: 0.5}}, decoupled]")],
    "a range": [("lambdas: [0, 0.01, 0.1]", "lambdas: {from: 1e-5, to: 1, per_decade: 2, zero: true}")],
    "a short range": [("lambdas: [0, 0.01, 0.1]", "lambdas: {from: 1e-5, to: 1}")],
    "seeds in a list": [("seeds: 2", "seeds: [0, 7]")],
    "learning rates": [("{SGD: {learning_rate: 0.05, momentum: 0.9}}", "Adam"), ("seeds: 2", "learning_rates: [1e-3, 0.1]")],
    "training sizes": [("  train: 64\n", ""), ("seeds: 2", "train_sizes: [64, 128]")],
    "a file of a named dataset": [("name: digits", "name: mnist\n  path: mnist.npz")],
    "a folder of images": [("name: digits", "name: images\n  path: photos\n  size: [8, 9]\n  color: grayscale")],
    "square images, in colour": [("name: digits", "name: images\n  path: photos\n  size: 8")],
    "standardised": [("test: 50", "test: 50\n  standardise: true")],
    "a file": [("name: digits", "name: npz\n  path: images.npz")],
    "every other layer": [("    - Flatten\n", "".join(f"    - {layer}\n" for layer in (
        "MaxPooling2D", "AveragePooling2D: {pool_size: 1}", "Dropout: {rate: 0.5}", "BatchNormalization",
        "Activation: {activation: relu}", "ZeroPadding2D: {padding: [1, [0, 2]]}", "SpatialDropout2D: {rate: 0.1}",
        "DepthwiseConv2D: {kernel_size: 1, depth_multiplier: width}", "LayerNormalization: {scale: false}",
        "SeparableConv2D: {filters: 2*width, kernel_size: 1, dilation_rate: 2}",
        "Residual: [Conv2D: {filters: 2*width, kernel_size: 1, groups: width}, Residual: [Dropout: {rate: 0.1}]]",
        "GlobalAveragePooling2D")))],
    "means": [("[l1, l2]", "[l1_mean, {l2_mean: }]"), ("epochs: 2", "epochs: 2\n  penalised: convolutions")],
    "cosine": [("epochs: 2", "epochs: 2\n  schedule: cosine")],
    "pieces": [("epochs: 2", "epochs: 3\n  schedule: {piecewise: {boundaries: [1, 2], factors: [1, 0.1, 0.01]}}")],
    "stopping": [("epochs: 2", "epochs: 3\n  early_stopping: {patience: 1, restore_best_weights: true}")],
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
    spec.parse(text, "x.yaml")
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
