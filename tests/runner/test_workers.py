"""Workers that die or fail have their population tried again; what fails twice is recorded, and the rest goes on."""

import logging
import os
import signal
import time
from concurrent.futures import Future
from pathlib import Path

import pytest
from conftest import parsed

from regsearch import data as datasets
from regsearch.engine import Job
from regsearch.grid import cells as grid
from regsearch.grid import costs as sizing
from regsearch.runner import dispatch, workers
from regsearch.runner.work import train as work
from regsearch.runner.workers import Inline

SPEC = parsed()


def jobs(members=5):
    sizes = sizing.measure(SPEC, datasets.describe(SPEC))
    cells = grid.make_cells(SPEC, "population", "digits")
    return [
        Job(one, sizes[one.first.architecture], members, "population", "CPU")
        for one in grid.make_populations(cells, members)
    ]


def trials(records):
    return sorted(record.trial.trial for group in records for record in group)


def every_trial():
    return sorted(cell.trial for job in jobs() for cell in job.population.cells)


def test_no_more_than_asked_for_is_handed_out_ahead(monkeypatch):
    class Slow(Inline):
        out = most = 0

        def submit(self, *_):
            self.out += 1
            self.most = max(self.most, self.out)
            return Future()

    pool = Slow()
    finish = iter(range(100))

    def wait(running, **_):
        done = next(iter(running))
        pool.out -= 1
        next(finish)
        done.set_result([])
        return [done], None

    monkeypatch.setattr(dispatch, "wait", wait)
    assert len(list(dispatch.train(SPEC, pool, lambda: 3, jobs() * 4))) == 16
    assert pool.most == 3


@pytest.mark.slow
def test_a_job_that_fails_once_is_tried_again_in_halves_and_nothing_is_lost(monkeypatch):
    failures = iter([True, True])

    def fails_twice(spec, job, *asked):
        if job.attempt == 1 and next(failures, False):
            raise MemoryError
        return work(spec, job, *asked)

    monkeypatch.setattr("regsearch.runner.work.train", fails_twice)
    found = list(dispatch.train(SPEC, Inline(), lambda: 1, jobs()))
    assert trials(found) == every_trial()
    assert {record.trial.status for group in found for record in group} == {"completed"}
    assert sorted(len(group) for group in found) == [2, 2, 3, 3, 5, 5]


def dies_once(spec, job, *asked, marker):
    """Kills its own process the first time it runs."""
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return work(spec, job, *asked)


def dies(spec, job, *asked):
    first = job.population.first
    if first.seed == 0 and first.architecture.width == 1 and first.lam == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return work(spec, job, *asked)


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_its_population_tried_again(tmp_path, monkeypatch):
    from functools import partial

    monkeypatch.setattr("regsearch.runner.work.train", partial(dies_once, marker=Path(tmp_path / "died")))
    with workers.pool(2, "CPU", 1) as pool:
        found = list(dispatch.train(SPEC, pool.executor, pool.ahead, jobs()))
    assert (tmp_path / "died").exists()
    assert trials(found) == every_trial()
    assert {record.trial.status for group in found for record in group} == {"completed"}


@pytest.mark.slow
def test_a_network_that_always_kills_its_worker_fails_alone(monkeypatch):
    monkeypatch.setattr("regsearch.runner.work.train", dies)
    with workers.pool(2, "CPU", 1) as pool:
        found = list(dispatch.train(SPEC, pool.executor, pool.ahead, jobs(members=2)))
    assert trials(found) == every_trial()
    failed = [record for group in found for record in group if record.trial.status == "failed"]
    assert [record.trial.lam for record in failed] == [0]
    assert all("KilledWorker" in record.error for record in failed)


def warns():
    logging.getLogger("regsearch.ledger.checkpoints").warning("said by a worker")


@pytest.mark.slow
def test_what_a_worker_warns_of_is_heard_here(caplog):
    with workers.pool(1, "CPU", 1) as pool:
        deadline = time.monotonic() + 60
        while "said by a worker" not in caplog.text and time.monotonic() < deadline:
            pool.executor.submit(warns).result()
            time.sleep(0.1)
    assert "said by a worker" in caplog.text


@pytest.mark.slow
def test_no_port_is_open_beyond_this_machine():
    import psutil

    with workers.pool(2, "CPU", 1) as pool:
        pool.executor.submit(time.sleep, 0.1).result()
        here = psutil.Process()
        listening = [c for process in [here, *here.children(recursive=True)] for c in process.net_connections()
                     if c.status == psutil.CONN_LISTEN]  # fmt: skip
    assert listening
    assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}


@pytest.mark.slow
def test_another_user_of_this_machine_cannot_hand_work_to_its_workers():
    from distributed import Client

    with workers.pool(1, "CPU", 1) as pool:
        address = pool.executor._client.scheduler.address
        assert address.startswith("tls://127.0.0.1:")
        with pytest.raises(Exception, match="SSL|TLS|certificate|encrypt|reset|closed"):
            Client(address.replace("tls://", "tcp://"), timeout=2, set_as_default=False)
        with pytest.raises(Exception, match="SSL|TLS|certificate|encrypt|reset|closed"):
            Client(address, timeout=2, set_as_default=False)
