"""The tables of a study → every figure of it, named."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from regsearch.analysis import Tables, name_setting, split_settings
from regsearch.report.figures import (
    best_against_weights,
    exponents,
    penalty_share,
    regret_map,
    response_curves,
    stability_map,
)
from regsearch.report.figures.canvas import save, use_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Kind:
    """A kind of figure.

    Attributes:
        name: what its files' names begin with.
        title: above such figures, on the page.
        draw: draws points under a title.
        find_points: what it shows, with its finding as `title`, or None: of the tables of one setting, the loss of
            guessing (None where there is none) and what the loss is.
    """

    name: str
    title: str
    draw: "Callable[[Any, str], Figure]"
    find_points: Callable[..., Any]


KINDS = [
    Kind("best_lambda", "the best lambda against the weight count", best_against_weights.draw,
         lambda tables, *_: best_against_weights.find_points(tables.best_lambda, tables.scaling)),
    Kind("response", "loss against lambda", response_curves.draw,
         lambda tables, _, loss: response_curves.find_points(tables.response, tables.best_lambda, loss)),
    Kind("transfer", "what another network's lambda costs", regret_map.draw,
         lambda tables, *_: regret_map.find_points(tables.transfer)),
    Kind("stability", "which lambdas train", stability_map.draw,
         lambda tables, chance, _: stability_map.find_points(tables.response, tables.stability, chance)),
    Kind("penalty_share", "the penalty's share of the loss", penalty_share.draw,
         lambda tables, *_: penalty_share.find_points(tables.mechanism)),
]  # fmt: skip
EXPONENTS = Kind("exponents", "the exponents of several studies", exponents.draw, exponents.find_points)


@dataclass(frozen=True)
class Picture:
    """One figure of a study.

    Attributes:
        kind: the name of its kind.
        file: its name without the ending.
        title: the finding, as drawn above it.
        files: the bytes by ending, `svg` and `png`.
    """

    kind: str
    file: str
    title: str
    files: dict[str, bytes]


def gallery(tables: Tables, chance: float | None, loss: str) -> Iterator[Picture]:
    """A set of figures for each penalty, learning rate and training-set size, by kind.

    Args:
        tables: of the study.
        chance: the loss of guessing; None where it is not known or there are no classes.
        loss: what the loss is, for its axes.
    """
    for setting, _ in split_settings(tables.response):
        rows, name = tables.select(setting), name_setting(setting, tables.response)
        for kind in KINDS:
            yield from draw_picture(kind, kind.find_points(rows, chance, loss), name)


def draw_picture(kind: Kind, points: Any, name: str = "") -> list[Picture]:
    """The figure of some points as files; none without points.

    Args:
        kind: of the figure.
        points: what it shows, or None.
        name: what tells it from others of its kind, before its title and in its files' names.
    """
    if points is None:
        return []
    title = f"{name}: {points.title}" if name else points.title
    with use_style():
        files = save(kind.draw(points, title))
    # `l2, learning rate 0.05, 500 training images` as `l2-learning-rate-0.05-500-training-images`
    slug = re.sub(r"[^A-Za-z0-9._]+", "-", f"-{name}" if name else "")
    return [Picture(kind.name, kind.name + slug, title, files)]
