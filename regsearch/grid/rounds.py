"""The grid in rounds: first as the spec has it, then what the optima found so far ask for.

Each round follows from the spec and the results of the rounds before it alone, so that a resumed study grows
as an uninterrupted one does. Pandas is imported by the rounds that read results, so that `check` needs none.
"""

import logging
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from regsearch.grid.cells import TENSORFLOW, Cell, Strength, make_cells, make_cells_at
from regsearch.spec import SMALLEST_LAMBDA, LambdaRange, Spec

if TYPE_CHECKING:
    import pandas as pd

LARGEST_LAMBDA = 1e9
_DEFAULT_RATIO = 10**0.5
_EPSILON = 1e-6

log = logging.getLogger(__name__)


class CurveKey(NamedTuple):
    """What tells one curve of loss against lambda from another."""

    architecture: str
    penalty: str
    learning_rate: float
    train_size: int


class Optimum(NamedTuple):
    """What is known of a curve.

    Attributes:
        status: of its best lambda, as the table of best lambdas has it.
        best: the lambda with the lowest mean loss.
        low, high: the interval of the best lambda; NaN where an end is open.
        lambdas: those above 0 that the grid has, rising.
    """

    status: str
    best: float
    low: float
    high: float
    lambdas: list[float]


Optima = dict[CurveKey, Optimum]
Growth = dict[CurveKey, list[float]]
"""The lambdas that a round adds to each curve."""


def make_rounds(
    spec: Spec, engine: str, content: str, read_trials: "Callable[[], pd.DataFrame]", backend: str = TENSORFLOW
) -> Iterator[list[Cell]]:
    """The cells of each round; the next round follows once all of those before have finished.

    The first is the spec's grid. With `grid.extend`, rounds follow that add the lambdas within a decade beyond
    each edge where an optimum sits, until none does or the grid has grown by that many decades. With
    `grid.refine` a last one adds lambdas between each optimum and its neighbours.

    Args:
        spec: what is asked.
        engine: the engine that trains it.
        content: the dataset's content, as `data.describe` states it.
        read_trials: reads the ledger's table as it is now.
        backend: what computes.
    """
    cells = make_cells(spec, engine, content, backend)

    def grow(find_growth: Callable[[Spec, Optima], Growth]) -> list[Cell]:
        trials = select_present(read_trials(), cells)
        if (trials["status"] != "failed").sum() < len(cells):
            return []
        new = _make_cells(spec, engine, content, find_growth(spec, _find_optima(cells, trials)), backend)
        if len(cells) + len(new) > spec.grid.max_trials:
            log.warning("the grid would grow beyond grid.max_trials (%d) and stays as it is", spec.grid.max_trials)
            return []
        cells.extend(new)
        return new

    yield list(cells)
    while spec.grid.extend and (new := grow(_extend)):
        yield new
    if spec.grid.refine and (new := grow(_refine)):
        yield new


def select_present(trials: "pd.DataFrame", cells: Sequence[Cell]) -> "pd.DataFrame":
    """The rows of the ledger that belong to cells, with names and axes as the cells have them.

    The ledger may hold more, may know an architecture by an earlier name, writes numbers with nine digits, and may
    have been edited: a trial's hash says where it belongs.
    """
    import pandas as pd

    by_trial = {cell.trial: cell for cell in cells}
    trials = trials[trials["trial"].isin(by_trial)]
    present = [by_trial[trial] for trial in trials["trial"]]
    widths = pd.array([cell.architecture.width for cell in present], dtype="Int64")
    return trials.assign(
        **{
            "architecture": pd.array([cell.architecture.name for cell in present], dtype="string"),
            "width": widths if any(widths.isna()) else widths.astype("int64"),
            "penalty": pd.array([cell.penalty_name for cell in present], dtype="string"),
            "lambda": pd.array([cell.lam for cell in present], dtype="float64"),
            "learning_rate": pd.array([cell.learning_rate for cell in present], dtype="float64"),
            "train_size": pd.array([cell.train_size for cell in present], dtype="int64"),
            "seed": pd.array([cell.seed for cell in present], dtype="int64"),
        }
    )


def _make_cells(spec: Spec, engine: str, content: str, growth: Growth, backend: str) -> list[Cell]:
    penalties = {penalty.name: penalty for penalty in spec.grid.penalties}
    strengths: dict[tuple[str, float, int], list[Strength]] = defaultdict(list)
    for key, lambdas in growth.items():
        strengths[key.architecture, key.learning_rate, key.train_size] += [
            (penalties[key.penalty], lam) for lam in lambdas
        ]
    return make_cells_at(spec, engine, content, lambda *setting: strengths[setting], backend)


