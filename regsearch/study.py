"""The pipeline: a spec and a folder in, a ledger and its tables out."""

import logging
import time
from collections.abc import Container, Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from regsearch import backend, datasets, folder, grid, growth, report, sizing, state, workers
from regsearch.datasets import Images, Shape
from regsearch.errors import DeviceError
from regsearch.grid import Cell, Network, Population
from regsearch.interrupt import at_checkpoints
from regsearch.layers import every
from regsearch.ledger import Ledger, read_trials
from regsearch.progress import Reporter
from regsearch.records import Record
from regsearch.report import Report
from regsearch.sizing import Size
from regsearch.spec import Spec
from regsearch.state import States
from regsearch.tally import shares
from regsearch.workers import Job

FAILURES = "failures.log"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class How:
    """How a study is trained; of these only the engine, device and lowering can change a number.

    Attributes:
        engine: `population`, or `reference` for one network at a time by plain Keras.
        workers: processes; 0 for this one, None for one a core or GPU.
        device: `CPU`, `GPU`, or None for a GPU where there is one.
        lowering: forces how convolutions are computed.
        save_seconds: the least time between two writes of the state of a population in training.
    """

    engine: str = "population"
    workers: int | None = 0
    device: str | None = None
    lowering: str | None = None
    save_seconds: float = state.SECONDS

    @cached_property
    def kind(self) -> str:
        """The kind of device.

        Raises:
            DeviceError: a GPU was asked for, and TensorFlow finds none.
        """
        if self.device == "CPU":
            return "CPU"
        found = backend.has_gpu()
        if self.device == "GPU" and not found:
            raise DeviceError("--device: expected a GPU that TensorFlow can use, got none; is regsearch[gpu] there?")
        return "GPU" if found else "CPU"

    def processes(self, jobs: int) -> int:
        """How many worker processes train `jobs` populations; 0 for this one."""
        if self.workers is None:
            found = len(backend.gpus()) if self.kind == "GPU" else backend.cores()
            return 0 if min(found, jobs) < 2 or self.engine == "reference" else min(found, jobs)
        return min(self.workers, jobs)


@dataclass(frozen=True)
class Outcome:
    """What a run did: trials trained now, those that failed with their reasons, and what was written."""

    trained: int
    failed: dict[str, str]
    report: Report


def run(spec: Spec, results: Path, progress: Reporter, how: How, fresh: bool = False, xlsx: bool = False) -> Outcome:
    """Trains what is missing of a study, round by round as its grid grows, then writes its tables.

    `fresh` moves earlier results aside first; with `xlsx` a workbook of the tables is written too.

    Raises:
        SpecError, DeviceError, DatasetError, ResultsError: see `errors`.
    """
    started = time.perf_counter()
    shape = datasets.shape(spec)
    sizes = sizing.measure(spec, shape)
    # Workers load it again; but a download, or its failure, belongs before the folder is touched.
    _warn_of_untrained_classes(datasets.load(spec), spec)
    if fresh:
        folder.move_aside(results)
    with folder.held(results):
        folder.claim(results, spec, how.engine, shape)
        ledger = Ledger(results)
        cells: list[Cell] = []
        trained = 0
        states = States(results.absolute() / state.FOLDER, how.save_seconds)
        failed: dict[str, str] = {}
        tried_again: list[str] = []
        without_xla: list[str] = []

        def keep(found: list[Record]) -> None:
            ledger.append(found)
            states.remove(record.trial.trial for record in found)
            errors = {record.trial.trial: record.error for record in found if record.error}
            _log_failures(results, errors)
            failed.update(errors)
            tried_again.extend(record.trial.trial for record in found if record.attempt > 1)
            without_xla.extend(record.trial.trial for record in found if not record.compiled)
            progress.advance(found)

        with ExitStack() as stack:
            tuner, processes = None, 0
            for added in growth.rounds(spec, how.engine, shape.content, lambda: read_trials(results)):
                cells += added
                jobs = missing_jobs(added, ledger.finished, sizes, spec, how, states)
                missing = sum(len(job.population.cells) for job in jobs)
                had = [ledger.finished[cell.trial] for cell in added if cell.trial in ledger.finished]
                processes = processes if tuner else how.processes(len(jobs))
                progress.start(added, had, shares(jobs, spec, processes))
                if not jobs:
                    continue
                if tuner is None:
                    pool = stack.enter_context(_pool(processes, how, jobs[0].threads))
                    tuner = _tuner(results, shape)
                tuner.grow(cells, ledger.finished)
                tuner.search(jobs, partial(workers.train, spec, pool, 2 * processes or 1), keep)
                trained += missing
        if trained:
            folder.note_run(
                results,
                trained=trained,
                tried_again=tried_again,
                without_xla=without_xla,
                engine=how.engine,
                device=how.kind,
                workers=processes,
                lowerings=_lowerings(sizes, how) if how.engine == "population" else {},
                seconds=round(time.perf_counter() - started, 3),
            )
        states.clear()
        return Outcome(trained, failed, report.write(results, xlsx))


@contextmanager
def _pool(processes: int, how: How, threads: int) -> Iterator[Executor]:
    """Workers, with TensorFlow started here too."""
    with at_checkpoints(), workers.pool(processes, how.kind, threads) as pool:
        backend.start(threads, how.kind)
        yield pool


def _tuner(results: Path, shape: Shape) -> Any:
    from regsearch.tuner import GridTuner

    return GridTuner(results, shape)


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


def missing_jobs(
    cells: list[Cell],
    finished: Container[str],
    sizes: dict[Network, Size],
    spec: Spec,
    how: How,
    states: States | None = None,
) -> list[Job]:
    """What is missing of the populations of a round's cells, the longest first.

    Args:
        cells: the whole round.
        finished: the trials that need no training.
        sizes: of every network.
        spec: the study.
        how: how it is trained.
        states: where the state of populations in training is kept.
    """
    found = []
    for network, size in sizes.items():
        members = 1 if how.engine == "reference" else size.members(how.kind, spec.training.memory_gib)
        populations = grid.populations((cell for cell in cells if cell.network == network), members)
        fullest = max((len(population.cells) for population in populations), default=0)  # not every network grows
        for population in populations:
            missing = tuple(cell for cell in population.cells if cell.trial not in finished)
            if missing:
                job = Job(Population(missing), size, fullest, how.engine, how.kind, how.lowering, states=states)
                found.append(job)
    return sorted(found, key=lambda job: -job.work)


def _lowerings(sizes: dict[Network, Size], how: How) -> dict[str, list[str]]:
    """How each convolution of each network is computed."""
    return {
        network.name: [
            how.lowering or size.lowering(layer.arguments(network.width, 1)["kernel_size"], how.kind)
            for layer in every(network.layers)
            if layer.convolves
        ]
        for network, size in sizes.items()
    }


def _log_failures(results: Path, failed: dict[str, str]) -> None:
    """Adds why trials failed to `failures.log`: a fault of ours keeps its traceback."""
    if failed:
        text = "".join(f"{trial}\n{error}\n" for trial, error in failed.items())
        path = results / FAILURES
        folder.write_text(path, (path.read_text(encoding="utf-8") if path.exists() else "") + text)
