"""A dataset's arrays are scaled, split by the seed alone, and refused when they cannot be used."""

import os
import re
import weakref

import numpy as np
import pytest
from conftest import CONFIGS_FOLDER, digits_of_0_2_0, parsed
from opened_files import count_opened

from regsearch import data as datasets
from regsearch import spec as spec_module
from regsearch.data.kinds import scale
from regsearch.errors import DatasetError
from regsearch.grid import cells as grid

DIGITS = parsed()


def npz(path, **arrays):
    np.savez(path, **arrays)
    return parsed(("name: digits", f"name: npz\n  path: {path}"))


def images(n=164, **changes):
    rng = np.random.default_rng(0)
    arrays = {"x": rng.integers(0, 256, (n, 5, 4, 3), dtype=np.uint8), "y": np.arange(n) % 3}
    return arrays | changes


def test_digits_are_scaled_to_one_and_split_without_overlap():
    loaded = datasets.load(DIGITS)
    assert loaded.pool[0].shape == (1797, 8, 8, 1)
    assert loaded.pool[0].min() == 0
    assert loaded.pool[0].max() == 1
    split = datasets.split(loaded, DIGITS.dataset, 64, seed=0)
    parts = [split.train[0], split.validation[0], split.test[0]]
    assert [len(part) for part in parts] == [64, 50, 50]
    assert len(np.unique(np.concatenate(parts).reshape(164, -1), axis=0)) == 164


