"""Loss against lambda, a panel a network: where it is lowest and what else would do."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from regsearch.report.figures.canvas import Floats, make_figure, place_lambdas, set_lambda_axis, set_number_ticks
from regsearch.report.figures.palette import BLUE, GREY, ORANGE, PALE, RED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 4
ENTRY = 1.9
"""Inches for an entry of the legend."""
TALL = 4.0
"""From this ratio of the largest to the smallest loss on, the axis is logarithmic."""


@dataclass(frozen=True)
class Panel:
    """One network.

    Attributes:
        name, weights, status: as in the table of best lambdas; the status is empty where it has no row.
        lambdas, means, errors, diverged: (lambdas,); 0 first where it was trained, NaN where all seeds diverged.
        best: the best lambda with its interval, NaN where it is not known.
        one_se: the ends of the one-standard-error set.
    """

    name: str
    weights: int
    status: str
    lambdas: Floats
    means: Floats
    errors: Floats
    diverged: Floats
    best: tuple[float, float, float]
    one_se: tuple[float, float]


@dataclass(frozen=True)
class Points:
    """The panels by weight count, the finding, whether the axis of the loss is logarithmic, and what the loss is."""

    panels: list[Panel]
    title: str
    logarithmic: bool
    loss: str


def find_points(response: pd.DataFrame, best: pd.DataFrame, loss: str) -> Points | None:
    """The curves of one penalty, learning rate and training-set size; None where there are none.

    Args:
        response: rows of the table of `response`.
        best: rows of the table of `best_lambda`.
        loss: what the loss is, for its axis.
    """
    rows = {row["architecture"]: row for row in best.to_dict("records")}
    panels = [
        _panel(str(name), group.sort_values("lambda"), rows.get(name, {}))
        for (_, name), group in response.groupby(["trainable_weights", "architecture"], sort=True)
    ]
    panels = [panel for panel in panels if (panel.lambdas > 0).any()]
    if not panels:
        return None
    means = np.concatenate([panel.means for panel in panels])
    means = means[~np.isnan(means)]
    tall = len(means) > 0 and means.min() > 0 and means.max() > TALL * means.min()
    return Points(panels, _title(panels), bool(tall), loss)


def _panel(name: str, rows: pd.DataFrame, best: dict[Any, Any]) -> Panel:
    nan = math.nan
    return Panel(
        name=name,
        weights=int(rows["trainable_weights"].iloc[0]),
        status=str(best.get("status", "")),
        lambdas=rows["lambda"].to_numpy(float),
        means=rows["validation_loss"].to_numpy(float),
        errors=rows["validation_loss_se"].to_numpy(float),
        diverged=rows["diverged_share"].to_numpy(float),
        best=(best.get("best_lambda", nan), best.get("best_lambda_low", nan), best.get("best_lambda_high", nan)),
        one_se=(best.get("one_se_low", nan), best.get("one_se_high", nan)),
    )


def _title(panels: list[Panel]) -> str:
    known = [panel.best[0] for panel in panels if not math.isnan(panel.best[0])]
    if not known:
        return f"no best lambda inside the grid at any of {len(panels)} networks"
    low, high = f"{min(known):.2g}", f"{max(known):.2g}"
    span = f"near {low}" if low == high else f"from {low} to {high}"
    share = "" if len(known) == len(panels) else f", known at {len(known)} of {len(panels)} networks"
    return f"the loss is lowest at lambda {span}{share}"


def draw(points: Points, title: str) -> "Figure":
    """Draws the panels."""
    rows = math.ceil(len(points.panels) / COLUMNS)
    columns = math.ceil(len(points.panels) / rows)
    width = max(5.2, 0.5 + 2.45 * columns)
    entries = _legend(points)
    per_row = math.floor(width / ENTRY)
    legend = 0.1 + 0.19 * math.ceil(len(entries) / per_row)
    height = 1.3 + legend + 1.95 * rows
    drawn, axes = make_figure(width, height, title, rows, columns, sharex=True, sharey=True)
    drawn.subplots_adjust(
        left=0.66 / width,
        right=1 - 0.12 / width,
        top=1 - 0.66 / height,
        bottom=(0.6 + legend) / height,
        wspace=0.08,
        hspace=0.3,
    )
    lambdas = np.unique(np.concatenate([panel.lambdas for panel in points.panels]))
    for place, panel in zip(axes.flat, points.panels, strict=False):
        _draw_panel(place, panel, points.panels)
    for place in list(axes.flat)[len(points.panels) :]:
        place.set_visible(False)
    first: Any = axes[0, 0]
    shown = list(axes.flat)[: len(points.panels)]
    for place in shown:
        set_lambda_axis(place, lambdas)
    for place in shown[-columns:]:
        place.tick_params(labelbottom=True)
    if points.logarithmic:
        first.set_yscale("log")
        low, high = first.get_ylim()
        first.set_ylim(low / (high / low) ** 0.1, high)  # room for the one-standard-error set
        set_number_ticks(first.yaxis, *first.get_ylim())
    else:
        _ylim(first, points.panels)
    drawn.supylabel(f"validation loss ({points.loss})", fontsize=9, x=0.12 / width)
    drawn.supxlabel("lambda (log scale; 0 apart at the left)", fontsize=9, y=(0.1 + legend) / height)
    drawn.legend(
        handles=entries, loc="lower center", ncols=per_row, columnspacing=1.1, handlelength=1.6, borderaxespad=0.2
    )
    return drawn


def _draw_panel(axes: "Axes", panel: Panel, everyone: list[Panel]) -> None:
    axes.grid(axis="y")
    for other in everyone:
        if other is not panel:
            x, above = place_lambdas(other.lambdas), other.lambdas > 0
            axes.plot(x[above], other.means[above], color=PALE, linewidth=0.7, zorder=1)
    x, above = place_lambdas(panel.lambdas), panel.lambdas > 0
    low, high = (panel.means + side * np.nan_to_num(panel.errors) for side in (-1, 1))
    axes.fill_between(x[above], low[above], high[above], color=BLUE, alpha=0.25, linewidth=0, zorder=2)
    axes.plot(x[above], panel.means[above], color=BLUE, marker=".", markersize=4, zorder=3)
    if not above.all() and not np.isnan(panel.means[0]):
        error = np.nan_to_num(panel.errors[:1])
        axes.errorbar(x[:1], panel.means[:1], error, color=BLUE, marker="s", markersize=4, capsize=2, zorder=3)
    bottom = axes.get_xaxis_transform()
    if not math.isnan(panel.one_se[0]):
        reach = np.log10(np.array(panel.one_se)) + np.array([-0.06, 0.06])
        axes.plot(reach, [0.03, 0.03], color=ORANGE, linewidth=5, solid_capstyle="butt", transform=bottom, zorder=2)
    if not math.isnan(panel.best[0]):
        if not math.isnan(panel.best[1]):
            axes.axvspan(
                math.log10(panel.best[1]), math.log10(panel.best[2]), color=RED, alpha=0.18, linewidth=0, zorder=0
            )
        axes.axvline(math.log10(panel.best[0]), color=RED, linewidth=1, linestyle=(0, (4, 2)), zorder=2)
    diverged = panel.diverged > 0
    axes.plot(
        x[diverged], np.full(diverged.sum(), 0.95), linestyle="", marker="x", color=RED, transform=bottom, zorder=4
    )
    axes.set_title(f"{panel.name} · {panel.weights:,} weights", loc="left", pad=3, fontsize=8.5)
    if panel.status not in ("", "interior"):
        axes.text(0.97, 0.95, panel.status.replace("_", " "), transform=axes.transAxes, ha="right", va="top",
                  fontsize=8, color=GREY, style="italic")  # fmt: skip


def _ylim(axes: "Axes", panels: list[Panel]) -> None:
    values = np.concatenate([panel.means for panel in panels])
    values = values[~np.isnan(values)]
    if len(values):
        margin = 0.1 * max(float(np.ptp(values)), 1e-3 * max(1.0, abs(float(values.max()))))
        axes.set_ylim(values.min() - 1.6 * margin, values.max() + margin)


def _legend(points: Points) -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries: list[Any] = [
        Line2D([], [], color=BLUE, marker=".", label="mean over seeds"),
        Patch(color=BLUE, alpha=0.25, linewidth=0, label="± 1 paired standard error"),
        Line2D([], [], color=RED, linewidth=1, linestyle=(0, (4, 2)), label="best lambda (shade: 95 %)"),
        Line2D([], [], color=ORANGE, linewidth=5, label="within one standard error"),
    ]
    if any((panel.lambdas == 0).any() for panel in points.panels):
        entries.insert(1, Line2D([], [], color=BLUE, marker="s", linestyle="", markersize=4, label="lambda 0"))
    if len(points.panels) > 1:
        entries.append(Line2D([], [], color=PALE, label="the other networks"))
    if any((panel.diverged > 0).any() for panel in points.panels):
        entries.append(Line2D([], [], color=RED, marker="x", linestyle="", label="a seed diverged"))
    return entries
