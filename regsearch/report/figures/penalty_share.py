"""How much of the loss the penalty is, and how the sums it is made of grow with the weights."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from regsearch.analysis import ENDS
from regsearch.report.figures.canvas import make_figure, set_number_ticks, set_weights_axis
from regsearch.report.figures.palette import BLUE, GREY, RED

SUMS = {"sum_abs_weights": "Σ|w|", "sum_squared_weights": "Σw²"}
WORDS = {"start": "before", "end": "after"}
STYLES: dict[str, dict[str, Any]] = {
    "start": {"marker": "o", "color": RED, "markerfacecolor": "white", "linestyle": (0, (4, 2)), "linewidth": 1.2},
    "end": {"marker": "s", "color": BLUE, "linestyle": "-", "linewidth": 1.2},
}


class Points(NamedTuple):
    """Rows of the table of `mechanism` by penalised weights, and the finding."""

    table: pd.DataFrame
    title: str


def find_points(mechanism: pd.DataFrame) -> Points | None:
    """The measures of one penalty, learning rate and training-set size; None without a network.

    Args:
        mechanism: rows of the table of `mechanism`.
    """
    table = mechanism.sort_values(["penalised_weights", "architecture"], kind="stable")
    return None if table.empty else Points(table, _title(table))


def _title(table: pd.DataFrame) -> str:
    shares = table["penalty_share_end"].dropna()
    if shares.empty:
        return "no network finished, so the penalty's share is not known"
    if (shares == 0).all():
        return "a decay beside the loss has no share of it"
    smallest, largest = table["penalty_share_end"].iloc[[0, -1]]
    spread = f"{100 * shares.min():.0f} to {100 * shares.max():.0f} %"
    if len(shares) < 2 or np.isnan(smallest) or np.isnan(largest):
        return f"the penalty ends as {100 * shares.iloc[0]:.0f} % of the loss"
    return f"at its best lambda the penalty ends as {spread} of the loss"


def draw(points: Points, title: str) -> Figure:
    """Draws a panel for the share and one for each sum."""
    drawn, ((first, *others),) = make_figure(9.6, 3.6, title, 1, 1 + len(SUMS))
    drawn.subplots_adjust(left=0.06, right=0.985, top=0.8, bottom=0.235, wspace=0.25)
    weights = points.table["penalised_weights"].to_numpy(float)
    shares = 100 * points.table[[f"penalty_share_{end}" for end in ENDS]].to_numpy(float)
    for end, share in zip(ENDS, shares.T, strict=True):
        first.plot(weights, share, label=f"{WORDS[end]} training", **STYLES[end])
    first.set_ylim(0, max(1.0, 1.12 * np.nanmax([0.0, *shares.flat])))
    first.set_title("penalty / (penalty + validation loss)", loc="left")
    first.set_ylabel("share of the loss (%)")
    for place, name in zip(others, SUMS, strict=True):
        _draw_sum(place, points.table, name)
    for place in (first, *others):
        set_weights_axis(place, weights, room=6)
        place.grid(axis="y")
        place.set_xlabel("penalised weights N (log scale)")
        place.tick_params(axis="x", labelsize=7.5)
    handles, labels = first.get_legend_handles_labels()
    drawn.legend(handles + others[0].lines[-1:], [*labels, "as fast as N"], loc="lower center", ncols=3,
                 bbox_to_anchor=(0.5, -0.01))  # fmt: skip
    return drawn


def _draw_sum(axes: Axes, table: pd.DataFrame, name: str) -> None:
    axes.set_yscale("log")
    weights, symbol, powers = table["penalised_weights"].to_numpy(float), SUMS[name], []
    for end in ENDS:
        sums, exponent = table[f"{name}_{end}"].to_numpy(float), table[f"{name}_{end}_exponent"].iloc[0]
        axes.plot(weights, np.where(sums > 0, sums, np.nan), **STYLES[end])
        if not np.isnan(exponent):
            powers.append(f"$N^{{{exponent:.2f}}}$ {WORDS[end]}")
    low, high = axes.get_ylim()
    guide = table[f"{name}_start"].iloc[0] * weights / weights[0]
    axes.plot(weights, guide, color=GREY, linestyle=":", linewidth=1)
    top = max(high, float(guide[-1]) * 1.3) if np.isfinite(guide).all() else high
    axes.set_ylim(low, top)
    set_number_ticks(axes.yaxis, low, top)
    axes.set_title(f"{symbol} ∝ " + ", ".join(powers) if powers else symbol, loc="left")
    axes.set_ylabel(f"{symbol} (log scale)")
