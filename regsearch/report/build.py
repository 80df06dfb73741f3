"""`regsearch report`: from a results folder's ledger to every table, figure and page of it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd

from regsearch.analysis.best_lambda import best_lambda
from regsearch.analysis.calibration import calibration
from regsearch.analysis.curves import Curve, curves
from regsearch.analysis.doubts import doubts
from regsearch.analysis.mechanism import mechanism
from regsearch.analysis.response import response
from regsearch.analysis.scaling import scaling
from regsearch.analysis.stability import stability
from regsearch.analysis.transfer import transfer
from regsearch.analysis.verdict import Tables, verdict
from regsearch.grid import rounds as growth
from regsearch.grid.cells import Cell
from regsearch.ledger import folder
from regsearch.ledger.folder import Study
from regsearch.ledger.ledger import EPOCHS, TRIALS, read_epochs, read_trials, unusable
from regsearch.report.csv import write_csv
from regsearch.report.figures.gallery import KINDS, Picture, gallery
from regsearch.report.page import page
from regsearch.report.workbook import workbook
from regsearch.spec.study import Spec

FIGURES, PAGE, WORKBOOK = "figures", "report.html", "tables.xlsx"


@dataclass(frozen=True)
class Report:
    """What was rebuilt: the tables, the verdict in words, and how much of the grid they rest on."""

    tables: Tables
    verdict: list[str]
    total: int
    missing: int


@dataclass(frozen=True)
class Known:
    """A results folder as it stands: its study, its grid, and the grid's rows of the ledger."""

    study: Study
    spec: Spec
    cells: list[Cell]
    trials: pd.DataFrame

    @property
    def untried(self) -> int:
        """Trials of the grid that nobody has trained, with or without success."""
        return len(self.cells) - len(self.trials)

    @property
    def missing(self) -> int:
        """Trials of the grid that are not trained, or failed."""
        finished = set(self.trials.loc[self.trials["status"] != "failed", "trial"])
        return sum(cell.trial not in finished for cell in self.cells)


def read(results: Path) -> Known:
    """The networks of the present grid, trained by the engine of the last run; the ledger may hold more.

    Raises:
        ResultsError: the folder is no results folder, or its ledger is damaged.
    """
    study = folder.read(results)
    spec = folder.stored_spec(results)
    ledger = read_trials(results)
    cells: list[Cell] = []
    for added in growth.rounds(spec, study.engine, study.content, lambda: ledger):
        cells += added
    return Known(study, spec, cells, growth.present(ledger, cells))


def optima(results: Path) -> pd.DataFrame:
    """The table of best lambdas of a results folder, as its ledger stands; writes nothing.

    Raises:
        ResultsError: see `read`.
    """
    return best_lambda(list(curves(read(results).trials)))


def write(results: Path, xlsx: bool = False) -> Report:
    """Rebuilds the tables, figures and page of a results folder from its ledger.

    Args:
        results: the folder.
        xlsx: whether to write the workbook too; one that is there already is always rebuilt.

    Raises:
        ResultsError: the folder is no results folder, its ledger is damaged, or it cannot be written.
    """
    known = read(results)
    found = list(curves(known.trials))
    epochs = read_epochs(results)
    tables = _tables(known, found, epochs)
    every = {**vars(tables), "response": response(found)}
    if known.spec.dataset.exponent is not None:
        every["calibration"] = calibration(known.trials, known.spec.dataset.exponent, known.spec.dataset.draws)
    for name, table in every.items():
        write_csv(results / f"{name}.csv", table)
    words = verdict(tables)
    loss = "cross-entropy, nats" if known.spec.dataset.exponent is None else "mean squared error"
    pictures = list(gallery(every["response"], tables, _chance(known.study), loss))
    write_figures(results / FIGURES, pictures, KINDS)
    doubted = doubts(tables, known.missing, len(known.cells), known.spec.training.early_stopping is not None)
    shown = page(known.spec.name, words, doubted, pictures, every, known.study.facts, known.spec.text)
    folder.write_text(results / PAGE, shown)
    if xlsx or (results / WORKBOOK).exists():
        ledger = {TRIALS.removesuffix(".csv"): known.trials, EPOCHS.removesuffix(".csv"): epochs}
        folder.write_bytes(results / WORKBOOK, workbook(every | ledger, _created(known.study)))
    return Report(tables, words, len(known.cells), known.missing)


def _tables(known: Known, found: list[Curve], epochs: pd.DataFrame) -> Tables:
    best = best_lambda(found)
    spec = known.spec
    penalties = spec.grid.penalties
    return Tables(
        best_lambda=best,
        scaling=scaling(best),
        transfer=transfer(found),
        stability=stability(
            found,
            spec.training.optimizer,
            _acting(spec),
            penalties,
            _chance(known.study),
            spec.training.largest_and_mean_factor(),
        ),
        mechanism=mechanism(known.trials, epochs, best, penalties),
    )


def _acting(spec: Spec) -> dict[int, float]:
    """Training steps in all, by training-set size; not known where each network stops when it likes."""
    return {size: math.nan if spec.training.early_stopping else steps for size, steps in spec.steps().items()}


def _chance(study: Study) -> float | None:
    return math.log(study.classes) if study.classes else None


def _created(study: Study) -> datetime:
    """When the study was begun, as `study.json` says; the first day a workbook can name where it does not."""
    try:
        return datetime.fromisoformat(str(study.facts.get("created"))).replace(tzinfo=None)
    except ValueError:
        return datetime(1980, 1, 1)


def write_figures(figures: Path, pictures: list[Picture], kinds: Iterable[str]) -> None:
    """Writes figures and removes those of their kinds that an earlier grid had and this one has not."""
    try:
        figures.mkdir(exist_ok=True)
        there = {path for kind in kinds for ending in ("svg", "png") for path in figures.glob(f"{kind}-*.{ending}")}
        for picture in pictures:
            for ending, content in picture.files.items():
                path = figures / f"{picture.file}.{ending}"
                folder.write_bytes(path, content)
                there.discard(path)
        for path in there:
            path.unlink()
    except OSError as error:
        raise unusable(figures, error) from None