def test_another_seed_is_another_split_and_the_same_seed_the_same():
    loaded = datasets.load(DIGITS)
    first, again, other = (datasets.split(loaded, DIGITS.dataset, 64, seed).train[0] for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


def test_a_smaller_training_set_is_part_of_a_larger_one_and_the_rest_stays():
    loaded = datasets.load(DIGITS)
    small, large = (datasets.split(loaded, DIGITS.dataset, size, seed=0) for size in (64, 200))
    assert (large.train[0][:64] == small.train[0]).all()
    assert (large.train[1][:64] == small.train[1]).all()
    assert (large.validation[0] == small.validation[0]).all()
    assert (large.test[0] == small.test[0]).all()


def test_label_noise_redraws_its_share_of_training_and_validation_and_leaves_test_clean():
    noisy = parsed(("train: 64", "train: 800"), ("validation: 50", "validation: 500\n  label_noise: 0.5"))
    loaded = datasets.load(noisy)
    dirty = datasets.split(loaded, noisy.dataset, 800, seed=0)
    clean = datasets.split(loaded, noisy.dataset.model_copy(update={"label_noise": 0.0}), 800, seed=0)
    for part in ("train", "validation"):
        changed = (getattr(dirty, part)[1] != getattr(clean, part)[1]).mean()
        assert 0.35 < changed < 0.55  # half redrawn, a tenth of those to the class they had
    assert (dirty.test[1] == clean.test[1]).all()


def test_validation_labels_may_be_redrawn_by_another_share_than_training_labels():
    spec = parsed(("train: 64", "train: 800"), ("validation: 50", "validation: 500\n  label_noise: 0.5"))
    loaded = datasets.load(spec)

    def labels(**noise):
        dataset = spec.dataset.model_copy(update=noise)
        split = datasets.split(loaded, dataset, 800, seed=0)
        return split.train[1], split.validation[1]

    train, noisy = labels()
    _, clean = labels(label_noise=0.0)
    same_train, chosen_by_clean = labels(validation_noise=0.0)
    assert (same_train == train).all()
    assert (chosen_by_clean == clean).all()
    _, less = labels(validation_noise=0.25)
    assert set(np.flatnonzero(less != clean)) < set(np.flatnonzero(noisy != clean))


def test_validation_noise_is_part_of_what_a_study_is_only_where_it_differs():
    plain = ("validation: 50", "validation: 50\n  label_noise: 0.2")
    hashes = [
        [cell.trial for cell in grid.make_cells(parsed((plain[0], plain[1] + more)), "population", "digits")]
        for more in ("", "\n  validation_noise: 0.2", "\n  validation_noise: 0")
    ]
    assert hashes[0] == hashes[1]
    assert not set(hashes[0]) & set(hashes[2])


def test_npz_of_one_pool_is_read_and_bytes_are_scaled(tmp_path):
    spec = npz(tmp_path / "a.npz", **images())
    facts = datasets.describe(spec)
    assert (facts.image, facts.outputs, facts.pool, facts.test) == ((5, 4, 3), 3, 164, 0)
    split = datasets.split(datasets.load(spec), spec.dataset, 64, seed=0)
    assert max(part[0].max() for part in (split.train, split.validation, split.test)) == 1
    assert {part[0].dtype for part in (split.train, split.validation, split.test)} == {np.dtype(np.float32)}


def test_every_byte_is_scaled_as_in_double_precision():
    every = np.arange(256, dtype=np.uint8)
    assert (scale(every) == (every / 255.0).astype(np.float32)).all()


def test_npz_with_its_own_test_set_keeps_it_apart_and_grey_images_get_a_channel(tmp_path):
    x, y = np.zeros((114, 6, 6), np.float32), np.arange(114) % 2
    spec = npz(tmp_path / "a.npz", x_train=x, y_train=y.reshape(-1, 1), x_test=x[:50] + 1, y_test=y[:50])
    assert datasets.describe(spec).image == (6, 6, 1)
    split = datasets.split(datasets.load(spec), spec.dataset, 64, seed=0)
    assert (split.test[0] == 1).all()
    assert (split.train[0] == 0).all()


def test_other_content_under_the_same_name_is_other_data(tmp_path):
    path = tmp_path / "a.npz"
    before = datasets.describe(npz(path, **images())).content
    spec = npz(path, **images(y=(np.arange(164) + 1) % 3))
    os.utime(path, (1, 1))  # another time than before, however coarse the clock
    assert datasets.describe(spec).content != before


def test_a_file_is_read_once_for_its_digest_and_once_for_its_arrays_until_it_changes(tmp_path):
    spec = npz(tmp_path / "a.npz", **images())
    with count_opened(tmp_path) as opened:
        first, *others = [(datasets.describe(spec), datasets.load(spec)) for _ in range(3)]  # a driver, two jobs
        assert opened == {"a.npz": 2}
        assert all(facts == first[0] and loaded is first[1] for facts, loaded in others)
        np.savez(tmp_path / "a.npz", **images(n=170))
        opened.clear()
        assert (datasets.describe(spec).pool, len(datasets.load(spec).pool[0])) == (170, 170)
        assert opened == {"a.npz": 2}


def test_only_the_latest_dataset_is_held(tmp_path):
    held = weakref.ref(datasets.load(npz(tmp_path / "a.npz", **images())))
    assert held() is not None
    datasets.load(DIGITS)
    assert held() is None


def test_what_may_be_named_is_listed_with_what_is_known_of_it(monkeypatch, tmp_path):
    monkeypatch.setenv(datasets.CACHE_VARIABLE, str(tmp_path))
    rows = {row["name"]: row for row in datasets.list_datasets()}
    assert list(rows) == ["digits", "mnist", "fashion_mnist", "cifar10", "cifar100", "npz", "images", "planted"]
    unknown = dict.fromkeys(("image", "classes", "images", "test_images", "cache"))
    assert rows["digits"] == {
        "name": "digits", "image": [8, 8, 1], "classes": 10, "images": 1797, "test_images": 0,
        "source": "built into scikit-learn", "cache": None,
    }  # fmt: skip
    assert list(rows["cifar100"].values())[1:5] == [[32, 32, 3], 100, 50_000, 10_000]
    assert rows["cifar100"]["cache"] == str(tmp_path / "cifar100")
    assert rows["npz"] == {"name": "npz", "source": "a file of your own, named by `path`", **unknown}


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
        (images(y=np.array(["a"] * 164)), "expected y with a whole number for each"),
        (images(y=np.zeros(164, float)), "expected y with targets that differ, got 0 throughout"),
        (images(y=np.full(164, np.nan)), "expected y of finite numbers that single precision holds"),
        (images(y=np.full(164, 1e300)), "expected y of finite numbers that single precision holds"),
        (images(y=np.zeros((163, 2))), "expected y of floats shaped (164,) or (164, targets), got float64 (163, 2)"),
        (images(y=np.zeros((164, 2, 2))), "expected y of floats shaped (164,) or (164, targets)"),
        (images(y=np.zeros((164, 0))), "expected y of floats shaped (164,) or (164, targets)"),
        (
            {"x_train": np.zeros((114, 4, 4)), "y_train": np.arange(114) % 2}
            | {"x_test": np.zeros((50, 4, 4)), "y_test": np.arange(50) / 2},
            "expected y_train and y_test of one type, so that both are scored alike, got int64 and float64",
        ),
        (
            {"x_train": np.zeros((114, 4, 4)), "y_train": np.arange(114) / 2}
            | {"x_test": np.zeros((50, 4, 4)), "y_test": np.zeros((50, 2))},
            "expected y_test with as many targets an image as y_train, got 2 and 1",
        ),
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
        datasets.describe(spec)
    assert str(refused.value).startswith("tiny.yaml:")


def test_archives_that_reach_outside_or_are_pipes_are_never_opened_so(tmp_path):
    path = tmp_path / "a.npz"
    spec = npz(path, **images(), **{"../outside": np.zeros(3)})
    datasets.load(spec)  # arrays are read by name from memory, nothing is unpacked
    assert [item.name for item in tmp_path.parent.rglob("outside*")] == []
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DatasetError, match="expected a readable .npz file, got no regular file"):
        datasets.describe(spec)


