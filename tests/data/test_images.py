"""A folder of images is a dataset: told by its content, split as it is or by seed, and refused where it is broken."""

import errno
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from image_folders import draw, spec
from opened_files import count_opened
from PIL import Image

from regsearch import data as datasets
from regsearch import study
from regsearch.cli import main
from regsearch.data import images as folders
from regsearch.data import pixels
from regsearch.errors import DatasetError
from regsearch.runner import Settings


@pytest.fixture
def photos(tmp_path):
    return draw(tmp_path / "photos", {"cat": 9, "dog": 9})


def test_a_folder_for_each_class_is_a_dataset_of_bytes(photos):
    facts, loaded = datasets.describe(spec(photos)), datasets.load(spec(photos))
    assert (facts.image, facts.outputs, facts.pool, facts.test) == ((9, 7, 3), 2, 18, 0)
    assert loaded.pool[0].dtype == np.uint8
    assert loaded.pool[1].tolist() == [0] * 9 + [1] * 9
    first = np.asarray(Image.open(photos / "cat" / "0.png"))
    assert (loaded.pool[0][0] == first).all()
    split = datasets.split(loaded, spec(photos).dataset, 10, seed=0)
    assert (len(split.train[0]), len(split.validation[0]), len(split.test[0])) == (10, 4, 4)
    assert 0.5 < split.train[0].max() <= 1


@pytest.mark.parametrize(("color", "rounding"), [("rgb", 0.5), ("grayscale", 1.5)])  # its grey is rounded down
def test_images_are_those_of_keras_but_for_rounding(photos, color, rounding):
    images = datasets.load(spec(photos, "[4, 6]", color)).pool[0]
    expected = keras.utils.image_dataset_from_directory(
        photos, image_size=(4, 6), color_mode=color, shuffle=False, batch_size=None, verbose=False
    )
    expected = np.array([x for x, _ in expected.as_numpy_iterator()])
    assert images.shape == (18, 4, 6, 3 if color == "rgb" else 1)
    assert np.abs(images - expected).max() <= rounding + 1e-4


def test_train_and_test_folders_are_a_split_of_the_users_own(tmp_path):
    draw(tmp_path / "train", {"a": 7, "b": 7}), draw(tmp_path / "test", {"a": 2, "b": 2}, seed=1)
    facts, loaded = datasets.describe(spec(tmp_path)), datasets.load(spec(tmp_path))
    assert (facts.pool, facts.test) == (14, 4)
    assert loaded.test[1].tolist() == [0, 0, 1, 1]
    assert (loaded.test[0][0] == np.asarray(Image.open(tmp_path / "test" / "a" / "0.png"))).all()


def test_other_files_hidden_folders_and_folders_within_a_class_are_taken_as_keras_takes_them(photos):
    before = datasets.describe(spec(photos)).content
    (photos / "cat" / "notes.txt").write_text("not an image")
    (photos / ".cache").mkdir()
    assert datasets.describe(spec(photos)).content == before
    draw(photos / "cat", {"kittens": 1})
    assert len(datasets.load(spec(photos)).pool[0]) == datasets.describe(spec(photos)).pool == 19


def test_the_content_of_version_0_2_0_stays_where_the_same_pixels_are_read(photos):
    Image.fromarray(np.zeros((9, 7), np.uint8)).save(photos / "dog" / "grey.bmp")
    Image.new("CMYK", (7, 9)).save(photos / "dog" / "print.jpg")
    Image.new("RGBA", (7, 9)).save(photos / "dog" / "window.png")
    shutil.copytree(photos, photos / "train"), shutil.rmtree(photos / "cat"), shutil.rmtree(photos / "dog")
    shutil.copytree(photos / "train", photos / "test")
    digest = hashlib.sha256(b"9x7 rgb")
    for number, part in enumerate(("train", "test")):
        for path in sorted((photos / part).rglob("*.*"), key=lambda path: (path.parent, path.name)):
            name = path.relative_to(photos / part).as_posix()
            digest.update(f"\n{number} {name} {hashlib.sha256(path.read_bytes()).hexdigest()}".encode())
    assert datasets.describe(spec(photos)).content == f"images-{digest.hexdigest()[:16]}"


