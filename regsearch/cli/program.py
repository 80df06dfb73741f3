"""Runs a command: its errors become a message and an exit code, its warnings lines, signals its end."""

import logging
import os
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import click

from regsearch import surroundings
from regsearch.cli.interrupt import Stopped, StopSignals
from regsearch.cli.streams import READER_GONE, OutputError, open_streams
from regsearch.errors import RegsearchError

NO_OUTPUT = 4
STOPPED = "regsearch: stopped. What is finished is kept; run the same command again to go on."


class Commands(click.Group):
    """The command group; turns the errors of the library into a message and an exit code, once."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """The program, in a process of its own: what a user has set for other programs is set aside."""
        if sys.flags.optimize > 1:  # `python -OO` drops docstrings, which are the help
            os.environ.pop("PYTHONOPTIMIZE", None)
            os.execv(sys.executable, [sys.executable, "-m", "regsearch", *sys.argv[1:]])
        surroundings.set_aside()
        return self.main(*arguments, **{"prog_name": "regsearch"} | named)

    def main(self, *arguments: Any, **named: Any) -> Any:
        """Runs the program."""
        try:
            with open_streams():
                return super().main(*arguments, **named)
        except OutputError as error:
            if not str(error):
                sys.exit(READER_GONE)
            click.echo(f"regsearch: error: stdout: expected an output that can be written, got: {error}", err=True)
            sys.exit(NO_OUTPUT)

    def invoke(self, context: click.Context) -> Any:
        """Runs the command."""
        _check_folder()
        stderr = os.dup(2)  # 2 itself leads elsewhere while TensorFlow is imported
        try:
            signals = context.obj = StopSignals()
            with signals.caught(partial(_give_up, stderr)):
                return super().invoke(context)
        except RegsearchError as error:
            click.echo(f"regsearch: error: {error}", err=True)
            context.exit(error.exit_code)
        except BrokenPipeError as error:
            if error.filename is not None:
                raise
            raise OutputError from None  # Click would end with the exit code of a fault of ours
        except Stopped as stopped:
            click.echo(STOPPED, err=True)
            context.exit(128 + stopped.number)
        finally:
            os.close(stderr)


def _check_folder() -> None:
    """Refuses a current folder that is gone, beside which no path means anything."""
    try:
        Path.cwd()
    except OSError as error:
        raise click.UsageError(
            f"the current folder: expected one that is there and can be read, got: {error.strerror}. "
            "Change to another (cd), and run the same command again."
        ) from None


def _give_up(stderr: int, number: int) -> None:
    """Ends a run that a signal could not end in time: whatever library it is in does not return."""
    import psutil

    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            process.kill()
    with suppress(OSError):
        os.write(stderr, f"{STOPPED}\n".encode())
    os._exit(128 + number)


class Warnings(logging.Handler):
    """Prints warnings to what stderr is at that moment: while progress is drawn, that is above it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Prints one."""
        click.echo(self.format(record), err=True)


class _NoRepeats(logging.Filter):
    """Lets no message through that was the last one: a full disk would be said every minute, by every worker."""

    last = ""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the message is another than the last."""
        repeated, self.last = record.getMessage() == self.last, record.getMessage()
        return not repeated


def show_warnings(quiet: bool = False) -> None:
    """Shows the warnings of the library from now on, or only its errors."""
    handler = Warnings()
    handler.setFormatter(logging.Formatter("regsearch: warning: %(message)s"))
    handler.addFilter(_NoRepeats())
    log = logging.getLogger("regsearch")
    log.handlers = [handler]
    log.setLevel(logging.ERROR if quiet else logging.WARNING)
