"""Images of every type and shape that people save are scaled right, or refused with what to do."""

import re
import tracemalloc

import numpy as np
import pytest
from conftest import parsed

from regsearch import data as datasets
from regsearch.data import arrays
from regsearch.errors import DatasetError

RNG = np.random.default_rng(0)
COUNT = 164
BYTES = RNG.integers(0, 256, (COUNT, 8, 8, 3))
Y = np.arange(COUNT) % 2


def npz(path, *changes, **named):
    np.savez(path, **named)
    return parsed(("name: digits", f"name: npz\n  path: {path}"), *changes)


def trained(spec):
    """All images of a split, as they are trained on, validated with and tested with."""
    split = datasets.split(datasets.load(spec), spec.dataset, 64, seed=0)
    parts = (split.train, split.validation, split.test)
    assert {x.dtype for x, _ in parts} == {np.dtype(np.float32)}
    return np.concatenate([x for x, _ in parts])


@pytest.mark.parametrize(
    "kind", ["u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "g", ">i2", ">u4", ">i8", ">f4", ">f8"]
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_pixels_from_0_to_255_are_scaled_alike_whatever_type_holds_them(tmp_path, kind, order):
    spec = npz(tmp_path / "a.npz", x=np.asarray(BYTES, kind, order=order), y=Y)
    same = npz(tmp_path / "b.npz", x=BYTES.astype(np.uint8), y=Y)
    assert (trained(spec) == trained(same)).all()
    assert trained(spec).max() == 1
    assert datasets.describe(spec).kept_bytes == 1


@pytest.mark.parametrize("kind", ["u2", "i4", "i8", "f4", "f8", ">u2"])
@pytest.mark.parametrize("bits", [8, 9, 10, 12, 14, 15, 16])
def test_whole_numbers_are_divided_by_what_their_bits_hold(tmp_path, kind, bits):
    x = RNG.integers(0, 2**bits, (COUNT, 8, 8)).astype(kind)
    x[0, 0, 0] = top = 2**bits - 1
    spec = npz(tmp_path / "a.npz", x=x, y=Y)
    images = datasets.load(spec)
    assert images.divisor == top
    expected = (x.astype(float) / top).astype(np.float32)[..., None]
    assert np.sort(trained(spec), axis=None) == pytest.approx(np.sort(expected, axis=None), abs=1e-7)


AS_THEY_ARE = {
    "masks of booleans": BYTES > 128,
    "masks of whole numbers": (BYTES > 128).astype(int),
    "masks of floats": (BYTES > 128).astype(float),
    "sixteen grey levels": BYTES // 16,
    "sixteen grey levels as floats": (BYTES // 16).astype(float),
    "signed bytes": (BYTES - 128).astype(np.int8),
    "negative whole numbers": BYTES - 1,
    "negative whole numbers as floats": BYTES - 128.0,
    "0 to 1": BYTES / 255,
    "-1 to 1": BYTES / 127.5 - 1,
    "standardised": (BYTES - BYTES.mean()) / BYTES.std(),
    "0 to 255 with fractions": BYTES / 1.001,
    "more than sixteen bits": BYTES * 1000,
}


@pytest.mark.parametrize("name", AS_THEY_ARE)
def test_all_other_numbers_stay_as_they_are(tmp_path, name):
    spec = npz(tmp_path / "a.npz", x=AS_THEY_ARE[name], y=Y)
    images = datasets.load(spec)
    assert images.divisor == 1
    assert (images.pool[0] == AS_THEY_ARE[name].astype(np.float32)).all()
    assert datasets.describe(spec).content.count("+") == 0
    assert np.sort(trained(spec), axis=None) == pytest.approx(np.sort(images.pool[0], axis=None))


LOUD = {"sixteen grey levels", "sixteen grey levels as floats", "signed bytes", "negative whole numbers",
        "negative whole numbers as floats", "0 to 255 with fractions", "more than sixteen bits"}  # fmt: skip


@pytest.mark.parametrize("name", AS_THEY_ARE)
def test_numbers_that_stay_far_from_0_to_1_are_said_unless_they_are_standardised(tmp_path, name):
    spec = npz(tmp_path / "a.npz", x=AS_THEY_ARE[name], y=Y)
    warnings = datasets.summarise(spec, datasets.describe(spec)).warnings
    assert len(warnings) == (name in LOUD), warnings
    if warnings:
        assert warnings[0].startswith(f"{tmp_path}/a.npz: expected images from 0 to 1, or standardised, got numbers ")
        assert warnings[0].endswith("Divide them by their range, or write dataset.standardise: true")
    spec = npz(tmp_path / "a.npz", ("test: 50", "test: 50\n  standardise: true"), x=AS_THEY_ARE[name], y=Y)
    assert datasets.summarise(spec, datasets.describe(spec)).warnings == []


def test_what_is_scaled_now_and_was_not_is_other_data_but_where_it_is_standardised(tmp_path):
    """Old numbers are never mixed with new ones; those that were right stay good."""
    standardise = ("test: 50", "test: 50\n  standardise: true")
    for kind, plain, standardised in (("u1", False, False), ("i8", True, False), ("f8", True, False)):
        contents = [
            datasets.describe(npz(tmp_path / "a.npz", *changes, x=BYTES.astype(kind), y=Y)).content
            for changes in ((), (standardise,))
        ]
        assert [content.endswith("+scaled") for content in contents] == [plain, standardised]
        assert all(re.fullmatch(r"npz-[0-9a-f]{16}(\+scaled)?", content) for content in contents)


@pytest.mark.parametrize(
    ("train", "test", "words"),
    [
        (BYTES.astype(float), BYTES / 255, "which has whole numbers from 0 to 255, got numbers from 0 to 1."),
        (BYTES / 255, BYTES.astype(float), "which has no pixels of 8 or 16 bits, got numbers from 0 to 255."),
        (BYTES, BYTES * 257, "which has whole numbers from 0 to 255, got numbers from 0 to 65535."),
        (BYTES, BYTES - 128, "got numbers from -128 to 127."),
        (BYTES, BYTES // 255, "got numbers from 0 to 1."),
        (BYTES.astype(float), BYTES / 1.001, "which has whole numbers from 0 to 255"),
    ],
)
@pytest.mark.parametrize("part", ["test", "val"])
def test_a_part_of_another_range_than_the_images_to_train_on_is_refused(tmp_path, train, test, words, part):
    spec = npz(tmp_path / "a.npz", **{"x_train": train, "y_train": Y, f"x_{part}": test, f"y_{part}": Y})
    with pytest.raises(DatasetError) as refused:
        datasets.describe(spec)
    message = str(refused.value)
    assert f"tiny.yaml:4: dataset.path: {tmp_path}/a.npz: expected x_{part} of the same range as x_train" in message
    assert words in message
    assert message.endswith("Scale both in the same way")


def test_a_darker_test_set_is_scaled_as_the_images_to_train_on(tmp_path):
    spec = npz(tmp_path / "a.npz", x_train=BYTES * 16, y_train=Y, x_test=BYTES, y_test=Y)
    images = datasets.load(spec)
    assert images.divisor == 4095
    assert images.test[0] == pytest.approx(BYTES / 4095, abs=1e-7)


@pytest.mark.parametrize("kind", ["u2", "i8", "f8"])
def test_large_arrays_are_looked_at_in_parts(monkeypatch, kind):
    monkeypatch.setattr(arrays, "AT_ONCE", 200)
    x = BYTES.astype(kind)
    assert max(map(len, arrays.cut(x))) == 1
    assert np.concatenate(list(arrays.cut(x))).shape == x.shape
    assert arrays.find_divisor(x) == 255
    if kind == "f8":
        x[-1, -1, -1, -1] += 0.5
        assert arrays.find_divisor(x) == 1


@pytest.mark.parametrize(("kind", "kept"), [("u1", 1), ("u2", 4), ("i8", 1), ("f4", 4)])
def test_large_arrays_are_held_once_as_they_came_and_once_as_they_are_kept(tmp_path, monkeypatch, kind, kept):
    monkeypatch.setattr(arrays, "AT_ONCE", 2**14)
    x = RNG.integers(0, 60_000 if kind == "u2" else 256, (2000, 32, 32)).astype(kind)
    x = x / np.float32(255) if kind == "f4" else x
    spec = npz(tmp_path / "a.npz", x=x, y=np.arange(2000) % 2)
    datasets.forget()
    tracemalloc.start()
    images = datasets.load(spec)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert images.pool[0].nbytes == kept * x.size
    once = x.nbytes if x.dtype == images.pool[0].dtype else x.nbytes + images.pool[0].nbytes
    assert once <= most < once + 2**20


FLAT = np.zeros((COUNT, 784))


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros((COUNT, 3, 32, 32)), "x with its channels last, got (164, 3, 32, 32), which has them second. Turn it "
                                       "round: x.transpose(0, 2, 3, 1)"),
        (np.zeros((COUNT, 1, 28, 28)), "x.transpose(0, 2, 3, 1)"),
        (np.zeros((COUNT, 4, 8, 8)), "x.transpose(0, 2, 3, 1)"),
        (np.zeros((COUNT, 1, 5, 5)), "exchange height and width: x.transpose(0, 2, 1, 3)"),
        (np.zeros((COUNT, 3, 48, 64)), "images are in truth 3×48 with 64 channels"),
        (FLAT, "got float64 (164, 784). Give each row the shape of an image: x.reshape(-1, 28, 28)"),
        (np.zeros((COUNT, 3072)), "x.reshape(-1, 32, 32, 3), or x.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1) where"),
        (np.zeros((COUNT, 7)), "x.reshape(-1, height, width)"),
        (np.zeros(COUNT), "expected x of numbers shaped (n, height, width[, channels]), got float64 (164,)"),
        (np.float64(3), "expected x of numbers shaped"),
        (np.zeros((COUNT, 2, 4, 4, 3)), "Videos and volumes are not trained on"),
        (np.zeros((32, 32, 3, COUNT)), "x with its 164 images along the first axis, got (32, 32, 3, 164). Turn it "
                                       "round: x = np.moveaxis(x, -1, 0)"),
        (np.zeros((28, 28, COUNT)), "x = np.moveaxis(x, -1, 0)"),
        (np.zeros((28, COUNT, 28)), "x = np.moveaxis(x, -2, 0)"),
        (np.zeros((COUNT + 1, COUNT, 8)), "expected y with a whole number for each of the 165 images"),
        (np.zeros((COUNT, 8, 8), complex), "got complex128 (164, 8, 8)"),
        (np.zeros((COUNT, 8, 8), [("r", "u1"), ("g", "u1")]), "expected x of numbers"),
        (np.zeros((COUNT, 8, 8), "M8[s]"), "expected x of numbers"),
        (np.array([[["a"] * 8] * 8] * COUNT), "expected x of numbers"),
        (np.array([None] * COUNT), "pickled objects are never loaded), got objects in x. Save it as one array of num"),
        (np.where(BYTES[7, 3, 3, 0] == BYTES, np.nan, 1.0), "NaN, infinity or larger ones among them: first in x["),
        (np.where(np.arange(COUNT)[:, None, None] == 9, -np.inf, np.ones((COUNT, 8, 8))), "first in x[9]"),
    ],
)  # fmt: skip
def test_arrays_that_are_no_images_are_refused_with_what_to_do(tmp_path, x, words):
    with pytest.raises(DatasetError, match=re.escape(words)) as refused:
        datasets.describe(npz(tmp_path / "a.npz", x=x, y=Y))
    assert str(refused.value).startswith(f"tiny.yaml:4: dataset.path: {tmp_path}/a.npz: expected ")


def test_what_is_advised_is_taken(tmp_path):
    """And gives the same images."""
    images = RNG.random((COUNT, 8, 8, 3))
    second = images.transpose(0, 3, 1, 2)
    last = np.moveaxis(images, 0, -1)
    rows = second.reshape(COUNT, -1)
    for x in (
        second.transpose(0, 2, 3, 1),
        np.moveaxis(last, -1, 0),
        rows.reshape(-1, 3, 8, 8).transpose(0, 2, 3, 1),
    ):
        loaded = datasets.load(npz(tmp_path / "a.npz", x=x, y=Y))
        assert (loaded.pool[0] == images.astype(np.float32)).all()
    meant_so = second.transpose(0, 2, 1, 3)
    assert datasets.load(npz(tmp_path / "a.npz", x=meant_so, y=Y)).pool[0].shape == (COUNT, 8, 3, 8)


@pytest.mark.parametrize(
    ("shape", "is_said"),
    [
        ((3, 10, 12), True), ((1, 9, 40), True), ((4, 5, 10), False), ((3, 32, 3), False), ((1, 64, 1), False),
        ((8, 8, 8), False), ((32, 32, 3), False), ((2, 16, 16), False), ((28, 28), False), ((4, 4, 4), False),
    ],
)  # fmt: skip
def test_shapes_that_may_be_meant_otherwise_are_taken_with_a_warning(tmp_path, shape, is_said):
    oddities = datasets.load(npz(tmp_path / "a.npz", x=RNG.random((COUNT, *shape)), y=Y)).oddities
    assert len(oddities) == is_said
    if is_said:
        taken = f"read as images of {shape[0]}×{shape[1]} with {shape[2]} channels"
        assert oddities[0].startswith(f"{tmp_path}/a.npz: x: expected channels last, got {(COUNT, *shape)}, {taken}")
