"""Loss against lambda, a panel a network: where it is lowest and what else would do."""

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from regsearch.report.figures.canvas import Floats, make_figure, place_lambdas, set_lambda_axis, set_number_ticks
from regsearch.report.figures.palette import BLUE, GREY, ORANGE, PALE, RED

COLUMNS = 4
ENTRY = 1.9
"""Inches for an entry of the legend."""
TALL = 4.0
"""From this ratio of the largest to the smallest loss on, the axis is logarithmic."""
CURVE: dict[str, Any] = {"color": BLUE, "marker": "."}
AT_ZERO: dict[str, Any] = {"color": BLUE, "marker": "s", "markersize": 4}
BAND: dict[str, Any] = {"color": BLUE, "alpha": 0.25, "linewidth": 0}
BEST: dict[str, Any] = {"color": RED, "linewidth": 1, "linestyle": (0, (4, 2))}
ONE_SE: dict[str, Any] = {"color": ORANGE, "linewidth": 5}
DIVERGED: dict[str, Any] = {"color": RED, "marker": "x", "linestyle": ""}


class Panel(NamedTuple):
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
    best: list[float]
    one_se: tuple[float, float]


class Points(NamedTuple):
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
        _make_panel(str(name), group.sort_values("lambda"), rows.get(name, {}))
        for (_, name), group in response.groupby(["trainable_weights", "architecture"], sort=True)
        if (group["lambda"] > 0).any()
    ]
    if not panels:
        return None
    means = _known_means(panels)
    tall = len(means) > 0 and means.min() > 0 and means.max() > TALL * means.min()
    return Points(panels, _title(panels), bool(tall), loss)


def _make_panel(name: str, rows: pd.DataFrame, best: dict[Any, Any]) -> Panel:
    columns = ("lambda", "validation_loss", "validation_loss_se", "diverged_share")
    lambdas, means, errors, diverged = (rows[column].to_numpy(float) for column in columns)
    weights, status = int(rows["trainable_weights"].iloc[0]), str(best.get("status", ""))
    interval = [best.get(f"best_lambda{end}", math.nan) for end in ("", "_low", "_high")]
    one_se = best.get("one_se_low", math.nan), best.get("one_se_high", math.nan)
    return Panel(name, weights, status, lambdas, means, errors, diverged, interval, one_se)


def _known_means(panels: list[Panel]) -> Floats:
    means = np.concatenate([panel.means for panel in panels])
    return np.asarray(means[~np.isnan(means)])


def _title(panels: list[Panel]) -> str:
    known = [panel.best[0] for panel in panels if not math.isnan(panel.best[0])]
    if not known:
        return f"no best lambda inside the grid at any of {len(panels)} networks"
    low, high = f"{min(known):.2g}", f"{max(known):.2g}"
    span = f"near {low}" if low == high else f"from {low} to {high}"
    share = "" if len(known) == len(panels) else f", known at {len(known)} of {len(panels)} networks"
    return f"the loss is lowest at lambda {span}{share}"


def draw(points: Points, title: str) -> Figure:
    """Draws the panels."""
    rows = math.ceil(len(points.panels) / COLUMNS)
    columns = math.ceil(len(points.panels) / rows)
    width = max(5.2, 0.5 + 2.45 * columns)
    entries = _legend(points.panels)
    per_row = math.floor(width / ENTRY)
    legend = 0.1 + 0.19 * math.ceil(len(entries) / per_row)
    height = 1.3 + legend + 1.95 * rows
    drawn, axes = make_figure(width, height, title, rows, columns, sharex=True, sharey=True)
    drawn.subplots_adjust(0.66 / width, (0.6 + legend) / height, 1 - 0.12 / width, 1 - 0.66 / height, 0.08, 0.3)
    lambdas = np.unique(np.concatenate([panel.lambdas for panel in points.panels]))
    shown, spare = np.split(axes.ravel(), [len(points.panels)])
    for place, panel in zip(shown, points.panels, strict=True):
        _draw_panel(place, panel, points.panels)
    for place in spare:
        place.set_visible(False)
    for place in shown:
        set_lambda_axis(place, lambdas)
    for place in shown[-columns:]:
        place.tick_params(labelbottom=True)
    _set_loss_axis(shown[0], points)
    drawn.supylabel(f"validation loss ({points.loss})", fontsize=9, x=0.12 / width)
    drawn.supxlabel("lambda (log scale; 0 apart at the left)", fontsize=9, y=(0.1 + legend) / height)
    drawn.legend(
        handles=entries, loc="lower center", ncols=per_row, columnspacing=1.1, handlelength=1.6, borderaxespad=0.2
    )
    return drawn


