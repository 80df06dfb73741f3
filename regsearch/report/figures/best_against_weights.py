"""The best lambda against the weight count, with the fitted line and the lines of the claims."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from regsearch.analysis import CLAIMS, CONSTANT, INVERSE, STATUSES, find_bounds, fit_line
from regsearch.report.figures.canvas import Floats, make_figure, set_number_ticks, set_weights_axis
from regsearch.report.figures.palette import BLACK, BLUE, GREEN, GREY, ORANGE, PINK, RED, SKY

AGAINST = "trainable_weights"
MARKERS = {
    "interior": ("o", BLUE), "open": ("D", PINK), "unsure": ("s", GREY), "no_benefit": ("v", GREY),
    "left_edge": ("<", ORANGE), "right_edge": (">", RED),
}  # fmt: skip
LINES: dict[str, dict[str, Any]] = {
    "fit": {"label": "fitted power", "color": BLACK, "linestyle": "-", "linewidth": 1.7},
    "constant": {"label": "claim: constant", "color": GREEN, "linestyle": (0, (5, 2)), "linewidth": 1.5},
    "inverse": {"label": "claim: 1/N", "color": SKY, "linestyle": (0, (1, 1.2)), "linewidth": 2.0},
}


class Points(NamedTuple):
    """What is known of each network's best lambda, and the lines.

    Attributes:
        best: rows of the table of `best_lambda` by weight count, with their `height`, which is the best lambda or the
            bound where only that is known, and `side`: 0 where it is known, −1 where it is at most that, 1 at least;
            no network of which nothing is known.
        lines: (ends of the range of weights, heights there) of each of LINES that there is.
        title: the finding.
    """

    best: pd.DataFrame
    lines: dict[str, tuple[Floats, Floats]]
    title: str


def find_points(best: pd.DataFrame, scaling: pd.DataFrame) -> Points | None:
    """The points of one penalty, learning rate and training-set size; None where nothing is known of any network.

    The lines of the claims have the height that fits best, or go through the middle of the known optima
    where there are too few for a fit.

    Args:
        best: rows of the table of `best_lambda`.
        scaling: rows of the table of `scaling`.
    """
    if best.empty:
        return None
    best = best.sort_values([AGAINST, "architecture"], kind="stable")
    weights, (below, above) = best[AGAINST].to_numpy(float), find_bounds(best)
    known = below == above
    side = np.where(known, 0, np.where(np.isfinite(above), -1, 1))
    bounded = best.assign(height=np.exp(np.where(side < 0, above, below)), side=side)
    bounded = bounded[np.isfinite(above) | np.isfinite(below)]
    if bounded.empty:
        return None
    lines, title = {}, f"undetermined, with {known.sum()} of {len(best)} optima known"
    ends = np.array([weights.min(), weights.max()])
    for row in scaling[(scaling["against"] == AGAINST) & scaling["exponent"].notna()].to_dict("records"):
        interval = f"{row['exponent_low']:.2f} to {row['exponent_high']:.2f}"
        title = f"{CLAIMS[row['verdict']].title}\nbest lambda ∝ N^{row['exponent']:.2f} (95 % interval {interval})"
        lines["fit"] = ends, row["coefficient"] * ends ** row["exponent"]
    if known.any() and ends[0] < ends[1]:
        line = fit_line(best, AGAINST)
        for name, exponent in (("constant", CONSTANT), ("inverse", INVERSE)):
            if line and line.freedom >= 1:
                height = float(line.hold(1, exponent).fit.coefficients[0])
            else:
                height = float(np.mean(below[known] - exponent * np.log(weights[known])))
            lines[name] = ends, np.exp(height) * ends**exponent
    return Points(bounded, lines, title)


def draw(points: Points, title: str) -> Figure:
    """Draws the points and lines."""
    drawn, ((axes,),) = make_figure(6.0, 4.7, title)
    drawn.subplots_adjust(left=0.115, right=0.98, top=0.855, bottom=0.255)
    axes.set_yscale("log")
    set_weights_axis(axes, points.best[AGAINST].to_numpy(float), room=10)
    axes.grid(which="major", axis="y")
    for line, (x, y) in points.lines.items():
        axes.plot(x, y, zorder=2, **LINES[line])
    for status in MARKERS:
        _draw_status(axes, points.best[points.best["status"] == status], status)
    _ylim(axes, points)
    axes.set_xlabel("trainable weights N (log scale)")
    axes.set_ylabel("best lambda (log scale; bars: 95 % interval)")
    drawn.legend(*axes.get_legend_handles_labels(), loc="lower center", ncols=2, bbox_to_anchor=(0.5, 0.0))
    return drawn


def _draw_status(axes: Axes, best: pd.DataFrame, status: str) -> None:
    if best.empty:
        return
    marker, colour = MARKERS[status]
    barred = best[best["side"] == 0]
    if len(barred):
        x, y, low, high = (barred[name] for name in (AGAINST, "height", "best_lambda_low", "best_lambda_high"))
        reach = np.maximum(0, [y - low.fillna(y), high.fillna(y) - y])  # no bar towards an open end
        axes.errorbar(x, y, reach, color=colour, linestyle="", capsize=3, linewidth=1.2, zorder=3)
    for row in best[best["side"] != 0].to_dict("records"):
        axes.annotate(
            "", xy=(row[AGAINST], row["height"]), xytext=(0, 24 * row["side"]), textcoords="offset points", zorder=3,
            arrowprops={"arrowstyle": "<|-", "color": colour, "shrinkA": 0, "shrinkB": 2, "linewidth": 1.3},
        )  # fmt: skip
    axes.plot(
        best[AGAINST], best["height"], linestyle="", marker=marker, color=colour, zorder=4,
        markerfacecolor="white" if best["side"].any() else colour, label=STATUSES[status].legend,
    )  # fmt: skip


def _ylim(axes: Axes, points: Points) -> None:
    """Room for the arrows, and at least a decade, so that a flat line looks flat."""
    known = points.best[["height", "best_lambda_low", "best_lambda_high"]].to_numpy(float)
    values = np.concatenate([known.ravel(), *(y for _, y in points.lines.values())])
    low, high = np.log10(np.nanmin(values)), np.log10(np.nanmax(values))
    missing = max(0.0, 1 - (high - low)) / 2
    room = 0.12 * max(1.0, high - low)
    down, up = (room * (2 if (points.best["side"] == side).any() else 1) for side in (-1, 1))
    ends = 10 ** (low - missing - down), 10 ** (high + missing + up)
    axes.set_ylim(*ends)
    set_number_ticks(axes.yaxis, *ends)
