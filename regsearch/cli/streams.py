"""stdout and stderr that are closed, full, or that nobody reads any more."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

READER_GONE = 141
"""The exit code that a shell reports for a program whose reader went away: 128 + SIGPIPE."""


class OutputError(Exception):
    """stdout cannot be written, and why; with no words where its reader has gone, which is no error."""


class _Lenient:
    """A stream on which what cannot be written is lost: a full log must not end hours of training."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Writes what can be written."""
        with suppress(OSError):
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flushes what can be flushed."""
        with suppress(OSError):
            self.stream.flush()


@contextmanager
def open_streams() -> Iterator[None]:
    """Inside, stdout and stderr are there; what stderr does not take is lost, what stdout does not take is an error.

    Raises:
        OutputError: stdout cannot be written.
    """
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:  # started with `>&-`
            _discard(number)
            setattr(sys, name, os.fdopen(os.dup(number), "w"))
    stderr = sys.stderr
    sys.stderr = _Lenient(stderr)
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno not in (errno.EPIPE, errno.ENOSPC, errno.EIO):
            raise  # not of writing to what was open from the start
        _discard(1)  # or Python would try again at its end, and complain
        raise OutputError("" if error.errno == errno.EPIPE else error.strerror) from None
    finally:
        sys.stderr = stderr


def _discard(number: int) -> None:
    """Sends what is written to a descriptor nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)