def save_palette(path):
    Image.fromarray(np.arange(63, dtype=np.uint8).reshape(9, 7)).quantize(16).save(path.with_suffix(".bmp"))


def save_16_bits(path):
    Image.fromarray(np.full((9, 7), 60_000, np.uint16)).save(path.with_suffix(".png"))


def save_transparent(path):
    Image.new("P", (7, 9)).save(path.with_suffix(".gif"), transparency=0)


@pytest.mark.parametrize("save", [save_palette, save_16_bits, save_transparent])
def test_the_content_of_version_0_2_0_is_another_where_it_read_other_pixels(photos, save, monkeypatch):
    save(photos / "dog" / "other")
    now, inspect = datasets.describe(spec(photos)).content, pixels.inspect
    monkeypatch.setattr(pixels, "inspect", lambda content: inspect(content)._replace(misread=False))
    folders._survey.cache_clear()
    assert datasets.describe(spec(photos)).content != now


def test_a_validation_folder_changes_the_content(tmp_path):
    draw(tmp_path / "train", {"a": 9, "b": 9})
    before = datasets.describe(spec(tmp_path)).content
    draw(tmp_path / "val", {"a": 4, "b": 4})
    with_validation = datasets.describe(spec(tmp_path)).content
    (tmp_path / "val").rename(tmp_path / "test")
    assert len({before, with_validation, datasets.describe(spec(tmp_path)).content}) == 3


@pytest.fixture
def parts(tmp_path):
    """All images of a part have one colour of their own."""
    colours = {"train": (10, range(9)), "val": (20, range(4)), "test": (30, range(5))}
    for part, (colour, numbers) in colours.items():
        for label in "ab":
            (tmp_path / part / label).mkdir(parents=True)
            for number in numbers:
                Image.new("RGB", (7, 9), (colour, number, ord(label))).save(tmp_path / part / label / f"{number}.png")
    return tmp_path


def test_each_part_of_the_split_comes_from_its_own_folder_shuffled_by_seed(parts):
    asked = spec(parts).dataset
    splits = [
        datasets.split(datasets.load(spec(parts)), asked, size, seed) for size, seed in ((10, 0), (18, 0), (10, 1))
    ]
    for split, train in zip(splits, (10, 18, 10), strict=True):
        for part, colour, count in ((split.train, 10, train), (split.validation, 20, 4), (split.test, 30, 4)):
            assert np.unique(np.rint(part[0][..., 0] * 255)).tolist() == [colour]
            assert len({image.tobytes() for image in part[0]}) == len(part[1]) == count
            assert (part[1] == (part[0][:, 0, 0, 2] * 255 > 97.5)).all()
    few, many, other = ([part[0].tobytes() for part in (s.validation, s.test)] for s in splits)
    assert few == many
    assert not set(few) & set(other)
    assert (splits[1].train[0][:10] == splits[0].train[0]).all()


def test_labels_of_validation_and_training_are_noisy_and_those_of_test_are_not(tmp_path):
    counts = {str(label): 20 for label in range(10)}
    for part in ("train", "val", "test"):
        draw(tmp_path / part, counts)
    whole = spec(tmp_path).dataset.model_copy(update={"validation": 200, "test": 200, "label_noise": 0.5})
    images = datasets.load(spec(tmp_path))
    noisy, clean = (
        datasets.split(images, whole.model_copy(update={"label_noise": noise}), 200, seed=3) for noise in (0.5, 0.0)
    )
    changed = {
        part: (getattr(noisy, part)[1] != getattr(clean, part)[1]).mean() for part in ("train", "validation", "test")
    }
    assert changed["test"] == 0
    assert all(0.35 < changed[part] < 0.55 for part in ("train", "validation"))  # a tenth of those redrawn stay
    assert (noisy.train[1] != noisy.validation[1]).any()


