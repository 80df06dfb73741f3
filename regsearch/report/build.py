"""`regsearch report`: from a results folder's ledger to every table in it."""

import math
from dataclasses import dataclass
from pathlib import Path

from regsearch import folder, growth
from regsearch.analysis.best_lambda import best_lambda
from regsearch.analysis.calibration import calibration
from regsearch.analysis.curves import curves
from regsearch.analysis.mechanism import mechanism
from regsearch.analysis.response import response
from regsearch.analysis.scaling import scaling
from regsearch.analysis.stability import stability
from regsearch.analysis.transfer import transfer
from regsearch.analysis.verdict import Tables, verdict
from regsearch.grid import Cell
from regsearch.ledger import read_epochs, read_trials
from regsearch.report.tables import write_csv


@dataclass(frozen=True)
class Report:
    """What was rebuilt: the tables, the verdict in words, and how much of the grid they rest on."""

    tables: Tables
    verdict: list[str]
    total: int
    missing: int


def write(results: Path) -> Report:
    """Rebuilds the tables of a results folder from its ledger.

    The tables are made of the networks of the present grid, trained by the engine of the last run; the ledger
    may hold more.

    Raises:
        ResultsError: the folder is no results folder, or its ledger is damaged.
    """
    study = folder.read(results)
    spec = folder.stored_spec(results)
    ledger = read_trials(results)
    cells: list[Cell] = []
    for added in growth.rounds(spec, study.engine, study.content, lambda: ledger):
        cells += added
    trials = growth.present(ledger, cells)
    found = list(curves(trials))
    best = best_lambda(found)
    shares = {penalty.name: penalty.shares for penalty in spec.grid.penalties}
    chance = math.log(study.classes) if study.classes else None
    tables = Tables(
        best_lambda=best,
        scaling=scaling(best),
        transfer=transfer(found),
        stability=stability(found, spec.training.optimizer, spec.steps(), shares, chance),
        mechanism=mechanism(trials, read_epochs(results), best, shares),
    )
    write_csv(results / "response.csv", response(found))
    for name, table in vars(tables).items():
        write_csv(results / f"{name}.csv", table)
    if spec.dataset.exponent is not None:
        planted = calibration(trials, spec.dataset.exponent, spec.dataset.draws)
        write_csv(results / "calibration.csv", planted)
    finished = set(trials.loc[trials["status"] != "failed", "trial"])
    missing = sum(cell.trial not in finished for cell in cells)
    return Report(tables, verdict(tables), len(cells), missing)
