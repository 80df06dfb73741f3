"""The exponents of several studies side by side, with what each claim would have."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from regsearch.analysis import CONSTANT, INVERSE, WIDEST_TOLERANCE
from regsearch.report.figures.canvas import make_figure
from regsearch.report.figures.palette import BLACK, BLUE, GREEN, ORANGE, PINK, RED, SKY

COLOURS = (BLUE, ORANGE, RED, PINK, BLACK)
ROOM = 0.4
"""How far the axis reaches beyond the claims and the intervals."""


class Points(NamedTuple):
    """The rows of the table of studies from the top down, open ends as NaN and with a `label`, and the finding."""

    rows: pd.DataFrame
    title: str


def find_points(studies: pd.DataFrame) -> Points | None:
    """The rows of the table of studies; None without one.

    Args:
        studies: the table of `report.overview`.
    """
    if studies.empty:
        return None
    counts = studies["verdict"].value_counts()
    verdicts = ", ".join(f"{counts[verdict]} {verdict}" for verdict in sorted(counts.index, key=lambda v: -counts[v]))
    labels = [
        f"{row['penalty']}, rate {row['learning_rate']:g}, {row['train_size']} images"
        for row in studies.to_dict("records")
    ]
    return Points(
        studies.replace([-np.inf, np.inf], np.nan).assign(label=labels),
        f"How the best lambda goes with the number of weights: ∝ N^exponent, 95 % interval\n{verdicts}",
    )


def draw(points: Points, title: str) -> Figure:
    """Draws an interval a row, with lines where the claims are."""
    rows = points.rows
    height = 1.75 + 0.25 * (len(rows) + rows["study"].nunique())
    drawn, ((axes,),) = make_figure(7.6, height, title)
    drawn.subplots_adjust(left=0.36, right=0.84, top=1 - 0.75 / height, bottom=0.75 / height)
    every = np.append(rows[["exponent", "exponent_low", "exponent_high"]].to_numpy(float), [CONSTANT, INVERSE])
    ends = np.nanmin(every) - ROOM, np.nanmax(every) + ROOM
    axes.set_xlim(*ends)
    for claim, colour, words in ((CONSTANT, GREEN, "no change with N"), (INVERSE, SKY, "1/N")):
        axes.axvspan(claim - WIDEST_TOLERANCE, claim + WIDEST_TOLERANCE, color=colour, alpha=0.07, linewidth=0)
        axes.axvline(claim, color=colour, linewidth=1.6, label=f"claim: {words}")
    colours = dict(zip(rows["penalty"].unique(), COLOURS * len(rows), strict=False))
    beside = {"transform": axes.get_yaxis_transform(), "va": "center", "clip_on": False}
    place, places = 0, []
    for study, group in rows.groupby("study", sort=False):
        axes.text(-0.62, place, study, fontweight="bold", **beside)
        for row in group.to_dict("records"):
            place += 1
            places.append(place)
            if not np.isnan(row["exponent"]):
                colour, low, high = colours[row["penalty"]], row["exponent_low"], row["exponent_high"]
                reach = [ends[0] if np.isnan(low) else low, ends[1] if np.isnan(high) else high]
                axes.plot(reach, [place, place], color=colour, linewidth=1.8, solid_capstyle="butt", zorder=3)
                axes.plot([row["exponent"]], [place], "o", color=colour, zorder=4)
            axes.text(1.02, place, row["verdict"], **beside)
        place += 1
    axes.set_yticks(places, rows["label"])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(place - 0.3, -0.7)
    axes.set_xlabel(f"exponent (an open interval reaches the edge; shaded: at most {WIDEST_TOLERANCE} from a claim)")
    drawn.legend(*axes.get_legend_handles_labels(), loc="lower center", ncols=2, bbox_to_anchor=(0.6, 0.0))
    return drawn
