"""What is seen of a dataset is said in a sentence, and what looks odd in a warning, by `check` and by `run`."""

import json
import logging

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import CONFIGS_FOLDER, edited, parsed
from image_folders import draw
from image_folders import spec as folder_spec

from regsearch import data as datasets
from regsearch import ledger, study
from regsearch.cli import main
from regsearch.errors import ResultsError
from regsearch.runner import Settings
from regsearch.spec import Spec

COUNT = 200
RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (COUNT, 6, 5), dtype=np.uint8)
X[0, 0, :2] = 0, 255
Y = np.arange(COUNT) % 10
TARGETS = RNG.normal(size=COUNT)
SMALL = [("train: 64", "train: 20"), ("validation: 50", "validation: 20"), ("test: 50", "test: 20")]
SMALL += [("batch_size: 32", "batch_size: 10")]


def summarise(spec):
    return datasets.summarise(spec, datasets.describe(spec))


def npz(path, *changes, **named):
    np.savez(path, **({"x": X, "y": Y} | named))
    return parsed(("name: digits", f"name: npz\n  path: {path}"), *SMALL, *changes)


def parts(x, **named):
    """Images to train on, and others."""
    return {"x_train": x, "y_train": Y, **named}


STANDARDISE = ("test: 20", "test: 20\n  standardise: true")


