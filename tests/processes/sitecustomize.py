"""With this folder on PYTHONPATH no process draws a study's figures, which take seconds.

With MADE_UP_TRAINING set networks are not trained either, but given made-up losses: best at lambda 0.03. So the
documents' commands run in seconds. The smallest networks of the study `smoke` are trained all the same where it is run
by the command. Where nothing is trained TensorFlow and Keras Tuner are left out.
"""

import importlib.machinery
import math
import os
import sys
import time


class _Patched:
    """Loads the modules named in PATCHES as they are, then patches them."""

    def find_spec(self, name, path, target=None):  # noqa: ARG002 - the signature is Python's
        if name not in PATCHES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        self.loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        self.loader.exec_module(module)
        PATCHES[module.__name__](module)


def _make_up_records(work):
    really_train = work.train

    def train(spec, job, *arguments):
        if not _trains_nothing() and job.population.first.architecture.width == spec.architecture.widths[0]:
            return really_train(spec, job, *arguments)
        return [_record(cell, job.size) for cell in job.population.cells]

    work.train = train


def _record(cell, size):
    from regsearch.ledger.records import Counts, Epoch, record_completed

    depth = 1.5 if cell.lam == 0 else 0.1 * math.log(cell.lam / 0.03) ** 2
    loss = 0.8 + depth + 0.02 * math.sin(float(int(cell.trial[1:], 16) % 1000))  # noise of each trial's own
    epochs = [Epoch(cell.trial, epoch, 1.0, 0.1, loss, 0.5, 1.0, 10.0, 5.0) for epoch in (0, 1)]
    return record_completed(cell, Counts(size.weights, size.penalised), epochs, (loss + 0.1, 0.5), 0.1)


def _make_up_times(timing):
    from regsearch.runner.pace import Timing

    def _time_all(_spec, _facts, jobs, _raise_if_stopped):
        now = time.time()
        timings = [Timing(float(job.size.work * job.members), 1.0, 0.1, 1e-4) for job in jobs]
        return timing._Timed(now, now, 2**30, timings)

    timing._time_all = _time_all
    if _trains_nothing():
        sys.modules["regsearch.runner"].tuner = None  # which a plan imports since a run does


def _work_in_this_process(site):
    """Other processes take seconds to start, and the engine to import."""
    site.ThisMachine.count_processes = lambda *_: 0
    if _trains_nothing():
        site.engine.start = site.engine.import_quietly = lambda *_: None


def _search_without_keras_tuner(search):
    if _trains_nothing():
        search.GridSearch.hand_out = lambda _, jobs, *__: jobs
        search.GridSearch.end = lambda *_: None
        write = search.write_tuner
        search.write_tuner = lambda snapshot, asked=False, **_: write(snapshot, True) if asked else None


def _trains_nothing():
    """Whether this is anything but the command that runs the study `smoke`."""
    return sys.argv[1:3] != ["run", "configs/smoke.yaml"]


def _draw_nothing(views):
    views.gallery = lambda *_: []


PATCHES = {"regsearch.report.views": _draw_nothing}
if os.environ.get("MADE_UP_TRAINING"):
    PATCHES |= {
        "regsearch.runner.work": _make_up_records,
        "regsearch.runner.timing": _make_up_times,
        "regsearch.runner.site": _work_in_this_process,
        "regsearch.runner.search": _search_without_keras_tuner,
    }
sys.meta_path.insert(0, _Patched())
