"""How and where a study is trained, as the user asked for it."""

from dataclasses import dataclass
from typing import Self

from regsearch.ledger import SAVE_SECONDS
from regsearch.runner.cluster import Cluster
from regsearch.runner.shards import Shard

ENGINES = ("population", "reference")
BACKENDS = ("tensorflow", "jax")
DEVICES = {"auto": None, "cpu": "CPU", "gpu": "GPU"}
MOST_WORKERS = 1024


@dataclass(frozen=True)
class Settings:
    """How and where a study is trained; of these only the engine, backend and device can change a number.

    Attributes:
        engine: `population`, or `reference` for one network at a time by plain Keras.
        workers: processes of their own; 0 for this one, None for one a core or GPU.
        device: `CPU`, `GPU`, or None for a GPU where there is one.
        backend: what computes, `tensorflow` or `jax`.
        save_seconds: the least time between two writes of the state of a population in training.
        cluster: trains there instead of on this machine.
        shard: the part of the grid to train; None for all of it.
        ours: whether this process is ours to train in where no others can start, as that changes it.
    """

    engine: str = "population"
    workers: int | None = 0
    device: str | None = None
    backend: str = "tensorflow"
    save_seconds: float = SAVE_SECONDS
    cluster: Cluster | None = None
    shard: Shard | None = None
    ours: bool = False

    @classmethod
    def of(cls, workers: int | str, engine: str, device: str, backend: str = BACKENDS[0]) -> Self:
        """The settings in the words of the Python API.

        Raises:
            ValueError: one is not what it should be.
        """
        if workers != "auto" and (type(workers) is not int or not 0 <= workers <= MOST_WORKERS):
            raise ValueError(f'workers: expected "auto", or a number from 0 to {MOST_WORKERS}, got {workers!r}')
        choices = ("engine", engine, ENGINES), ("device", device, DEVICES), ("backend", backend, BACKENDS)
        for name, value, words in choices:
            if value not in words:
                raise ValueError(f"{name}: expected one of {', '.join(words)}, got {value!r}")
        return cls(engine, None if workers == "auto" else int(workers), DEVICES[device], backend)

    @property
    def part(self) -> str:
        """The part of the ledger that is written: a shard's own, or the whole."""
        return self.shard.part if self.shard else ""

    def facts(self) -> dict[str, str]:
        """What `study.json` says of a run."""
        return {"engine": self.engine, "backend": self.backend} | ({"shard": str(self.shard)} if self.shard else {})
