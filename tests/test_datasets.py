"""A dataset's arrays are scaled, split by the seed alone, and refused when they cannot be used."""

import os
import re

import keras
import numpy as np
import pytest
from conftest import parsed

from regsearch import datasets
from regsearch.errors import DatasetError

DIGITS = parsed()


def npz(path, **arrays):
    np.savez(path, **arrays)
    return parsed(("name: digits", f"name: npz\n  path: {path}"))


def images(n=164, **changes):
    rng = np.random.default_rng(0)
    arrays = {"x": rng.integers(0, 256, (n, 5, 4, 3), dtype=np.uint8), "y": np.arange(n) % 3}
    return arrays | changes


def test_digits_are_scaled_to_one_and_split_without_overlap():
    found = datasets.load(DIGITS)
    assert found.pool[0].shape == (1797, 8, 8, 1)
    assert found.pool[0].min() == 0
    assert found.pool[0].max() == 1
    split = datasets.split(found, DIGITS.dataset, 64, seed=0)
    parts = [split.train[0], split.validation[0], split.test[0]]
    assert [len(part) for part in parts] == [64, 50, 50]
    assert len(np.unique(np.concatenate(parts).reshape(164, -1), axis=0)) == 164


def test_another_seed_is_another_split_and_the_same_seed_the_same():
    found = datasets.load(DIGITS)
    first, again, other = (datasets.split(found, DIGITS.dataset, 64, seed).train[0] for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


def test_a_smaller_training_set_is_part_of_a_larger_one_and_the_rest_stays():
    found = datasets.load(DIGITS)
    small, large = (datasets.split(found, DIGITS.dataset, size, seed=0) for size in (64, 200))
    assert (large.train[0][:64] == small.train[0]).all()
    assert (large.train[1][:64] == small.train[1]).all()
    assert (large.validation[0] == small.validation[0]).all()
    assert (large.test[0] == small.test[0]).all()


def test_label_noise_redraws_its_share_of_training_and_validation_and_leaves_test_clean():
    noisy = parsed(("train: 64", "train: 800"), ("validation: 50", "validation: 500\n  label_noise: 0.5"))
    found = datasets.load(noisy)
    dirty = datasets.split(found, noisy.dataset, 800, seed=0)
    clean = datasets.split(found, noisy.dataset.model_copy(update={"label_noise": 0.0}), 800, seed=0)
    for part in ("train", "validation"):
        changed = (getattr(dirty, part)[1] != getattr(clean, part)[1]).mean()
        assert 0.35 < changed < 0.55  # half redrawn, a tenth of those to the class they had
    assert (dirty.test[1] == clean.test[1]).all()


def test_npz_of_one_pool_is_read_and_bytes_are_scaled(tmp_path):
    spec = npz(tmp_path / "a.npz", **images())
    shape = datasets.shape(spec)
    assert (shape.image, shape.classes, shape.pool, shape.test) == ((5, 4, 3), 3, 164, 0)
    assert datasets.load(spec).pool[0].max() == 1


def test_npz_with_its_own_test_set_keeps_it_apart_and_grey_images_get_a_channel(tmp_path):
    x, y = np.zeros((114, 6, 6), np.float32), np.arange(114) % 2
    spec = npz(tmp_path / "a.npz", x_train=x, y_train=y.reshape(-1, 1), x_test=x[:50] + 1, y_test=y[:50])
    assert datasets.shape(spec).image == (6, 6, 1)
    split = datasets.split(datasets.load(spec), spec.dataset, 64, seed=0)
    assert (split.test[0] == 1).all()
    assert (split.train[0] == 0).all()


def test_other_content_under_the_same_name_is_other_data(tmp_path):
    one = datasets.shape(npz(tmp_path / "a.npz", **images())).content
    two = datasets.shape(npz(tmp_path / "a.npz", **images(y=(np.arange(164) + 1) % 3))).content
    assert one != two


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (images(n=163), "expected train + validation + test of at most 163 images in npz, got 164"),
        ({"x": np.zeros((9, 4, 4))}, "expected the arrays x and y, or x_train"),
        (images(x=np.zeros((164, 4))), "expected x of numbers shaped (n, height, width[, channels])"),
        (
            images(x=np.full((164, 4, 4, 1), np.nan)),
            "expected x of finite numbers that single precision holds, got NaN",
        ),
        (images(x=np.full((164, 4, 4, 1), 1e300)), "expected x of finite numbers that single precision holds"),
        (images(x=np.array([["a"] * 4] * 164)), "expected x of numbers"),
        (images(y=np.zeros(163, int)), "expected y with a whole number for each of the 164 images"),
        (images(y=np.zeros(164, float)), "expected y with a whole number for each"),
        (images(y=np.zeros(164, int)), "expected labels of at least two classes"),
        (
            images(y=np.arange(164) % 3 * 2),
            "expected y with images of every class from 0 to 4, got none of class 1, 3",
        ),
        (
            {"x_train": np.zeros((114, 4, 4)), "y_train": np.arange(114) % 2}
            | {"x_test": np.zeros((50, 4, 4)), "y_test": np.arange(50) % 3},
            "expected y_train with images of every class from 0 to 2, got none of class 2",
        ),
        (images(x=np.zeros((164, 4, 4, 1), complex)), "expected x of numbers"),
        (images(x=np.zeros((164, 0, 4, 1))), "expected x of numbers shaped"),
        (images(y=np.arange(164) + 10**6), "expected y with classes from 0 to 99999"),
        (images(y=np.arange(164) - 1), "expected y with classes from 0 to 99999, got values from -1"),
        (images(y=np.array([{}] * 164)), "pickled objects are never loaded"),
    ],
)
def test_an_unusable_npz_is_refused_with_file_and_line(tmp_path, arrays, words):
    spec = npz(tmp_path / "a.npz", **arrays)
    with pytest.raises(DatasetError, match=re.escape(words)) as refused:
        datasets.shape(spec)
    assert str(refused.value).startswith("tiny.yaml:")


