"""The grid as a Keras Tuner search: an oracle that hands out the cells, and the tuner that its tools know.

The ledger is the truth. While a run trains the oracle lives in memory alone; what Keras Tuner keeps in files,
`keras_tuner/` in the results folder, is a view of the ledger like the tables.
"""

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import keras_tuner as kt
from keras_tuner.engine import trial as kt_trial

from regsearch import data, surroundings
from regsearch.data import Facts
from regsearch.engine import build
from regsearch.grid import Cell, cost_architecture
from regsearch.ledger import Trial, unusable
from regsearch.runner.search import FOLDER
from regsearch.spec import NONE, Spec


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

    def grow(self, cells: Sequence[Cell], rows: Mapping[str, Trial]) -> None:
        """Makes the search that over these cells, taking over the trials that the ledger has."""
        self.hyperparameters = _make_space(cells)
        self.max_trials = len(cells)
        for cell in cells:
            if cell.trial in rows and cell.trial not in self.trials:
                self.begin(cell)
                self.end(rows[cell.trial])

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
        """Does nothing: `write` saves, once, instead of three times a trial."""

    def save(self) -> None:
        """Does nothing, likewise."""

    def write(self) -> None:
        """Writes every trial and the oracle's state into the folder of its tuner."""
        for trial in self.trials.values():
            super()._save_trial(trial)
        super().save()


class GridTuner(kt.Tuner):
    """A study's trials as Keras Tuner's own tools know them: for `results_summary()` and all the others."""

    def __init__(
        self, spec: Spec, cells: Sequence[Cell], rows: Mapping[str, Trial], folder: Path | None = None
    ) -> None:
        """Takes over the trials that the ledger has; writes no files.

        Args:
            spec: of the study.
            cells: of its grid.
            rows: of its ledger, by trial.
            folder: where `keras_tuner/` may be written; by default a temporary folder that goes with the tuner.
        """
        # TensorFlow, through which Keras Tuner writes, takes no name that is no text: such a folder gets a copy.
        self.copied_to = None if folder is None or _is_text(folder) else folder / FOLDER
        directory = folder
        if directory is None or self.copied_to:
            directory = Path(tempfile.mkdtemp(prefix="regsearch-"))
            self.clear = weakref.finalize(self, shutil.rmtree, directory, ignore_errors=True)
        oracle = GridOracle()
        oracle.grow(cells, rows)
        # A user's variables for searches of several machines would make this one wait for another.
        with surroundings.hidden("KERASTUNER_"), _name_folder(directory / FOLDER):
            super().__init__(
                oracle, GridHyperModel(spec, cells), directory=directory, project_name=FOLDER, overwrite=True
            )

    def _populate_initial_space(self) -> None:
        """The space is known in full: there is nothing to find by building networks."""

    def write(self) -> None:
        """Writes Keras Tuner's files: a folder and a file a trial, and the oracle's state.

        Raises:
            ResultsError: they cannot be written.
        """
        with _name_folder(self.copied_to or Path(self.project_dir)):
            self.oracle.write()
            if self.copied_to:
                shutil.rmtree(self.copied_to, ignore_errors=True)
                shutil.copytree(self.project_dir, self.copied_to)


def _is_text(folder: Path) -> bool:
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def _name_folder(folder: Path) -> Iterator[None]:
    """Inside, Keras Tuner writes its files, perhaps through TensorFlow, which has its own errors for a full disk."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) or type(error).__module__.startswith("tensorflow."):
            raise unusable(folder, error) from None
        raise


class GridHyperModel(kt.HyperModel):
    """A trial's network from its hyperparameters, for `tuner.hypermodel.build(best_hyperparameters)`."""

    def __init__(self, spec: Spec, cells: Sequence[Cell]) -> None:
        super().__init__()
        self.spec = spec
        self.cells = {tuple(_list_values(cell).values()): cell for cell in cells}

    @cached_property
    def facts(self) -> Facts:
        """Of the dataset, which only building asks for."""
        return data.describe(data.resolve_path(self.spec))

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
