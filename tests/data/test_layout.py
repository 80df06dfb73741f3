"""A folder's layout: folders of classes, or parts with such folders; whatever could be read in two ways is refused."""

import errno
import os
import re
import shutil

import pytest
from image_folders import draw, spec

from regsearch import data as datasets
from regsearch.data import layout
from regsearch.errors import DatasetError

FEW, MANY = {"a": 2, "b": 2}, {"a": 9, "b": 9}


def parts_of(folder):
    """The classes and the number of images of each part."""
    return {
        part: (*listing.classes, len(listing.files)) for part, listing in layout.find_layout(folder).parts.items()
    }


@pytest.mark.parametrize("validation", ["val", "valid", "validation", "Val", "VALIDATION"])
@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("training", "testing"), ("Train", "TEST")])
def test_a_folder_of_train_val_and_test_is_used_as_the_split_it_is(tmp_path, train, validation, test):
    draw(tmp_path / train, MANY), draw(tmp_path / test, {"a": 2, "b": 3}), draw(tmp_path / validation, FEW)
    assert parts_of(tmp_path) == {"train": ("a", "b", 18), "test": ("a", "b", 5), "validation": ("a", "b", 4)}
    facts, images = datasets.describe(spec(tmp_path)), datasets.load(spec(tmp_path))
    assert (facts.outputs, facts.pool, facts.test, facts.validation) == (2, 18, 5, 4)
    assert [part[1].tolist() for part in (images.test, images.validation)] == [[0, 0, 1, 1, 1], [0, 0, 1, 1]]
    assert images.oddities == ()


@pytest.mark.parametrize("other", [(), ("test",), ("val",)])
def test_test_and_validation_images_are_drawn_from_train_where_they_have_no_folder(tmp_path, other):
    for name in ("train", *other):
        draw(tmp_path / name, MANY)
    assert set(parts_of(tmp_path)) == {"train", *(layout.PARTS[name] for name in other)}


@pytest.mark.parametrize("stray", [".git", "__MACOSX", "@eaDir", "docs", "annotations", "README.txt", ".hidden"])
def test_what_lies_beside_the_parts_without_images_changes_nothing(tmp_path, stray):
    draw(tmp_path / "train", MANY), draw(tmp_path / "test", FEW)
    before = parts_of(tmp_path), datasets.describe(spec(tmp_path)).content
    if stray in (".git", "__MACOSX", "@eaDir", ".hidden"):  # with images of their own, which nobody means
        (
            draw(tmp_path / stray, FEW),
            draw(tmp_path / "train" / stray, FEW),
            draw(tmp_path / "train" / "a" / stray, FEW),
        )
        (tmp_path / "train" / "a" / "._0.png").write_bytes(b"left by a Mac")
    elif stray == "README.txt":
        (tmp_path / stray).write_text("words")
    else:
        (tmp_path / stray / "more").mkdir(parents=True)
        (tmp_path / stray / "notes.json").write_text("{}")
    assert (parts_of(tmp_path), datasets.describe(spec(tmp_path)).content) == before
    assert layout.find_layout(tmp_path).oddities == []


def test_folders_of_images_beside_a_split_are_passed_by_and_said(tmp_path):
    for name in ("train", "test", "annotations", "unlabelled"):
        draw(tmp_path / name, FEW)
    assert set(parts_of(tmp_path)) == {"train", "test"}
    (oddity,) = datasets.load(spec(tmp_path)).oddities
    assert oddity == f"{tmp_path}: annotations, unlabelled are passed by, as the parts are test, train"


def test_a_class_may_be_called_train(tmp_path):
    draw(tmp_path, {"bus": 2, "car": 2, "train": 2})
    assert parts_of(tmp_path) == {"train": ("bus", "car", "train", 6)}


def test_inside_a_part_classes_may_be_called_anything(tmp_path):
    flat, wrapped = draw(tmp_path / "flat", {"control": 9, "probe": 9}), tmp_path / "wrapped"
    shutil.copytree(flat, wrapped / "train")
    assert datasets.describe(spec(wrapped)).content == datasets.describe(spec(flat)).content
    (wrapped / "train" / "probe").rename(wrapped / "train" / "test")
    assert parts_of(wrapped) == {"train": ("control", "test", 18)}


