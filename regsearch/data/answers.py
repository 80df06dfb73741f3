"""What goes with images: labels, one-hot rows of them, or targets that are numbers."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from regsearch.data.arrays import are_whole, check_finite
from regsearch.data.kinds import UnusableError

Kind = Literal["labels", "one_hot", "targets"]
MOST_OUTPUTS = 100_000
MOST_CLASSES = 1000
"""Whole numbers without a gap that may be classes."""
NUMBER_THEM = "Number the classes from 0, as np.unique(labels, return_inverse=True)[1] does"


def find_kind(answers: NDArray[Any]) -> Kind:
    """What an array of answers holds: one-hot rows whatever their type, else floats are targets."""
    if answers.dtype.kind in "buif" and answers.ndim == 2 and answers.shape[1] > 1 and len(answers) > 1:
        ones = answers == 1
        if (ones.sum(axis=1) == 1).all() and (ones | (answers == 0)).all():
            return "one_hot"
    return "targets" if answers.dtype.kind == "f" else "labels"


def pack(answers: NDArray[Any], kind: Kind, name: str, count: int) -> NDArray[np.int32] | NDArray[np.float32]:
    """Labels (n,) from 0, or targets (n, q).

    Args:
        answers: any array.
        kind: see `find_kind`.
        name: of the array.
        count: of the images that it goes with.

    Raises:
        UnusableError: it does not go with them, or cannot be trained on.
    """
    if kind == "targets":
        return _pack_targets(answers, name, count)
    if kind == "one_hot" and len(answers) == count:
        classes: NDArray[np.int32] = answers.argmax(axis=1).astype(np.int32)
        return classes
    return _pack_labels(answers, name, count)


def _pack_labels(labels: NDArray[Any], name: str, count: int) -> NDArray[np.int32]:
    flat = labels.reshape(-1)
    if flat.shape != (count,) or labels.dtype.kind not in "bui":
        expected = f"{name} with a whole number for each of the {count} images (a label), or floats (targets)"
        advice = f". {NUMBER_THEM}" if labels.dtype.kind in "SU" else ""
        if labels.ndim == 2 and len(labels) == count and labels.shape[1] > 1:
            advice = ". An image has one class: several 1s, or none, are not trained on"
        raise UnusableError(expected, f"{labels.dtype} {labels.shape}{advice}")
    if flat.min() < 0 or flat.max() >= MOST_OUTPUTS:
        got = f"values from {flat.min()} to {flat.max()}. {NUMBER_THEM}"
        raise UnusableError(f"{name} with classes from 0 to {MOST_OUTPUTS - 1}", got)
    return flat.astype(np.int32)


def _pack_targets(targets: NDArray[Any], name: str, count: int) -> NDArray[np.float32]:
    shape = targets.shape
    if len(shape) not in (1, 2) or shape[0] != count or 0 in shape:
        raise UnusableError(f"{name} of floats shaped ({count},) or ({count}, targets)", f"{targets.dtype} {shape}")
    if targets.size // count > MOST_OUTPUTS:
        raise UnusableError(f"{name} with at most {MOST_OUTPUTS:,} targets an image", f"{targets.size // count:,}")
    check_finite(targets, name)
    if targets.min() == targets.max():
        raise UnusableError(f"{name} with targets that differ", f"{targets.min():g} throughout")
    return targets.reshape(count, -1).astype(np.float32)


def check_classes(pool: NDArray[Any], others: list[NDArray[Any]], name: str, classes: int | None) -> int:
    """The number of classes; each has an image among those that training is drawn from.

    Args:
        pool: labels (n,) of these.
        others: labels of other parts.
        name: of the array of the pool.
        classes: the columns of one-hot rows.

    Raises:
        UnusableError: a class has none, or there is only one class.
    """
    classes = classes or 1 + max(int(labels.max()) for labels in (pool, *others))
    if classes < 2:
        raise UnusableError("labels of at least two classes, counted from 0", "one class")
    if missing := sorted(set(range(classes)) - set(pool.tolist())):
        named = ", ".join(map(str, missing[:10])) + (", …" if len(missing) > 10 else "")
        advice = f"Labels count from 0: save {name} - 1" if missing == [0] else NUMBER_THEM
        raise UnusableError(
            f"{name} with images of every class from 0 to {classes - 1}", f"none of class {named}. {advice}"
        )
    return classes


def find_oddity(targets: NDArray[Any], name: str) -> str:
    """A sentence where targets (n, q) look like classes; nothing where they do not."""
    values, whole = np.unique(targets), are_whole(targets)
    got = ""
    if targets.shape[1] > 1:
        save = f"only the class of each image: {name}.argmax(axis=1)"
        if whole and set(values) == {0, 1}:
            got = "only 0 and 1, as several classes an image have"
        elif values[0] >= 0 and np.allclose(targets.sum(axis=1), 1, atol=1e-3):
            got = "rows that add up to 1, as shares of classes do"
    else:
        save = f"np.unique({name}, return_inverse=True)[1]"
        numbered = values[0] in (0, 1) and values[-1] - values[0] == len(values) - 1 < MOST_CLASSES
        if whole and (numbered or len(values) == 2):
            got = f"whole numbers from {values[0]:g} to {values[-1]:g} alone"
    if not got:
        return ""
    trained = "They are trained as numbers, by the squared error"
    return f"{name}: expected targets, as it has floats, got {got}. {trained}: if they are classes, save {save}"