def test_classes_without_a_training_image_are_named(tmp_path):
    labels = np.zeros(164, int)
    labels[:6] = [1, 2, 3, 4, 5, 6]
    spec = npz(tmp_path / "a.npz", **images(y=labels))
    loaded = datasets.load(spec)
    missing = datasets.find_untrained_classes(loaded, spec.dataset, 64, seed=0)
    trained = datasets.split(loaded, spec.dataset, 64, seed=0).train[1]
    assert missing == sorted(set(range(7)) - set(trained.tolist()))
    assert missing
    assert datasets.find_untrained_classes(datasets.load(DIGITS), DIGITS.dataset, 64, seed=0) == []


def test_a_missing_or_broken_npz_is_refused(tmp_path):
    spec = npz(tmp_path / "a.npz", **images())
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(DatasetError, match="expected an .npz file of plain numeric arrays"):
        datasets.describe(spec)
    (tmp_path / "a.npz").unlink()
    with pytest.raises(DatasetError, match="expected a readable .npz file, got No such file"):
        datasets.describe(spec)


def test_too_few_images_of_a_named_dataset_need_no_download():
    with pytest.raises(
        DatasetError, match=r"tiny.yaml:4: dataset.train: expected train \+ validation of at most 60000"
    ):
        datasets.describe(parsed(("name: digits", "name: mnist"), ("train: 64", "train: 59951")))
    with pytest.raises(DatasetError, match="tiny.yaml:6: dataset.test: expected at most the 10000 test images"):
        datasets.describe(parsed(("name: digits", "name: mnist"), ("test: 50", "test: 10001")))