REFUSED = {
    "a class called test": (
        {"control": 2, "test": 2},
        "D/test: expected a folder of images for each class, as test is taken for the test images, got images of no "
        "class. If test is itself a class, put the folders of all classes into a folder named train",
    ),
    "images of no class for the test": (
        {"train/a": 2, "train/b": 2, "test": 2},
        "D/test: expected a folder of images for each class, as test is taken for the test images, got images of no",
    ),
    "a split without classes": (
        {"train": 2, "test": 2},
        "D/test: expected a folder of images for each class, as test is taken for the test images, got images of no",
    ),
    "train without classes": (
        {"train": 2, "test/a": 2, "test/b": 2},
        "D/train: expected a folder of images for each class, as train is taken for the train images, got images of",
    ),
    "train alone without classes": ({"train": 2}, "D/train: expected a folder of images for each class"),
    "classes called valid and invalid": ({"invalid": 2, "valid": 2}, "D/valid: expected a folder of images for each"),
    "an empty part": (
        {"train/a": 2, "train/b": 2, "val": 0},
        "D/val: expected a folder of images for each class, as val is taken for the validation images, got none.",
    ),
    "an empty test beside classes": (
        {"a": 2, "b": 2, "test": 0},
        "D/test: expected a folder of images for each class",
    ),
    "two spellings of a part": (
        {f"{name}/{label}": 2 for name in ("train", "val", "valid") for label in "ab"},
        "D: expected one folder of validation images, got val, valid. Leave one of them there",
    ),
    "two cases of a part": (
        {f"{name}/{label}": 2 for name in ("Train", "train") for label in "ab"},
        "D: expected one folder of train images, got Train, train. Leave one of them there",
    ),
    "no train": (
        {f"{name}/{label}": 2 for name in ("test", "val") for label in "ab"},
        "D: expected a folder train, got test, val without it. Put the folders of the classes to train on into a folder",
    ),
    "test alone": ({"test/a": 2, "test/b": 2}, "D: expected a folder train, got test without it."),
    "classes beside test": (
        {"a": 2, "b": 2, "test/a": 2, "test/b": 2},
        "D: expected a folder train, got test without it. Put the folders of the classes to train on into a folder",
    ),
    "train beside other images": (
        {"train/a": 2, "train/b": 2, "extra": 2},
        "D: expected only the folder train, or test or val too, got train beside extra, which hold images too. If these "
        "are classes, put all classes into train; if not, move them elsewhere",
    ),
    "other classes": (
        {"train/a": 2, "train/b": 2, "val/a": 2, "val/c": 2, "test/a": 2, "test/b": 2, "test/c": 2},
        "D: expected the same classes in train, test, val, got no c in train; no b in val",
    ),
    "a folder around it all": (
        {"photos/photos/train/a": 2, "photos/photos/test/a": 2},
        "D: expected a folder of images for each of at least two classes, got only the folder photos. If D/photos/photos "
        "holds the folders that are meant, name that as the path",
    ),
    "a folder around the classes": (
        {"photos/a": 2, "photos/b": 2},
        "got only the folder photos. If D/photos holds the folders that are meant, name that as the path",
    ),
    "a folder around the classes of a part": (
        {"train/images/a": 2, "train/images/b": 2, "test/a": 2, "test/b": 2},
        "D/train: expected a folder of images for each of at least two classes, got only the folder images. If "
        "D/train/images holds the folders that are meant, move them up",
    ),
    "a split beside documents": (
        {"photos/train/a": 2, "photos/test/a": 2, "docs": 0},
        "D: expected parts with a folder for each class inside, got test, train inside photos. If D/photos is the "
        "dataset, name that as the path",
    ),
    "classes around parts": (
        {f"{label}/{name}": 2 for name in ("train", "test") for label in ("cat", "dog")},
        "if cat is a class, put its images into test/cat and train/cat",
    ),
    "images and labels around parts": (
        {f"{kind}/{name}": 2 for name in ("train", "val") for kind in ("images", "labels")},
        "D: expected parts with a folder for each class inside, got train, val inside images.",
    ),
    "other names of parts": (
        {f"{name}/{label}": 2 for name in ("test_set", "training_set") for label in "ab"},
        "D: expected a folder for each class, or train, val and test with such folders, got test_set, training_set. If "
        "these are parts, rename them to test and train",
    ),
    "names of parts with a year": ({"train2017/a": 2, "val2017/a": 2}, "got train2017, val2017. If these are parts"),
    "other names around themselves": (
        {"seg_test/seg_test/a": 2, "seg_train/seg_train/a": 2},
        "got seg_test, seg_train",
    ),
    "images of no class": (
        {"": 2},
        "D: expected a folder of images for each of at least two classes, got images of no",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_be_read_in_two_ways_is_refused_with_what_to_do(tmp_path, name):
    folders, words = REFUSED[name]
    draw(tmp_path, folders)
    with pytest.raises(DatasetError) as error:
        datasets.describe(spec(tmp_path))
    assert re.sub(r"\bD\b", str(tmp_path), words) in str(error.value)


def test_classes_that_hold_the_same_folders_are_said(tmp_path):
    draw(tmp_path, {f"{fold}/{label}": 2 for fold in ("fold1", "fold2") for label in ("cat", "dog")})
    (oddity,) = datasets.load(spec(tmp_path)).oddities
    assert oddity == (
        f"{tmp_path}: expected a folder for each class, got fold1, fold2, which all hold folders cat, dog. Are these the "
        "classes?"
    )


@pytest.mark.parametrize("ending", layout.OTHER_ENDINGS)
def test_image_files_that_are_not_read_are_counted_and_said(tmp_path, ending):
    draw(tmp_path, FEW)
    for name in ("a/x", "b/y"):
        (tmp_path / f"{name}{ending.upper()}").write_bytes(b"")
    (oddity,) = datasets.load(spec(tmp_path)).oddities
    assert oddity.startswith(f"{tmp_path}: expected images (.bmp, .gif, ")
    assert oddity.endswith(f"got 2 in other formats, which are passed by: first {tmp_path}/a/x{ending.upper()}")


def test_a_class_of_none_but_such_files_is_refused_with_one_of_them(tmp_path):
    draw(tmp_path, {"a": 2, "b": 0})
    (tmp_path / "b" / "x.heic").write_bytes(b"")
    with pytest.raises(
        DatasetError, match=r"/b: expected images \(.+\) in the folder of a class, got others, such as x"
    ):
        datasets.describe(spec(tmp_path))


def test_images_beside_the_folders_of_classes_are_counted_and_said(tmp_path):
    draw(tmp_path, {"train/a": 2, "train/b": 2, "train": 2, "": 1})
    (oddity,) = datasets.load(spec(tmp_path)).oddities
    assert oddity == (
        f"{tmp_path}: expected images in the folders of classes, got 3 in none, which are passed by: first {tmp_path}/0.png"
    )


def test_linked_folders_and_files_count_each_folder_once_and_loops_end(tmp_path):
    photos, elsewhere = draw(tmp_path / "photos", {"a": 2, "b": 2}), draw(tmp_path / "elsewhere", {"c": 3, "more": 4})
    (photos / "c").symlink_to(elsewhere / "c")
    (photos / "a" / "more").symlink_to(elsewhere / "more")
    assert parts_of(photos) == {"train": ("a", "b", "c", 11)}
    before = layout.find_layout(photos).parts
    (photos / "a" / "again").symlink_to(elsewhere / "more")
    (photos / "a" / "up").symlink_to(photos)
    (photos / "a" / "self").symlink_to(photos / "a")
    (elsewhere / "more" / "back").symlink_to(photos / "a")
    (photos / "b" / "nowhere").symlink_to(tmp_path / "nowhere")
    (photos / "b" / "round").symlink_to(photos / "b" / "round")
    assert sum(len(part.files) for part in layout.find_layout(photos).parts.values()) == 11
    assert {path.rpartition("/")[2] for path, *_ in before["train"].files} == {f"{n}.png" for n in range(4)}
    (photos / "b" / "linked.png").symlink_to(elsewhere / "c" / "0.png")
    assert parts_of(photos) == {"train": ("a", "b", "c", 12)}


def test_linked_parts_are_parts(tmp_path):
    draw(tmp_path / "there", MANY), draw(tmp_path / "photos" / "train", MANY)
    (tmp_path / "photos" / "val").symlink_to(tmp_path / "there")
    assert parts_of(tmp_path / "photos") == {"train": ("a", "b", 18), "validation": ("a", "b", 18)}


def test_a_folder_named_like_an_image_is_a_folder(tmp_path):
    draw(tmp_path, {"a": 2, "b": 2, "b/x.png": 1, "c.jpg": 1})
    assert parts_of(tmp_path) == {"train": ("a", "b", "c.jpg", 6)}


def test_a_pipe_named_like_an_image_is_refused_and_nobody_waits_for_it(tmp_path):
    draw(tmp_path, FEW)
    os.mkfifo(tmp_path / "b" / "x.png")
    with pytest.raises(DatasetError, match=r"b/x\.png: expected a readable image, got no regular file"):
        datasets.describe(spec(tmp_path))


def test_a_folder_that_may_not_be_read_is_said(tmp_path, monkeypatch):
    draw(tmp_path, {"a": 2, "b": 2, "b/closed": 2})
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("closed"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DatasetError, match="b/closed: expected a readable folder, got Permission denied"):
        datasets.describe(spec(tmp_path))
