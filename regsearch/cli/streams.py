"""stdout and stderr that are closed, full, that nobody reads any more, or whose encoding lacks a character."""

import codecs
import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

READER_GONE = 141
"""The exit code that a shell reports for a program whose reader went away: 128 + SIGPIPE."""


class OutputError(Exception):
    """stdout cannot be written, and why; with no words where its reader has gone, which is no error."""


def _encode_leniently(error: UnicodeError) -> tuple[str | bytes, int]:
    """A letter that an encoding lacks as `?`; but the bytes of a file's name as they are, whatever they mean."""
    assert isinstance(error, UnicodeEncodeError)
    code = ord(error.object[error.start])
    return bytes([code - 0xDC00]) if 0xDC80 <= code <= 0xDCFF else "?", error.start + 1


codecs.register_error("regsearch", _encode_leniently)


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
            setattr(sys, name, os.fdopen(os.dup(number), "w", encoding="utf-8"))
        if isinstance(stream := getattr(sys, name), io.TextIOWrapper):  # not what a test puts there
            stream.reconfigure(errors="regsearch")
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