def _draw_panel(axes: Axes, panel: Panel, everyone: list[Panel]) -> None:
    axes.grid(axis="y")
    for other in everyone:
        if other is not panel:
            x, above = place_lambdas(other.lambdas), other.lambdas > 0
            axes.plot(x[above], other.means[above], color=PALE, linewidth=0.7, zorder=1)
    x, above, errors = place_lambdas(panel.lambdas), panel.lambdas > 0, np.nan_to_num(panel.errors)
    axes.fill_between(x[above], (panel.means - errors)[above], (panel.means + errors)[above], zorder=2, **BAND)
    axes.plot(x[above], panel.means[above], markersize=4, zorder=3, **CURVE)
    if not above.all() and not np.isnan(panel.means[0]):
        axes.errorbar(x[:1], panel.means[:1], errors[:1], capsize=2, zorder=3, **AT_ZERO)
    bottom = axes.get_xaxis_transform()
    if not math.isnan(panel.one_se[0]):
        reach = np.log10(np.array(panel.one_se)) + np.array([-0.06, 0.06])
        axes.plot(reach, [0.03, 0.03], solid_capstyle="butt", transform=bottom, zorder=2, **ONE_SE)
    best, low, high = (math.log10(lam) for lam in panel.best)
    if not math.isnan(best):
        if not math.isnan(low):
            axes.axvspan(low, high, color=RED, alpha=0.18, linewidth=0, zorder=0)
        axes.axvline(best, zorder=2, **BEST)
    diverged = panel.diverged > 0
    axes.plot(x[diverged], np.full(diverged.sum(), 0.95), transform=bottom, zorder=4, **DIVERGED)
    axes.set_title(f"{panel.name} · {panel.weights:,} weights", loc="left", pad=3, fontsize=8.5)
    if panel.status not in ("", "interior"):
        axes.text(0.97, 0.95, panel.status.replace("_", " "), transform=axes.transAxes, ha="right", va="top",
                  fontsize=8, color=GREY, style="italic")  # fmt: skip


def _set_loss_axis(axes: Axes, points: Points) -> None:
    means = _known_means(points.panels)
    if points.logarithmic:
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        axes.set_ylim(low / (high / low) ** 0.1, high)  # room for the one-standard-error set
        set_number_ticks(axes.yaxis, *axes.get_ylim())
    elif len(means):
        margin = 0.1 * max(float(np.ptp(means)), 1e-3 * max(1.0, abs(float(means.max()))))
        axes.set_ylim(means.min() - 1.6 * margin, means.max() + margin)


def _legend(panels: list[Panel]) -> list[Any]:
    entries: list[Any] = [
        Line2D([], [], label="mean over seeds", **CURVE),
        Patch(label="± 1 paired standard error", **BAND),
        Line2D([], [], label="best lambda (shade: 95 %)", **BEST),
        Line2D([], [], label="within one standard error", **ONE_SE),
    ]
    if any((panel.lambdas == 0).any() for panel in panels):
        entries.insert(1, Line2D([], [], label="lambda 0", linestyle="", **AT_ZERO))
    if len(panels) > 1:
        entries.append(Line2D([], [], color=PALE, label="the other networks"))
    if any((panel.diverged > 0).any() for panel in panels):
        entries.append(Line2D([], [], label="a seed diverged", **DIVERGED))
    return entries
