"""The tables of a study → every figure of it, named. What draws loads Matplotlib, so only once there is a figure."""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from regsearch import surroundings
from regsearch.analysis import Setting, Tables, name_setting, split_settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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


class Sketch(NamedTuple):
    """A figure that may be drawn.

    Attributes:
        kind: the name of its kind.
        setting: whose networks it shows.
        name: what tells it from others of its kind in its study.
        draw: draws points under a title.
        points: what it shows; None where there is nothing.
    """

    kind: str
    setting: Setting
    name: str
    draw: Callable[..., Any]
    points: Any


def gallery(tables: Tables, loss: str) -> Iterator[Picture]:
    """A set of figures for each penalty, learning rate and training-set size, by kind.

    Args:
        tables: of the study.
        loss: what the loss is, for its axes.
    """
    for sketch in _sketch(tables, loss):
        yield from draw_picture(sketch.kind, sketch.draw, sketch.points, sketch.name)


def draw_one(tables: Tables, loss: str, kind: str, wanted: dict[str, Any]) -> "Figure":
    """The one figure of a kind.

    Args:
        tables: see `gallery`.
        loss: likewise.
        kind: the name of the kind.
        wanted: its penalty, learning rate and training-set size, those that are not None.

    Raises:
        ValueError: there is no such figure, or several.
    """
    surroundings.import_apart("matplotlib")
    from regsearch.report.figures.canvas import use_style

    kinds = [known.name for known in KINDS]
    if kind not in kinds:
        raise ValueError(f"kind: expected one of {', '.join(kinds)}, got {kind!r}")
    named = {name: value for name, value in wanted.items() if value is not None}
    sketches = [sketch for sketch in _sketch(tables, loss) if sketch.kind == kind]
    chosen = [sketch for sketch in sketches if named.items() <= sketch.setting._asdict().items()]
    if len(chosen) != 1:
        got = f"{len(chosen)} figures" if chosen else "none"
        asked = ", ".join(f"{name}={value!r}" for name, value in named.items()) or "nothing said"
        there = "; ".join(sketch.setting.words for sketch in chosen or sketches) or "none, as no network has finished"
        raise ValueError(
            f"expected one {kind} figure, told by penalty, learning_rate and train_size, got {got} with {asked}; "
            f"there are: {there}"
        )
    (sketch,) = chosen
    if sketch.points is None:
        raise ValueError(f"{kind}: expected something to draw of {sketch.setting.words}, got no network to show")
    with use_style():
        figure: Figure = sketch.draw(sketch.points, _write_title(sketch.name, sketch.points))
    return figure


def _sketch(tables: Tables, loss: str) -> Iterator[Sketch]:
    """Every figure of a study, not drawn yet."""
    surroundings.import_apart("matplotlib")
    from regsearch.report.figures import best_against_weights as best  # fmt: skip
    from regsearch.report.figures import penalty_share, regret_map, response_curves, stability_map

    for setting, _ in split_settings(tables.response):
        rows, name = tables.select(setting), name_setting(setting, tables.response)
        figures: list[tuple[Callable[..., Any], Any]] = [
            (best.draw, best.find_points(rows.best_lambda, rows.scaling)),
            (response_curves.draw, response_curves.find_points(rows.response, rows.best_lambda, loss)),
            (regret_map.draw, regret_map.find_points(rows.transfer)),
            (stability_map.draw, stability_map.find_points(rows.response, rows.stability)),
            (penalty_share.draw, penalty_share.find_points(rows.mechanism)),
        ]
        for kind, (draw, points) in zip(KINDS, figures, strict=True):
            yield Sketch(kind.name, setting, name, draw, points)


def draw_picture(kind: str, draw: Callable[..., Any], points: Any, name: str = "") -> list[Picture]:
    """The figure of some points as files; none without points.

    Args:
        kind: the name of its kind.
        draw: draws points under a title.
        points: what it shows, with its finding as `title`, or None.
        name: what tells it from others of its kind, before its title and in its files' names.
    """
    surroundings.import_apart("matplotlib")
    from regsearch.report.figures.canvas import save, use_style

    if points is None:
        return []
    title = _write_title(name, points)
    with use_style():
        files = save(draw(points, title))
    # `l2, learning rate 0.05, 500 training images` as `l2-learning-rate-0.05-500-training-images`
    slug = re.sub(r"[^A-Za-z0-9._]+", "-", f"-{name}" if name else "")
    return [Picture(kind, kind + slug, title, files)]


def _write_title(name: str, points: Any) -> str:
    return f"{name}: {points.title}" if name else str(points.title)
