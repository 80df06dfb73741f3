"""`Spec` → the ordered cells of the grid, and the populations they train in."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, product
from typing import Any

from regsearch.spec import NONE, Coefficients, Count, LayerBase, Penalised, PenaltyBase, Spec

TENSORFLOW = "tensorflow"
"""The backend that goes without saying."""
WIDTHS = "at every width"
"""In place of an architecture's name, where the layers follow the width; no name can be this."""


@dataclass(frozen=True)
class Architecture:
    """One architecture at one width.

    Attributes:
        name: as in the table's column `architecture`.
        width: None where `architectures` lists networks by name.
        layers: the spec's layers; sizes still follow the width.
        penalised: which of their kernels the penalty is over.
    """

    name: str
    width: int | None
    layers: tuple[LayerBase, ...]
    penalised: Penalised = "all"


@dataclass(frozen=True)
class Cell:
    """One point of the grid: everything that tells one trained network from another.

    Attributes:
        trial: the hash of all that determines the network's numbers; the ledger is looked up by it.
        penalty: None where lambda is 0: that network serves every penalty.
    """

    trial: str
    architecture: Architecture
    penalty: PenaltyBase | None
    lam: float
    learning_rate: float
    train_size: int
    seed: int
    engine: str
    backend: str = TENSORFLOW

    @property
    def penalty_name(self) -> str:
        """The penalty's name in tables."""
        return self.penalty.name if self.penalty else NONE

    def coefficients(self, penalised: int) -> Coefficients:
        """The penalty's coefficients at the cell's lambda, with so many penalised weights."""
        at_one = self.penalty.coefficients(penalised) if self.penalty else Coefficients()
        return Coefficients(*(self.lam * coefficient for coefficient in at_one))


@dataclass(frozen=True)
class Population:
    """Cells that share a network and its number of steps, so that they can train together."""

    cells: tuple[Cell, ...]

    @property
    def groups(self) -> list[tuple[Cell, ...]]:
        """Those that share seed and training-set size as well, and so their images, in order."""
        return [tuple(group) for _, group in groupby(self.cells, lambda cell: (cell.seed, cell.train_size))]

    @property
    def first(self) -> Cell:
        """The cell that speaks for what all share."""
        return self.cells[0]


def make_architectures(spec: Spec) -> tuple[Architecture, ...]:
    """The architectures of a spec, at each width."""
    which = spec.training.penalised
    if spec.architecture is not None:
        layers = spec.architecture.layers
        return tuple(Architecture(f"w{width}", width, layers, which) for width in spec.architecture.widths)
    return tuple(Architecture(item.name, None, item.layers, which) for item in spec.architectures or ())


_GAP = "\0"
Strength = tuple[PenaltyBase | None, float]
"""A penalty and its lambda; no penalty goes with lambda 0."""


def make_cells(spec: Spec, engine: str, content: str, backend: str = TENSORFLOW) -> list[Cell]:
    """Every cell of the spec's grid, in the order it is trained, each once.

    Args:
        spec: what is asked.
        engine: the engine that trains it; part of what determines a network's numbers.
        content: the dataset's content, as `data.describe` states it.
        backend: what computes; part of it too, where it is not TensorFlow.
    """
    lambdas = spec.grid.lambda_values()
    strengths: list[Strength] = [(None, 0.0)] if 0.0 in lambdas else []
    strengths += [(penalty, lam) for penalty in spec.grid.penalties for lam in lambdas if lam > 0]
    return make_cells_at(spec, engine, content, lambda *_: strengths, backend)


def make_cells_at(
    spec: Spec,
    engine: str,
    content: str,
    strengths: Callable[[str, float, int], Sequence[Strength]],
    backend: str = TENSORFLOW,
) -> list[Cell]:
    """The cells of each architecture, learning rate and training-set size with penalties and lambdas of its own.

    Args:
        spec: what is asked.
        engine: see `make_cells`.
        content: see `make_cells`.
        strengths: penalties and lambdas by architecture's name, learning rate and training-set size.
        backend: see `make_cells`.
    """
    cells = []
    computed = {} if backend == TENSORFLOW else {"backend": backend}
    shared = {"engine": engine, **computed, **_identify_data(spec, content), **_identify_training(spec)}
    for architecture in make_architectures(spec):
        layers = [_identify_layer(layer, architecture.width) for layer in architecture.layers]
        # Planted data follow the width, also where no layer does.
        width = {"width": architecture.width} if spec.dataset.name == "planted" else {}
        # JSON with a gap for each axis, in the order of their names, is put together once and not once a cell.
        gaps = dict.fromkeys(("lambda", "learning_rate", "penalty", "seed", "train_size"), _GAP)
        text = json.dumps({**shared, "layers": layers, **width, **gaps}, sort_keys=True)
        before_lam, before_rate, before_penalty, before_seed, before_size, end = text.split(json.dumps(_GAP))
        for rate, size in product(spec.learning_rates(), spec.train_sizes()):
            chosen = strengths(architecture.name, rate, size)
            begun = [
                f"{before_lam}{json.dumps(lam)}{before_rate}{float(rate)}{before_penalty}"
                f"{json.dumps(penalty.name if penalty else NONE)}{before_seed}"
                for penalty, lam in chosen
            ]
            for seed in spec.grid.seed_values():
                ending = f"{seed}{before_size}{size}{end}"
                cells += [
                    Cell(_hash(start + ending), architecture, penalty, lam, rate, size, seed, engine, backend)
                    for (penalty, lam), start in zip(chosen, begun, strict=True)
                ]
    return cells


