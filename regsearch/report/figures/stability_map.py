"""Which lambdas each network trained with, diverged with and collapsed with, beside what theory predicts."""

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from regsearch.analysis import MOSTLY, find_divergence
from regsearch.report.figures.canvas import make_figure, place_lambdas, set_lambda_axis
from regsearch.report.figures.palette import BLACK, BLUE, GREY, ORANGE, PINK, RED

STATES: dict[str, dict[str, Any]] = {
    "stable": {"marker": "o", "color": BLUE, "label": "stable"},
    "collapsed": {"marker": "s", "color": ORANGE, "label": "collapsed to guessing"},
    "some": {"marker": "P", "color": PINK, "label": "some seeds diverged"},
    "diverged": {"marker": "x", "color": RED, "markeredgewidth": 2.2, "label": "diverged"},
}
FEWEST = 4
"""Of so many networks a map is as high at least: the words along its axis have to end below its title."""

NEAR = 10.0
"""A predicted limit is shown up to so many times the largest lambda."""


class Points(NamedTuple):
    """What became of each network at each lambda.

    Attributes:
        cells: rows of the table of `response`, with their `state`, one of STATES.
        networks: rows of the table of `stability` by weight count; no `predicted_limit` far outside the grid, and no
            `under_trained_below` outside it.
        title: the finding.
    """

    cells: pd.DataFrame
    networks: pd.DataFrame
    title: str


def find_points(response: pd.DataFrame, stability: pd.DataFrame) -> Points | None:
    """The map of one penalty, learning rate and training-set size; None where there is nothing to show.

    Something to show is a network that diverged or collapsed, or a predicted limit inside the grid.

    Args:
        response: rows of the table of `response`.
        stability: rows of the table of `stability`.
    """
    networks = stability.sort_values(["trainable_weights", "architecture"], kind="stable")
    cells = response[response["architecture"].isin(networks["architecture"])]
    if cells.empty:
        return None
    cells = cells.assign(state=[_state(row) for row in cells.to_dict("records")])
    largest, smallest = cells["lambda"].max(), cells.loc[cells["lambda"] > 0, "lambda"].min()
    limits, short = networks["predicted_limit"], networks["under_trained_below"]
    if (cells["state"] == "stable").all() and not (limits <= largest).any():
        return None
    networks = networks.assign(
        predicted_limit=limits.where(limits <= NEAR * largest),
        under_trained_below=short.where((short > smallest) & (short < largest)),
    )
    return Points(cells, networks, _title(cells, stability))


def _state(row: dict[Any, Any]) -> str:
    if row["diverged_share"] > 0:
        return "diverged" if row["diverged_share"] >= 1 else "some"
    return "collapsed" if row["collapsed_share"] >= MOSTLY else "stable"


def _title(cells: pd.DataFrame, stability: pd.DataFrame) -> str:
    collapsed = stability["smallest_collapsed"].min()
    title = "nothing diverged"
    if divergence := find_divergence(stability):
        theory = f" (theory: {divergence.theory})" if divergence.theory else ""
        title = f"training diverged from lambda {divergence.lam:.3g} on{theory}"
    elif cells["state"].isin(["some", "diverged"]).any():
        title = "training diverged at lambda 0"
    return title + ("" if math.isnan(collapsed) else f"; networks collapsed to guessing from {collapsed:.2g} on")


def draw(points: Points, title: str) -> Figure:
    """Draws the map."""
    names, count = points.networks["architecture"].tolist(), len(points.networks)
    height = 1.75 + 0.29 * max(count, FEWEST)
    drawn, ((axes,),) = make_figure(7.0, height, title)
    drawn.subplots_adjust(left=0.13, right=0.985, top=1 - 0.5 / height, bottom=1.0 / height)
    lambdas = points.cells["lambda"].to_numpy(float)
    x, rows = place_lambdas(lambdas), points.cells["architecture"].map(names.index).to_numpy()
    for state, style in STATES.items():
        chosen = (points.cells["state"] == state).to_numpy()
        if chosen.any():
            axes.plot(x[chosen], rows[chosen], linestyle="", markersize=6, zorder=3, **style)
    for column, line, colour, label in (
        ("predicted_limit", "-", BLACK, "predicted limit"),
        ("under_trained_below", ":", GREY, "left of this, training is too short to act"),
    ):
        values = points.networks[column].to_numpy(float)
        y = np.flatnonzero(~np.isnan(values))
        if len(y):
            ends = y - 0.5, y + 0.5
            axes.vlines(np.log10(values[y]), *ends, color=colour, linestyle=line, linewidth=1.8, label=label)
    set_lambda_axis(axes, np.unique(lambdas))
    if points.networks["predicted_limit"].notna().any():
        axes.set_xlim(right=max(axes.get_xlim()[1], float(np.log10(points.networks["predicted_limit"].max())) + 0.2))
    axes.set_yticks(range(count), names)
    axes.set_ylim(count - 0.4, -0.6)
    axes.grid(axis="y")
    axes.set_xlabel("lambda (log scale; 0 apart at the left)")
    axes.set_ylabel("network, by weights")
    drawn.legend(*axes.get_legend_handles_labels(), loc="lower center", ncols=3, bbox_to_anchor=(0.5, 0.0))
    return drawn
