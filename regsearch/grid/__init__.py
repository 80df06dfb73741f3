"""What is to be trained: shapes and costs, cells and populations, rounds as the grid grows. Imports no pandas."""

from regsearch.grid.cells import (
    TENSORFLOW,
    WIDTHS,
    Architecture,
    Cell,
    Population,
    identify,
    make_architectures,
    make_cells,
    make_populations,
)
from regsearch.grid.costs import KEPT_COMPILED, SCORED_AT_ONCE, Size, cost_architecture, find_size, measure
from regsearch.grid.rounds import make_rounds, select_present
from regsearch.grid.shapes import Window, make_window, shape_output

__all__ = [
    "KEPT_COMPILED", "SCORED_AT_ONCE", "TENSORFLOW", "WIDTHS", "Architecture", "Cell", "Population", "Size",
    "Window", "cost_architecture", "find_size", "identify", "make_architectures", "make_cells",
    "make_populations", "make_rounds", "make_window", "measure", "select_present", "shape_output",
]  # fmt: skip
