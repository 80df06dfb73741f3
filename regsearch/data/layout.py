"""Where the images of a folder lie: in a folder for each class, or in train/, val/ and test/ with such folders."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from regsearch.data.kinds import UnusableError
from regsearch.data.memory import Stamp, stamp
from regsearch.data.pixels import ENDINGS

PARTS = {
    "train": "train", "training": "train",
    "test": "test", "testing": "test",
    "val": "validation", "valid": "validation", "validation": "validation",
}  # fmt: skip
"""What the folders of classes in a folder of this name are for; in any case of letters."""
LIKE_A_PART = re.compile(rf"(?<![a-z])({'|'.join(PARTS)})(set|data|images)?(?![a-z])")
"""What else parts are called: `seg_train`, `test_set`, `train2017`."""
OTHER_ENDINGS = (
    ".apng", ".arw", ".avif", ".cr2", ".dcm", ".dib", ".dng", ".eps", ".exr", ".hdr", ".heic", ".heif", ".icns",
    ".ico", ".j2k", ".jp2", ".jxl", ".nef", ".pcx", ".pfm", ".psd", ".raw", ".svg", ".tga",
)  # fmt: skip
"""Endings of images that are not read."""
NO_DATA = {"__macosx", "@eadir"}
"""Folders that systems leave beside data, in lower case; with hidden ones they are passed by without a word."""


class Listing(NamedTuple):
    """What lies in one folder of class folders: the classes in the order of their labels, the images in order."""

    folder: Path
    classes: tuple[str, ...]
    files: tuple[Stamp, ...]


class Layout(NamedTuple):
    """What a folder holds.

    Attributes:
        parts: where `train` images are drawn from; and those of `test` and `validation`, where they have a part.
        oddities: what is passed by or may be meant otherwise, a sentence each.
    """

    parts: dict[str, Listing]
    oddities: list[str]


def find_layout(folder: Path) -> Layout:
    """The layout of a folder.

    Raises:
        UnusableError: it has none, or could be read in two ways; or a folder or file cannot be read.
    """
    try:
        names = _list_folders(folder)
        parts = {name: PARTS[name.casefold()] for name in names if name.casefold() in PARTS}
        others = [name for name in names if name not in parts and parts and _holds_images(folder / name)]
        with_classes = [name for name in parts if _holds_classes(folder / name)]
        # Pictures of trains, buses and cars have a class of that name.
        if parts and (with_classes or not others or set(parts.values()) != {"train"}):
            return _list_parts(folder, parts, with_classes, others)
        _refuse_parts(folder, names)
        oddities: list[str] = []
        listing = _list_classes(folder, names, oddities)
        _note_loose([folder], oddities)
        return Layout({"train": listing}, oddities)
    except OSError as error:
        path = Path(error.filename or folder)
        expected = "a readable folder" if path.is_dir() else "a readable image"
        raise UnusableError(expected, error.strerror or str(error), path) from None


def _list_parts(folder: Path, parts: dict[str, str], with_classes: list[str], others: list[str]) -> Layout:
    """The layout of a folder with parts.

    Args:
        folder: that has them.
        parts: what each folder is a part for, by its name.
        with_classes: those of them that hold folders with images.
        others: folders with images beside them.
    """
    for name, part in parts.items():
        if name not in with_classes:
            got = "images of no class" if _holds_images(folder / name) else "none"
            got += f". If {name} is itself a class, put the folders of all classes into a folder named train"
            expected = f"a folder of images for each class, as {name} is taken for the {part} images"
            raise UnusableError(expected, got, folder / name)
        if len(same := [other for other in parts if parts[other] == part]) > 1:
            raise UnusableError(f"one folder of {part} images", f"{join(same)}. Leave one of them there", folder)
    by_part = {part: name for name, part in parts.items()}
    if "train" not in by_part:
        got = f"{join(parts)} without it. Put the folders of the classes to train on into a folder named train"
        raise UnusableError("a folder train", got, folder)
    if others and len(parts) == 1:
        got = (
            f"{join(parts)} beside {join(others)}, which hold images too. If these are classes, put all classes into "
        )
        got += f"{join(parts)}; if not, move them elsewhere"
        raise UnusableError(f"only the folder {join(parts)}, or test or val too", got, folder)
    oddities = [f"{folder}: {join(others)} are passed by, as the parts are {join(parts)}"] if others else []
    listings = {
        part: _list_classes(folder / by_part[part], _list_folders(folder / by_part[part]), oddities)
        for part in dict.fromkeys(PARTS.values())
        if part in by_part
    }
    _check_classes(folder, listings)
    _note_loose([folder, *(listing.folder for listing in listings.values())], oddities)
    return Layout(listings, oddities)


def _list_folders(folder: Path) -> list[str]:
    """The names of the folders in a folder, in order, but for hidden ones and what systems leave there."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if _is_data(entry.name) and os.path.isdir(entry))  # noqa: PTH112
    except OSError as error:
        got = error.strerror or ""
        raise UnusableError("a folder with a folder of images for each class", got, folder) from None


def _is_data(name: str) -> bool:
    return not name.startswith(".") and name.casefold() not in NO_DATA


