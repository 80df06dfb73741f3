"""What a lambda tuned on one network costs on another: a map for each rule that moves it."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure

from regsearch.analysis import RULES
from regsearch.report.figures.canvas import Floats, make_figure
from regsearch.report.figures.palette import GREY

NAMES = {"same": "lambda as it is", "inverse": "lambda ∝ 1/N", "fitted": "lambda ∝ N$^α$, fitted"}
EDGES: dict[str, Any] = {"edgecolor": "face", "linewidth": 0.7}
"""Of the areas that meet: without, what is behind shows between them."""
CELLS: dict[str, Any] = {"cmap": colormaps["cividis"].resampled(48), **EDGES}
"""Few enough colours for Matplotlib to draw their bar as areas: an image would be bytes in base64."""
WRITTEN = 12
"""Up to so many networks the cells hold their numbers."""


class Points(NamedTuple):
    """The regrets.

    Attributes:
        names: the networks by weight count.
        regrets: a rule's (tuned on, used on); 0 on the diagonal, NaN outside the grid.
        largest: where the colours end, above 0; nineteen regrets of twenty are below.
        title: the finding.
    """

    names: list[str]
    regrets: dict[str, Floats]
    largest: float
    title: str


def find_points(transfer: pd.DataFrame) -> Points | None:
    """The maps of one penalty, learning rate and training-set size; None where there are none.

    Args:
        transfer: rows of the table of `transfer`.
    """
    if transfer.empty:
        return None
    ends = [zip(transfer[f"{end}_weights"], transfer[f"{end}_on"], strict=True) for end in ("tuned", "used")]
    names = [str(name) for _, name in sorted({*ends[0], *ends[1]})]
    regrets = {}
    for rule in RULES:
        rows = transfer[transfer["rule"] == rule]
        if rows.empty:
            continue
        regret = rows.pivot(index="tuned_on", columns="used_on", values="regret").reindex(index=names, columns=names)
        regrets[rule] = regret.to_numpy(float, copy=True)
        np.fill_diagonal(regrets[rule], 0.0)
    known = transfer["regret"].dropna().to_numpy(float)
    largest = float(np.quantile(known, 0.95)) if len(known) else 0.0
    return Points(names, regrets, max(largest, 1e-3), _title(transfer))


def _title(transfer: pd.DataFrame) -> str:
    words = {"same": "reused as it is", "inverse": "scaled by 1/N", "fitted": "moved by the fitted power"}
    parts = []
    for rule, name in words.items():
        regrets = transfer.loc[transfer["rule"] == rule, "regret"].dropna()
        if len(regrets):
            parts.append(f"{_signed(regrets.median())} and {_signed(regrets.max())} {name}")
    if not parts:
        return "no lambda moved to another network falls inside the grid"
    return (
        "what a lambda chosen on another network by validation loss costs in test loss, median and worst pair:\n"
        + "; ".join(parts)
    )


def draw(points: Points, title: str) -> Figure:
    """Draws the maps."""
    count, networks = len(points.regrets), len(points.names)
    side = min(4.2, max(2.2, 0.34 * networks + 0.3))
    width, height = max(5.6, 1.0 + count * (side + 0.22) + 0.8), side + 1.75
    drawn, axes = make_figure(width, height, title, 1, count, sharey=True)
    drawn.subplots_adjust(0.8 / width, 0.82 / height, 1 - 0.95 / width, 1 - 0.92 / height, wspace=0.1)
    ends = np.arange(networks + 1) - 0.5
    for place, (rule, regret) in zip(axes.flat, points.regrets.items(), strict=True):
        place.set_facecolor("#efefef")
        place.patch.set_hatch("////")
        place.patch.set_edgecolor("#bdbdbd")
        low = min(0.0, float(np.nanmin(regret)))
        image = place.pcolormesh(ends, ends, np.ma.masked_invalid(regret), vmin=0, vmax=points.largest, **CELLS)
        place.set_ylim(ends[-1], ends[0])
        place.set_title(NAMES[rule], pad=4)
        place.set_xticks(range(networks), points.names, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
        place.set_yticks(range(networks), points.names, fontsize=8)
        place.tick_params(length=0)
        place.spines[:].set_visible(False)
        if networks <= WRITTEN:
            for (row, column), value in np.ndenumerate(regret):
                if not np.isnan(value) and row != column:
                    bright = (value - low) / points.largest > 0.55
                    place.text(column, row, _written(value), ha="center", va="center", fontsize=6,
                               color="black" if bright else "white")  # fmt: skip
    bar = drawn.add_axes((1 - 0.82 / width, 0.82 / height, 0.11 / width, 1 - 1.74 / height))
    drawn.colorbar(image, cax=bar, extend="max", label="regret in test loss")
    for areas in bar.collections:
        areas.set(**EDGES)
    axes[0, 0].set_ylabel("tuned on")
    drawn.text(0.5, 0.26 / height, "used on", ha="center", fontsize=9)
    if any(np.isnan(regret).any() for regret in points.regrets.values()):
        words = "hatched: outside the grid, so not known"
        drawn.text(0.5, 0.08 / height, words, ha="center", fontsize=7.5, color=GREY)
    return drawn


def _signed(value: float) -> str:
    """Two decimals, and no sign where they are all 0."""
    return f"{0.0 if abs(value) < 5e-3 else value:.2f}"


def _written(value: float) -> str:
    """Two decimals, without the zero before the point: the cells are small."""
    if abs(value) >= 10:
        return f"{value:.0f}"
    text = f"{value:.2f}" if abs(value) < 1 else f"{value:.1f}"
    return text.replace("-0.00", "0.00").replace("0.", ".").replace("-", "−")
