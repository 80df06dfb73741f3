"""The pipeline: a spec and a folder in, a ledger and its tables out."""

import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from regsearch import datasets, folder, grid, records, reference, report
from regsearch.datasets import Images
from regsearch.grid import Population
from regsearch.interrupt import at_checkpoints, checkpoint
from regsearch.ledger import Ledger
from regsearch.networks import weigh
from regsearch.progress import Reporter
from regsearch.records import Record
from regsearch.spec import Spec
from regsearch.tuner import GridTuner

FAILURES = "failures.log"


@dataclass(frozen=True)
class Outcome:
    """What a run did: trials of the grid, those trained now, and those that failed with their reasons."""

    total: int
    trained: int
    failed: dict[str, str]


def run(spec: Spec, results: Path, progress: Reporter) -> Outcome:
    """Trains what is missing of a study, then writes its tables.

    Raises:
        SpecError, DatasetError, ResultsError: see `errors`.
    """
    started = time.perf_counter()
    shape = datasets.shape(spec)
    weigh(spec, shape)
    cells = grid.cells(spec, reference.ENGINE, shape.content)
    with folder.held(results):
        folder.claim(results, spec, reference.ENGINE, shape.content)
        ledger = Ledger(results)
        finished = [cell for cell in cells if cell.trial in ledger.finished]
        missing = [cell for cell in cells if cell.trial not in ledger.finished]
        failed: dict[str, str] = {}

        def keep(found: list[Record]) -> None:
            ledger.append(found)
            failed.update({record.trial.trial: record.error for record in found if record.error})
            progress.advance(found)

        progress.start(len(cells), len(finished))
        if missing:
            tuner = GridTuner(cells, results, shape)
            tuner.adopt(finished, ledger.finished)
            train = partial(_train, spec, datasets.load(spec))
            with at_checkpoints():
                tuner.search(grid.populations(missing, members=1), train, keep)
        _log_failures(results, failed)
        folder.note(results, device="CPU", timings={"seconds": round(time.perf_counter() - started, 3)})
        report.write(results)
    return Outcome(len(cells), len(missing), failed)


def _train(spec: Spec, images: Images, populations: Iterable[Population]) -> Iterator[list[Record]]:
    """Trains populations in this process, one after the other; one that raises is recorded as failed."""
    for population in populations:
        checkpoint()
        first = population.first
        split = datasets.split(images, spec.dataset, first.train_size, first.seed)
        try:
            yield reference.train(population, split, spec.training)
        except Exception:
            yield [records.failed(cell, traceback.format_exc()) for cell in population.cells]


def _log_failures(results: Path, failed: dict[str, str]) -> None:
    """Adds why trials failed to `failures.log`: a fault of ours keeps its traceback."""
    if failed:
        text = "".join(f"{trial}\n{error}\n" for trial, error in failed.items())
        path = results / FAILURES
        folder.write_text(path, (path.read_text(encoding="utf-8") if path.exists() else "") + text)
