"""A file of the user's own: arrays of images with labels, or with targets that are numbers."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from regsearch.data import answers, arrays
from regsearch.data.kinds import Facts, Images, Kept, Loss, UnusableError, pack
from regsearch.data.memory import hash_file, recall_images, stamp

WANTED = "the arrays x and y, or x_train, y_train and, if wanted, x_val, y_val, x_test, y_test"
PARTS = {"train": "train", "training": "train", "test": "test", "testing": "test",
         "val": "validation", "valid": "validation", "validation": "validation"}  # fmt: skip
KINDS = {"x": "x", "images": "x", "image": "x", "imgs": "x", "data": "x",
         "y": "y", "labels": "y", "label": "y", "targets": "y", "target": "y"}  # fmt: skip
_PART, _KIND = "|".join(PARTS), "|".join(KINDS)
_NAME = re.compile(rf"(?:({_PART})[_.\- ]?({_KIND})|({_KIND})[_.\- ]?({_PART})|({_KIND}))", re.IGNORECASE)
READ = ("x_train", "y_train", "x_test", "y_test")
"""The only names of training and test data together that version 0.2.0 read."""


class Pair(NamedTuple):
    """The names of an array of images and of what goes with them."""

    x: str
    y: str


def describe(path: Path, standardise: bool = False) -> Facts:
    """What the file holds; its content is told by the digest of its bytes.

    Args:
        path: of the file.
        standardise: whether images are standardised, so that their scale makes no difference.

    Raises:
        UnusableError: as `load`, since only its numbers say whether a file can be used.
    """
    images = load(path)
    pool, height, width, channels = images.pool[0].shape
    test, validation = (len(part[0]) if part else 0 for part in (images.test, images.validation))
    changes = [change for change in images.changes if not (change == "scaled" and standardise)]
    content = "+".join([f"npz-{hash_file(stamp(path))[:16]}", *changes])  # numbers of other data are never mixed
    return Facts(
        (height, width, channels), images.outputs, pool, test, content, images.loss,
        kept_bytes=images.pool[0].itemsize, validation=validation,
    )  # fmt: skip


def load(path: Path) -> Images:
    """Arrays `x`, `y`, or `x_train`, `y_train` and so on, or by other usual names; pickles are refused.

    Whole numbers in `y` are labels, and so are one-hot rows; other floats are targets. See `arrays.find_divisor` for
    how images are scaled.

    Raises:
        UnusableError: the file cannot be read, or its arrays cannot be trained on.
    """
    try:
        if path.exists() and not path.is_file():  # to open a pipe would wait for its writer
            raise UnusableError("a readable .npz file", "a folder" if path.is_dir() else "no regular file")
        return recall_images(stamp(path), lambda: _read(path))
    except OSError as error:
        raise UnusableError("a readable .npz file", error.strerror or str(error)) from None


def _read(path: Path) -> Images:
    parts, held = _read_arrays(path)
    pool = parts["train"]
    for part in parts.values():
        arrays.check_images(held[part.x], part.x, len(held[part.y]))
    kind, divisor = answers.find_kind(held[pool.y]), arrays.find_divisor(held[pool.x])
    for part in list(parts.values())[1:]:
        _check_alike(held, pool, part)
        arrays.check_scale(held[part.x], part.x, pool.x, divisor)
    oddities = [arrays.find_oddity(held[pool.x].shape, pool.x)]
    changes = ["validation"] if "validation" in parts else []
    changes += ["test"] if "test" in parts and (*pool, *parts["test"]) != READ else []
    changes += ["scaled"] if divisor > 1 and held[pool.x].dtype != np.uint8 else []
    changes += ["classes"] if kind == "one_hot" and held[pool.y].dtype.kind == "f" else []
    columns = held[pool.y].shape[1] if kind == "one_hot" else None

    def take(part: Pair) -> Kept:
        images = pack(held.pop(part.x), divisor)  # the array as it came goes, before another is packed
        return images, answers.pack(held[part.y], kind, part.y, len(images))

    kept = {name: take(part) for name, part in parts.items()}
    x, y = kept.pop("train")
    others = [labels for _, labels in kept.values()]
    if kind == "targets":
        outputs = y.shape[1]
        oddities.append(answers.find_oddity(y, pool.y))
    else:
        outputs = answers.check_classes(y, others, pool.y, columns)
    loss: Loss = "squared_error" if kind == "targets" else "cross_entropy"
    said = tuple(f"{path}: {oddity}" for oddity in oddities if oddity)
    return Images((x, y), kept.get("test"), outputs, loss, kept.get("validation"), divisor, tuple(changes), said)


def _read_arrays(path: Path) -> tuple[dict[str, Pair], dict[str, NDArray[Any]]]:
    """The names of the pairs by what they are for, `train` first, and their arrays."""
    try:
        with path.open("rb") as stream:
            file = np.load(stream, allow_pickle=False)
            if isinstance(file, np.lib.npyio.NpzFile):
                parts = _find_parts(file.files)
                return parts, {name: _read_array(file, name) for pair in parts.values() for name in pair}
    except (OSError, UnusableError):
        raise
    except Exception as error:  # a damaged file raises nearly anything in zipfile, zlib and NumPy
        got = str(error).partition(". ")[0] or type(error).__name__
        raise UnusableError("an .npz file of plain numeric arrays (pickled objects are never loaded)", got) from None
    raise UnusableError("an .npz file of several arrays", "a single array")


def _read_array(file: Any, name: str) -> NDArray[Any]:
    try:
        array: NDArray[Any] = file[name]
    except ValueError as error:
        if not str(error).startswith("Object arrays"):
            raise
        expected = "an .npz file of plain numeric arrays (pickled objects are never loaded)"
        raise UnusableError(expected, f"objects in {name}. Save it as one array of numbers") from None
    return np.atleast_1d(array)


def _find_parts(names: list[str]) -> dict[str, Pair]:
    """The pairs of arrays among the names of a file, by what they are for; `train` is first.

    Images and labels of no part are those to train on, unless others are called so.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for name in names:
        if match := _NAME.fullmatch(name):
            before, kind, other, after, alone = match.groups()
            part = PARTS[(before or after).casefold()] if before or after else ""
            found.setdefault((part, KINDS[(kind or other or alone).casefold()]), []).append(name)
    parts = {}
    for part in ("train", "", "test", "validation"):
        x, y = (_choose(found.get((part, kind), [])) for kind in ("x", "y"))
        if x and y:
            parts[part] = Pair(x, y)
        elif part and (x or y):
            raise UnusableError(f"{WANTED}, each x with its y", _list_names(names))
    pool = parts.get("train") or parts.get("")
    if pool is None:
        raise UnusableError(WANTED, f"{_list_names(names)}. Save them by these names: np.savez(path, x=…, y=…)")
    return {"train": pool} | {part: pair for part, pair in parts.items() if part in ("test", "validation")}


