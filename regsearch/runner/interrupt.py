"""SIGINT and SIGTERM end a run in order.

Outside training the handler raises at once, which ends imports and downloads too. During training it only
takes note, and whoever trains passes a `checkpoint` at every step: an exception raised at any moment could
land in a finalizer, which swallows it. Neither helps while a library computes or compiles for minutes on end,
so a thread sees to it that the run ends all the same.
"""

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

GRACE_SECONDS = 3.0


class UnwantedError(Exception):
    """Nobody waits any more for what is in training here."""


class Stopped(KeyboardInterrupt):
    """The process was asked to end by a signal."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@dataclass
class _State:
    asked: int | None = None
    at_checkpoints: bool = False
    unwanted: Callable[[], bool] = lambda: False


_state = _State()


def checkpoint() -> None:
    """Raises `Stopped` if a signal has asked for it, or `UnwantedError`."""
    if _state.asked is not None:
        raise Stopped(_state.asked)
    if _state.unwanted():
        raise UnwantedError


def ask_at_checkpoints(unwanted: Callable[[], bool]) -> None:
    """From now on, a checkpoint asks whether its thread's work is unwanted: no signal reaches work elsewhere."""
    _state.unwanted = unwanted


@contextmanager
def stoppable(give_up: Callable[[int], None], grace: float = GRACE_SECONDS) -> Iterator[None]:
    """SIGINT and SIGTERM raise `Stopped` inside.

    Args:
        give_up: called with the signal's number, from another thread, if the run has not ended after the grace.
        grace: in seconds.
    """

    def stop(number: int, _: FrameType | None) -> None:
        _state.asked = number
        if not _state.at_checkpoints:
            checkpoint()

    numbers = (signal.SIGINT, signal.SIGTERM)
    earlier = {number: signal.signal(number, stop) for number in numbers}
    with _watched(give_up, grace):
        try:
            yield
        finally:
            _state.asked = None
            for number, handler in earlier.items():
                signal.signal(number, handler)


@contextmanager
def _watched(give_up: Callable[[int], None], grace: float) -> Iterator[None]:
    """Calls `give_up` when the grace after a signal is over, even while this thread is deep in a library.

    Python's own handlers wait for the library to return; the wake-up descriptor is written at once.
    """
    ended = threading.Event()
    woken, waker = socket.socketpair()
    waker.setblocking(False)

    def watch() -> None:
        while number := int.from_bytes(woken.recv(1)):
            if number in (signal.SIGINT, signal.SIGTERM) and not ended.wait(grace):
                give_up(number)

    earlier = signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        signal.set_wakeup_fd(earlier)
        waker.send(b"\0")
        watcher.join()
        woken.close()
        waker.close()


@contextmanager
def at_checkpoints() -> Iterator[None]:
    """Inside, signals wait for the next `checkpoint`."""
    _state.at_checkpoints = True
    try:
        yield
    finally:
        _state.at_checkpoints = False
    checkpoint()
