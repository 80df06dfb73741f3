"""Signals end a run at its next checkpoint, and in the end whether or not it comes to one."""

import os
import signal
import subprocess
import sys
import time

import pytest

from regsearch.cli.interrupt import Stopped, StopSignals

STUCK = """
import hashlib, os
from regsearch.cli.interrupt import StopSignals
signals = StopSignals()
with signals.caught(lambda number: os._exit(128 + number), grace=0.5), signals.deferred():
    print("ready", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)  # minutes in C, where no handler of Python's runs
"""


def never(number):
    raise AssertionError(f"{number} was given up on")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_raises_at_once_outside_training(number):
    def asked():
        with StopSignals().caught(never):
            os.kill(os.getpid(), number)
            time.sleep(5)

    with pytest.raises(Stopped) as stopped:
        asked()
    assert stopped.value.number == number


def test_a_signal_waits_for_a_checkpoint_in_training():
    passed, signals = [], StopSignals()

    def train():
        with signals.caught(never), signals.deferred():
            os.kill(os.getpid(), signal.SIGTERM)
            passed.append("the step is finished")
            signals.raise_if_stopped()
            passed.append("never")

    with pytest.raises(Stopped):
        train()
    assert passed == ["the step is finished"]
    signals.raise_if_stopped()  # the next run is not stopped


def test_handlers_are_put_back():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with StopSignals().caught(never):
        pass
    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert signal.set_wakeup_fd(-1) == -1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_deep_in_a_library_ends_after_the_grace(number):
    with subprocess.Popen([sys.executable, "-c", STUCK], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        started = time.monotonic()
        process.send_signal(number)
        assert process.wait(10) == 128 + number
    assert 0.4 < time.monotonic() - started < 5
