"""An existing Dask cluster as workers: found by its scheduler's address, encrypted, held against our own versions."""

import logging
import platform
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from distributed import Client, Security

from regsearch import engine
from regsearch.engine import Job
from regsearch.errors import ClusterError
from regsearch.ledger import DECIDING, list_versions
from regsearch.runner.dask_settings import silence_dask
from regsearch.runner.faults import word_cause
from regsearch.runner.workers import Prepared, Workers, prepare, use_client

"""Whose versions must be the same everywhere: they decide numbers, or whether two sides understand each other."""
CONNECT_SECONDS = 20.0
JOIN_SECONDS = 60.0
"""How long the first worker may take to join."""
ABANDONED_SECONDS = 600.0
"""How long a run waits when every worker has left."""
COUNT_SECONDS = 2.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cluster:
    """Where the scheduler listens, and what proves that we may talk to it.

    Attributes:
        address: `tls://host:port`, or `tcp://host:port` on this machine.
        ca: the certificate, PEM, of the authority that signed everybody's.
        certificate: ours, PEM.
        key: the private key of ours, PEM; None where it lies in the certificate's file.
    """

    address: str
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @contextmanager
    def connect(self, device: str | None = None, backend: str = "tensorflow") -> Iterator["Connection"]:
        """Connects to the scheduler and waits for its first worker.

        Args:
            device: the kind that the workers are to train on; None for whichever all of them have.
            backend: what computes there.

        Raises:
            ClusterError: the address is refused, nobody answers, the certificates do not fit, no worker joins, or
                workers have other versions, several threads, or not the device.
        """
        security = self._make_security()
        silence_dask()  # for good, as it tells of a lost scheduler late
        with _connect(self._address, security) as client:
            try:
                client.wait_for_workers(1, timeout=JOIN_SECONDS)
            except TimeoutError:
                raise ClusterError(
                    f"--cluster {self.address}: expected at least one worker within {JOIN_SECONDS:.0f} s, got none. "
                    f"Start some with `dask worker {self.address} --nthreads 1`."
                ) from None
            yield Connection(client, self.address, device, backend)

    @property
    def _address(self) -> str:
        return self.address if "://" in self.address else f"{'tls' if self.ca else 'tcp'}://{self.address}"

    def _make_security(self) -> Security | None:
        """What encrypts; None for plain TCP, refused off this machine, as a scheduler runs any code it is sent."""
        scheme, _, rest = self._address.partition("://")
        cluster = f"--cluster {self.address}"
        host = rest.rpartition(":")[0].strip("[]")
        if scheme not in ("tls", "tcp") or not host:
            raise ClusterError(f"{cluster}: expected tls://HOST:PORT, or tcp://HOST:PORT on this machine")
        if scheme == "tcp":
            if self.ca or not _is_loopback(host):
                raise ClusterError(
                    f"{cluster}: expected an encrypted connection, got plain TCP to {host}. Anybody on the way "
                    "could run code on your machines: start the scheduler and workers with --tls-ca-file, --tls-cert "
                    "and --tls-key, and name it as tls://HOST:PORT with --tls-ca, --tls-cert and --tls-key."
                )
            return None
        if not self.ca or not self.certificate:
            raise ClusterError(f"{cluster}: expected --tls-ca, --tls-cert and --tls-key with tls://, got none")
        for option, path in {"--tls-ca": self.ca, "--tls-cert": self.certificate, "--tls-key": self.key}.items():
            if path and not path.is_file():
                raise ClusterError(f"{option}: expected a certificate or key in PEM form, got no such file: {path}")
        return Security(
            require_encryption=True,
            tls_ca_file=str(self.ca),
            tls_client_cert=str(self.certificate),
            tls_client_key=str(self.key or self.certificate),
        )


@contextmanager
def _connect(address: str, security: Security | None) -> Iterator[Client]:
    try:
        client = Client(address, security=security, timeout=CONNECT_SECONDS, set_as_default=False)
    except Exception as error:  # ssl, asyncio, tornado and Dask raise many kinds here
        raise ClusterError(
            f"--cluster {address}: expected a Dask scheduler that takes us, got: {word_cause(error)}. Does it run, "
            "is the address right, and do the certificates come from one authority?"
        ) from None
    with client:
        yield client