def test_archives_that_reach_outside_or_are_pipes_are_never_opened_so(tmp_path):
    path = tmp_path / "a.npz"
    spec = npz(path, **images(), **{"../outside": np.zeros(3)})
    datasets.load(spec)  # arrays are read by name from memory, nothing is unpacked
    assert [item.name for item in tmp_path.parent.rglob("outside*")] == []
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DatasetError, match="expected a readable .npz file, got no regular file"):
        datasets.shape(spec)


def test_classes_without_a_training_image_are_named(tmp_path):
    labels = np.zeros(164, int)
    labels[:6] = [1, 2, 3, 4, 5, 6]
    spec = npz(tmp_path / "a.npz", **images(y=labels))
    found = datasets.load(spec)
    missing = datasets.untrained_classes(found, spec.dataset, 64, seed=0)
    trained = datasets.split(found, spec.dataset, 64, seed=0).train[1]
    assert missing == sorted(set(range(7)) - set(trained.tolist()))
    assert missing
    assert datasets.untrained_classes(datasets.load(DIGITS), DIGITS.dataset, 64, seed=0) == []


def test_a_missing_or_broken_npz_is_refused(tmp_path):
    spec = npz(tmp_path / "a.npz", **images())
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(DatasetError, match="expected an .npz file of plain numeric arrays"):
        datasets.shape(spec)
    (tmp_path / "a.npz").unlink()
    with pytest.raises(DatasetError, match="expected a readable .npz file, got No such file"):
        datasets.shape(spec)


def test_too_few_images_of_a_named_dataset_need_no_download():
    with pytest.raises(
        DatasetError, match=r"tiny.yaml:4: dataset.train: expected train \+ validation of at most 60000"
    ):
        datasets.shape(parsed(("name: digits", "name: mnist"), ("train: 64", "train: 59951")))
    with pytest.raises(DatasetError, match="tiny.yaml:6: dataset.test: expected at most the 10000 test images"):
        datasets.shape(parsed(("name: digits", "name: mnist"), ("test: 50", "test: 10001")))


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10", "cifar100"])
def test_keras_datasets_are_loaded_through_keras(monkeypatch, name):
    shape = datasets.NAMED[name]
    grey = shape.image[:2] if shape.image[2] == 1 else shape.image
    made = tuple((np.full((n, *grey), 255, np.uint8), np.zeros((n, 1), np.uint8)) for n in (7, 3))
    monkeypatch.setattr(getattr(keras.datasets, name), "load_data", lambda: made)
    found = datasets.load(parsed(("name: digits", f"name: {name}")))
    assert found.pool[0].shape == (7, *shape.image)
    assert found.test[0].max() == 1
    assert found.pool[1].shape == (7,)


def test_no_network_is_a_clear_error(monkeypatch):
    def refuse():
        raise Exception("URL fetch failure on https://…: None -- no network")

    monkeypatch.setattr(keras.datasets.mnist, "load_data", refuse)
    with pytest.raises(
        DatasetError, match="tiny.yaml:3: dataset.name: expected the dataset mnist .* Check the network"
    ):
        datasets.load(parsed(("name: digits", "name: mnist")))
