"""The grid in rounds: first as the spec has it, then what the optima found so far ask for.

Each round follows from the spec and the results of the rounds before it alone, so that a resumed study grows
as an uninterrupted one does.
"""

import logging
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from regsearch.grid import cells as grid
from regsearch.grid.cells import Cell, Strength
from regsearch.spec import SMALLEST_LAMBDA, LambdaRange, Spec

if TYPE_CHECKING:
    import pandas as pd

LARGEST_LAMBDA = 1e9
_DEFAULT_RATIO = 10**0.5
_EPSILON = 1e-6

Where = tuple[str, str, float, int]
"""A curve's network, penalty, learning rate and training-set size."""
Step = Callable[[Spec, Sequence[Cell], "pd.DataFrame"], dict[Where, list[float]]]
"""What a round adds to each curve, from what is known."""

log = logging.getLogger(__name__)


def make_rounds(spec: Spec, engine: str, content: str, trials: "Callable[[], pd.DataFrame]") -> Iterator[list[Cell]]:
    """The cells of each round; the next round follows once all of those before have finished.

    The first is the spec's grid. With `grid.extend`, rounds follow that add the lambdas within a decade beyond
    each edge where an optimum sits, until none does or the grid has grown by that many decades. With
    `grid.refine` a last one adds lambdas between each optimum and its neighbours.

    Args:
        spec: the study.
        engine: the engine that trains it.
        content: the dataset's content, as `datasets.shape` states it.
        trials: reads the ledger's table as it is now.
    """
    known = grid.make_cells(spec, engine, content)

    def asked_for(step: Step) -> list[Cell]:
        table = select_present(trials(), known)
        if (table["status"] != "failed").sum() < len(known):
            return []
        new = _cells(spec, engine, content, step(spec, known, table))
        if len(known) + len(new) > spec.grid.max_trials:
            log.warning("the grid would grow beyond grid.max_trials (%d) and stays as it is", spec.grid.max_trials)
            return []
        known.extend(new)
        return new

    yield list(known)
    while spec.grid.extend and (new := asked_for(_extension)):
        yield new
    if spec.grid.refine and (new := asked_for(_refinement)):
        yield new


def select_present(trials: "pd.DataFrame", cells: Sequence[Cell]) -> "pd.DataFrame":
    """The rows of the ledger that belong to cells, with names and axes as the cells have them.

    The ledger may hold more, may know a network by an earlier name, and writes numbers with nine digits.
    """
    import pandas as pd

    of = {cell.trial: cell for cell in cells}
    trials = trials[trials["trial"].isin(of)]
    found = [of[trial] for trial in trials["trial"]]
    return trials.assign(
        **{
            "architecture": pd.array([cell.architecture.name for cell in found], dtype="string"),
            "lambda": pd.array([cell.lam for cell in found], dtype="float64"),
            "learning_rate": pd.array([cell.learning_rate for cell in found], dtype="float64"),
        }
    )


def _cells(spec: Spec, engine: str, content: str, lambdas: dict[Where, list[float]]) -> list[Cell]:
    penalties = {penalty.name: penalty for penalty in spec.grid.penalties}
    strengths: dict[tuple[str, float, int], list[Strength]] = defaultdict(list)
    for (architecture, penalty, rate, size), values in lambdas.items():
        strengths[architecture, rate, size] += [(penalties[penalty], lam) for lam in values]
    return grid.make_cells_at(spec, engine, content, lambda *where: strengths[where])


def _optima(known: Sequence[Cell], trials: "pd.DataFrame") -> Iterator[tuple[Where, dict[Any, Any], list[float]]]:
    """Each curve's row of the table of best lambdas, and its lambdas above 0."""
    from regsearch.analysis import find_best_lambdas, make_curves

    lambdas: dict[Where, set[float]] = defaultdict(set)
    for cell in known:
        if cell.penalty:
            lambdas[cell.architecture.name, cell.penalty_name, cell.learning_rate, cell.train_size].add(cell.lam)
    for row in find_best_lambdas(list(make_curves(trials)), bootstraps=0).to_dict("records"):
        where: Any = row["architecture"], row["penalty"], row["learning_rate"], row["train_size"]
        yield where, dict(row), sorted(lambdas[where])


def _extension(spec: Spec, known: Sequence[Cell], trials: "pd.DataFrame") -> dict[Where, list[float]]:
    """The next lambdas beyond each edge where an optimum sits.

    On the left an optimum sits where the status says so: without a benefit over 0 there is nothing to look
    for. On the right it is enough that the largest lambda is the best so far and has not diverged.
    """
    base = [lam for lam in spec.grid.lambda_values() if lam > 0]
    found = {}
    for where, row, lambdas in _optima(known, trials):
        best = row["best_grid_lambda"]
        if row["status"] == "left_edge" and _same(best, lambdas[0]):
            outward = _outward(spec, base, -1)
            found[where] = _within_a_decade(lambdas[0], [lam for lam in outward if lam < lambdas[0] * (1 - _EPSILON)])
        elif row["status"] != "left_edge" and _same(best, lambdas[-1]):
            outward = _outward(spec, base, 1)
            found[where] = _within_a_decade(
                lambdas[-1], [lam for lam in outward if lam > lambdas[-1] * (1 + _EPSILON)]
            )
    return found


def _outward(spec: Spec, base: Sequence[float], side: int) -> list[float]:
    """The lambdas within `grid.extend` decades beyond one end of the spec's grid, nearest first, evenly spaced."""
    edge, *inner = base if side < 0 else reversed(base)
    if isinstance(spec.grid.lambdas, LambdaRange):
        ratio = 10 ** (1 / spec.grid.lambdas.per_decade)
    else:
        ratio = max(edge / inner[0], inner[0] / edge) if inner else _DEFAULT_RATIO
    steps = math.floor(spec.grid.extend / math.log10(ratio) + 1e-3)
    values = [_rounded(edge * ratio ** (side * step)) for step in range(1, steps + 1)]
    return [value for value in values if SMALLEST_LAMBDA <= value <= LARGEST_LAMBDA]


def _within_a_decade(edge: float, outward: Sequence[float]) -> list[float]:
    """Those no farther than a decade, or the nearest alone."""
    near = [lam for lam in outward if abs(math.log10(lam / edge)) <= 1 + 1e-3]
    return sorted(near or outward[:1])


def _refinement(spec: Spec, known: Sequence[Cell], trials: "pd.DataFrame") -> dict[Where, list[float]]:
    """`grid.refine` lambdas a decade between each optimum inside its grid and its two neighbours there."""
    found = {}
    for where, row, lambdas in _optima(known, trials):
        if row["status"] not in ("interior", "multimodal"):
            continue
        best = next(index for index, lam in enumerate(lambdas) if _same(lam, row["best_grid_lambda"]))
        new: list[float] = []
        for low, high in pairwise(lambdas[max(0, best - 1) : best + 2]):
            parts = math.ceil(math.log10(high / low) * spec.grid.refine - 1e-3)  # lambdas have six digits
            new += [_rounded(low * (high / low) ** (part / parts)) for part in range(1, parts)]
        found[where] = [lam for lam in new if not any(_same(lam, other) for other in lambdas)]
    return found


def _same(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=_EPSILON)


def _rounded(lam: float) -> float:
    """Six digits, as the spec's ranges have, so that a grown grid meets one written out."""
    return float(f"{lam:.6g}")