@pytest.mark.parametrize(
    ("gone", "change", "words"),
    [
        ((), ("train: 10", "train: 19"), "dataset.train: expected train of at most 18 images in images, got 19"),
        ((), ("validation: 4", "validation: 9"), "expected at most the 8 validation images of images, got 9"),
        ((), ("test: 4", "test: 11"), "expected at most the 10 test images of images, got 11"),
        (["test"], ("train: 10", "train: 15"), "expected train + test of at most 18 images in images, got 19"),
        (["val"], ("train: 10", "train: 15"), "expected train + validation of at most 18 images in images, got 19"),
        (["val", "test"], ("train: 10", "train: 11"), "expected train + validation + test of at most 18 images in"),
    ],
)
def test_what_the_spec_asks_is_held_against_the_part_that_it_comes_from(parts, gone, change, words):
    for name in gone:
        shutil.rmtree(parts / name)
    datasets.describe(spec(parts))
    with pytest.raises(DatasetError) as error:
        datasets.describe(type(spec(parts)).parse(spec(parts).text.replace(*change)))
    assert words in str(error.value)


def test_content_is_told_by_bytes_names_size_and_color_and_not_by_place_or_time(photos, tmp_path):
    def content(folder=photos, *arguments):
        return datasets.describe(spec(folder, *arguments)).content

    moved = shutil.copytree(photos, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    assert content().startswith("images-")
    assert content(moved) == content()
    assert len({content(), content(photos, "[8, 7]"), content(photos, "[9, 7]", "grayscale")}) == 3
    (moved / "cat" / "0.png").rename(moved / "cat" / "zero.png")
    renamed = content(moved)
    (moved / "cat" / "1.png").write_bytes((moved / "cat" / "2.png").read_bytes())
    assert len({content(), renamed, content(moved)}) == 3


def test_images_are_read_once_for_their_digest_and_decoded_once_until_one_changes(photos):
    with count_opened(photos) as opened:
        for _ in range(3):
            datasets.describe(spec(photos)), datasets.load(spec(photos))
        assert opened == {f"{number}.png": 4 for number in range(9)}  # once for each, in both classes
        before = datasets.load(spec(photos)).pool[0]
        Image.new("RGB", (7, 9)).save(photos / "dog" / "8.png")
        assert (datasets.load(spec(photos)).pool[0] != before).any(axis=(1, 2, 3)).tolist() == [False] * 17 + [True]
        assert opened["0.png"] == 8


def empty_class(folder):
    (folder / "mouse").mkdir()
    return "photos/mouse: expected images (.bmp, .gif, .jfif, .jpe, .jpeg, .jpg, .pbm, .pgm, .png, .pnm, .ppm, .tif, .tiff, .webp) in the folder of a class, got none"


def no_classes(folder):
    shutil.rmtree(folder / "cat")
    return "photos: expected a folder of images for each of at least two classes, got only the folder dog"


def nothing_inside(folder):
    shutil.rmtree(folder), folder.mkdir()
    return "photos: expected a folder of images for each of at least two classes, got none"


def no_folder(folder):
    shutil.rmtree(folder)
    return "photos: expected a folder with a folder of images for each class, got No such file or directory"


def a_file(folder):
    shutil.rmtree(folder), folder.write_text("")
    return "photos: expected a folder with a folder of images for each class, got Not a directory"


def differing_classes(folder):
    draw(folder / "train", {"a": 9, "b": 9}), draw(folder / "test", {"a": 2, "c": 2})
    shutil.rmtree(folder / "cat"), shutil.rmtree(folder / "dog")
    return "photos: expected the same classes in train, test, got no c in train; no b in test"


def a_dangling_link(folder):
    (folder / "dog" / "9.png").symlink_to(folder / "none.png")
    return "photos/dog/9.png: expected a readable image, got No such file or directory"


def too_few(folder):
    for number in range(4):
        (folder / "dog" / f"{number}.png").unlink()
    return "expected train + validation + test of at most 14 images in images, got 18"


@pytest.mark.parametrize(
    "damage",
    [empty_class, no_classes, nothing_inside, no_folder, a_file, differing_classes, a_dangling_link, too_few],
)
def test_a_folder_that_is_no_dataset_is_refused_by_check_with_the_name_of_what_is_wrong(photos, tmp_path, damage):
    words = damage(photos)
    path = tmp_path / "spec.yaml"
    path.write_text(spec(photos).text)
    result = CliRunner().invoke(main, ["check", str(path)])
    assert result.exit_code == 3
    assert result.stderr.startswith(f"regsearch: error: {path}:")
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize("content", [b"", b"not an image", "half", "a jpg that ends early"])
def test_a_broken_image_is_named_before_anything_is_trained(photos, tmp_path, content, command):
    broken = photos / "dog" / "3.png"
    if content == "a jpg that ends early":
        Image.open(photos / "dog" / "4.png").save(broken, "JPEG")
    content = content if isinstance(content, bytes) else broken.read_bytes()[: -len(broken.read_bytes()) // 9]
    broken.write_bytes(content)
    path = tmp_path / "spec.yaml"
    path.write_text(spec(photos).text)
    result = CliRunner().invoke(main, [command, str(path)], catch_exceptions=False)
    assert result.exit_code == 3
    assert result.stderr.startswith(f"regsearch: error: {path}:")
    assert f"{broken}: expected an image that can be read, got a" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_file_that_may_not_be_read_is_named(photos, monkeypatch):
    read_bytes = Path.read_bytes

    def refuse(path):
        if path.name == "3.png":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DatasetError, match=r"cat/3\.png: expected a readable image, got Permission denied"):
        datasets.describe(spec(photos))


@pytest.mark.parametrize(("name", "said"), [(b"\xff", r"\udcff"), (b"a\nb", r"a\nb"), (b"\x1b[2J", r"\x1b[2J")])
def test_names_that_cannot_be_printed_are_told_in_one_line_that_can(photos, name, said, tmp_path):
    folder = photos / os.fsdecode(name)
    (photos / "dog").rename(folder)
    (folder / f"{folder.name}.heic").touch()
    path = tmp_path / "spec.yaml"
    path.write_text(spec(photos).text)
    result = CliRunner().invoke(main, ["check", str(path)], catch_exceptions=False)
    assert result.exit_code == 0
    assert f"first {photos}/{said}/{said}.heic" in result.stderr
    (folder / f"{folder.name}.png").touch()
    result = CliRunner().invoke(main, ["check", str(path)], catch_exceptions=False)
    assert result.exit_code == 3
    assert f"{photos}/{said}/{said}.png: expected an image that can be read, got an empty file" in result.stderr
    assert result.stderr.count("\n") == 1


def test_images_are_read_without_tensorflow(photos):
    code = f"""import sys; from regsearch import Spec, data; data.load(Spec.parse({spec(photos).text!r}))
assert not {{"tensorflow", "keras"}} & set(sys.modules)"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_check_warns_of_what_is_odd_and_so_does_a_run_once(photos, tmp_path, caplog, monkeypatch):
    (photos / "dog" / "x.heic").write_bytes(b"")
    path = tmp_path / "spec.yaml"
    path.write_text(spec(photos).text)
    result = CliRunner().invoke(main, ["check", str(path)], catch_exceptions=False)
    assert result.exit_code == 0
    assert result.stderr.count("regsearch: warning: ") == result.stderr.count("got 1 in other formats") == 1

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("regsearch.ledger.open_study", stop)
    caplog.clear()
    with caplog.at_level("WARNING"), pytest.raises(KeyboardInterrupt):
        study.run(spec(photos), tmp_path / "results", Settings(workers=0, device="CPU"))
    assert caplog.text.count("got 1 in other formats") == 1


@pytest.mark.slow
def test_a_study_of_a_folder_of_images_runs_from_end_to_end(photos, tmp_path):
    path, results = tmp_path / "spec.yaml", tmp_path / "results"
    path.write_text(
        spec(photos).text.replace("[1, 2]", "[1]").replace("[l1, l2]", "[l2]").replace("seeds: 2", "seeds: 1")
    )
    result = CliRunner().invoke(main, ["run", str(path), "--workers", "inline", "--out", str(results)])
    assert result.exit_code == 0, result.output
    assert len(pd.read_csv(results / "trials.csv")) == 3
    assert '"content": "images-' in (results / "study.json").read_text()
