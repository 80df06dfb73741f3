"""What a dataset is: its shape, its images as they are kept, and one seed's part of them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Arrays = tuple[NDArray[np.float32], NDArray[np.int32] | NDArray[np.float32]]
"""Images ready to train on, and their labels or targets."""
Kept = tuple[NDArray[np.uint8] | NDArray[np.float32], NDArray[np.int32] | NDArray[np.float32]]
"""Images as they are kept, and their labels or targets."""

Loss = Literal["cross_entropy", "squared_error"]
"""The data loss: of labels, or of targets that are numbers."""


@dataclass(frozen=True)
class Facts:
    """What a dataset holds; for named ones known without reading any file.

    Attributes:
        image: (height, width, channels).
        outputs: the number of classes, or of targets where they are numbers.
        pool: images that training data are drawn from; validation and test data too, where the dataset has no
            such sets of its own.
        test: images of the dataset's own test set; 0 where it has none.
        content: tells this data from other data under the same name; part of what identifies a trial.
        loss: the data loss that goes with its targets.
        widening: what follows the width of the network: the image's channels, the targets, or nothing.
        kept_bytes: of each number of an image, as it is kept: 1 where images are bytes.
        validation: images of the dataset's own validation set; 0 where it has none.
    """

    image: tuple[int, int, int]
    outputs: int
    pool: int
    test: int
    content: str
    loss: Loss = "cross_entropy"
    widening: Literal["channels", "targets"] | None = None
    kept_bytes: int = 4
    validation: int = 0

    def for_width(self, width: int | None) -> "Facts":
        """What a network of this width sees."""
        if self.widening is None or width is None:
            return self
        if self.widening == "targets":
            return replace(self, outputs=width)
        return replace(self, image=(*self.image[:2], width))


@dataclass(frozen=True)
class Images:
    """A whole dataset, as small as it came: `split` scales what is trained on, and no more.

    Attributes:
        pool: images (n, height, width, channels), bytes from 0 to 255 or floats as they are meant; with labels
            (n,) from 0, or targets (n, q).
        test: the dataset's own test set in the same form; None where it has none.
        outputs: the number of classes, or of targets where they are numbers.
        loss: the data loss that goes with its targets.
        validation: the dataset's own validation set; None where it has none.
        divisor: what its numbers were or, while they are bytes, will be divided by; 1 where they stay as they came.
        changes: what version 0.2.0 made otherwise of the same files: `scaled`, `classes`, `validation`, `test`.
        oddities: what was passed by, or may be meant otherwise, a sentence each.
    """

    pool: Kept
    test: Kept | None
    outputs: int
    loss: Loss = "cross_entropy"
    validation: Kept | None = None
    divisor: int = 1
    changes: tuple[str, ...] = ()
    oddities: tuple[str, ...] = ()


@dataclass(frozen=True)
class Split:
    """One seed's data. Images are (n, height, width, channels), labels (n,), targets that are numbers (n, q)."""

    train: Arrays
    validation: Arrays
    test: Arrays
    outputs: int
    loss: Loss = "cross_entropy"

    @property
    def guessing_loss(self) -> float:
        """The validation loss of the best constant answer.

        That is the entropy of the labels' shares in nats or, of targets that are numbers, their variance.
        """
        answers = self.validation[1]
        if self.loss == "squared_error":
            return float(answers.var(axis=0, dtype=np.float64).mean())
        shares = np.unique(answers, return_counts=True)[1] / len(answers)
        return float(-(shares * np.log(shares)).sum())


@dataclass(eq=False)
class UnusableError(Exception):
    """A dataset cannot be had or trained on; `describe` and `load` make of it an error of the spec's line.

    Attributes:
        expected: what should be there.
        got: what is there instead.
        path: the file or folder that is meant; None for the one that the spec names.
    """

    expected: str
    got: str
    path: Path | None = None


def spell(text: str) -> str:
    """A message that can be printed on one line, whatever the names of files in it are."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )


def pack(images: NDArray[Any], divisor: int = 255) -> NDArray[np.uint8] | NDArray[np.float32]:
    """Images in the form they are kept: with a channel axis, as bytes, or as floats in single precision.

    Args:
        images: (n, height, width) or (n, height, width, channels).
        divisor: 255 for whole numbers up to it, which are kept as bytes and which `scale` divides; others are divided
            here, once.
    """
    images = images.reshape(*images.shape[:3], -1)
    if divisor == 255:
        return images.astype(np.uint8, copy=False)
    if divisor == 1:
        return images.astype(np.float32, copy=False)
    floats: NDArray[np.float32] = np.divide(images, np.float32(divisor), dtype=np.float32, casting="same_kind")
    return floats


def scale(images: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
    """Kept images in the form that is trained on: bytes from 0..255 to 0..1, floats as they are."""
    if images.dtype == np.uint8:
        return np.divide(images, np.float32(255), dtype=np.float32)
    return images.astype(np.float32, copy=False)
