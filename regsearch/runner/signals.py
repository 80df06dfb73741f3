"""How whoever trains notices that it should stop: passed in by whoever started the run."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Signals(Protocol):
    """What may ask a run to stop."""

    def raise_if_stopped(self) -> None:
        """Raises what ends the run, if it was asked to stop."""
        return

    def deferred(self) -> AbstractContextManager[None]:
        """Inside, whoever trains calls `raise_if_stopped` often, and nothing is raised in between."""
        return nullcontext()


class NoSignals(Signals):
    """Nothing but Python's own KeyboardInterrupt asks a run to stop."""
