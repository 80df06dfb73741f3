"""Loss against lambda, a panel a network: where it is lowest and what else would do."""

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from regsearch.report.figures.canvas import make_figure, place_lambdas, set_lambda_axis, set_number_ticks
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


class Points(NamedTuple):
    """The curves.

    Attributes:
        response: rows of the table of `response` by network (by weight count) and lambda.
        best: a row a network, as in the table of `best_lambda`; empty cells where that has none.
        title: the finding.
        logarithmic: whether the axis of the loss is.
        loss: what the loss is, for its axis.
    """

    response: pd.DataFrame
    best: pd.DataFrame
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
    regularised = response.loc[response["lambda"] > 0, "architecture"]
    response = response[response["architecture"].isin(regularised)]
    if response.empty:
        return None
    response = response.sort_values(["trainable_weights", "architecture", "lambda"])
    best = best.set_index("architecture").reindex(response["architecture"].unique())
    means = response["validation_loss"].dropna()
    logarithmic = len(means) > 0 and means.min() > 0 and means.max() > TALL * means.min()
    return Points(response, best, _title(best["best_lambda"]), bool(logarithmic), loss)


def _title(best: "pd.Series[float]") -> str:
    known = best.dropna()
    if known.empty:
        return f"no best lambda inside the grid at any of {len(best)} networks"
    low, high = f"{known.min():.2g}", f"{known.max():.2g}"
    span = f"near {low}" if low == high else f"from {low} to {high}"
    share = "" if len(known) == len(best) else f", known at {len(known)} of {len(best)} networks"
    return f"the validation loss is lowest at lambda {span}{share}"


def draw(points: Points, title: str) -> Figure:
    """Draws the panels."""
    count = len(points.best)
    rows = math.ceil(count / COLUMNS)
    columns = math.ceil(count / rows)
    width = max(5.2, 0.5 + 2.45 * columns)
    entries = _legend(points)
    per_row = math.floor(width / ENTRY)
    legend = 0.1 + 0.19 * math.ceil(len(entries) / per_row)
    height = 1.3 + legend + 1.95 * rows
    drawn, axes = make_figure(width, height, title, rows, columns, sharex=True, sharey=True)
    drawn.subplots_adjust(0.66 / width, (0.6 + legend) / height, 1 - 0.12 / width, 1 - 0.66 / height, 0.08, 0.3)
    shown, spare = np.split(axes.ravel(), [count])
    for place, best in zip(shown, points.best.reset_index().to_dict("records"), strict=True):
        _draw_panel(place, points.response, best)
    for place in spare:
        place.set_visible(False)
    for place in shown:
        set_lambda_axis(place, np.sort(points.response["lambda"].unique()))
    for place in shown[-columns:]:
        place.tick_params(labelbottom=True)
    _set_loss_axis(shown[0], points)
    drawn.supylabel(f"validation loss ({points.loss})", fontsize=9, x=0.12 / width)
    drawn.supxlabel("lambda (log scale; 0 apart at the left)", fontsize=9, y=(0.1 + legend) / height)
    drawn.legend(
        handles=entries, loc="lower center", ncols=per_row, columnspacing=1.1, handlelength=1.6, borderaxespad=0.2
    )
    return drawn


def _draw_panel(axes: Axes, response: pd.DataFrame, best: dict[Any, Any]) -> None:
    axes.grid(axis="y")
    own = response["architecture"] == best["architecture"]
    for _, other in response[~own & (response["lambda"] > 0)].groupby("architecture", sort=False):
        axes.plot(np.log10(other["lambda"]), other["validation_loss"], color=PALE, linewidth=0.7, zorder=1)
    columns = ("lambda", "validation_loss", "validation_loss_se", "diverged_share")
    lambdas, means, errors, diverged = (response.loc[own, name].to_numpy(float) for name in columns)
    x, above, errors = place_lambdas(lambdas), lambdas > 0, np.nan_to_num(errors)
    axes.fill_between(x[above], (means - errors)[above], (means + errors)[above], zorder=2, **BAND)
    axes.plot(x[above], means[above], markersize=4, zorder=3, **CURVE)
    if not above.all() and not np.isnan(means[0]):
        axes.errorbar(x[:1], means[:1], errors[:1], capsize=2, zorder=3, **AT_ZERO)
    bottom = axes.get_xaxis_transform()
    if not math.isnan(best["one_se_low"]):
        reach = np.log10([best["one_se_low"], best["one_se_high"]]) + np.array([-0.06, 0.06])
        axes.plot(reach, [0.03, 0.03], solid_capstyle="butt", transform=bottom, zorder=2, **ONE_SE)
    optimum, low, high = (math.log10(best[f"best_lambda{end}"]) for end in ("", "_low", "_high"))
    if not math.isnan(optimum):
        ends = x.min() if math.isnan(low) else low, x.max() if math.isnan(high) else high
        axes.axvspan(*ends, color=RED, alpha=0.18, linewidth=0, zorder=0)
    if not math.isnan(optimum):
        axes.axvline(optimum, zorder=2, **BEST)
    axes.plot(x[diverged > 0], np.full((diverged > 0).sum(), 0.95), transform=bottom, zorder=4, **DIVERGED)
    weights = response.loc[own, "trainable_weights"].iloc[0]
    axes.set_title(f"{best['architecture']} · {weights:,} weights", loc="left", pad=3, fontsize=8.5)
    if isinstance(best["status"], str) and best["status"] != "interior":
        axes.text(0.97, 0.95, best["status"].replace("_", " "), transform=axes.transAxes, ha="right", va="top",
                  fontsize=8, color=GREY, style="italic")  # fmt: skip


def _set_loss_axis(axes: Axes, points: Points) -> None:
    means = points.response["validation_loss"].dropna()
    if points.logarithmic:
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        axes.set_ylim(low / (high / low) ** 0.1, high)  # room for the one-standard-error set
        set_number_ticks(axes.yaxis, *axes.get_ylim())
    elif len(means):
        margin = 0.1 * max(float(np.ptp(means)), 1e-3 * max(1.0, abs(float(means.max()))))
        axes.set_ylim(means.min() - 1.6 * margin, means.max() + margin)


def _legend(points: Points) -> list[Any]:
    entries: list[Any] = [
        Line2D([], [], label="mean over seeds", **CURVE),
        Patch(label="± 1 standard error to the best", **BAND),
        Line2D([], [], label="best lambda (shade: 95 %)", **BEST),
        Line2D([], [], label="within one standard error", **ONE_SE),
    ]
    if (points.response["lambda"] == 0).any():
        entries.insert(1, Line2D([], [], label="lambda 0", linestyle="", **AT_ZERO))
    if len(points.best) > 1:
        entries.append(Line2D([], [], color=PALE, label="the other networks"))
    if (points.response["diverged_share"] > 0).any():
        entries.append(Line2D([], [], label="a seed diverged", **DIVERGED))
    return entries
