"""A folder of images is read by Keras's own loader, told by its content, and refused by name where it is broken."""

import shutil

import keras
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import parsed
from opened_files import count_opened
from PIL import Image

from regsearch import data as datasets
from regsearch.cli import main
from regsearch.errors import DatasetError

SMALL = [("train: 64", "train: 10"), ("validation: 50", "validation: 4"), ("test: 50", "test: 4")]
SMALL += [("batch_size: 32", "batch_size: 5")]


def draw(folder, counts, size=(9, 7), seed=0):
    """Images of random colours: so many of each class."""
    rng = np.random.default_rng(seed)
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture
def photos(tmp_path):
    return draw(tmp_path / "photos", {"cat": 9, "dog": 9})


def spec(folder, size="[9, 7]", color="rgb"):
    named = f"name: images\n  path: {folder}\n  size: {size}\n  color: {color}"
    return parsed(("name: digits", named), *SMALL)


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


@pytest.mark.parametrize("color", ["rgb", "grayscale"])
def test_images_are_resized_and_coloured_as_keras_does(photos, color):
    images = datasets.load(spec(photos, "[4, 6]", color)).pool[0]
    expected = keras.utils.image_dataset_from_directory(
        photos, image_size=(4, 6), color_mode=color, shuffle=False, batch_size=None, verbose=False
    )
    expected = np.array([x for x, _ in expected.as_numpy_iterator()])
    assert images.shape == (18, 4, 6, 3 if color == "rgb" else 1)
    assert np.abs(images - expected).max() <= 0.5 + 1e-4


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


def test_images_are_read_once_for_their_digest_and_decoded_once_until_one_changes(photos, monkeypatch):
    decoded, read = [], keras.utils.image_dataset_from_directory
    monkeypatch.setattr(
        keras.utils,
        "image_dataset_from_directory",
        lambda *arguments, **options: decoded.append(1) or read(*arguments, **options),
    )
    with count_opened(photos) as opened:
        for _ in range(3):
            datasets.describe(spec(photos)), datasets.load(spec(photos))
        assert opened == {f"{number}.png": 2 for number in range(9)}  # one in each class
        assert len(decoded) == 1
        before = datasets.load(spec(photos)).pool[0]
        Image.new("RGB", (7, 9)).save(photos / "dog" / "8.png")
        assert (datasets.load(spec(photos)).pool[0] != before).any(axis=(1, 2, 3)).tolist() == [False] * 17 + [True]
        assert len(decoded) == 2


def empty_class(folder):
    (folder / "mouse").mkdir()
    return "photos/mouse: expected images (.bmp, .gif, .jpeg, .jpg, .png) in the folder of a class, got none"


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
    return "photos: expected the same classes in train/ and test/, got b, c in one of them alone"


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


@pytest.mark.parametrize("content", [b"", b"not an image", "half"])
def test_a_broken_image_is_named_before_anything_is_trained(photos, content):
    path = photos / "dog" / "3.png"
    path.write_bytes(path.read_bytes()[:60] if content == "half" else content)
    with pytest.raises(DatasetError, match=r"photos/dog/3.png: expected an image that Keras can read, got a broken"):
        datasets.load(spec(photos))


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
