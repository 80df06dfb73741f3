"""A results folder whose networks were never trained: the ledger of a spec's grid, with losses made up."""

import math

import numpy as np
from conftest import SPEC, parsed_text

from regsearch import data as datasets
from regsearch.grid import cells as grid
from regsearch.ledger import Ledger, folder
from regsearch.ledger.records import Counts, Epoch, record_completed, record_diverged

WIDTHS = (1, 2, 4, 8, 16, 32)


def text(*changes):
    """A study of six widths, two penalties, four lambdas a decade and three seeds, with parts replaced."""
    found = SPEC
    for old, new in (
        ("widths: [1, 2]", f"widths: {list(WIDTHS)}"),
        ("lambdas: [0, 0.01, 0.1]", "lambdas: {from: 0.001, to: 1, per_decade: 4}"),
        ("seeds: 2", "seeds: 3"),
        ("epochs: 2", "epochs: 2000"),  # not too short for any lambda to act
        *changes,
    ):
        assert old in found, old
        found = found.replace(old, new)
    return found


def bowl(cell, rng):
    """Lowest at 0.03, worse without a penalty, and with a little noise."""
    depth = 1.5 if cell.lam == 0 else 0.1 * math.log(cell.lam / 0.03) ** 2
    return 0.8 + depth + 0.02 * rng.normal()


def write(path, spec_text=None, loss=bowl):
    """Writes the folder.

    Args:
        path: where.
        spec_text: of the study.
        loss: (cell, random numbers) → its validation loss; NaN is a divergence, None a network not trained.
    """
    spec = parsed_text(spec_text or text())
    path.mkdir(parents=True, exist_ok=True)
    shape = datasets.describe(spec)
    folder.claim(path, spec, "population", shape)
    rng = np.random.default_rng(0)
    found = []
    for cell in grid.make_cells(spec, "population", shape.content):
        value = loss(cell, rng)
        weights = 10 * (cell.architecture.width or 1) ** 2 + 7
        counts = Counts(weights + 3, weights)
        if value is not None and math.isnan(value):
            found.append(record_diverged(cell, counts, [], 1, 0.5))
        elif value is not None:
            start, end = (
                Epoch(cell.trial, epoch, 1.0, cell.lam * weights, value, 0.5, 1.0, weights**0.75, weights**0.5)
                for epoch in (0, 1)
            )
            found.append(record_completed(cell, counts, [start, end], (value + 0.1, 0.5), 0.5))
    Ledger(path).append(found)
    folder.note_run(path, trained=len(found), engine="population", device="CPU", seconds=1.5)
    return path
