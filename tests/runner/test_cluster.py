"""A run on a Dask cluster: the same tables, strangers refused, a lost scheduler one clear error."""

import os
import signal
import socket
import subprocess
import sys
import time
from asyncio import CancelledError
from contextlib import ExitStack
from itertools import pairwise

import pandas as pd
import pytest
from cluster import Certificate, cluster
from conftest import TABLES, edited, parsed

from regsearch import study
from regsearch.errors import ClusterError
from regsearch.grid import cells as grid
from regsearch.ledger import read_trials
from regsearch.runner import cluster as clusters
from regsearch.runner.cluster import Cluster

REGSEARCH = [sys.executable, "-m", "regsearch"]


@pytest.fixture(scope="module")
def started():
    """Those that tests have started, and what ends them."""
    with ExitStack() as stack:
        yield [], stack


@pytest.fixture
def running(started):
    """A cluster of two workers: the last, or another where a test has ended it."""
    found, stack = started
    if not found or found[-1].scheduler.poll() is not None:
        found.append(stack.enter_context(cluster(2)))
    return found[-1]


@pytest.fixture
def certificates(tmp_path):
    return [Certificate.made(tmp_path, name) for name in ("one", "other")]


def connect(address, ca=None, certificate=None, key=None):
    with Cluster(address, ca, certificate, key).connect():
        raise AssertionError("it was let in")


@pytest.mark.slow
def test_a_cluster_gives_the_tables_of_one_process(running, tmp_path):
    ours = running.certificate
    where = Cluster(running.address, ours.certificate, ours.certificate, ours.key)
    study.run(parsed(), tmp_path / "inline", study.Settings())
    outcome = study.run(parsed(), tmp_path / "cluster", study.Settings(cluster=where))
    assert (outcome.trained, outcome.failed) == (len(read_trials(tmp_path / "inline")), {})
    for name in TABLES:
        assert (tmp_path / "cluster" / name).read_bytes() == (tmp_path / "inline" / name).read_bytes(), name


@pytest.mark.slow
def test_whoever_has_another_certificate_or_none_is_refused(running, certificates):
    ours, (stranger, _) = running.certificate, certificates
    refused = "expected a Dask scheduler that takes us, got"
    with pytest.raises(ClusterError, match=refused):
        connect(running.address, stranger.certificate, stranger.certificate, stranger.key)
    with pytest.raises(ClusterError, match=refused):
        connect(running.address, ours.certificate, stranger.certificate, stranger.key)
    with pytest.raises(ClusterError, match=refused):
        connect(running.address.replace("tls://", "tcp://"))
    with pytest.raises(ClusterError, match="expected --tls-ca, --tls-cert and --tls-key with tls://"):
        connect(running.address)


@pytest.mark.slow
def test_workers_of_another_version_are_refused_with_what_differs(running, monkeypatch):
    ours, real = running.certificate, clusters._list_versions
    here = [True]

    def versions(backend):
        return {**real(backend), "tensorflow": "2.0"} if here else real(backend)

    monkeypatch.setattr(clusters, "_list_versions", versions)
    monkeypatch.setattr("distributed.Client.run", lambda *_: {"tls://worker:1": real("tensorflow")})
    assert not real("tensorflow").keys() & {"jax", "jaxlib"}  # what does not compute may differ
    with pytest.raises(ClusterError, match=r"tls://worker:1: tensorflow 2\.2\S* there, 2\.0 here"):
        connect(running.address, ours.certificate, ours.certificate, ours.key)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("tcp://10.1.2.3:8786", "expected an encrypted connection, got plain TCP to 10.1.2.3"),
        ("10.1.2.3:8786", "expected an encrypted connection, got plain TCP to 10.1.2.3"),
        ("tcp://no.such.host.invalid:1", "expected an encrypted connection"),
        ("http://127.0.0.1:80", "expected tls://HOST:PORT, or tcp://HOST:PORT on this machine"),
        ("tls://", "expected tls://HOST:PORT"),
        ("nonsense", "expected tls://HOST:PORT"),
    ],
)
def test_an_address_that_may_not_be_used_is_refused_before_anything_is_sent(address, message, monkeypatch):
    monkeypatch.setattr(clusters, "_connect", lambda *_: pytest.fail("it connected"))
    with pytest.raises(ClusterError, match=message):
        connect(address)