def make_populations(cells: Iterable[Cell], members: int, wide: bool = False) -> list[Population]:
    """Splits cells into populations of at most `members`, even in size, by the cells alone.

    Args:
        cells: the whole grid, never what is left of it, so that a resumed study trains the same populations.
        members: how many networks train together at most.
        wide: whether all learning rates and, where these are too few, several seeds train together, too. That pays
            where a launch costs more than the work, as on a GPU; on a CPU it would leave cores without any.
    """

    def share(cell: Cell) -> Any:
        return cell.architecture.name, None if wide else cell.learning_rate, cell.train_size, cell.seed

    populations = []
    for _, alike in _group(cells, lambda cell: share(cell)[: 3 if wide else 4]):
        groups = [group for _, group in _group(alike, share)]
        together = max(1, min(len(groups), members // max(map(len, groups))))
        together = -(-len(groups) // -(-len(groups) // together))
        for first in range(0, len(groups), together):
            joined = tuple(cell for group in groups[first : first + together] for cell in group)
            even = len(joined) if together > 1 else -(-len(joined) // -(-len(joined) // members))
            populations += [Population(joined[start : start + even]) for start in range(0, len(joined), even)]
    return populations


def _group(cells: Iterable[Cell], key: Callable[[Cell], Any]) -> list[tuple[Any, list[Cell]]]:
    """Cells that share a key, in the order in which it first appears."""
    groups: dict[Any, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(key(cell), []).append(cell)
    return list(groups.items())


def identify(spec: Spec, content: str) -> dict[str, Any]:
    """What makes two specs one study: the data, the layers and the training, but no axis of the grid."""
    layers = {
        architecture.name: [_identify_layer(layer, None) for layer in architecture.layers]
        for architecture in make_architectures(spec)
    }
    if spec.architecture is not None:
        layers = {WIDTHS: next(iter(layers.values()))}
    return {**_identify_data(spec, content), **_identify_training(spec), "layers": layers}


def _identify_data(spec: Spec, content: str) -> dict[str, Any]:
    unsaid = {"validation_noise"} if spec.dataset.validation_noise == spec.dataset.label_noise else set()
    dataset = spec.dataset.model_dump(exclude={"train", "path", "draws", *unsaid}, exclude_defaults=True)
    return {"dataset": {**dataset, "content": content}}


def _identify_training(spec: Spec) -> dict[str, Any]:
    optimizer = spec.training.optimizer
    settings = optimizer.model_dump(exclude={"learning_rate"}, exclude_defaults=True)
    steps, schedule = spec.training.steps_per_epoch, spec.training.schedule
    return {
        "optimizer": {optimizer.kind: settings},
        "batch_size": spec.training.batch_size,
        "epochs": spec.training.epochs,
        **({"steps_per_epoch": steps} if steps else {}),
        **spec.training.model_dump(include={"penalised", "early_stopping"}, exclude_defaults=True),
        **({"schedule": {schedule.kind: schedule.model_dump(exclude_defaults=True)}} if schedule else {}),
    }


def _identify_layer(layer: LayerBase, width: int | None) -> dict[str, Any]:
    """A layer as data; arguments left at their defaults are left out, so that new ones change no hash."""
    values = {name: getattr(layer, name) for name in layer.model_fields_set}
    defaults = {name: field.default for name, field in type(layer).model_fields.items()}
    return {layer.kind: {name: _plain(v, width) for name, v in sorted(values.items()) if v != defaults[name]}}


def _plain(value: Any, width: int | None) -> Any:
    if isinstance(value, LayerBase):
        return _identify_layer(value, width)
    if isinstance(value, tuple):
        return tuple(_plain(part, width) for part in value)
    if not isinstance(value, Count):
        return value
    return value.resolve(width) if value.of == "width" and width is not None else str(value)


def _hash(text: str) -> str:
    """Starts with a letter: a spreadsheet would read `12e345…` as a number."""
    return "t" + hashlib.sha256(text.encode()).hexdigest()[:12]