def _list_classes(folder: Path, classes: Sequence[str], oddities: list[str]) -> Listing:
    """The images of every class; what is odd about them is added to the oddities."""
    if len(classes) < 2:
        _refuse_single(folder, classes)
    files: list[Stamp] = []
    passed_by: list[Path] = []
    for name in classes:
        found = list(_walk(folder / name))
        images = [path for path in found if path.name.lower().endswith(ENDINGS)]
        others = [path for path in found if path.name.lower().endswith(OTHER_ENDINGS)]
        if not images:
            expected = f"images ({', '.join(ENDINGS)}) in the folder of a class"
            raise UnusableError(expected, f"others, such as {others[0].name}" if others else "none", folder / name)
        files += map(stamp, images)
        for path in images:
            if not path.is_file():  # to read a pipe would wait for its writer
                raise UnusableError("a readable image", "no regular file", path)
        passed_by += others
    if passed_by:
        kinds = f"expected images ({', '.join(ENDINGS)})"
        oddities.append(
            f"{folder}: {kinds}, got {len(passed_by):,} in other formats, which are passed by: first {passed_by[0]}"
        )
    inside = [_list_folders(folder / name) for name in classes]
    if len(inside[0]) > 1 and all(names == inside[0] for names in inside):
        got = f"{join(classes)}, which all hold folders {join(inside[0])}"
        oddities.append(f"{folder}: expected a folder for each class, got {got}. Are these the classes?")
    return Listing(folder, tuple(classes), tuple(files))


def _refuse_single(folder: Path, classes: Sequence[str]) -> NoReturn:
    """Refuses a folder without two classes; they may lie further down."""
    got = f"only the folder {classes[0]}" if classes else "images of no class" if _list_loose(folder) else "none"
    inner, names = folder, classes
    while len(names) == 1:
        inner, names = inner / names[0], _list_folders(inner / names[0])
    if classes and names:
        way = "move them up" if folder.name.casefold() in PARTS else "name that as the path"
        got += f". If {inner} holds the folders that are meant, {way}"
    raise UnusableError("a folder of images for each of at least two classes", got, folder)


def _refuse_parts(folder: Path, names: Sequence[str]) -> None:
    """Refuses parts that would be taken for classes, or for what lies in one."""
    for name in names if len(names) > 1 else ():
        inside = [inner for inner in _list_folders(folder / name) if inner.casefold() in PARTS]
        if len({PARTS[inner.casefold()] for inner in inside}) > 1:
            got = f"{join(inside)} inside {name}. If {folder / name} is the dataset, name that as the path; if "
            got += f"{name} is a class, put its images into {' and '.join(f'{inner}/{name}' for inner in inside)}"
            raise UnusableError("parts with a folder for each class inside", got, folder)
    like = {name: PARTS[match[1]] for name in names if (match := LIKE_A_PART.search(name.casefold()))}
    if len(set(like.values())) > 1:
        got = f"{join(like)}. If these are parts, rename them to {' and '.join(sorted(set(like.values())))}"
        raise UnusableError("a folder for each class, or train, val and test with such folders", got, folder)


def _check_classes(folder: Path, listings: dict[str, Listing]) -> None:
    """All parts have the same classes, since a label is a class's place among them."""
    every = sorted({name for listing in listings.values() for name in listing.classes})
    got = [
        f"no {join(lacking)} in {listing.folder.name}"
        for listing in listings.values()
        if (lacking := [name for name in every if name not in listing.classes])
    ]
    if got:
        names = join(listing.folder.name for listing in listings.values())
        raise UnusableError(f"the same classes in {names}", "; ".join(got), folder)


def _note_loose(folders: Sequence[Path], oddities: list[str]) -> None:
    """Adds a sentence on images beside the folders of classes."""
    if loose := [path for folder in folders for path in _list_loose(folder)]:
        got = f"{len(loose):,} in none, which are passed by: first {loose[0]}"
        oddities.append(f"{folders[0]}: expected images in the folders of classes, got {got}")


def _list_loose(folder: Path) -> list[Path]:
    """The images that lie in a folder itself."""
    images = (path for path in folder.iterdir() if _is_data(path.name) and _is_image(path))
    return sorted(path for path in images if path.is_file())


def _is_image(path: Path) -> bool:
    """Whether a file is called as images are, whether they can be read or not."""
    return path.name.lower().endswith((*ENDINGS, *OTHER_ENDINGS))


def _holds_classes(folder: Path) -> bool:
    return any(_holds_images(folder / name) for name in _list_folders(folder))


def _holds_images(folder: Path) -> bool:
    return any(map(_is_image, _walk(folder)))


def _walk(folder: Path) -> Iterator[Path]:
    """The files of a folder and of those within it, in order; of linked folders too, and of each folder once.

    A link to a folder around this one leads nowhere new.
    """
    around = {os.path.realpath(path) for path in (*folder.absolute().parents, *folder.resolve().parents)}
    for root, names in sorted(_walk_once(str(folder), around)):
        yield from (Path(root, name) for name in names)


def _walk_once(folder: str, walked: set[str]) -> Iterator[tuple[str, list[str]]]:
    """Every folder that is not walked yet, with the names of its files; linked folders after all others."""
    links: list[str] = []
    for root, folders, files in os.walk(folder, onerror=_raise):
        if (real := os.path.realpath(root)) in walked:
            folders.clear()
            continue
        walked.add(real)
        folders[:] = filter(_is_data, folders)
        links += filter(os.path.islink, (os.path.join(root, name) for name in sorted(folders)))  # noqa: PTH118
        yield root, sorted(filter(_is_data, files))
    for link in links:
        yield from _walk_once(link, walked)


def _raise(error: OSError) -> NoReturn:
    raise error


def join(names: Iterable[str]) -> str:
    """Names in a message: the first ten."""
    listed = list(names)
    return ", ".join(listed[:10]) + (", …" if len(listed) > 10 else "")
