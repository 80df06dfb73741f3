"""`regsearch report`: a results folder as it stands, and every table, figure and page made from it."""

import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from regsearch import grid, ledger, surroundings
from regsearch.analysis import (
    Refusal,
    Suggestion,
    Tables,
    analyse,
    find_best_lambdas,
    list_doubts,
    make_curves,
    resample_optima,
    suggest,
    write_verdict,
)
from regsearch.grid import Cell
from regsearch.ledger import EPOCHS, TRIALS, StudyFacts, unusable
from regsearch.report.csv import write_csv
from regsearch.report.figures.gallery import KINDS, Picture, draw_one, gallery
from regsearch.report.page import render_notebook, render_study
from regsearch.report.workbook import make_workbook
from regsearch.spec import Spec

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES, PAGE, WORKBOOK = "figures", "report.html", "tables.xlsx"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """A results folder as it stood when it was read: its study, its grid, the grid's trials, and what they say."""

    folder: Path
    study: StudyFacts
    spec: Spec
    cells: list[Cell]
    trials: pd.DataFrame

    @property
    def total(self) -> int:
        """Trials of the grid."""
        return len(self.cells)

    @property
    def untried(self) -> int:
        """Trials of the grid that nobody has trained, with or without success."""
        return len(self.cells) - len(self.trials)

    @property
    def missing(self) -> int:
        """Trials of the grid that are not trained, or failed."""
        return len(self.cells) - int((self.trials["status"] != "failed").sum())

    @property
    def shown(self) -> bool:
        """Whether the page is written already."""
        return (self.folder / PAGE).exists()

    @property
    def loss(self) -> str:
        """What the loss is, for axes."""
        labelled = self.trials["validation_accuracy"].notna().any()  # there is none of targets that are numbers
        return "cross-entropy, nats" if labelled else "mean squared error"

    @property
    def summary(self) -> str:
        """Which study it is, where, and how far, in one line."""
        folder = str(self.folder).encode(errors="replace").decode()
        return f"{self.spec.name}, in {folder}: {self.total - self.missing} of {self.total} trials"

    @cached_property
    def tables(self) -> Tables:
        """What the analyses say."""
        epochs = ledger.read_ends(self.folder, self.trials)
        if lacking := ledger.find_lacking(self.trials, [epochs]):
            log.warning(
                "%s: %d of %d networks lack their start or their last epoch in %s: mechanism.csv leaves them out",
                self.folder, len(lacking), len(self.trials), EPOCHS,
            )  # fmt: skip
        starts = epochs[(epochs["epoch"] == 0) & ~epochs["trial"].isin(lacking)]
        return analyse(self._scored_trials, starts, self.spec)

    @property
    def _scored_trials(self) -> pd.DataFrame:
        """The trials, all with the loss of guessing: ledgers before version 0.3 lack it, as classes had one size."""
        evenly = math.log(self.study.classes or math.nan)
        return self.trials.assign(guessing_loss=self.trials["guessing_loss"].fillna(evenly))

    @cached_property
    def verdict(self) -> list[str]:
        """The tables in words, a paragraph each."""
        return write_verdict(self.tables)

    @property
    def doubts(self) -> list[str]:
        """What to doubt, a sentence each."""
        return list_doubts(self.tables, self.missing, self.total, self.spec.training.early_stopping is not None)

    def read_epochs(self) -> pd.DataFrame:
        """The epochs of the grid's trials."""
        epochs = ledger.read_epochs(self.folder)
        return epochs[epochs["trial"].isin(self.trials["trial"])].reset_index(drop=True)

    def suggest(
        self, weights: int, penalty: str | None = None, below: int | None = None
    ) -> list[Suggestion | Refusal]:
        """The ranges of lambdas for a network of another size; see `analysis.suggest`."""
        curves = list(make_curves(self._scored_trials))
        best = find_best_lambdas(curves)
        return suggest(best, resample_optima(curves, best), weights, penalty, str(self.folder), below)

    def draw(self, kind: str, **wanted: Any) -> "Figure":
        """The one figure of a kind; see `draw_one`."""
        return draw_one(self.tables, self.loss, kind, wanted)

    def render(self) -> str:
        """What a notebook shows of it, as HTML."""
        return render_notebook(self.summary, self.verdict, self.doubts, self.tables.by_name())


def read(folder: Path, cells: Sequence[Cell] | None = None) -> Snapshot:
    """The networks of the present grid, trained by the engine of the last run; the ledger may hold more.

    Args:
        folder: the results folder.
        cells: the grid as far as it has grown, where that is known already.

    Raises:
        ResultsError: the folder is no results folder, or its ledger is damaged.
    """
    study, spec = ledger.read_facts(folder), ledger.read_spec(folder)
    trials = ledger.read_trials(folder)
    if cells is None:
        rounds = grid.make_rounds(spec, study.engine, study.content, lambda: trials, study.backend)
        cells = [cell for added in rounds for cell in added]
    return Snapshot(folder, study, spec, list(cells), grid.select_present(trials, cells))


def write(snapshot: Snapshot, xlsx: bool = False) -> Snapshot:
    """Rebuilds the tables, figures and page of a results folder from its ledger.

    Args:
        snapshot: the folder, as it was read.
        xlsx: whether to write the workbook too; one that is there already is always rebuilt.

    Returns:
        The same, for those who show what was written.

    Raises:
        ResultsError: its ledger is damaged, or the folder cannot be written.
    """
    surroundings.check_temporary_folder()
    folder, tables = snapshot.folder, snapshot.tables.by_name()
    for name, table in tables.items():
        write_csv(folder / f"{name}.csv", table)
    pictures = list(gallery(snapshot.tables, snapshot.loss))
    write_figures(folder / FIGURES, pictures, [kind.name for kind in KINDS])
    spec, facts = snapshot.spec, snapshot.study.facts
    page = render_study(spec.name, snapshot.verdict, snapshot.doubts, pictures, tables, facts, spec.text)
    ledger.write_text(folder / PAGE, page)
    if xlsx or (folder / WORKBOOK).exists():
        rows = {TRIALS: snapshot.trials, EPOCHS: ledger.read_epochs(folder)}
        tables |= {name.removesuffix(".csv"): table for name, table in rows.items()}
        ledger.write_bytes(folder / WORKBOOK, make_workbook(tables, _read_created(snapshot.study)))
    return snapshot


def _read_created(study: StudyFacts) -> datetime:
    """When the study was begun, as `study.json` says; the first day a workbook can name where it does not."""
    try:
        return datetime.fromisoformat(str(study.facts.get("created"))).replace(tzinfo=None)
    except ValueError:
        return datetime(1980, 1, 1)


def write_figures(figures: Path, pictures: list[Picture], kinds: Iterable[str]) -> None:
    """Writes figures and removes those of their kinds that an earlier grid had and this one has not."""
    try:
        figures.mkdir(exist_ok=True)
        old = {path for kind in kinds for ending in ("svg", "png") for path in figures.glob(f"{kind}-*.{ending}")}
        for picture in pictures:
            for ending, content in picture.files.items():
                path = figures / f"{picture.file}.{ending}"
                ledger.write_bytes(path, content)
                old.discard(path)
        for path in old:
            path.unlink()
    except OSError as error:
        raise unusable(figures, error) from None
