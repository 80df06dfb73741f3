"""Which lambdas each network trained with, diverged with and collapsed with, beside what theory predicts."""

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from regsearch.analysis import COLLAPSED, find_divergence
from regsearch.report.figures.canvas import Floats, make_figure, place_lambdas, set_lambda_axis
from regsearch.report.figures.palette import BLACK, BLUE, GREY, ORANGE, PINK, RED

STATES: dict[str, dict[str, Any]] = {
    "stable": {"marker": "o", "color": BLUE, "label": "stable"},
    "collapsed": {"marker": "s", "color": ORANGE, "label": "collapsed to guessing"},
    "some": {"marker": "P", "color": PINK, "label": "some seeds diverged"},
    "diverged": {"marker": "x", "color": RED, "markeredgewidth": 2.2, "label": "diverged"},
}
LEARNT = 0.1
"""The share of the way from guessing to all right that a collapsed network is short of in accuracy."""

NEAR = 10.0
"""A predicted limit is shown up to so many times the largest lambda."""


class Points(NamedTuple):
    """What became of each network at each lambda.

    Attributes:
        names: the networks by weight count.
        rows, lambdas, states: (cells,); the place in `names`, lambda and one of STATES.
        limits: (networks,); NaN where theory has none or it is far outside the grid.
        too_short: (networks,); below it training is too short for the penalty to act, NaN as above.
        title: the finding.
    """

    names: list[str]
    rows: list[int]
    lambdas: Floats
    states: list[str]
    limits: Floats
    too_short: Floats
    title: str


def find_points(response: pd.DataFrame, stability: pd.DataFrame, chance: float | None) -> Points | None:
    """The map of one penalty, learning rate and training-set size; None where there is nothing to show.

    Something to show is a network that diverged or collapsed, or a predicted limit inside the grid.

    Args:
        response: rows of the table of `response`.
        stability: rows of the table of `stability`.
        chance: the loss of guessing; None where there are no classes, or it is not known.
    """
    stability = stability.sort_values(["trainable_weights", "architecture"], kind="stable")
    names = [str(name) for name in stability["architecture"]]
    response = response[response["architecture"].isin(names)]
    if response.empty:
        return None
    rows = [names.index(str(name)) for name in response["architecture"]]
    states = [_state(row, chance) for row in response.to_dict("records")]
    lambdas = response["lambda"].to_numpy(float)
    largest, smallest = lambdas.max(), lambdas[lambdas > 0].min(initial=math.inf)
    limits, short = (stability[name].to_numpy(float) for name in ("predicted_limit", "under_trained_below"))
    if set(states) == {"stable"} and not (limits <= largest).any():
        return None
    limits = np.where(limits <= NEAR * largest, limits, np.nan)
    too_short = np.where((short > smallest) & (short < largest), short, np.nan)
    return Points(names, rows, lambdas, states, limits, too_short, _title(response, states, stability))


def _state(row: dict[Any, Any], chance: float | None) -> str:
    if row["diverged_share"] > 0:
        return "diverged" if row["diverged_share"] >= 1 else "some"
    if chance is None or row["lambda"] == 0 or not row["validation_loss"] >= COLLAPSED * chance:
        return "stable"
    guessing = math.exp(-chance)
    # A network that fits its training images too closely has as high a loss, but is right more often.
    return "collapsed" if row["validation_accuracy"] < guessing + LEARNT * (1 - guessing) else "stable"


def _title(response: pd.DataFrame, states: list[str], stability: pd.DataFrame) -> str:
    collapsed = response.loc[np.array(states) == "collapsed", "lambda"]
    title = "nothing diverged"
    if divergence := find_divergence(stability):
        theory = f" (theory: {divergence.theory})" if divergence.theory else ""
        title = f"training diverged from lambda {divergence.lam:.3g} on{theory}"
    elif "some" in states or "diverged" in states:
        title = "training diverged at lambda 0"
    return title + (f"; networks collapsed to guessing from {collapsed.min():.2g} on" if len(collapsed) else "")


def draw(points: Points, title: str) -> Figure:
    """Draws the map."""
    count = len(points.names)
    height = 1.75 + 0.29 * count
    drawn, ((axes,),) = make_figure(7.0, height, title)
    drawn.subplots_adjust(left=0.13, right=0.985, top=1 - 0.5 / height, bottom=1.0 / height)
    x, rows = place_lambdas(points.lambdas), np.array(points.rows)
    for state, style in STATES.items():
        chosen = np.array(points.states) == state
        if chosen.any():
            axes.plot(x[chosen], rows[chosen], linestyle="", markersize=6, zorder=3, **style)
    for values, line, colour, label in (
        (points.limits, "-", BLACK, "predicted limit"),
        (points.too_short, ":", GREY, "left of this, training is too short to act"),
    ):
        y = np.flatnonzero(~np.isnan(values))
        if len(y):
            ends = y - 0.5, y + 0.5
            axes.vlines(np.log10(values[y]), *ends, color=colour, linestyle=line, linewidth=1.8, label=label)
    set_lambda_axis(axes, np.unique(points.lambdas))
    if not np.isnan(points.limits).all():
        axes.set_xlim(right=max(axes.get_xlim()[1], float(np.log10(np.nanmax(points.limits))) + 0.2))
    axes.set_yticks(range(count), points.names)
    axes.set_ylim(count - 0.4, -0.6)
    axes.grid(axis="y")
    axes.set_xlabel("lambda (log scale; 0 apart at the left)")
    axes.set_ylabel("network, by weights")
    drawn.legend(*axes.get_legend_handles_labels(), loc="lower center", ncols=3, bbox_to_anchor=(0.5, 0.0))
    return drawn
