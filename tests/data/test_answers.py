"""Labels and targets of every form that people save train as what they are, or are refused with what to do."""

import re

import numpy as np
import pytest
from conftest import parsed

from regsearch import data as datasets
from regsearch.errors import DatasetError

COUNT, CLASSES = 164, 4
X = np.random.default_rng(0).random((COUNT, 6, 6))
LABELS = np.arange(COUNT) % CLASSES
ONE_HOT = np.eye(CLASSES)[LABELS]


def npz(path, **named):
    np.savez(path, **({"x": X} | named))
    return parsed(("name: digits", f"name: npz\n  path: {path}"))


FORMS = {
    "whole numbers": LABELS,
    "bytes": LABELS.astype(np.uint8),
    "big-endian": LABELS.astype(">i4"),
    "a column": LABELS[:, None],
    "a row": LABELS[None],
    "one-hot floats": ONE_HOT,
    "one-hot floats of single precision": ONE_HOT.astype(np.float32),
    "one-hot whole numbers": ONE_HOT.astype(int),
    "one-hot booleans": ONE_HOT == 1,
    "one-hot in Fortran's order": np.asfortranarray(ONE_HOT),
}


@pytest.mark.parametrize("name", FORMS)
def test_classes_are_trained_as_classes_however_they_are_written(tmp_path, name):
    spec = npz(tmp_path / "a.npz", y=FORMS[name])
    facts, images = datasets.describe(spec), datasets.load(spec)
    assert (facts.outputs, facts.loss) == (CLASSES, "cross_entropy")
    assert (images.pool[1] == LABELS).all()
    assert images.pool[1].dtype == np.int32
    # Version 0.2.0 trained the floats as numbers: those trials are others.
    assert facts.content.endswith("+classes") == ("one-hot floats" in name or "Fortran" in name)
    assert datasets.summarise(spec, facts).warnings == []


def test_booleans_are_two_classes(tmp_path):
    spec = npz(tmp_path / "a.npz", y=LABELS % 2 == 1)
    assert datasets.describe(spec).outputs == 2
    assert (datasets.load(spec).pool[1] == LABELS % 2).all()


def test_one_hot_test_labels_are_those_of_their_columns(tmp_path):
    named = {"x_train": X, "y_train": ONE_HOT, "x_test": X[:50], "y_test": ONE_HOT[:50]}
    assert (datasets.load(npz(tmp_path / "a.npz", **named)).test[1] == LABELS[:50]).all()


SECRET = np.random.default_rng(1).normal(size=(COUNT, CLASSES))
SEVERAL = np.maximum(ONE_HOT, np.roll(ONE_HOT, 1, axis=1) * (np.arange(COUNT)[:, None] % 3 == 0))


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (
            LABELS + 1,
            "y with images of every class from 0 to 4, got none of class 0. Labels count from 0: save y - 1",
        ),
        (LABELS * 10, "got none of class 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, …. Number the classes from 0"),
        (
            LABELS % 2 * 2 - 1,
            "got values from -1 to 1. Number the classes from 0, as np.unique(labels, return_inverse",
        ),
        (LABELS + 10**6, "got values from 1000000 to 1000003. Number the classes from 0"),
        (np.array(["cat", "dog"])[LABELS % 2], "got <U3 (164,). Number the classes from 0, as np.unique("),
        (np.array([b"cat", b"dog"])[LABELS % 2], "got |S3 (164,). Number the classes from 0, as np.unique("),
        (np.array(["cat", None])[LABELS % 2], "got objects in y. Save it as one array of numbers"),
        (SEVERAL.astype(int), "got int64 (164, 4). An image has one class: several 1s, or none, are not trained on"),
        (SEVERAL == 1, "An image has one class"),
        (np.insert(ONE_HOT, 2, 0, axis=1), "y with images of every class from 0 to 4, got none of class 2"),
        (np.zeros((COUNT, 6, 6), int), "y with a whole number for each of the 164 images"),
        (LABELS * 1j, "got complex128 (164,)"),
        (LABELS.astype("M8[s]"), "got datetime64[s] (164,)"),
        (np.zeros(COUNT, [("a", "i4"), ("b", "i4")]), "y with a whole number for each of the 164 images"),
        (np.where(LABELS == 3, np.nan, SECRET[:, 0]), "NaN, infinity or larger ones among them: first in y[3]"),
        (np.where(LABELS == 2, np.inf, SECRET[:, 0]), "first in y[2]"),
        (np.float64(3), "y of floats shaped (164,) or (164, targets), got float64 (1,)"),
        (np.int64(3), "y with a whole number for each of the 164 images"),
        (SECRET[:-1], "y of floats shaped (164,) or (164, targets), got float64 (163, 4)"),
    ],
)
def test_answers_that_cannot_be_trained_on_are_refused_with_what_to_do(tmp_path, y, words):
    with pytest.raises(DatasetError, match=re.escape(words)) as refused:
        datasets.describe(npz(tmp_path / "a.npz", y=y))
    assert str(refused.value).startswith(f"tiny.yaml:4: dataset.path: {tmp_path}/a.npz: expected ")


