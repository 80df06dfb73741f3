"""The pipeline: a spec and a folder in, a ledger and its tables out."""

import logging
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from regsearch import data, grid, ledger, report, runner, surroundings
from regsearch.data import Images
from regsearch.grid import Cell
from regsearch.ledger import Record
from regsearch.report import Snapshot
from regsearch.runner import NoSignals, Reporter, Settings, Signals
from regsearch.spec import Spec

log = logging.getLogger(__name__)


@dataclass
class Outcome:
    """What a run did.

    Attributes:
        failures: the file that says why trials failed.
        total: trials of the grid, as far as it has grown.
        untried: of these, those that nobody has trained yet; other shards do, or will.
        report: what was written; None for a shard that is not the last, as that one writes it.
        trained: trials trained now.
        failed: those that failed, with their reasons.
        tried_again: those that took more than one try.
        without_xla: those that trained without XLA, since it failed.
    """

    failures: Path
    total: int = 0
    untried: int = 0
    report: Snapshot | None = None
    trained: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    tried_again: list[str] = field(default_factory=list)
    without_xla: list[str] = field(default_factory=list)

    def add(self, records: list[Record]) -> None:
        """Takes in what one population gave."""
        self.trained += len(records)
        self.failed |= {record.trial.trial: record.error for record in records if record.error}
        self.tried_again += [record.trial.trial for record in records if record.attempt > 1]
        self.without_xla += [record.trial.trial for record in records if not record.compiled]

    def describe_failures(self) -> str:
        """Which networks failed, in words."""
        return f"{len(self.failed)} networks failed: {', '.join(self.failed)}. Why: {self.failures}"

    def facts(self) -> dict[str, Any]:
        """What `study.json` says of the run."""
        return {name: getattr(self, name) for name in ("trained", "tried_again", "without_xla")}


def run(
    spec: Spec,
    folder: Path,
    settings: Settings,
    progress: Reporter | None = None,
    signals: Signals | None = None,
    *,
    fresh: bool = False,
    xlsx: bool = False,
) -> Outcome:
    """Trains what is missing of a study, or of a shard's part, round by round as its grid grows; writes its tables.

    Args:
        spec: what is asked.
        folder: where its results are, or will be.
        settings: how and where it is trained.
        progress: is told how far the run is.
        signals: what may ask it to stop.
        fresh: moves earlier results aside first.
        xlsx: writes a workbook of the tables too.

    Raises:
        SpecError, DeviceError, DatasetError, ClusterError, ResultsError: see `errors`.
    """
    started, progress, signals = time.perf_counter(), progress or Reporter(), signals or NoSignals()
    surroundings.check_temporary_folder()
    spec = data.resolve_path(spec)
    facts = data.describe(spec)
    sizes = grid.measure(spec, facts)
    with runner.open_site(settings) as site:
        # Workers load it again; but a download, or its failure, belongs before the folder is touched.
        images = data.load(spec, progress.download)
        for warning in [*spec.oddities, *data.summarise(spec, facts).warnings]:
            log.warning("%s", warning)
        _warn_of_untrained_classes(images, spec)
        if fresh:
            ledger.move_aside(folder)
        asked = settings.engine, settings.part, settings.save_seconds, settings.backend
        with ledger.open_study(folder, spec, facts, *asked) as known:
            outcome, cells, search = Outcome(known.failures), list[Cell](), runner.GridSearch()
            planner = runner.Planner(spec, sizes, settings, site.device, facts.content, known.checkpoints)
            with runner.Crew(site, signals) as crew:
                for added in grid.make_rounds(
                    spec, settings.engine, facts.content, known.read_trials, settings.backend
                ):
                    cells += added
                    jobs = planner.plan(added)
                    missing = runner.select_missing(jobs, known.finished)
                    own = runner.list_cells(jobs)  # all of the round, but for a shard
                    crew.expect(spec, jobs, missing)
                    progress.start(own, known.list_finished(own), runner.share_time(missing, spec, crew.processes))
                    crew.start(missing)
                    for records in crew.train(spec, search.hand_out(missing, own, known.finished)):
                        known.append(records)  # the truth first
                        search.end(records)
                        outcome.add(records)
                        progress.advance(records)
                known.confirm()
                known.checkpoints.clear()
            with ledger.hold(folder, ledger.FOREVER) if settings.part else nullcontext():
                if outcome.trained:
                    seconds = round(time.perf_counter() - started, 3)
                    ledger.note_run(folder, **outcome.facts(), **settings.facts(), **crew.facts(), seconds=seconds)
                snapshot = report.read(folder, cells)
                outcome.total, outcome.untried = len(cells), snapshot.untried
                # The last shard writes the tables; one that finds them written leaves them.
                if not settings.part or (not snapshot.untried and (outcome.trained or not snapshot.shown)):
                    outcome.report = report.write(snapshot, xlsx)
                    runner.write_tuner(snapshot, changed=outcome.trained > 0)
    return outcome


def _warn_of_untrained_classes(images: Images | None, spec: Spec) -> None:
    """Says, once, where a class has no training image at all."""
    if images is None:
        return
    splits = [(size, seed) for size in spec.train_sizes() for seed in spec.grid.seed_values()]
    untrained = {split: data.find_untrained_classes(images, spec.dataset, *split) for split in splits}
    lacking = [split for split in splits if untrained[split]]
    if lacking:
        size, seed = lacking[0]
        log.warning(
            "%d of %d training sets lack a class altogether; the first, %d images of seed %d, has none of class %s. "
            "Networks cannot learn what they never see: use more training images",
            len(lacking), len(splits), size, seed, ", ".join(map(str, untrained[size, seed][:10])),
        )  # fmt: skip
