"""Workers of this machine that cannot start are one sentence; the command then trains by itself, a user's process does not."""

import os
import subprocess
import sys

import pytest
from conftest import parsed
from stand_ins import Unprepared, die_of_one_network
from test_workers import jobs, train

import regsearch
from regsearch.engine import limits
from regsearch.errors import ClusterError, DeviceError
from regsearch.runner import Settings, pool, site
from regsearch.runner.site import ThisMachine
from regsearch.runner.workers import use_this_process


@pytest.fixture
def no_semaphores(monkeypatch):
    def fails(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("multiprocessing.context.BaseContext.Lock", fails)


@pytest.mark.usefixtures("no_semaphores")
def test_where_shared_memory_cannot_be_used_the_command_trains_by_itself(caplog):
    with pool.open_pool(2, "CPU", 1, "tensorflow", ours=True) as workers:
        assert workers.processes == 0
        assert workers.submit(lambda _: "trained").result() == "trained"
    assert [record.getMessage() for record in caplog.records] == [
        "workers: expected 2 processes of their own, got none that can start: shared memory, such as /dev/shm, cannot be "
        "used (Read-only file system). This process trains instead, alone"
    ]


@pytest.mark.usefixtures("no_semaphores")
def test_a_users_own_process_is_not_trained_in_unasked(tmp_path):
    words = r"cannot be used \(Read-only file system\)\. Mend that, or train in this process: workers=0"
    with pytest.raises(DeviceError, match=words):
        regsearch.run(parsed(), tmp_path / "results", workers=2)


def test_a_machine_that_does_not_reach_itself_is_said(monkeypatch):
    def fails(*_):
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr("socket.socket.connect", fails, raising=False)
    monkeypatch.setattr(pool.socket, "socket", type("Down", (pool.socket.socket,), {"connect": fails}))
    with pytest.raises(DeviceError, match=r"does not reach itself at 127\.0\.0\.1 \(Network is unreachable\)"), \
            pool.open_pool(2, "CPU", 1, "tensorflow"):  # fmt: skip
        pass


def test_certificates_that_cannot_be_made_are_said(monkeypatch):
    def fails():
        raise ImportError("no certificates here")

    monkeypatch.setattr(pool.Security, "temporary", fails)
    with pytest.raises(DeviceError, match="no certificates here"), pool.open_pool(2, "CPU", 1, "tensorflow"):
        pass


@pytest.mark.slow
def test_a_run_that_may_open_few_files_says_so_in_a_line_and_trains_all_the_same(spec_file, tmp_path):
    path = spec_file(("widths: [1, 2]", "widths: [1]"), ("lambdas: [0, 0.01, 0.1]", "lambdas: [0.01]"))
    command = f"ulimit -n 40; exec {sys.executable} -m regsearch run {path} --out {tmp_path / 'results'} --workers 2"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    said = [line for line in done.stderr.splitlines() if "warning" in line]
    assert (done.returncode, len(said)) == (0, 1), done.stderr
    assert "got none that can start: Too many open files. This process trains instead" in said[0]


def test_a_run_whose_workers_are_all_gone_ends_with_an_error(monkeypatch):
    class Cluster:
        class scheduler:  # noqa: N801
            workers = {"one": 1}  # noqa: RUF012

    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    watch = pool._Watch(Cluster, 4)
    now[0] = 1000.0
    assert watch() == 4
    Cluster.scheduler.workers = {}
    now[0] += pool.ABANDONED_SECONDS
    assert watch() == 4  # it is being replaced
    now[0] += 1
    with pytest.raises(
        ClusterError, match=r"expected processes that train, got none for 5 minutes.*finished is kept"
    ):
        watch()


@pytest.mark.slow
def test_a_worker_that_dies_and_cannot_be_replaced_leaves_no_run_waiting_for_ever(monkeypatch):
    async def fails(_):
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(pool, "ABANDONED_SECONDS", 2.0)
    monkeypatch.setattr(pool, "Prepared", Unprepared)
    monkeypatch.setattr("regsearch.runner.work.train", die_of_one_network)
    smallest = [job for job in jobs(members=2) if job.population.first.architecture.width == 1]
    with pool.open_pool(1, "CPU", 1, "tensorflow") as workers:
        monkeypatch.setattr("distributed.nanny.WorkerProcess.start", fails)
        with pytest.raises(ClusterError, match="expected processes that train, got none"):
            train(workers, smallest)


def find_imports(_):
    return sys.path, dict(os.environ)


@pytest.mark.slow
def test_a_worker_imports_nothing_beside_the_script_and_knows_no_setting_of_other_programs(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "random.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("MPLBACKEND", "nonsense")
    monkeypatch.setenv("DASK_FOO", "bar")
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    before = dict(os.environ)
    with pool.open_pool(1, "CPU", 1, "tensorflow") as workers:
        path, environment = workers.submit(find_imports).result()
    assert not {"", str(tmp_path)} & set(path)
    assert not {"MPLBACKEND", "DASK_FOO", "PYTHONWARNINGS"} & set(environment)
    assert dict(os.environ) == before


def test_no_more_workers_than_there_is_memory_for(monkeypatch):
    machine, todo = ThisMachine(Settings(workers=None, device="CPU")), jobs()
    monkeypatch.setattr("regsearch.engine.count_cores", lambda: 64)
    for room, workers in ((2**50, len(todo)), (3.5 * site.WORKER_BYTES, 3), (1, 1)):
        monkeypatch.setattr("regsearch.engine.count_allowed_bytes", lambda room=room: room)
        assert machine.count_processes(todo) == workers
    assert ThisMachine(Settings(workers=2, device="CPU")).count_processes(todo) == 2  # what a user says counts
    assert limits.count_allowed_bytes() > 2**20


def test_this_process_needs_no_other():
    assert use_this_process(lambda: None).processes == 0