@pytest.mark.parametrize(
    ("causes", "said"),
    [
        (
            [OSError("Timed out trying to connect"), ConnectionRefusedError("Connection refused")],
            "Connection refused",
        ),
        ([OSError("Timed out trying to connect"), TimeoutError(), CancelledError()], "Timed out trying to connect"),
        ([OSError()], "OSError"),
    ],
)
def test_of_a_connection_that_fails_the_deepest_reason_in_words_is_said(causes, said, monkeypatch):
    for error, cause in pairwise(causes):
        error.__cause__ = cause

    def fail(*_, **__):
        raise causes[0]

    monkeypatch.setattr(clusters, "Client", fail)
    with pytest.raises(ClusterError, match=f"expected a Dask scheduler that takes us, got: {said}\\."):
        connect("tcp://127.0.0.1:1")


def test_a_port_where_nobody_answers_is_one_clear_error(monkeypatch):
    monkeypatch.setattr(clusters, "CONNECT_SECONDS", 2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(
        ClusterError, match=r"expected a Dask scheduler that takes us, got: .*(refused|Timed out trying to connect)"
    ):
        connect(f"tcp://127.0.0.1:{port}")


def test_a_certificate_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ClusterError, match=f"--tls-ca: expected a certificate .* got no such file: {tmp_path}"):
        connect("tls://127.0.0.1:1", tmp_path / "none.pem", tmp_path / "none.pem")


def test_usage_that_does_not_fit_together_is_refused(spec_file):
    from click.testing import CliRunner

    from regsearch.cli import main

    for options, message in [
        (["--tls-ca", "x"], "go with --cluster"),
        (["--cluster", "tls://a:1", "--workers", "2"], "leave --workers out"),
        (["--shard", "1/2", "--fresh"], "--fresh would move away"),
        (["--shard", "3/2"], "expected I/N"),
        (["--workers", "per-gpu", "--device", "cpu"], "does not go with --device cpu"),
        (["--workers", "some"], "expected auto, per-gpu, inline or a number"),
    ]:
        result = CliRunner().invoke(main, ["run", str(spec_file()), *options])
        assert (result.exit_code, message in result.output) == (2, True), result.output


def wait_for_rows(path, count, process):
    deadline = time.monotonic() + 120
    while not path.exists() or path.read_bytes().count(b"\n") <= count:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_a_killed_worker_costs_nothing_and_a_killed_scheduler_one_clear_error(running, tmp_path):
    """It ends the cluster, and so comes last."""
    changes = ("widths: [1, 2]", "widths: [1]"), ("seeds: 2", "seeds: 40"), ("epochs: 2", "epochs: 200")
    (tmp_path / "tiny.yaml").write_text(edited(*changes))
    out = tmp_path / "out"
    command = [*REGSEARCH, "run", str(tmp_path / "tiny.yaml"), "--out", str(out), *running.options()]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        wait_for_rows(out / "trials.csv", 5, process)
        os.kill(running.training()[0].pid, signal.SIGKILL)
        wait_for_rows(out / "trials.csv", 15, process)
        os.kill(running.scheduler.pid, signal.SIGKILL)
        code, said = process.wait(60), process.stderr.read()
    assert code == 6, said
    assert "the scheduler was lost" in said
    assert "Everything finished is kept" in said
    assert "Traceback" not in said
    kept = read_trials(out)
    assert kept["trial"].is_unique
    assert set(kept["status"]) == {"completed"}
    assert 15 <= len(kept) < 40 * 5
    fewer = [*changes[:1], ("seeds: 2", "seeds: 12"), *changes[2:]]  # the next run goes on from what is kept
    outcome = study.run(parsed(*fewer), out, study.Settings())
    assert (outcome.report.missing, outcome.trained) == (0, (~found(kept, fewer)).sum())


def found(kept, changes):
    """Which cells of a spec were kept."""
    cells = grid.make_cells(parsed(*changes), "population", "digits")
    return pd.Series([cell.trial for cell in cells]).isin(kept["trial"])