@pytest.mark.parametrize(
    ("changes", "named", "words"),
    [
        ([], {}, "200 images of 6×5×1, 0 to 255 scaled to 0 to 1; 10 classes, the commonest 10 %; cross-entropy"),
        ([], {"x": X.astype(float)}, "200 images of 6×5×1, 0 to 255 scaled to 0 to 1; 10 classes, the commonest 10 %; "
                                     "cross-entropy"),
        ([], {"x": X.astype(int) * 257}, "200 images of 6×5×1, 0 to 65,535 scaled to 0 to 1; 10 classes, the commonest "
                                         "10 %; cross-entropy"),
        ([STANDARDISE], {}, "200 images of 6×5×1, 0 to 255 scaled to 0 to 1, then standardised; 10 classes, the commonest "
                            "10 %; cross-entropy"),
        ([], {"x": X / 127.5 - 1}, "200 images of 6×5×1, -1 to 1 as they are; 10 classes, the commonest 10 %; cross-entropy"),
        ([], {"y": np.where(Y < 3, 0, 1)}, "200 images of 6×5×1, 0 to 255 scaled to 0 to 1; 2 classes, the commonest 70 %; "
                                           "cross-entropy"),
        ([], {"y": np.linspace(-1.5, 2, COUNT)}, "200 images of 6×5×1, 0 to 255 scaled to 0 to 1; 1 target from -1.5 to 2 "
                                                 "with a deviation of 1.02; squared error"),
        ([], parts(X, x_test=X[:50] // 2, y_test=Y[:50]), "200 images and 50 test images of 6×5×1, 0 to 255 scaled to 0 to "
                                                          "1; 10 classes, the commonest 10 %; cross-entropy"),
        ([], parts(X, x_val=X[:30] // 2, y_val=Y[:30], x_test=X[:50] // 2, y_test=Y[:50]),
         "200 images, 30 validation images and 50 test images of 6×5×1, 0 to 255 scaled to 0 to 1; 10 classes, the "
         "commonest 10 %; cross-entropy"),
    ],
)  # fmt: skip
def test_a_dataset_is_said_in_a_sentence(tmp_path, changes, named, words):
    named = {"x": X, "y": Y} | named if "x_train" not in named else named
    np.savez(tmp_path / "a.npz", **named)
    spec = parsed(("name: digits", f"name: npz\n  path: {tmp_path}/a.npz"), *SMALL, *changes)
    assert summarise(spec).words == words


def test_a_folder_of_images_is_said_too(tmp_path):
    draw(tmp_path, {"a": 30, "b": 10})
    seen = summarise(folder_spec(tmp_path))
    assert seen.words.startswith("40 images of 9×7×3, ")
    assert seen.words.endswith(" scaled to 0 to 1; 2 classes, the commonest 75 %; cross-entropy")
    assert seen.warnings == []


def test_of_drawn_data_and_of_what_is_not_here_is_said_what_is_known(monkeypatch, tmp_path):
    monkeypatch.setattr("regsearch.data.download.fetch", None)
    monkeypatch.setenv("REGSEARCH_DATA", str(tmp_path / "none"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "none"))
    words = {
        "mnist.yaml": "60,000 images and 10,000 test images of 28×28×1; 10 classes; cross-entropy; not downloaded yet",
        "calibration/constant.yaml": "images of 4×4×width, drawn for each network; 1 target; squared error",
        "calibration/inverse.yaml": "images of 4×4×4, drawn for each network; as many targets as the width; squared error",
    }
    for name, expected in words.items():
        seen = summarise(Spec.load(CONFIGS_FOLDER / name))
        assert (seen.words, seen.warnings) == (expected, [])
        assert {seen.facts[key] for key in ("lowest", "highest", "mean", "commonest_share", "target_mean")} == {None}
        json.dumps(seen.facts, allow_nan=False)


UNEVEN = np.where(np.arange(COUNT) < 190, 0, 1)
SEVERAL = np.tile(np.arange(40), 5)

ODD = {
    "one value": ({"x": np.full((COUNT, 6, 5), 7, np.uint8)}, "expected images that differ, got 7 throughout"),
    "dark bytes": ({"x": X // 8}, "expected images that use their range of 0 to 255, got numbers from 0 to 31 alone, nearly"),
    "grey bytes": ({"x": 120 + X // 8}, "got numbers from 120 to 151 alone, nearly black or grey. Save floats from 0 to 1"),
    "signed bytes": ({"x": X - 128.0}, "got numbers from -128 to 127, mean "),
    "tiny floats": ({"x": X / 255 / 1000}, "expected images from 0 to 1, or standardised, got numbers from 0 to 0.001"),
    "copies": ({"x": np.repeat(X[:20], 10, axis=0)}, "expected each image once, got 180 of 200 that are copies of others"),
    "one class": ({"y": UNEVEN}, "expected classes of similar size, got one with 95 % of the images"),
    "rare classes": ({"y": SEVERAL}, "expected validation images of every class, got 0.5 of class 0 among 20 on average"),
    "large targets": ({"y": TARGETS * 5000 + 10_000}, "expected targets near 0 with a deviation near 1, got a mean of 9,5"),
    "tiny targets": ({"y": TARGETS / 5000}, "Training may explode or stand still: take the mean out"),
    "labels as floats": ({"y": Y.astype(float)}, "y: expected targets, as it has floats, got whole numbers from 0 to 9"),
    "a test set that is trained on": (
        parts(X, x_test=np.concatenate([X[:10], 255 - X[:90]]), y_test=Y[:100]),
        "expected test images that are not trained on, got 10 of 100 that are among the others too",
    ),
    "a brighter test set": (
        parts(X // 2, x_test=255 - X[:50] // 4, y_test=Y[:50]),
        "expected test images like those to train on, got mean 224, deviation 19 against mean 63.5, deviation 37.2",
    ),
    "a validation set of another scale": (
        parts(X / 255, x_val=X[:50] / 1000, y_val=Y[:50]),
        "expected validation images like those to train on, got mean 0.1",
    ),
}  # fmt: skip
"""Arrays, and what of them is said."""


@pytest.mark.parametrize("name", ODD)
def test_what_looks_odd_is_said_by_check_on_stderr_and_as_json(tmp_path, name):
    named, words = ODD[name]
    np.savez(tmp_path / "a.npz", **({"x": X, "y": Y} | named if "x_train" not in named else named))
    (tmp_path / "own.yaml").write_text(edited(("name: digits", "name: npz\n  path: a.npz"), *SMALL))
    result = CliRunner().invoke(main, ["check", str(tmp_path / "own.yaml")])
    assert result.exit_code == 0, result.output
    (warning,) = result.stderr.splitlines()
    assert warning.startswith(f"regsearch: warning: {tmp_path}/a.npz: ")
    assert words in warning
    assert "warning" not in result.stdout
    seen = json.loads(CliRunner().invoke(main, ["check", str(tmp_path / "own.yaml"), "--json"]).stdout)["data"]
    assert [f"regsearch: warning: {text}" for text in seen["warnings"]] == [warning]


ORDINARY = {
    "bytes": {},
    "floats": {"x": X / 255},
    "standardised, with outliers": {"x": RNG.standard_t(4, (COUNT, 6, 5))},
    "thin lines": {"x": (RNG.random((COUNT, 6, 5)) > 0.97).astype(float) + RNG.random((COUNT, 6, 5)) / 1e3},
    "three classes of four images in five": {"y": np.where(np.arange(COUNT) < 150, 0, np.arange(COUNT) % 2 + 1)},
    "targets": {"y": TARGETS},
    "targets of percents": {"y": TARGETS * 5 + 7},
    "one image twice": {"x": np.concatenate([X[:1], X[:-1]])},
    "a darker test set": parts(X, x_test=(255 - X[:50]) // 2, y_test=Y[:50]),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_data_are_not_odd(tmp_path, name):
    named = ORDINARY[name]
    np.savez(tmp_path / "a.npz", **({"x": X, "y": Y} | named if "x_train" not in named else named))
    assert summarise(parsed(("name: digits", f"name: npz\n  path: {tmp_path}/a.npz"), *SMALL)).warnings == []


def test_every_example_is_checked_without_a_warning():
    for name in ("digits", "smoke", "study/sgd", "study/explosion"):
        assert summarise(Spec.load(CONFIGS_FOLDER / f"{name}.yaml")).warnings == []


def test_numbers_are_those_of_numpy(tmp_path):
    spec = npz(tmp_path / "a.npz", x=RNG.normal(0.3, 2, (5000, 4, 4)), y=RNG.normal(5, 3, (5000, 2)))
    images, facts = datasets.load(spec), summarise(spec).facts
    x, y = (part[::2] for part in images.pool)  # of 5000 images 2500 are sampled
    assert (facts["lowest"], facts["highest"]) == (images.pool[0].min(), images.pool[0].max())
    assert (facts["mean"], facts["deviation"]) == pytest.approx((x.mean(dtype=float), x.std(dtype=float)))
    assert facts["target_mean"] == pytest.approx(y.mean(dtype=float))
    assert facts["target_deviation"] == pytest.approx(y.std(dtype=float))


def test_a_run_says_what_is_odd_before_it_trains(tmp_path, caplog, monkeypatch):
    """Not everybody checks a spec."""

    def end(*_):
        raise ResultsError("the end")

    monkeypatch.setattr(ledger, "open_study", end)
    spec = npz(tmp_path / "a.npz", y=UNEVEN)
    with caplog.at_level(logging.WARNING, "regsearch"), pytest.raises(ResultsError):
        study.run(spec, tmp_path / "results", Settings(workers=0))
    assert [message for message in caplog.messages if "classes of similar size" in message] == summarise(
        spec
    ).warnings
