"""A folder of the user's own: images in a folder for each class, read by Pillow."""

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from regsearch.data import layout, pixels
from regsearch.data.kinds import Facts, Images, Kept, UnusableError, scale, spell
from regsearch.data.layout import Listing
from regsearch.data.memory import recall_images
from regsearch.data.pixels import Traits

Parts = tuple[tuple[str, Listing], ...]
"""The listing of every part, by its name."""
Result = TypeVar("Result")
NUMBERS = {"train": 0, "test": 1, "validation": 2}
"""What stands for a part in a digest."""
MOST_THREADS = 8
DIM = 1 / 4
"""Of their range; 16-bit images that stay below hold data of fewer bits."""


class Survey(NamedTuple):
    """What the files say before they are decoded.

    Attributes:
        digest: sixteen digits that stand for every image's bytes and name, and for what is made of it.
        kept_as_floats: whether an image has sixteen bits of grey, so that all are kept as floats.
        sixteen_bits: whether an image has sixteen bits at all.
        turned: the images that are to be turned to be looked at.
    """

    digest: str
    kept_as_floats: bool
    sixteen_bits: bool
    turned: tuple[str, ...]


def describe(folder: Path, size: tuple[int, int], color: str) -> Facts:
    """What the folder holds; its content is told by a digest of its files' bytes and names. Decodes nothing.

    Args:
        folder: of a folder for each class, or of `train/` and, if wanted, `val/` and `test/` with such folders.
        size: what images are resized to, (height, width).
        color: `rgb` or `grayscale`.

    Raises:
        UnusableError: a folder or file is missing, empty, unreadable, or could be meant in two ways.
    """
    parts = layout.find_layout(folder).parts
    survey = _survey(tuple(parts.items()), size, color)
    counts = {part: len(listing.files) for part, listing in parts.items()}
    return Facts(
        (*size, len(pixels.MODES[color])), len(parts["train"].classes), counts["train"], counts.get("test", 0),
        f"images-{survey.digest}", kept_bytes=4 if survey.kept_as_floats else 1,
        validation=counts.get("validation", 0),
    )  # fmt: skip


def load(folder: Path, size: tuple[int, int], color: str) -> Images:
    """The images, resized (bilinearly): rounded to bytes, or floats from 0 to 1 where some are of 16 bits of grey.

    Raises:
        UnusableError: as `describe`, or an image is broken.
    """
    parts, oddities = layout.find_layout(folder)
    key = tuple(parts.items()), size, color
    survey = _survey(*key)

    def read() -> Images:
        kept = {part: _decode(listing, size, color, survey.kept_as_floats) for part, listing in parts.items()}
        found = [*oddities, *_find_oddities(folder, survey, list(kept.values()))]
        return Images(
            kept["train"], kept.get("test"), len(parts["train"].classes),
            validation=kept.get("validation"), divisor=65535 if survey.kept_as_floats else 255,
            oddities=tuple(map(spell, found)),
        )  # fmt: skip

    return recall_images(key, read)


@lru_cache(maxsize=4)
def _survey(parts: Parts, size: tuple[int, int], color: str) -> Survey:
    """Reads every file; once a process."""
    digest = hashlib.sha256(f"{size[0]}x{size[1]} {color}".encode())
    every: list[Traits] = []
    turned: list[str] = []
    for part, (folder, _, files) in parts:
        for (path, *_), (content, traits) in zip(
            files, _read_each([file[0] for file in files], _inspect), strict=True
        ):
            name = Path(path).relative_to(folder).as_posix()
            otherwise = " since 0.3.0" if traits.misread else ""  # numbers of other pixels are never mixed
            digest.update(f"\n{NUMBERS[part]} {name} {content}{otherwise}".encode(errors="surrogateescape"))
            every.append(traits)
            turned += [path] if traits.turned else []
    floats, sixteen = (any(getattr(traits, name) for traits in every) for name in ("kept_as_floats", "sixteen_bits"))
    return Survey(digest.hexdigest()[:16], floats, sixteen, tuple(turned))


def _inspect(_: int, content: bytes) -> tuple[str, Traits]:
    return hashlib.sha256(content).hexdigest(), pixels.inspect(content)


def _decode(listing: Listing, size: tuple[int, int], color: str, as_floats: bool) -> Kept:
    """One part's images (n, height, width, channels) and labels (n,)."""
    paths = [file[0] for file in listing.files]
    shape = (len(paths), *size, len(pixels.MODES[color]))
    images = np.empty(shape, np.float32 if as_floats else np.uint8)

    def place(index: int, content: bytes) -> None:
        image = pixels.read(content, size, color)
        images[index] = scale(image) if as_floats else image

    _read_each(paths, place)
    classes = {name: label for label, name in enumerate(listing.classes)}
    labels = [classes[Path(path).relative_to(listing.folder).parts[0]] for path in paths]
    return images, np.array(labels, np.int32)


def _read_each(paths: list[str], use: Callable[[int, bytes], Result]) -> list[Result]:
    """What is made of every file's number and bytes, in order.

    Raises:
        UnusableError: of the first file that is broken, with the number of the others.
    """

    def attempt(index: int, path: str) -> Result | UnusableError:
        try:
            return use(index, Path(path).read_bytes())
        except UnusableError as error:
            return UnusableError(error.expected, error.got, Path(path))
        except OSError as error:
            return UnusableError("a readable image", error.strerror or str(error), Path(path))

    with pixels.silence(), ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as threads:
        results = list(threads.map(attempt, range(len(paths)), paths))
    broken = [result for result in results if isinstance(result, UnusableError)]
    if broken:
        first, others = broken[0], [str(error.path) for error in broken[1:]]
        more = f"; {len(others):,} more cannot be used either: {layout.join(others)}" if others else ""
        raise UnusableError(first.expected, f"{first.got}. Replace or remove it{more}", first.path)
    return [result for result in results if not isinstance(result, UnusableError)]


def _find_oddities(folder: Path, survey: Survey, parts: list[Kept]) -> Iterator[str]:
    """What may be meant otherwise in images that are read, a sentence each."""
    if survey.turned:
        got = f"{len(survey.turned):,} that their EXIF orientation turns: first {survey.turned[0]}"
        yield f"{folder}: expected upright images, got {got}. They are read as they are stored, as Keras does"
    largest = max(images.max() for images, _ in parts)
    highest = round(largest * 65535) if survey.kept_as_floats else int(largest) * 256 + 255
    if survey.sixteen_bits and 0 < highest < DIM * 65535:
        bits = highest.bit_length()
        yield (
            f"{folder}: expected 16-bit images with values up to 65,535, got none above {highest:,}. They look like "
            f"{bits}-bit data and are nearly black: multiply them by {2 ** (16 - bits)}, or standardise them"
        )
