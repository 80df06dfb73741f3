"""Workers that die or fail have their population tried again; what fails twice is recorded, and the rest goes on."""

import time
from concurrent.futures import Future
from functools import partial

import dask
import psutil
import pytest
import stand_ins
from conftest import parsed
from distributed import Client

from regsearch import data as datasets
from regsearch.engine import Job
from regsearch.grid import cells as grid
from regsearch.grid import costs as sizing
from regsearch.runner import dispatch
from regsearch.runner.pool import open_pool
from regsearch.runner.work import train as work
from regsearch.runner.workers import Workers, use_this_process

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


def train(pool, todo):
    return list(dispatch.train(SPEC, pool, todo, lambda: None))


def test_no_more_than_asked_for_is_handed_out_ahead(monkeypatch):
    out, most = [0], [0]

    def submit(*_):
        out[0] += 1
        most[0] = max(most[0], out[0])
        return Future()

    def wait(running, **_):
        done = next(iter(running))
        out[0] -= 1
        done.set_result([])
        return [done], None

    monkeypatch.setattr(dispatch, "wait", wait)
    assert len(train(Workers(submit, lambda: 3), jobs() * 4)) == 16
    assert most[0] == 3


@pytest.mark.slow
def test_a_job_that_fails_once_is_tried_again_in_halves_and_nothing_is_lost(monkeypatch):
    failures = iter([True, True])

    def fails_twice(spec, job, *asked):
        if job.attempt == 1 and next(failures, False):
            raise MemoryError
        return work(spec, job, *asked)

    monkeypatch.setattr("regsearch.runner.work.train", fails_twice)
    found = train(use_this_process(lambda: None), jobs())
    assert trials(found) == every_trial()
    assert {record.trial.status for group in found for record in group} == {"completed"}
    assert sorted(len(group) for group in found) == [2, 2, 3, 3, 5, 5]


@pytest.fixture
def unprepared(monkeypatch):
    """Workers that train nothing need not be made ready."""
    monkeypatch.setattr("regsearch.runner.pool.Prepared", stand_ins.Unprepared)


@pytest.mark.slow
@pytest.mark.usefixtures("unprepared")
def test_a_killed_worker_is_replaced_and_its_population_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr("regsearch.runner.work.train", partial(stand_ins.die_once, marker=tmp_path / "died"))
    impatient = {"distributed": {"deploy": {"lost-worker-timeout": "1 ms"}}}  # it would give the worker up
    monkeypatch.setattr(dask.config.refresh, "__defaults__", (None, [impatient, *dask.config.defaults], [], None))
    with open_pool(1, "CPU", 1, "tensorflow") as pool:
        found = train(pool, jobs())
    assert (tmp_path / "died").exists()
    assert trials(found) == every_trial()
    assert {record.trial.status for group in found for record in group} == {"completed"}


@pytest.mark.slow
@pytest.mark.usefixtures("unprepared")
def test_a_network_that_always_kills_its_worker_fails_alone(monkeypatch):
    monkeypatch.setattr("regsearch.runner.work.train", stand_ins.die_of_one_network)
    with open_pool(1, "CPU", 1, "tensorflow") as pool:
        smallest = [job for job in jobs(members=2) if job.population.first.architecture.width == 1]
        found = train(pool, smallest)
    assert trials(found) == sorted(cell.trial for job in smallest for cell in job.population.cells)
    failed = [record for group in found for record in group if record.trial.status == "failed"]
    assert [record.trial.lam for record in failed] == [0]
    assert all("KilledWorker" in record.error for record in failed)


@pytest.fixture(scope="module")
def pool():
    """One worker, for tests that leave it as it was."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("regsearch.runner.pool.Prepared", stand_ins.Unprepared)
        with open_pool(1, "CPU", 1, "tensorflow") as opened:
            yield opened


@pytest.mark.slow
def test_what_a_worker_warns_of_is_heard_here(pool, caplog):
    deadline = time.monotonic() + 60
    while "said by a worker" not in caplog.text and time.monotonic() < deadline:
        pool.submit(stand_ins.warn).result()
        time.sleep(0.1)
    assert "said by a worker" in caplog.text


@pytest.mark.slow
def test_no_port_is_open_beyond_this_machine(pool):
    pool.submit(stand_ins.idle).result()
    here = psutil.Process()
    listening = [c for process in [here, *here.children(recursive=True)] for c in process.net_connections()
                 if c.status == psutil.CONN_LISTEN]  # fmt: skip
    assert listening
    assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}


@pytest.mark.slow
def test_another_user_of_this_machine_cannot_hand_work_to_its_workers(pool):
    address = pool.submit(stand_ins.find_scheduler).result()
    assert address.startswith("tls://127.0.0.1:")
    with pytest.raises(Exception, match="SSL|TLS|certificate|encrypt|reset|closed"):
        Client(address.replace("tls://", "tcp://"), timeout=2, set_as_default=False)
    with pytest.raises(Exception, match="SSL|TLS|certificate|encrypt|reset|closed"):
        Client(address, timeout=2, set_as_default=False)


def wait_for(path):
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.02)


@pytest.mark.slow
def test_a_worker_ends_what_nobody_waits_for(pool, tmp_path):
    future = pool.submit(stand_ins.go_on_until_unwanted, tmp_path)
    wait_for(tmp_path / "started")
    future.cancel()
    wait_for(tmp_path / "unwanted")
