"""The tables of a study → every figure of it, named. What draws loads Matplotlib, so only once there is a figure."""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from regsearch.analysis import Tables, name_setting, split_settings


class Kind(NamedTuple):
    """A kind of figure: what its files' names begin with, and what stands above such figures on the page."""

    name: str
    title: str


KINDS = [
    Kind("best_lambda", "the best lambda against the weight count"),
    Kind("response", "loss against lambda"),
    Kind("transfer", "what another network's lambda costs"),
    Kind("stability", "which lambdas train"),
    Kind("penalty_share", "the penalty's share of the loss"),
]


class Picture(NamedTuple):
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
    from regsearch.report.figures import best_against_weights as best  # fmt: skip
    from regsearch.report.figures import penalty_share, regret_map, response_curves, stability_map

    for setting, _ in split_settings(tables.response):
        rows, name = tables.select(setting), name_setting(setting, tables.response)
        figures: list[tuple[Callable[..., Any], Any]] = [
            (best.draw, best.find_points(rows.best_lambda, rows.scaling)),
            (response_curves.draw, response_curves.find_points(rows.response, rows.best_lambda, loss)),
            (regret_map.draw, regret_map.find_points(rows.transfer)),
            (stability_map.draw, stability_map.find_points(rows.response, rows.stability, chance)),
            (penalty_share.draw, penalty_share.find_points(rows.mechanism)),
        ]
        for kind, (draw, points) in zip(KINDS, figures, strict=True):
            yield from draw_picture(kind.name, draw, points, name)


def draw_picture(kind: str, draw: Callable[..., Any], points: Any, name: str = "") -> list[Picture]:
    """The figure of some points as files; none without points.

    Args:
        kind: the name of its kind.
        draw: draws points under a title.
        points: what it shows, with its finding as `title`, or None.
        name: what tells it from others of its kind, before its title and in its files' names.
    """
    from regsearch.report.figures.canvas import save, use_style

    if points is None:
        return []
    title = f"{name}: {points.title}" if name else points.title
    with use_style():
        files = save(draw(points, title))
    # `l2, learning rate 0.05, 500 training images` as `l2-learning-rate-0.05-500-training-images`
    slug = re.sub(r"[^A-Za-z0-9._]+", "-", f"-{name}" if name else "")
    return [Picture(kind, kind + slug, title, files)]