def _find_optima(cells: Sequence[Cell], trials: "pd.DataFrame") -> Optima:
    from regsearch.analysis import find_best_lambdas, make_curves

    lambdas: dict[CurveKey, set[float]] = defaultdict(set)
    for cell in cells:
        if cell.penalty:
            key = CurveKey(cell.architecture.name, cell.penalty_name, cell.learning_rate, cell.train_size)
            lambdas[key].add(cell.lam)
    optima = {}
    for row in find_best_lambdas(list(make_curves(trials))).to_dict("records"):
        key = CurveKey(row["architecture"], row["penalty"], row["learning_rate"], row["train_size"])
        ends = row["best_lambda_low"], row["best_lambda_high"]
        optima[key] = Optimum(row["status"], row["best_grid_lambda"], *ends, sorted(lambdas[key]))
    return optima


def _extend(spec: Spec, optima: Optima) -> Growth:
    """The next lambdas beyond each edge where an optimum sits.

    On the left an optimum sits where the status says so: without a benefit over 0 there is nothing to look
    for. On the right it is enough that the largest lambda is the best so far and has not diverged.
    """
    base = [lam for lam in spec.grid.lambda_values() if lam > 0]
    growth = {}
    for key, (status, best, _, _, lambdas) in optima.items():
        if status == "left_edge" and _is_same(best, lambdas[0]):
            outward = [lam for lam in _list_outward(spec, base, -1) if lam < lambdas[0] * (1 - _EPSILON)]
            growth[key] = _keep_within_a_decade(lambdas[0], outward)
        elif status != "left_edge" and _is_same(best, lambdas[-1]):
            outward = [lam for lam in _list_outward(spec, base, 1) if lam > lambdas[-1] * (1 + _EPSILON)]
            growth[key] = _keep_within_a_decade(lambdas[-1], outward)
    return growth


def _list_outward(spec: Spec, base: Sequence[float], side: int) -> list[float]:
    """The lambdas within `grid.extend` decades beyond one end of the spec's grid, nearest first, evenly spaced."""
    edge, *inner = base if side < 0 else reversed(base)
    if isinstance(spec.grid.lambdas, LambdaRange):
        ratio = 10 ** (1 / spec.grid.lambdas.per_decade)
    else:
        ratio = max(edge / inner[0], inner[0] / edge) if inner else _DEFAULT_RATIO
    steps = math.floor(spec.grid.extend / math.log10(ratio) + 1e-3)
    lambdas = [_round(edge * ratio ** (side * step)) for step in range(1, steps + 1)]
    return [lam for lam in lambdas if SMALLEST_LAMBDA <= lam <= LARGEST_LAMBDA]


def _keep_within_a_decade(edge: float, outward: Sequence[float]) -> list[float]:
    """Those no farther than a decade, or the nearest alone."""
    near = [lam for lam in outward if abs(math.log10(lam / edge)) <= 1 + 1e-3]
    return sorted(near or outward[:1])


def _refine(spec: Spec, optima: Optima) -> Growth:
    """`grid.refine` lambdas a decade between the ends of each best lambda's interval, as far as the grid reaches.

    Where an end is open it is a step of the grid beyond the best. Every step between two grid points is parted
    evenly, so that networks whose intervals overlap share lambdas.
    """
    growth = {}
    for key, (_, best, low_end, high_end, lambdas) in optima.items():
        index = next(index for index, lam in enumerate(lambdas) if _is_same(lam, best))
        first = lambdas[max(0, index - 1)] if math.isnan(low_end) else low_end
        last = lambdas[min(len(lambdas) - 1, index + 1)] if math.isnan(high_end) else high_end
        new: list[float] = []
        for low, high in pairwise(lambdas):
            parts = math.ceil(math.log10(high / low) * spec.grid.refine - 1e-3)  # lambdas have six digits
            new += [_round(low * (high / low) ** (part / parts)) for part in range(1, parts)]
        within = [lam for lam in new if first < lam < last]
        growth[key] = [lam for lam in within if not any(_is_same(lam, other) for other in lambdas)]
    return growth


def _is_same(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=_EPSILON)


def _round(lam: float) -> float:
    """Six digits, as the spec's ranges have, so that a grown grid meets one written out."""
    return float(f"{lam:.6g}")
