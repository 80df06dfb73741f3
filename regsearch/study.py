"""The pipeline: a spec and a folder in, a ledger and its tables out."""

import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from regsearch import data as datasets
from regsearch import report
from regsearch.cli.display import Reporter
from regsearch.data import Images, Shape
from regsearch.engine import backend
from regsearch.grid import costs as sizing
from regsearch.grid import rounds as growth
from regsearch.grid.cells import Cell, Network
from regsearch.grid.costs import Size
from regsearch.ledger import checkpoints as state
from regsearch.ledger import folder
from regsearch.ledger.checkpoints import States
from regsearch.ledger.ledger import Ledger, read_trials
from regsearch.ledger.records import Record
from regsearch.report import Report
from regsearch.runner import dispatch, jobs
from regsearch.runner.interrupt import at_checkpoints
from regsearch.runner.progress import shares
from regsearch.runner.settings import How, Site
from regsearch.runner.workers import Workers
from regsearch.spec.layers import every
from regsearch.spec.study import Spec

FAILURES = "failures.log"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What a run did.

    Attributes:
        trained: trials trained now.
        failed: those that failed, with their reasons.
        failures: the file that says why.
        total: trials of the grid, as far as it has grown.
        untried: of these, those that nobody has trained yet; other shards do, or will.
        report: what was written; None for a shard that is not the last, as that one writes it.
    """

    trained: int
    failed: dict[str, str]
    failures: Path
    total: int
    untried: int
    report: Report | None


def run(spec: Spec, results: Path, progress: Reporter, how: How, fresh: bool = False, xlsx: bool = False) -> Outcome:
    """Trains what is missing of a study, or of a shard's part, round by round as its grid grows; writes its tables.

    `fresh` moves earlier results aside first; with `xlsx` a workbook of the tables is written too.

    Raises:
        SpecError, DeviceError, DatasetError, ClusterError, ResultsError: see `errors`.
    """
    started = time.perf_counter()
    spec = datasets.absolute(spec)
    shape = datasets.shape(spec)
    sizes = sizing.measure(spec, shape)
    if spec.dataset.name == "images":  # TensorFlow reads them, and is set up only once
        backend.start(*((1, "CPU") if how.cluster else (how.threads, how.kind)))
    # Workers load it again; but a download, or its failure, belongs before the folder is touched.
    _warn_of_untrained_classes(datasets.load(spec, progress.download), spec)
    part = how.shard.part if how.shard else ""
    with how.site() as site:
        if fresh:
            folder.move_aside(results)
        with folder.claimed(results, spec, how.engine, shape, part):
            kept = _Kept(results, part, how, progress)
            workers = _train(spec, results, shape, sizes, how, site, kept)
            known, written = report.read(results), None
            # The last shard writes the tables; one that finds them written leaves them.
            tables = not part or (not known.untried and (kept.trained or not (results / report.PAGE).exists()))
            shared: AbstractContextManager[None] = folder.held(results, folder.FOREVER) if part else nullcontext()
            with shared:
                if kept.trained:
                    folder.note_run(
                        results,
                        **kept.facts(),
                        engine=how.engine,
                        device=site.device,
                        workers=workers,
                        lowerings=_lowerings(sizes, how, site.device) if how.engine == "population" else {},
                        seconds=round(time.perf_counter() - started, 3),
                    )
                if tables:
                    written = report.write(results, xlsx)
            return Outcome(kept.trained, kept.failed, kept.failures, len(known.cells), known.untried, written)


class _Kept:
    """Keeps what training gives, and what there is to say of it in the end.

    Attributes:
        folder: the results folder, or a shard's part of it.
        ledger: where the networks are recorded.
        states: where the state of populations in training is kept.
        trained: networks recorded so far, failed ones too.
        failed: those that failed, with their reasons.
        failures: the file that says why.
    """

    def __init__(self, results: Path, part: str, how: How, progress: Reporter) -> None:
        self.ledger = Ledger(results, part)
        self.states = States(results.absolute() / part / state.FOLDER, how.save_seconds)
        self.folder = results / part
        self.failures = self.folder / FAILURES
        self.progress, self.shard = progress, how.shard
        self.trained = 0
        self.failed: dict[str, str] = {}
        self.tried_again: list[str] = []
        self.without_xla: list[str] = []

    def keep(self, found: list[Record]) -> None:
        """Keeps one population."""
        self.ledger.append(found)
        self.states.remove(record.trial.trial for record in found)
        errors = {record.trial.trial: record.error for record in found if record.error}
        _log_failures(self.failures, errors)
        self.trained += len(found)
        self.failed |= errors
        self.tried_again += [record.trial.trial for record in found if record.attempt > 1]
        self.without_xla += [record.trial.trial for record in found if not record.compiled]
        self.progress.advance(found)

    def facts(self) -> dict[str, Any]:
        """What `study.json` says of it."""
        facts = {"trained": self.trained, "tried_again": self.tried_again, "without_xla": self.without_xla}
        return facts | ({"shard": str(self.shard)} if self.shard else {})


def _train(
    spec: Spec, results: Path, shape: Shape, sizes: dict[Network, Size], how: How, site: Site, kept: _Kept
) -> int:
    """Trains round by round what is missing; gives the number of worker processes, 0 for this process."""
    finished, cells = kept.ledger.finished, list[Cell]()
    with ExitStack() as stack:
        ready, processes = None, 0
        for added in growth.rounds(spec, how.engine, shape.content, lambda: read_trials(results)):
            planned = how.jobs(added, sizes, spec, site.device, shape.content, kept.states)
            todo = jobs.missing(planned, finished)
            own = {cell.trial for job in planned for cell in job.population.cells}
            cells += (added := [cell for cell in added if cell.trial in own])
            more = planned if spec.grid.extend or spec.grid.refine else todo  # later rounds may be larger
            processes = processes if ready else site.processes(len(more) if todo else 0)
            had = [finished[cell.trial] for cell in added if cell.trial in finished]
            kept.progress.start(added, had, shares(todo, spec, processes))
            if not todo:
                continue
            ready = ready or stack.enter_context(_ready(site, processes, todo[0].threads, kept.folder, shape))
            workers, tuner = ready
            tuner.grow(cells, finished)
            tuner.search(todo, partial(dispatch.train, spec, workers.executor, workers.ahead), kept.keep)
    kept.states.clear()
    return processes


@contextmanager
def _ready(site: Site, processes: int, threads: int, folder: Path, shape: Shape) -> Iterator[tuple[Workers, Any]]:
    """Workers, and a Keras Tuner to feed them, with TensorFlow started here too."""
    with at_checkpoints(), site.pool(processes, threads) as workers:
        backend.start(threads, site.device)
        from regsearch.runner.tuner import GridTuner

        yield workers, GridTuner(folder, shape)


def _warn_of_untrained_classes(images: Images | None, spec: Spec) -> None:
    """Says, once, where a class has no training image at all."""
    if images is None:
        return
    splits = [(size, seed) for size in spec.train_sizes() for seed in spec.grid.seed_values()]
    found = [(size, seed, datasets.untrained_classes(images, spec.dataset, size, seed)) for size, seed in splits]
    lacking = [split for split in found if split[2]]
    if lacking:
        size, seed, classes = lacking[0]
        log.warning(
            "%d of %d training sets lack a class altogether; the first, %d images of seed %d, has none of class %s. "
            "Networks cannot learn what they never see: use more training images",
            len(lacking), len(found), size, seed, ", ".join(map(str, classes[:10])),
        )  # fmt: skip


def _lowerings(sizes: dict[Network, Size], how: How, device: str) -> dict[str, list[str]]:
    """How each convolution of each network is computed."""
    return {
        network.name: [
            how.lowering or size.lowering(layer.arguments(network.width, 1)["kernel_size"], device)
            for layer in every(network.layers)
            if layer.convolves
        ]
        for network, size in sizes.items()
    }


def _log_failures(path: Path, failed: dict[str, str]) -> None:
    """Adds why trials failed to `failures.log`: a fault of ours keeps its traceback."""
    if failed:
        text = "".join(f"{trial}\n{error}\n" for trial, error in failed.items())
        folder.write_text(path, (path.read_text(encoding="utf-8") if path.exists() else "") + text)
