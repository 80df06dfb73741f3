"""One image: a file's bytes → its pixels as Pillow shows them, resized."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from regsearch.data.kinds import UnusableError

ENDINGS = (
    ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff",
    ".webp",
)  # fmt: skip
"""The endings of images that are read; what an image is in truth its bytes say."""
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
MODES = {"rgb": "RGB", "grayscale": "L"}
"""What Pillow converts images of 8 bits to."""
SHOWN = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr")
"""The modes of 8 bits that Pillow converts; 16 bits of grey come as `I;16…` or, in a few formats, as `I`."""
ORIENTATION = 0x0112
"""The EXIF tag that says how an image is to be turned; 1 is not at all."""


class Traits(NamedTuple):
    """What the beginning of an image says of it.

    Attributes:
        sixteen_bits: whether its numbers go to 65,535.
        kept_as_floats: whether all sixteen bits are read; of colours Pillow reads the upper eight.
        turned: whether it lies on its side unless its EXIF orientation is applied.
        misread: whether version 0.2.0 made other pixels of it.
    """

    sixteen_bits: bool
    kept_as_floats: bool
    turned: bool
    misread: bool


def inspect(content: bytes) -> Traits:
    """What the beginning of an image says of it.

    Raises:
        UnusableError: it is none, or none that is read.
    """
    with _opened(content) as image:
        floats = _is_wide(image)
        misread = floats or (image.format, image.mode) == ("BMP", "P")
        if image.format == "GIF":
            misread = "transparency" in image.info or image.tile[0][1] != (0, 0, *image.size)
        # Pillow itself turns a TIFF.
        turned = "exif" in image.info and image.format != "TIFF" and image.getexif().get(ORIENTATION, 1) != 1
        sixteen = floats or (image.format in ("PNG", "TIFF") and ";16" in str(image.tile))
        if image.format == "PNG":  # of which Pillow may show damaged pixels, but for its checksums
            image.verify()
    return Traits(sixteen, floats, turned, misread)


def read(content: bytes, size: tuple[int, int], color: str) -> NDArray[np.uint8] | NDArray[np.float32]:
    """The pixels of an image's first frame, as `convert` of Pillow gives them: without transparency.

    Args:
        content: of the file.
        size: what it is resized to, (height, width).
        color: `rgb` or `grayscale`.

    Returns:
        (height, width, channels): bytes; of sixteen bits of grey, floats from 0 to 1.

    Raises:
        UnusableError: it is broken, or none that is read.
    """
    with _opened(content) as image:
        if _is_wide(image):
            pixels = np.repeat(np.asarray(image)[..., None], len(MODES[color]), axis=2)
            floats: NDArray[np.float32] = np.divide(resize(pixels, size), np.float32(65535), dtype=np.float32)
            return floats
        pixels = np.asarray(image.convert(MODES[color]))
    resized = resize(pixels.reshape(*pixels.shape[:2], -1), size)
    return resized if resized.dtype == np.uint8 else np.rint(resized).astype(np.uint8)


def resize(pixels: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """An image (height, width, channels) resized as `tf.image.resize` does: bilinearly, between pixels' centres.

    It does not average where an image becomes smaller. One that has the size already is left as it is.
    """
    if pixels.shape[:2] == size:
        return pixels
    (upper, lower, down), (left, right, across) = map(_place, pixels.shape[:2], size)

    def blend(rows: NDArray[Any]) -> NDArray[np.float32]:
        start, end = (rows[:, columns].astype(np.float32) for columns in (left, right))
        return start + (end - start) * across[:, None]

    top, bottom = blend(pixels[upper]), blend(pixels[lower])
    return top + (bottom - top) * down[:, None, None]


def _place(old: int, new: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Of each new pixel of an axis: the old ones around its centre, and how far it lies from first to second."""
    centres = (np.arange(new, dtype=np.float32) + np.float32(0.5)) * np.float32(old / new) - np.float32(0.5)
    before = np.floor(centres)
    first, second = (np.clip(place, 0, old - 1).astype(np.intp) for place in (before, before + 1))
    return first, second, centres - before


def _is_wide(image: Image.Image) -> bool:
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM"))


@contextmanager
def _opened(content: bytes) -> Iterator[ImageFile]:
    """An image whose kind is one that is read; what Pillow raises of it, here or inside, in plain words."""
    expected = "an image that can be read"
    try:
        if not content:
            raise UnusableError(expected, "an empty file (0 bytes)")
        image = Image.open(io.BytesIO(content), formats=FORMATS)
        if not _is_wide(image) and image.mode not in SHOWN:
            raise UnusableError("an image of grey or colours in 8 bits, or of grey in 16", _describe(image))
        if image.format == "TIFF" and (pages := getattr(image, "n_frames", 1)) > 1:
            raise UnusableError("an image of one page", f"{pages} pages")
        yield image
    except (UnusableError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise UnusableError(expected, f"a file that is none of {', '.join(FORMATS)}, or a damaged one") from None
    except Image.DecompressionBombError:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise UnusableError(f"an image of at most {limit:,} pixels", "a larger one") from None
    except Exception:  # a damaged file raises nearly anything
        raise UnusableError(expected, "a damaged or incomplete one") from None


def _describe(image: Image.Image) -> str:
    return {"I": "whole numbers of 32 bits", "F": "floats"}.get(image.mode, f"the colours {image.mode}")


@contextmanager
def silence() -> Iterator[None]:
    """Inside, Pillow does not warn, in words meant for programmers, of images that it can read all the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
