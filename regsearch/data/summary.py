"""What a dataset looks like: in numbers, in a sentence, and what of it looks odd. Reads no files."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regsearch.data.arrays import cut
from regsearch.data.kinds import Facts, Images, spell
from regsearch.spec import Dataset

SAMPLED = 2000
"""Images that means and deviations are taken of."""
FAR = 3.0
"""Mean or deviation above which numbers are neither from 0 to 1 nor standardised."""
FLAT = 0.01
"""Deviation below which images, or targets, hardly differ."""
USED = 1 / 4
"""Of their range; scaled images that use less are nearly black, or grey."""
UNEVEN = 0.8
"""Share of the commonest class above which guessing it looks like learning."""
COPIES = 0.01
"""Share of images that are there twice, up to which copies do no harm."""
PARTS = ("validation", "test")
LOSSES = {"cross_entropy": "cross-entropy", "squared_error": "squared error"}
LARGE = 10.0
"""Mean or deviation of targets above which training may explode."""


@dataclass(frozen=True)
class Numbers:
    """Lowest, highest, mean and deviation of an array's numbers."""

    lowest: float
    highest: float
    mean: float
    deviation: float

    @classmethod
    def of(cls, values: NDArray[Any], scale: float = 1.0) -> "Numbers":
        """Of an array times a factor; mean and deviation of a sample."""
        sample = values[:: max(1, len(values) // SAMPLED)]
        mean = sum(part.sum(dtype=np.float64) for part in cut(sample)) / sample.size
        variance = sum(np.square(part - mean).sum(dtype=np.float64) for part in cut(sample)) / sample.size
        numbers = values.min(), values.max(), mean, np.sqrt(variance)
        return cls(*(scale * float(number) for number in numbers))


@dataclass(frozen=True)
class Summary:
    """What is seen of a dataset.

    Attributes:
        facts: for scripts; None where only its files would say it.
        words: the same in a sentence.
        warnings: what looks odd, a sentence each.
    """

    facts: dict[str, Any]
    words: str
    warnings: list[str] = field(default_factory=list)


def summarise(dataset: Dataset, facts: Facts, images: Images | None) -> Summary:
    """What is seen of a dataset.

    Args:
        dataset: what the spec asks of it.
        facts: of the dataset.
        images: None where they are drawn, or not on this machine.
    """
    known: dict[str, Any] = {
        "images": None if facts.widening else facts.pool,
        "validation_images": facts.validation,
        "test_images": 0 if facts.widening else facts.test,
        "image": [None if facts.widening == "channels" and axis == 2 else n for axis, n in enumerate(facts.image)],
        "outputs": None if facts.widening == "targets" else facts.outputs,
        "loss": facts.loss,
        **dict.fromkeys(("lowest", "highest", "divisor", "mean", "deviation", "commonest_share")),
        **dict.fromkeys(f"target_{name}" for name in ("lowest", "highest", "mean", "deviation")),
    }
    if images is None:
        return Summary(known, _word(dataset, known))
    raw = 1 if images.pool[0].dtype == np.uint8 else images.divisor
    trained = Numbers.of(images.pool[0], raw / images.divisor)
    known |= {
        "lowest": trained.lowest * images.divisor,
        "highest": trained.highest * images.divisor,
        "divisor": images.divisor,
        "mean": trained.mean,
        "deviation": trained.deviation,
    }
    if facts.loss == "cross_entropy":
        known["commonest_share"] = float(np.bincount(images.pool[1]).max() / facts.pool)
    else:
        targets = Numbers.of(images.pool[1])
        known |= {f"target_{name}": value for name, value in vars(targets).items()}
    place = getattr(dataset, "path", None) or dataset.name
    own = [f"{place}: {oddity}" for oddity in _find_oddities(dataset, known, images)]
    return Summary(known, _word(dataset, known), list(map(spell, [*images.oddities, *own])))


def _word(dataset: Dataset, known: dict[str, Any]) -> str:
    """The facts in a sentence."""
    image = "×".join("width" if n is None else str(n) for n in known["image"])
    first = f"images of {image}, drawn for each network"
    if known["images"] is not None:
        counts = [f"{known['images']:,} images"]
        counts += [f"{known[f'{part}_images']:,} {part} images" for part in PARTS if known[f"{part}_images"]]
        first = " and ".join(filter(None, [", ".join(counts[:-1]), counts[-1]])) + f" of {image}"
    if known["lowest"] is not None:
        low, high = (_write(known[name], known["divisor"] > 1) for name in ("lowest", "highest"))
        first += f", {low} to {high}" + (" scaled to 0 to 1" if known["divisor"] > 1 else " as they are")
        first += ", then standardised" if dataset.standardise else ""
    if known["loss"] == "cross_entropy":
        share = known["commonest_share"]
        second = f"{known['outputs']:,} classes" + (f", the commonest {100 * share:.3g} %" if share else "")
    else:
        outputs = known["outputs"]
        second = (
            "1 target"
            if outputs == 1
            else "as many targets as the width"
            if outputs is None
            else f"{outputs} targets"
        )
        if known["target_lowest"] is not None:
            low, high, deviation = (_write(known[f"target_{name}"]) for name in ("lowest", "highest", "deviation"))
            second += f" from {low} to {high} with a deviation of {deviation}"
    absent = ["not downloaded yet"] if known["images"] and known["lowest"] is None else []
    return "; ".join([first, second, LOSSES[known["loss"]], *absent])


def _write(value: float, whole: bool = False) -> str:
    return f"{value:,.0f}" if whole or value.is_integer() or 1000 <= abs(value) < 1e9 else f"{value:.3g}"


def _find_oddities(dataset: Dataset, known: dict[str, Any], images: Images) -> Iterator[str]:
    """What looks odd, a sentence each."""
    x, y = images.pool
    if known["lowest"] == known["highest"]:
        yield f"expected images that differ, got {_write(known['lowest'])} throughout"
        return
    if not dataset.standardise:
        yield from _find_odd_range(known, images)
    for name, part in (("validation", images.validation), ("test", images.test)):
        if part is not None:
            yield from _find_odd_part(name, part[0], x)
    if images.validation is None or images.test is None:
        copies = len(x) - len(_hash_images(x))
        if copies > COPIES * len(x):
            yield (
                f"expected each image once, got {copies:,} of {len(x):,} that are copies of others. Networks are "
                "tested on what they were trained on: remove them, or give test and validation images of their own"
            )
    if known["loss"] == "cross_entropy":
        yield from _find_odd_classes(dataset, known, y if images.validation is None else images.validation[1])
    else:
        mean, deviation = known["target_mean"], known["target_deviation"]
        if max(abs(mean), deviation) > LARGE or deviation < FLAT:
            yield (
                f"expected targets near 0 with a deviation near 1, got a mean of {_write(mean)} and a deviation of "
                f"{_write(deviation)}. Training may explode or stand still: take the mean out and divide by the "
                "deviation"
            )


def _find_odd_range(known: dict[str, Any], images: Images) -> Iterator[str]:
    low, high, divisor = known["lowest"], known["highest"], known["divisor"]
    numbers, mean, deviation = f"numbers from {_write(low)} to {_write(high)}", known["mean"], known["deviation"]
    if divisor == 1 and (max(abs(mean), deviation) > FAR or deviation < FLAT):
        yield (
            f"expected images from 0 to 1, or standardised, got {numbers}, mean {_write(mean)}, deviation "
            f"{_write(deviation)}. Divide them by their range, or write dataset.standardise: true"
        )
    dark = any("nearly black" in oddity for oddity in images.oddities)
    if divisor > 1 and high - low < USED * divisor and not dark:
        yield (
            f"expected images that use their range of 0 to {divisor:,}, got {numbers} alone, nearly black or grey. "
            "Save floats from 0 to 1, or write dataset.standardise: true"
        )


def _find_odd_part(name: str, part: NDArray[Any], pool: NDArray[Any]) -> Iterator[str]:
    here, there = Numbers.of(part), Numbers.of(pool)
    spread = max(here.deviation, there.deviation)
    if spread > FAR * min(here.deviation, there.deviation) or abs(here.mean - there.mean) > spread:
        times = [f"mean {_write(numbers.mean)}, deviation {_write(numbers.deviation)}" for numbers in (here, there)]
        yield f"expected {name} images like those to train on, got {times[0]} against {times[1]}. Scale both alike"
    both = len(_hash_images(part) & _hash_images(pool))
    if both > COPIES * len(part):
        yield (
            f"expected {name} images that are not trained on, got {both:,} of {len(part):,} that are among the "
            "others too. Remove them from one of the two"
        )


def _find_odd_classes(dataset: Dataset, known: dict[str, Any], validation: NDArray[Any]) -> Iterator[str]:
    share = known["commonest_share"]
    if share > UNEVEN:
        yield (
            f"expected classes of similar size, got one with {100 * share:.3g} % of the images. To guess it always "
            "looks like learning: compare accuracies with that share"
        )
    counts = np.bincount(validation, minlength=known["outputs"])
    rarest, many = int(counts.argmin()), dataset.validation * counts.min() / len(validation)
    if many < 1:
        yield (
            f"expected validation images of every class, got {many:.2g} of class {rarest} among {dataset.validation} "
            "on average. Use more validation images"
        )


def _hash_images(images: NDArray[Any]) -> set[int]:
    return {hash(image.tobytes()) for image in images}
