"""The arrays of a file are found by the names that people give them, and none that matters is passed by unsaid."""

import re

import numpy as np
import pytest
from conftest import parsed

from regsearch import data as datasets
from regsearch.errors import DatasetError

COUNT = 164
X = np.random.default_rng(0).random((3, COUNT, 6, 6)).astype(np.float32)
"""Of three parts: to train on, to validate, to test."""
Y = np.arange(COUNT) % 2
TRAIN, VALIDATION, TEST = X[..., None]


def npz(path, **named):
    np.savez(path, **named)
    return parsed(("name: digits", f"name: npz\n  path: {path}"))


def pairs(*names):
    """Images and labels by these names, for training, validation and test data in turn."""
    return {
        name: part
        for x, y, images in zip(names[::2], names[1::2], X, strict=False)
        for name, part in ((x, images), (y, Y))
    }


@pytest.mark.parametrize(
    "names",
    [
        ("x", "y"), ("X", "y"), ("X", "Y"), ("images", "labels"), ("Image", "Label"), ("data", "target"),
        ("x_train", "y_train"), ("X_train", "Y_train"), ("train_x", "train_y"), ("imgs", "targets"),
        ("train_images", "train_labels"), ("Xtrain", "ytrain"), ("trainX", "trainY"), ("training.data", "training.label"),
    ],
)  # fmt: skip
def test_arrays_to_train_on_are_found_by_usual_names(tmp_path, names):
    images = datasets.load(npz(tmp_path / "a.npz", **pairs(*names)))
    assert (images.pool[0] == TRAIN).all()
    assert (images.test, images.validation) == (None, None)


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test"),
        ("X_train", "y_train", "X_valid", "y_valid", "X_test", "y_test"),
        ("train_images", "train_labels", "val_images", "val_labels", "test_images", "test_labels"),
        ("x", "y", "x_validation", "y_validation", "x_test", "y_test"),
    ],
)
def test_parts_of_a_file_are_used_as_the_split_they_are(tmp_path, names):
    spec = npz(tmp_path / "a.npz", **pairs(*names))
    facts, images = datasets.describe(spec), datasets.load(spec)
    assert (facts.pool, facts.validation, facts.test) == (COUNT, COUNT, COUNT)
    for part, expected in ((images.pool, TRAIN), (images.validation, VALIDATION), (images.test, TEST)):
        assert (part[0] == expected).all()
    drawn = datasets.split(images, spec.dataset, 64, seed=0).validation[0]
    assert {image.tobytes() for image in drawn} <= {image.tobytes() for image in VALIDATION}
    # Version 0.2.0 passed the validation images by, and drew them from the others.
    assert "+validation" in facts.content


@pytest.mark.parametrize(
    ("names", "is_new"),
    [
        (("x", "y"), False), (("x_train", "y_train"), False), (("x_train", "y_train", "", "", "x_test", "y_test"), False),
        (("x", "y", "", "", "x_test", "y_test"), True), (("x_train", "y_train", "", "", "X_test", "Y_test"), True),
        (("x_train", "y_train", "x_val", "y_val"), True),
    ],
)  # fmt: skip
def test_only_data_that_are_read_otherwise_than_before_are_other_data(tmp_path, names, is_new):
    named = pairs(*names)
    named.pop("", None)
    content = datasets.describe(npz(tmp_path / "a.npz", **named)).content
    assert ("+" in content) == is_new
    assert re.match(r"npz-[0-9a-f]{16}", content)


def test_names_that_version_0_2_0_read_come_first(tmp_path):
    named = pairs("x", "y") | {"images": X[1], "labels": Y, "class_names": np.array(["a", "b"]), "index": Y}
    spec = npz(tmp_path / "a.npz", **named)
    assert (datasets.load(spec).pool[0] == TRAIN).all()
    assert "+" not in datasets.describe(spec).content
    assert datasets.load(spec).oddities == ()


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"arr_0": X[0], "arr_1": Y}, "got arr_0, arr_1. Save them by these names: np.savez(path, x=…, y=…)"),
        ({"x": X[0]}, "got x. Save them by these names"),
        ({}, "got none. Save them"),
        ({"images": X[0], "data": X[1], "labels": Y}, "one array for each thing, got images and data. Leave one of them"),
        (pairs("x_train", "y_train") | {"x_test": X[1]}, "each x with its y, got x_train, y_train, x_test"),
        (pairs("x_train", "y_train") | {"y_val": Y}, "each x with its y, got x_train, y_train, y_val"),
        (pairs("x", "y") | {"x_train": X[1]}, "each x with its y, got x, y, x_train"),
        (pairs("x_train", "y_train") | {"x_val": X[1, :, :5], "y_val": Y}, "x_val with images like x_train's, got (5, 6, 1) and (6, 6, 1)"),
        (pairs("x_train", "y_train") | {"x_val": X[1] > 1, "y_val": Y}, "x_train and x_val of one type, so that both are scaled"),
        (pairs("x_train", "y_train") | {"x_val": X[1], "y_val": Y[:-1]}, "y_val with a whole number for each of the 164 images"),
        (pairs("x_train", "y_train") | {"x_val": X[1], "y_val": Y + 1}, "y_train with images of every class from 0 to 2, got none of class 2"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_apart_or_does_not_go_together_is_refused(tmp_path, named, words):
    with pytest.raises(DatasetError, match=re.escape(words)) as refused:
        datasets.describe(npz(tmp_path / "a.npz", **named))
    assert str(refused.value).startswith(f"tiny.yaml:4: dataset.path: {tmp_path}/a.npz: expected ")


def test_more_validation_images_than_the_file_has_are_refused(tmp_path):
    named = pairs("x_train", "y_train") | {"x_val": X[1, :40], "y_val": Y[:40]}
    with pytest.raises(
        DatasetError, match="dataset.validation: expected at most the 40 validation images of npz, got 50"
    ):
        datasets.describe(npz(tmp_path / "a.npz", **named))
