"""`regsearch report`: from a results folder's ledger to every table in it."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from regsearch import folder, grid
from regsearch.analysis.best_lambda import best_lambda
from regsearch.analysis.curves import curves
from regsearch.analysis.response import response
from regsearch.ledger import read_trials
from regsearch.report.tables import write_csv


@dataclass(frozen=True)
class Report:
    """What was rebuilt: the tables, and how much of the grid they rest on."""

    best_lambda: pd.DataFrame
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
    cells = grid.cells(folder.stored_spec(results), study.engine, study.content)
    trials = read_trials(results)
    trials = trials[trials["trial"].isin(cell.trial for cell in cells)]
    # The trial says which network it is, also after the spec gave it another name.
    networks = {cell.trial: cell.network for cell in cells}
    names = trials["trial"].map(lambda trial: networks[trial].name)
    trials = trials.assign(architecture=names.astype("string"))
    found = list(curves(trials))
    best = best_lambda(found)
    write_csv(results / "response.csv", response(found))
    write_csv(results / "best_lambda.csv", best)
    finished = set(trials.loc[trials["status"] != "failed", "trial"])
    return Report(best, len(cells), sum(cell.trial not in finished for cell in cells))