def _choose(names: list[str]) -> str | None:
    """The only name, or the one that version 0.2.0 read."""
    known = [name for name in names if name[:1] in ("x", "y") and name[1:] in ("", "_train", "_test", "_val")]
    if len(names) > 1 and not known:
        raise UnusableError("one array for each thing", f"{' and '.join(names)}. Leave one of them out")
    return next(iter(known or names), None)


def _list_names(names: list[str]) -> str:
    return ", ".join(names) or "none"


def _check_alike(held: dict[str, NDArray[Any]], pool: Pair, part: Pair) -> None:
    """Another part's arrays are of the same kind as the pool's, so that both are scaled and scored alike."""
    here, there = (held[pair.x].shape[1:] + (1,) * (held[pair.x].ndim == 3) for pair in (part, pool))
    if here != there:
        raise UnusableError(f"{part.x} with images like {pool.x}'s", f"{here} and {there}")
    for one, other, done in ((pool.x, part.x, "scaled"), (pool.y, part.y, "scored")):
        types = held[one].dtype, held[other].dtype
        if types[0] != types[1] and (done == "scaled" or "f" in (types[0].kind, types[1].kind)):
            expected = f"{one} and {other} of one type, so that both are {done} alike"
            raise UnusableError(expected, f"{types[0]} and {types[1]}")
    kinds = [answers.find_kind(held[pair.y]) for pair in (pool, part)]
    columns = [
        held[pair.y].reshape(len(held[pair.y]), -1).shape[1] if held[pair.y].size else 0 for pair in (part, pool)
    ]
    if columns[0] != columns[1] and kinds[0] != "labels":
        raise UnusableError(f"{part.y} with as many targets an image as {pool.y}", f"{columns[0]} and {columns[1]}")
    if kinds[0] != kinds[1]:
        raise UnusableError(f"{part.y} of the same kind as {pool.y}", " and ".join(kinds).replace("_", "-"))
