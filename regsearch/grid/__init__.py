"""What is to be trained: shapes and costs, cells and populations, rounds as the grid grows. Imports no pandas."""

from regsearch.grid.cells import (
    WIDTHS,
    Architecture,
    Cell,
    Population,
    identify,
    make_architectures,
    make_cells,
    make_populations,
)
from regsearch.grid.costs import KEPT_COMPILED, SCORED_AT_ONCE, Size, measure, weigh
from regsearch.grid.rounds import make_rounds, select_present
from regsearch.grid.shapes import Window, window_of

__all__ = [
    "KEPT_COMPILED", "SCORED_AT_ONCE", "WIDTHS", "Architecture", "Cell", "Population", "Size", "Window", "identify",
    "make_architectures", "make_cells", "make_populations", "make_rounds", "measure", "select_present", "weigh",
    "window_of",
]  # fmt: skip
