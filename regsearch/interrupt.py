"""SIGINT and SIGTERM end a run in order.

Outside training the handler raises at once, which ends imports and downloads too. During training it only
takes note, and whoever trains passes a `checkpoint` at every step: an exception raised at any moment could
land in a finalizer, which swallows it.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


class Stopped(KeyboardInterrupt):
    """The process was asked to end by a signal."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@dataclass
class _State:
    asked: int | None = None
    at_checkpoints: bool = False


_state = _State()


def checkpoint() -> None:
    """Raises `Stopped` if a signal has asked for it."""
    if _state.asked is not None:
        raise Stopped(_state.asked)


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGINT and SIGTERM raise `Stopped` inside."""

    def stop(number: int, _: FrameType | None) -> None:
        _state.asked = number
        if not _state.at_checkpoints:
            checkpoint()

    earlier = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        _state.asked = None
        for number, handler in earlier.items():
            signal.signal(number, handler)


@contextmanager
def at_checkpoints() -> Iterator[None]:
    """Inside, signals wait for the next `checkpoint`."""
    _state.at_checkpoints = True
    try:
        yield
    finally:
        _state.at_checkpoints = False
    checkpoint()