@pytest.mark.parametrize(("shape", "targets"), [((164,), 1), ((164, 1), 1), ((164, 3), 3)])
def test_floats_in_y_are_targets_of_the_squared_error(tmp_path, shape, targets):
    y = np.random.default_rng(1).normal(size=shape)
    spec = npz(tmp_path / "a.npz", **images(y=y))
    facts, split = datasets.describe(spec), datasets.split(datasets.load(spec), spec.dataset, 64, seed=0)
    assert (facts.outputs, facts.loss) == (targets, "squared_error")
    assert (split.outputs, split.loss) == (targets, "squared_error")
    assert split.train[1].shape == (64, targets)
    drawn = np.concatenate([part[1] for part in (split.train, split.validation, split.test)])
    assert (np.sort(drawn, axis=0) == np.sort(y.reshape(164, targets).astype(np.float32), axis=0)).all()
    assert datasets.find_untrained_classes(datasets.load(spec), spec.dataset, 64, seed=0) == []


def test_label_noise_with_targets_that_are_numbers_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", **images(y=np.arange(164) / 7))
    spec = parsed(("name: digits", f"name: npz\n  path: {tmp_path / 'a.npz'}\n  label_noise: 0.1"))
    words = "tiny.yaml:5: dataset.label_noise: expected no label_noise with targets that are numbers, got 0.1"
    with pytest.raises(DatasetError, match=words):
        datasets.describe(spec)


STANDARDISE = ("test: 50", "test: 50\n  standardise: true")


def coloured(path):
    """Channels that differ in mean and spread, the last of them constant."""
    x = np.random.default_rng(0).normal([0.1, -5, 0.1], [0.01, 7, 0], (3000, 5, 4, 3))
    np.savez(path, x=x, y=np.arange(3000) % 3)
    return parsed(("name: digits", f"name: npz\n  path: {path}"), STANDARDISE)


@pytest.mark.parametrize("size", [64, 1500])
@pytest.mark.parametrize("seed", [0, 1])
def test_standardised_channels_have_mean_0_and_deviation_1_on_the_training_images_of_that_split(tmp_path, size, seed):
    spec = coloured(tmp_path / "a.npz")
    loaded = datasets.load(spec)
    plain = datasets.split(loaded, spec.dataset.model_copy(update={"standardise": False}), size, seed)
    split = datasets.split(loaded, spec.dataset, size, seed)
    mean, deviation = (
        np.array([f(plain.train[0][..., c], dtype=float) for c in range(3)]) for f in (np.mean, np.std)
    )
    deviation[2] = 1  # a constant channel is only centred
    for part in ("train", "validation", "test"):
        after, before = getattr(split, part)[0], getattr(plain, part)[0]
        assert after == pytest.approx((before - mean) / deviation, abs=1e-4)
        assert after.dtype == np.float32
    assert split.train[0].mean(axis=(0, 1, 2)) == pytest.approx([0, 0, 0], abs=1e-4)
    assert split.train[0].std(axis=(0, 1, 2)) == pytest.approx([1, 1, 0], abs=1e-4)
    assert (split.train[0][..., 2] == 0).all()


def test_standardising_leaves_the_dataset_as_it_was():
    loaded = datasets.load(DIGITS)
    before = loaded.pool[0].copy()
    datasets.split(loaded, parsed(STANDARDISE).dataset, 64, seed=0)
    assert (loaded.pool[0] == before).all()


def trials(spec):
    return [cell.trial for cell in grid.make_cells(spec, "population", datasets.describe(spec).content)]


def test_new_keys_leave_the_trials_of_earlier_versions_as_they_were():
    names = trials(spec_module.Spec.parse(digits_of_0_2_0(), "digits.yaml"))
    assert (len(names), names[0], names[241], names[-1]) == (
        483, "tc5ae713548df", "t1dd13b8fa874", "t861d6b1b42de",
    )  # fmt: skip
    names = trials(spec_module.Spec.load(CONFIGS_FOLDER / "smoke.yaml"))
    assert (len(names), names[0], names[-1]) == (42, "t8a9656460099", "t681999e16ff0")


def test_standardised_images_are_other_data_and_those_not_standardised_are_not():
    plain, off, on = (
        trials(parsed(*changes))
        for changes in ((), [(STANDARDISE[0], STANDARDISE[1].replace("true", "false"))], [STANDARDISE])
    )
    assert plain == off
    assert not set(plain) & set(on)