class Connection:
    """A cluster that answered, as a `Site`.

    Attributes:
        device: the kind of device of every worker, `CPU` or `GPU`.
    """

    def __init__(self, client: Client, address: str, device: str | None, backend: str) -> None:
        """Holds the workers against what training needs.

        Raises:
            ClusterError: they have other versions, several threads or not the device.
        """
        self.client, self.address, self.backend = client, address, backend
        self._count, self._asked, self._seen = 0, 0.0, time.monotonic()
        self._check()
        self.device = self._find_device(device)

    def count_processes(self, jobs: Sequence[Job] = ()) -> int:  # noqa: ARG002 - whatever there is to do, these are the workers
        """How many workers there are now, at least one.

        Raises:
            ClusterError: all have left, for long.
        """
        now, had = time.monotonic(), self._count
        if now - self._asked >= COUNT_SECONDS and self.client.status == "running":
            with suppress(OSError, TimeoutError):  # a lost scheduler shows in what is in training
                self._count, self._asked = len(self.client.nthreads()), now
        if self._count:
            self._seen = now
        elif had:
            log.warning("%s: no worker is left; waiting for others to join", self.address)
        elif now - self._seen > ABANDONED_SECONDS:
            raise ClusterError(
                f"--cluster {self.address}: expected workers, got none for {ABANDONED_SECONDS / 60:.0f} minutes. "
                "Everything finished is kept; start workers and run the same command again to go on."
            )
        return max(1, self._count)

    @contextmanager
    def open_pool(
        self,
        processes: int,
        threads: int,
        backend: str,
        raise_if_stopped: Callable[[], None],  # noqa: ARG002 - no signal reaches work elsewhere
    ) -> Iterator[Workers]:
        """The workers, made ready, also those that join later; what they import stays imported there."""
        plugin = _Admitted(threads, self.device, backend, _list_versions(backend))
        prepare(self.client, plugin)
        try:
            yield use_client(self.client, lambda: 2 * self.count_processes(), processes)
        finally:
            with suppress(Exception):  # the scheduler may be gone
                self.client.unregister_worker_plugin(plugin.name)

    def _check(self) -> None:
        ours, cluster = _list_versions(self.backend), f"--cluster {self.address}"
        try:
            theirs = self.client.run(_list_versions, self.backend)
        except Exception as error:
            reason = str(error).partition("\n")[0]
            raise ClusterError(
                f"{cluster}: expected workers that have regsearch {ours['regsearch']} installed, got: {reason}. "
                "Start them from the environment that this command runs in."
            ) from None
        different = [
            f"  {worker}: {name} {versions.get(name)} there, {ours[name]} here"
            for worker, versions in sorted(theirs.items())
            for name in ours
            if versions.get(name) != ours[name]
        ]
        if different:
            raise ClusterError(
                f"{cluster}: expected workers with the versions of this command, got others:\n"
                + "\n".join(different)
                + "\nNumbers would depend on where a network trains. Start all from the same environment."
            )
        several = {worker: threads for worker, threads in self.client.nthreads().items() if threads != 1}
        if several:
            worker, threads = next(iter(several.items()))
            raise ClusterError(
                f"{cluster}: expected workers of one thread, got {len(several)} with more (the first, {worker}, has "
                f"{threads}). Start one worker for each core or GPU: `dask worker … --nworkers N --nthreads 1`."
            )

    def _find_device(self, asked: str | None) -> str:
        if asked == "CPU":
            return "CPU"
        devices = ["GPU" if gpu else "CPU" for gpu in self.client.run(engine.has_gpu, self.backend).values()]
        kinds = set(devices)
        if len(kinds) > 1 or (asked == "GPU" and kinds != {"GPU"}):
            without = devices.count("CPU")
            raise ClusterError(
                f"--cluster {self.address}: expected workers with a GPU each{' or none' if asked is None else ''}, "
                f"got {without} of {len(devices)} without one. Name the kind with --device cpu, or start other "
                "workers."
            )
        return kinds.pop()


class _Admitted(Prepared):
    """Makes a worker ready, also one that joins later, unless its versions are others than the driver's."""

    def __init__(self, threads: int, device: str, backend: str, versions: dict[str, str]) -> None:
        """See `Prepared`; `versions` are the driver's."""
        super().__init__(threads, device, backend)
        self.versions = versions

    def setup(self, worker: Any) -> None:
        """Refuses a worker of other versions, which Dask then closes."""
        if (here := _list_versions(self.backend)) != self.versions:
            raise RuntimeError(f"expected the versions {self.versions} of the driver, got {here}")
        super().setup(worker)


def _list_versions(backend: str) -> dict[str, str]:
    """Of Python and what decides the numbers; runs on the workers too."""
    return {"python": platform.python_version(), **list_versions((*DECIDING[backend], "distributed"))}


def _is_loopback(host: str) -> bool:
    try:
        addresses = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return all(ip_address(str(address).partition("%")[0]).is_loopback for address in addresses)
