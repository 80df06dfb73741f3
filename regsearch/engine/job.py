"""What an engine is handed: a population to train, and how."""

from dataclasses import dataclass

from regsearch.grid import Population, Size
from regsearch.ledger import Checkpoint, Checkpoints


@dataclass(frozen=True)
class Job:
    """A population to train, and how.

    Attributes:
        population: which networks; they share everything but penalty and lambda.
        size: of its architecture.
        members: how many networks of a group to compile for; the population may be smaller, and is filled up with
            networks that are trained and forgotten, so that its numbers are those of a full one.
        engine: `population` or `reference`.
        device: `CPU` or `GPU`.
        sub_batch: images of a batch that are computed at a time; None takes it whole.
        groups: how many groups to compile for.
        backend: what computes, `tensorflow` or `jax`.
        content: what the dataset must hold where it trains; see `data.Facts`. Empty holds it to nothing.
        compiled: whether XLA compiles it; otherwise the backend runs it as it is, with other rounding.
        checkpoints: where the state of populations in training is kept; None keeps none. The reference engine
            keeps none either: a kill costs it one network.
        attempt: 2 for a second try, and so on.
    """

    population: Population
    size: Size
    members: int
    engine: str
    device: str
    sub_batch: int | None = None
    groups: int = 1
    backend: str = "tensorflow"
    content: str = ""
    compiled: bool = True
    checkpoints: Checkpoints | None = None
    attempt: int = 1

    @property
    def threads(self) -> int:
        """Computing threads: on a CPU a population trains on one, wherever it trains, so that it rounds alike."""
        return 1 if self.engine == "population" and self.device == "CPU" else 0

    @property
    def networks(self) -> int:
        """How many are compiled, and train, whatever is missing of the population."""
        return self.members * self.groups

    @property
    def work(self) -> int:
        """What orders jobs, the longest first."""
        return self.size.work * self.networks * self.population.first.train_size

    def checkpoint(self) -> Checkpoint | None:
        """Where a population's state between epochs is kept; one that another kind of job made is not continued."""
        if self.checkpoints is None:
            return None
        return self.checkpoints.of(
            (cell.trial for cell in self.population.cells),
            engine=self.engine,
            device=self.device,
            members=self.members,
            groups=self.groups,
            sub_batch=self.sub_batch,
            backend=self.backend,
            compiled=self.compiled,
        )
