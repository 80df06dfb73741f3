"""SIGINT and SIGTERM end a command in order.

Outside training the handler raises at once, which ends imports and downloads too. During training it only
takes note, and whoever trains asks at every step: an exception raised at any moment could land in a finalizer,
which swallows it. Neither helps while a library computes or compiles for minutes on end, so a thread sees to it
that the command ends all the same.
"""

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

GRACE_SECONDS = 3.0


class Stopped(KeyboardInterrupt):
    """The process was asked to end by a signal."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class StopSignals:
    """What SIGINT and SIGTERM ask of a command; as `runner.Signals`."""

    def __init__(self) -> None:
        self._asked: int | None = None
        self._deferred = False

    def raise_if_stopped(self) -> None:
        """Raises `Stopped` if a signal has asked for it."""
        if self._asked is not None:
            raise Stopped(self._asked)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Inside, signals wait for the next `raise_if_stopped`."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
        self.raise_if_stopped()

    @contextmanager
    def caught(self, give_up: Callable[[int], None], grace: float = GRACE_SECONDS) -> Iterator[None]:
        """SIGINT and SIGTERM raise `Stopped` inside.

        Args:
            give_up: called with the signal's number, from another thread, if the command has not ended after the
                grace.
            grace: in seconds.
        """

        def stop(number: int, _: FrameType | None) -> None:
            self._asked = number
            if not self._deferred:
                self.raise_if_stopped()

        earlier = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        with _watched(give_up, grace):
            try:
                yield
            finally:
                self._asked = None
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
