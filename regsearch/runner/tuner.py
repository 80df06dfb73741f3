"""The grid as a Keras Tuner search: an oracle that hands out the cells, a tuner that trains populations of them.

The ledger is the truth. Keras Tuner's own state is rebuilt from it at the start and saved now and then, under
`keras_tuner/` in the results folder, for those who know its tools (`results_summary()` and friends).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any

import keras
import keras_tuner as kt
import tensorflow as tf
from keras_tuner.engine import trial as kt_trial

from regsearch.data import Facts
from regsearch.engine import build
from regsearch.grid import Cell, cost_architecture
from regsearch.ledger import Trial, unusable
from regsearch.spec import NONE

FOLDER = "keras_tuner"


@contextmanager
def _name_folder(folder: str | Path) -> Iterator[None]:
    """Inside, Keras Tuner writes its files, through TensorFlow, which has its own errors for a full disk."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        raise unusable(Path(folder), error) from None


class GridOracle(kt.Oracle):
    """Hands out the grid's cells as Keras Tuner trials named like the ledger's rows.

    A network that diverged or failed ends as Keras Tuner's FAILED, with a message: it takes no score that is
    not a number, and three failures in a row are no reason to stop a grid.
    """

    def __init__(self) -> None:
        super().__init__(
            objective=kt.Objective("validation_loss", "min"),
            hyperparameters=kt.HyperParameters(),
            allow_new_entries=False,
            tune_new_entries=False,
            seed=1,
        )
        self.verbose = 0
        self.unsaved: list[kt_trial.Trial] = []

    def grow(self, cells: Sequence[Cell]) -> None:
        """Makes the search space that of these cells."""
        self.hyperparameters = _make_space(cells)
        self.max_trials = len(cells)

    def begin(self, cell: Cell) -> kt_trial.Trial:
        """Hands out the trial of one cell."""
        hyperparameters = copy(self.hyperparameters)  # the space itself is the same for all, and large
        hyperparameters.values = _list_values(cell)
        trial = kt_trial.Trial(hyperparameters, cell.trial, status="RUNNING")
        self.trials[cell.trial] = trial
        self.ongoing_trials[cell.trial] = trial
        self.start_order.append(cell.trial)
        return trial

    def end(self, row: Trial) -> None:
        """Ends a trial with what the ledger says of it."""
        trial = self.trials[row.trial]
        if row.status == "completed":
            scores = {"validation_loss": row.validation_loss, "validation_accuracy": row.validation_accuracy}
            known = {name: score for name, score in scores.items() if score is not None}
            self.update_trial(row.trial, known, step=row.epochs or 0)
            trial.status = "COMPLETED"
        else:
            trial.status = "FAILED"
            trial.message = f"diverged in epoch {row.diverged_epoch}" if row.status == "diverged" else "failed"
        self.end_trial(trial)

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Nothing is left to Keras Tuner's own search loop: the cells are handed out by `begin`."""
        return {"status": "STOPPED", "values": None}

    def _check_consecutive_failures(self) -> None:
        """Does nothing: failures in a row are no reason to stop, and counting them takes longer with every trial."""

    def _save_trial(self, trial: kt_trial.Trial) -> None:
        self.unsaved.append(trial)

    def save(self) -> None:
        """Does nothing: `save_unsaved` saves, now and then instead of three times a trial."""

    def save_unsaved(self) -> None:
        """Writes the state and the trials that ended since the last call."""
        with _name_folder(self._project_dir):
            for trial in {trial.trial_id: trial for trial in self.unsaved}.values():
                super()._save_trial(trial)
            self.unsaved.clear()
            super().save()


class GridTuner(kt.Tuner):
    """The search as Keras Tuner's own tools know it; `GridSearch` drives it."""

    def __init__(self, folder: Path, facts: Facts) -> None:
        """Starts a search over no cells yet.

        Args:
            folder: the results folder.
            facts: of the dataset, for rebuilding networks from hyperparameters.
        """
        with _name_folder(folder / FOLDER):
            super().__init__(
                GridOracle(), GridHyperModel(facts), directory=folder, project_name=FOLDER, overwrite=True
            )

    def _populate_initial_space(self) -> None:
        """The space is known in full: there is nothing to find by building networks."""

    def grow(self, cells: Sequence[Cell], rows: Mapping[str, Trial]) -> None:
        """Makes the search that over these cells, taking over those that the ledger had."""
        self.oracle.grow(cells)
        self.hypermodel.grow(cells)
        for cell in cells:
            if cell.trial in rows and cell.trial not in self.oracle.trials:
                self.oracle.begin(cell)
                self.oracle.end(rows[cell.trial])
        self.oracle.save_unsaved()


class GridHyperModel(kt.HyperModel):
    """A trial's network from its hyperparameters, for `tuner.hypermodel.build(best_hyperparameters)`."""

    def __init__(self, facts: Facts) -> None:
        super().__init__()
        self.facts = facts
        self.cells: dict[tuple[Any, ...], Cell] = {}

    def grow(self, cells: Sequence[Cell]) -> None:
        """Takes the hyperparameters of these cells."""
        self.cells = {tuple(_list_values(cell).values()): cell for cell in cells}

    def build(self, hp: kt.HyperParameters) -> keras.Sequential:
        """The untrained network, with its regularizers."""
        cell = self.cells[tuple(hp.get(name) for name in _AXES)]
        facts = self.facts.for_width(cell.architecture.width)
        l1, l2, _ = cell.coefficients(cost_architecture(cell.architecture, facts.image, facts.outputs).penalised)
        return build(cell.architecture, facts.image, facts.outputs, cell.seed, l1, l2)


_AXES = ("architecture", "penalty", "lambda", "learning_rate", "train_size", "seed")


def _list_values(cell: Cell) -> dict[str, Any]:
    """A cell as Keras Tuner's hyperparameters."""
    values = (cell.architecture.name, cell.penalty_name, cell.lam, cell.learning_rate, cell.train_size, cell.seed)
    return dict(zip(_AXES, values, strict=True))


def _make_space(cells: Sequence[Cell]) -> kt.HyperParameters:
    """Every value that an axis takes. Lambda 0 goes with the penalty `none` alone."""
    space = kt.HyperParameters()
    for axis in _AXES:
        values = list(dict.fromkeys(_list_values(cell)[axis] for cell in cells))
        space.Choice(axis, values, default=NONE if axis == "penalty" and NONE in values else values[0])
    return space