@pytest.mark.parametrize(
    ("test", "words"),
    [
        (LABELS, "expected y_train and y_test of one type, so that both are scored alike, got float64 and int64"),
        (np.eye(5)[LABELS], "expected y_test with as many targets an image as y_train, got 5 and 4"),
        (SECRET, "expected y_test of the same kind as y_train, got one-hot and targets"),
    ],
)
def test_test_labels_of_another_form_are_refused(tmp_path, test, words):
    with pytest.raises(DatasetError, match=re.escape(words)):
        datasets.describe(npz(tmp_path / "a.npz", x_train=X, y_train=ONE_HOT, x_test=X, y_test=test))


LIKE_CLASSES = {
    "labels as floats": (LABELS.astype(np.float32), "whole numbers from 0 to 3 alone"),
    "a column of labels as floats": (LABELS[:, None].astype(float), "whole numbers from 0 to 3 alone"),
    "labels from 1": (LABELS + 1.0, "whole numbers from 1 to 4 alone"),
    "-1 and 1": (LABELS % 2 * 2.0 - 1, "whole numbers from -1 to 1 alone"),
    "several classes an image": (SEVERAL, "only 0 and 1, as several classes an image have"),
    "smoothed labels": (ONE_HOT * 0.9 + 0.025, "rows that add up to 1, as shares of classes do"),
}
"""And what the warning says of them."""


@pytest.mark.parametrize("name", LIKE_CLASSES)
def test_targets_that_look_like_classes_are_said(tmp_path, name):
    y, got = LIKE_CLASSES[name]
    spec = npz(tmp_path / "a.npz", y=y)
    assert datasets.describe(spec).loss == "squared_error"
    assert "+" not in datasets.describe(spec).content
    (oddity,) = datasets.load(spec).oddities
    assert oddity.startswith(f"{tmp_path}/a.npz: y: expected targets, as it has floats, got {got}. They are trained ")
    assert "by the squared error: if they are classes, save " in oddity
    save = oddity.rpartition("save ")[2].removeprefix("only the class of each image: ")
    assert save in ("np.unique(y, return_inverse=True)[1]", "y.argmax(axis=1)")


def test_what_is_advised_for_labels_as_floats_gives_classes(tmp_path):
    y = np.unique(LABELS + 1.0, return_inverse=True)[1]
    spec = npz(tmp_path / "a.npz", y=y)
    assert (datasets.describe(spec).outputs, datasets.describe(spec).loss) == (CLASSES, "cross_entropy")


@pytest.mark.parametrize(
    "y",
    [SECRET, SECRET[:, 0], np.round(SECRET * 20), np.arange(COUNT) * 3.0, np.round(np.abs(SECRET * 9)), LABELS / 3],
)
def test_targets_that_are_numbers_are_not_said(tmp_path, y):
    spec = npz(tmp_path / "a.npz", y=y)
    assert datasets.describe(spec).loss == "squared_error"
    assert datasets.load(spec).oddities == ()
