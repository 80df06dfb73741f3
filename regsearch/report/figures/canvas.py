"""What all figures share: colours, sizes, how lambda 0 is set apart, and bytes that are the same each time."""

import io
import math
import re
import textwrap
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from matplotlib import rc_context, rcParamsDefault
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

from regsearch.report.figures.palette import PALE
from regsearch.report.figures.svg import slim

GAP = 0.75
"""Decades between lambda 0 and the smallest lambda above it."""

LETTERS = 11.5
"""How many letters of a title an inch holds."""

Floats = NDArray[np.float64]

_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.5,
    "lines.markersize": 5.5,
    "hatch.linewidth": 0.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "regsearch",
    "figure.dpi": 100,
}
_DPI = 150
_ELSEWHERE = {"backend", "backend_fallback", "interactive", "date.epoch"}
"""What decides how windows open, or is fixed for a whole process: figures of ours do not depend on it."""


def use_style() -> AbstractContextManager[None]:
    """Draws and saves in the style of all figures, whatever a user's `matplotlibrc` and `rcParams` say."""
    return rc_context({name: value for name, value in rcParamsDefault.items() if name not in _ELSEWHERE} | _STYLE)


class Drawing(Figure):
    """A figure in the style of all figures, which a notebook shows also where `pyplot` was never imported."""

    def _repr_png_(self) -> bytes:
        return _write(self, "png")

    def draw(self, renderer: RendererBase) -> None:
        """Draws it; see Matplotlib."""
        with use_style():
            super().draw(renderer)

    def savefig(self, *arguments: Any, **named: Any) -> None:
        """Saves it; see Matplotlib."""
        with use_style():
            super().savefig(*arguments, **named)


def make_figure(
    width: float, height: float, title: str, rows: int = 1, columns: int = 1, **options: Any
) -> tuple[Figure, Any]:
    """An empty figure with a title that states the finding.

    Returns:
        The figure and its axes, (rows, columns).
    """
    drawn = Drawing(figsize=(width, height), facecolor="white")
    axes = drawn.subplots(rows, columns, squeeze=False, **options)
    title = "\n".join(part for line in title.split("\n") for part in textwrap.wrap(line, int(LETTERS * width)))
    title = re.sub(r"N\^(-?[\d.]+)", r"N$^{\1}$", title)
    drawn.text(0.1 / width, 1 - 0.09 / height, title, va="top", ha="left", fontsize=10.5, fontweight="bold")
    return drawn, axes


def save(drawn: Figure) -> dict[str, bytes]:
    """The figure as SVG and PNG, the same bytes each time with the same libraries."""
    return {"svg": slim(_write(drawn, "svg")), "png": _write(drawn, "png")}


def _write(drawn: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    drawn.savefig(buffer, format=kind, dpi=_DPI, metadata={"Date": None} if kind == "svg" else {"Software": None})
    return buffer.getvalue()


def place_lambdas(lambdas: Floats) -> Floats:
    """Where lambdas lie on an axis of log10 λ, with 0 a gap left of the smallest above it."""
    positive = lambdas > 0
    start = np.log10(lambdas[positive].min()) if positive.any() else 0.0
    return np.where(positive, np.log10(np.where(positive, lambdas, 1.0)), start - GAP)


def set_lambda_axis(axes: Axes, lambdas: Floats) -> None:
    """Ticks of a log axis of lambda, `0` apart at the left behind a break."""
    x = place_lambdas(lambdas)
    positive = lambdas[lambdas > 0]
    decades = np.array([])
    if len(positive):
        low, high = np.log10([positive.min(), positive.max()])
        decades = np.arange(np.ceil(low - 1e-9), np.floor(high + 1e-9) + 1)
        decades = decades[:: max(1, math.ceil(len(decades) / 7))]
    ticks, labels = list(decades), [f"$10^{{{decade:.0f}}}$" for decade in decades]
    if (lambdas == 0).any():
        ticks, labels = [x.min(), *ticks], ["0", *labels]
        axes.axvline(x.min() + GAP / 2, color=PALE, linewidth=0.8, linestyle=(0, (2, 2)), zorder=0)
    axes.set_xticks(ticks, labels)
    axes.set_xlim(x.min() - 0.25, x.max() + 0.25)


def set_weights_axis(axes: Axes, weights: Floats, room: int) -> None:
    """A log axis of weight counts, a tick at each network as far as there is room for so many."""
    axes.set_xscale("log")
    low, high = weights.min(), weights.max()
    axes.set_xlim(low / 1.25, high * 1.25)
    distance = (np.log10(high) - np.log10(low)) / room
    ticks: list[float] = []
    for value in sorted(set(weights.tolist())):
        if not ticks or np.log10(value / ticks[-1]) > distance:
            ticks.append(value)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(ticks, [f"{value:,.0f}" for value in ticks])


def set_number_ticks(axis: Axis, low: float, high: float) -> None:
    """Plain numbers at 1, 2 and 5 on a log axis of less than two decades; powers of ten on longer ones."""
    if high / low < 100:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
