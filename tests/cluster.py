"""A Dask scheduler and workers of their own processes on this machine, under TLS, for the tests and `kills.py`."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

DASK = [sys.executable, "-m", "dask"]
ENVIRONMENT = {
    "DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES": "[]",
    "DASK_DISTRIBUTED__WORKER__HTTP__ROUTES": "[]",
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_SATURATION": "1.0",
    "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
HERE = ["--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0"]


@dataclass
class Certificate:
    """One that is its own authority: whoever holds it trusts whoever else holds it."""

    certificate: Path
    key: Path

    @classmethod
    def made(cls, folder: Path, name: str) -> "Certificate":
        """Makes one with OpenSSL."""
        found = cls(folder / f"{name}-cert.pem", folder / f"{name}-key.pem")
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=regsearch"]
        files = ["-keyout", str(found.key), "-out", str(found.certificate)]
        subprocess.run([*command, *files], check=True, capture_output=True)
        return found

    def dask(self) -> list[str]:
        """As options of `dask scheduler` and `dask worker`."""
        files = {"--tls-ca-file": self.certificate, "--tls-cert": self.certificate, "--tls-key": self.key}
        return [str(word) for pair in files.items() for word in pair]

    def regsearch(self) -> list[str]:
        """As options of `regsearch run`."""
        files = {"--tls-ca": self.certificate, "--tls-cert": self.certificate, "--tls-key": self.key}
        return [str(word) for pair in files.items() for word in pair]


@dataclass
class Running:
    """A cluster that runs."""

    address: str
    certificate: Certificate
    scheduler: subprocess.Popen
    workers: list[subprocess.Popen] = field(default_factory=list)

    def options(self) -> list[str]:
        """With which `regsearch run` uses it."""
        return ["--cluster", self.address, *self.certificate.regsearch()]

    def training(self) -> list[psutil.Process]:
        """The processes that train: the children of the workers' nannies."""
        return [
            child
            for nanny in self.workers
            if nanny.poll() is None
            for child in psutil.Process(nanny.pid).children(recursive=True)
            if any("spawn_main" in word for word in child.cmdline())
        ]


@contextmanager
def cluster(count: int, tls: bool = True):
    """A scheduler and `count` workers of one thread, all on loopback."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        certificate = Certificate.made(folder, "cluster")
        options = [*HERE, *(certificate.dask() if tls else []), "--protocol", "tls" if tls else "tcp"]
        file = folder / "scheduler.json"
        with (folder / "log").open("w") as log:

            def started(*words: str) -> subprocess.Popen:
                command = [*DASK, *words, "--scheduler-file", str(file), *options]
                environment = {**os.environ, **ENVIRONMENT}
                return subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)

            scheduler = started("scheduler", "--port", "0")
            deadline = time.monotonic() + 60
            while not (file.exists() and file.read_text()):
                assert time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.1)
            address = json.loads(file.read_text())["address"]
            running = Running(address, certificate, scheduler)
            words = ["worker", "--nthreads", "1", "--memory-limit", "0", "--death-timeout", "30"]
            running.workers = [started(*words) for _ in range(count)]
            try:
                yield running
            finally:
                for process in [*running.workers, scheduler]:
                    for child in [*_children(process), process]:
                        try:
                            os.kill(child.pid, signal.SIGKILL)
                        except ProcessLookupError:
                            continue
                    process.wait()


def _children(process: subprocess.Popen) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
