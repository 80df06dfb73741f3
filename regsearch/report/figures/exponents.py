"""The exponents of several studies side by side, with what each claim would have."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from regsearch.analysis import CONSTANT, INVERSE
from regsearch.report.figures.canvas import Floats, make_figure
from regsearch.report.figures.palette import BLACK, BLUE, GREEN, ORANGE, PINK, RED, SKY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = (BLUE, ORANGE, RED, PINK, BLACK)
ROOM = 0.4
"""How far the axis reaches beyond the claims and the intervals."""


@dataclass(frozen=True)
class Points:
    """The exponents, from the top down.

    Attributes:
        studies, penalties, labels, verdicts: (rows,); a label tells the rows of a study apart.
        exponent: NaN where there is no fit, (rows,).
        low, high: the ends of the 95 % interval, NaN where it is open, (rows,).
        title: the finding.
    """

    studies: list[str]
    penalties: list[str]
    labels: list[str]
    verdicts: list[str]
    exponent: Floats
    low: Floats
    high: Floats
    title: str


def find_points(studies: pd.DataFrame) -> Points | None:
    """The rows of the table of studies; None without one.

    Args:
        studies: the table of `report.overview`.
    """
    if studies.empty:
        return None
    counts = studies["verdict"].value_counts()
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in sorted(counts.index, key=lambda v: -counts[v]))
    return Points(
        studies=[str(name) for name in studies["study"]],
        penalties=[str(name) for name in studies["penalty"]],
        labels=[
            f"{row['penalty']}, rate {row['learning_rate']:g}, {row['train_size']} images"
            for row in studies.to_dict("records")
        ],
        verdicts=[str(verdict) for verdict in studies["verdict"]],
        exponent=studies["exponent"].to_numpy(float),
        low=studies["exponent_low"].replace(-np.inf, np.nan).to_numpy(float),
        high=studies["exponent_high"].replace(np.inf, np.nan).to_numpy(float),
        title=f"How the best lambda goes with the number of weights: {said}\nbest lambda ∝ N^exponent, 95 % interval",
    )


def draw(points: Points, title: str) -> "Figure":
    """Draws an interval a row, with lines where the claims are."""
    rows = len(points.labels)
    heads = [index for index in range(rows) if index == 0 or points.studies[index] != points.studies[index - 1]]
    height = 1.75 + 0.25 * (rows + len(heads))
    drawn, ((axes,),) = make_figure(7.6, height, title)
    drawn.subplots_adjust(left=0.36, right=0.84, top=1 - 0.75 / height, bottom=0.75 / height)
    every = np.concatenate([points.exponent, points.low, points.high, [CONSTANT, INVERSE]])
    ends = np.nanmin(every) - ROOM, np.nanmax(every) + ROOM
    axes.set_xlim(*ends)
    for claim, colour, words in ((CONSTANT, GREEN, "no change with N"), (INVERSE, SKY, "1/N")):
        axes.axvspan(claim - 0.5, claim + 0.5, color=colour, alpha=0.07, linewidth=0)
        axes.axvline(claim, color=colour, linewidth=1.6, label=f"claim: {words}")
    colours = dict(zip(dict.fromkeys(points.penalties), COLOURS * rows, strict=False))
    place, places, labels = 0.0, [], []
    for index in range(rows):
        if index in heads:
            axes.text(-0.62, place, points.studies[index], transform=axes.get_yaxis_transform(), va="center",
                      fontweight="bold", clip_on=False)  # fmt: skip
            place += 1
        low, high, exponent = points.low[index], points.high[index], points.exponent[index]
        places.append(place)
        labels.append(points.labels[index])
        if not np.isnan(exponent):
            colour = colours[points.penalties[index]]
            reach = [ends[0] if np.isnan(low) else low, ends[1] if np.isnan(high) else high]
            axes.plot(reach, [place, place], color=colour, linewidth=1.8, solid_capstyle="butt", zorder=3)
            axes.plot([exponent], [place], "o", color=colour, zorder=4)
        axes.text(
            1.02, place, points.verdicts[index], transform=axes.get_yaxis_transform(), va="center", clip_on=False
        )
        place += 1
    axes.set_yticks(places, labels)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(place - 0.3, -0.7)
    axes.set_xlabel("exponent (an open interval reaches the edge; shaded: within 0.5 of a claim)")
    drawn.legend(*axes.get_legend_handles_labels(), loc="lower center", ncols=2, bbox_to_anchor=(0.6, 0.0))
    return drawn
