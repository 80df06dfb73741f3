"""Arrays of images as people save them: whether they can be trained on, and how their whole numbers are scaled."""

from collections.abc import Iterator
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regsearch.data.kinds import UnusableError

AT_ONCE = 2**22
"""Numbers looked at at a time, so that no second copy is made of large arrays."""
LEAST_PIXEL, MOST_PIXEL = 128, 65_535
"""What the largest of whole numbers is where these are pixels of 8 to 16 bits."""
CHANNELS = (1, 3, 4)
"""Channels that images have where these stand before height and width."""


def check_images(images: NDArray[Any], name: str, answers: int) -> None:
    """Holds an array to what images are: (n, height, width) or (n, height, width, channels), of finite numbers.

    Args:
        images: any array.
        name: of the array.
        answers: how many labels or targets go with it.

    Raises:
        UnusableError: it is anything else, or stands in an order that other programs use.
    """
    shape = images.shape
    if images.dtype.kind not in "buif" or images.ndim not in (3, 4) or 0 in shape:
        got = f"{images.dtype} {shape}{_advise_on_shape(shape, name)}"
        raise UnusableError(f"{name} of numbers shaped (n, height, width[, channels])", got)
    if shape[0] != answers == max(shape):
        turn = f"{name} = np.moveaxis({name}, {shape.index(answers) - len(shape)}, 0)"
        expected = f"{name} with its {answers} images along the first axis"
        raise UnusableError(expected, f"{shape}. Turn it round: {turn}")
    if find_channels_first(shape) == "surely":
        got = f"{shape}, which has them second. Turn it round: {name}.transpose(0, 2, 3, 1). If images are in truth "
        got += (
            f"{shape[1]}×{shape[2]} with {shape[3]} channels, exchange height and width: {name}.transpose(0, 2, 1, 3)"
        )
        raise UnusableError(f"{name} with its channels last", got)
    if images.dtype.kind == "f":
        check_finite(images, name)


def find_channels_first(shape: tuple[int, ...]) -> str:
    """Whether a shape (n, a, b, c) is `surely`, `perhaps` or not ("") that of images with their channels second."""
    if len(shape) != 4 or shape[1] not in CHANNELS or shape[3] <= max(CHANNELS):
        return ""
    _, channels, height, width = shape
    if min(height, width) >= 32 or height == width > channels:
        return "surely"
    return "perhaps" if min(height, width) >= 8 else ""


def find_oddity(shape: tuple[int, ...], name: str) -> str:
    """A sentence where a shape may be meant otherwise; nothing where it may not."""
    if find_channels_first(shape) != "perhaps":
        return ""
    taken = f"{shape[1]}×{shape[2]} with {shape[3]} channels"
    return (
        f"{name}: expected channels last, got {shape}, read as images of {taken}. If the second axis has the "
        f"channels, save {name}.transpose(0, 2, 3, 1)"
    )


def check_finite(values: NDArray[Any], name: str) -> None:
    """All are finite, and not too large for single precision; NaN compares as neither. Makes no copy.

    Raises:
        UnusableError: some are not; the first is named.
    """
    limit = np.finfo(np.float32).max
    if -limit < values.min() and values.max() < limit:
        return
    rows = (row for row in range(len(values)) if not (np.abs(values[row]) < limit).all())
    expected = f"{name} of finite numbers that single precision holds"
    raise UnusableError(expected, f"NaN, infinity or larger ones among them: first in {name}[{next(rows)}]")


def find_divisor(images: NDArray[Any]) -> int:
    """What images are divided by, so that they go from 0 to 1; 1 where they stay as they are.

    Bytes are divided by 255. Other types are read by what they hold: whole numbers, of which none is negative and the
    largest from 128 to 65,535, are pixels, and are divided by what their bits hold: 255, …, 4095 of 12 bits, 65,535.
    """
    if images.dtype == np.uint8:
        return 255
    largest = float(images.max())
    if images.min() < 0 or not LEAST_PIXEL <= largest <= MOST_PIXEL or not are_whole(images):
        return 1
    return int(2 ** int(largest).bit_length() - 1)


def check_scale(images: NDArray[Any], name: str, pool: str, divisor: int) -> None:
    """Another part of a dataset is scaled as the pool is.

    Args:
        images: of the part, of the pool's type.
        name: of the array.
        pool: the name of the pool's.
        divisor: of the pool.

    Raises:
        UnusableError: its numbers are of another range.
    """
    if images.dtype == np.uint8:
        return
    low, high, own = float(images.min()), float(images.max()), find_divisor(images)
    if divisor == own or (divisor > 1 and low >= 0 and 1 < high <= divisor and are_whole(images)):
        return
    words = f"whole numbers from 0 to {divisor:,}" if divisor > 1 else "no pixels of 8 or 16 bits"
    got = f"numbers from {low:g} to {high:g}. Scale both in the same way"
    raise UnusableError(f"{name} of the same range as {pool}, which has {words}", got)


def are_whole(values: NDArray[Any]) -> bool:
    """Whether all numbers are whole."""
    return values.dtype.kind in "bui" or all((np.rint(part) == part).all() for part in cut(values))


def cut(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """An array, some rows at a time."""
    step = max(1, AT_ONCE * len(values) // max(1, values.size))
    return (values[first : first + step] for first in range(0, len(values), step))


def _advise_on_shape(shape: tuple[int, ...], name: str) -> str:
    """What to do about a shape that is none of images."""
    if len(shape) == 2:
        for channels in (1, 3):
            side = isqrt(shape[1] // channels)
            if side > 1 and side * side * channels == shape[1]:
                last = f"{name}.reshape(-1, {side}, {side})" if channels == 1 else ""
                first = (
                    f"{name}.reshape(-1, 3, {side}, {side}).transpose(0, 2, 3, 1) where a whole channel comes first"
                )
                last = last or f"{name}.reshape(-1, {side}, {side}, 3), or {first}"
                return f". Give each row the shape of an image: {last}"
        return f". Give each row the shape of an image: {name}.reshape(-1, height, width)"
    if len(shape) > 4:
        return ". Videos and volumes are not trained on: save single images"
    return ""
