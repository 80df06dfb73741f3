"""`regsearch report`: from a results folder's ledger to every table, figure and page of it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd

from regsearch import grid, ledger
from regsearch.analysis import (
    Curve,
    Tables,
    average_response,
    calibrate,
    find_best_lambdas,
    fit_scaling,
    list_doubts,
    make_curves,
    measure_mechanism,
    measure_stability,
    measure_transfer,
    write_verdict,
)
from regsearch.grid import Cell
from regsearch.ledger import EPOCHS, TRIALS, StudyFacts, read_epochs, read_trials, unusable
from regsearch.report.csv import write_csv
from regsearch.report.figures.gallery import KINDS, Picture, gallery
from regsearch.report.page import page
from regsearch.report.workbook import workbook
from regsearch.spec import Planted, Spec

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

    folder: Path
    study: StudyFacts
    spec: Spec
    cells: list[Cell]
    trials: pd.DataFrame

    @property
    def untried(self) -> int:
        """Trials of the grid that nobody has trained, with or without success."""
        return len(self.cells) - len(self.trials)

    @property
    def shown(self) -> bool:
        """Whether the page is written already."""
        return (self.folder / PAGE).exists()

    @property
    def missing(self) -> int:
        """Trials of the grid that are not trained, or failed."""
        finished = set(self.trials.loc[self.trials["status"] != "failed", "trial"])
        return sum(cell.trial not in finished for cell in self.cells)


def read(results: Path, cells: Sequence[Cell] | None = None) -> Known:
    """The networks of the present grid, trained by the engine of the last run; the ledger may hold more.

    Args:
        results: the folder.
        cells: the grid as far as it has grown, where that is known already.

    Raises:
        ResultsError: the folder is no results folder, or its ledger is damaged.
    """
    study = ledger.read_facts(results)
    spec = ledger.read_spec(results)
    trials = read_trials(results)
    if cells is None:
        rounds = grid.make_rounds(spec, study.engine, study.content, lambda: trials)
        cells = [cell for added in rounds for cell in added]
    return Known(results, study, spec, list(cells), grid.select_present(trials, cells))


def optima(results: Path) -> pd.DataFrame:
    """The table of best lambdas of a results folder, as its ledger stands; writes nothing.

    Raises:
        ResultsError: see `read`.
    """
    return find_best_lambdas(list(make_curves(read(results).trials)))


def write(known: Known, xlsx: bool = False) -> Report:
    """Rebuilds the tables, figures and page of a results folder from its ledger.

    Args:
        known: the folder, as it was read.
        xlsx: whether to write the workbook too; one that is there already is always rebuilt.

    Raises:
        ResultsError: the folder is no results folder, its ledger is damaged, or it cannot be written.
    """
    results = known.folder
    found = list(make_curves(known.trials))
    epochs = read_epochs(results)
    tables = _tables(known, found, epochs)
    every = {**vars(tables), "response": average_response(found)}
    dataset = known.spec.dataset
    if isinstance(dataset, Planted):
        every["calibration"] = calibrate(known.trials, dataset.exponent, dataset.draws)
    for name, table in every.items():
        write_csv(results / f"{name}.csv", table)
    words = write_verdict(tables)
    loss = "mean squared error" if isinstance(dataset, Planted) else "cross-entropy, nats"
    pictures = list(gallery(every["response"], tables, _chance(known.study), loss))
    write_figures(results / FIGURES, pictures, KINDS)
    doubted = list_doubts(tables, known.missing, len(known.cells), known.spec.training.early_stopping is not None)
    shown = page(known.spec.name, words, doubted, pictures, every, known.study.facts, known.spec.text)
    ledger.write_text(results / PAGE, shown)
    if xlsx or (results / WORKBOOK).exists():
        rows = {TRIALS.removesuffix(".csv"): known.trials, EPOCHS.removesuffix(".csv"): epochs}
        ledger.write_bytes(results / WORKBOOK, workbook(every | rows, _created(known.study)))
    return Report(tables, words, len(known.cells), known.missing)


def _tables(known: Known, found: list[Curve], epochs: pd.DataFrame) -> Tables:
    best = find_best_lambdas(found)
    spec = known.spec
    penalties = spec.grid.penalties
    return Tables(
        best_lambda=best,
        scaling=fit_scaling(best),
        transfer=measure_transfer(found),
        stability=measure_stability(
            found,
            spec.training.optimizer,
            _acting(spec),
            penalties,
            _chance(known.study),
            spec.training.largest_and_mean_factor(),
        ),
        mechanism=measure_mechanism(known.trials, epochs, best, penalties),
    )


def _acting(spec: Spec) -> dict[int, float]:
    """Training steps in all, by training-set size; not known where each network stops when it likes."""
    return {size: math.nan if spec.training.early_stopping else steps for size, steps in spec.steps().items()}


def _chance(study: StudyFacts) -> float | None:
    return math.log(study.classes) if study.classes else None


def _created(study: StudyFacts) -> datetime:
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
                ledger.write_bytes(path, content)
                there.discard(path)
        for path in there:
            path.unlink()
    except OSError as error:
        raise unusable(figures, error) from None
