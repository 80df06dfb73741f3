"""One run at a time in a results folder, whatever the file system's locks do, and none kept out by a dead one for long."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, suppress

import pytest

from regsearch.errors import ResultsError
from regsearch.ledger import hold, holder, holding, watch

CHILD = """
import fcntl, sys, time
from pathlib import Path
locks, folder, beat = sys.argv[1:]
def does_nothing(*_): pass
def fails(*_): raise OSError(38, "Function not implemented")
if locks != "work": fcntl.flock = {"do nothing": does_nothing, "fail": fails}[locks]
from regsearch.errors import ResultsError
from regsearch.ledger import hold, watch
watch.BEAT = float(beat)
with hold(Path(folder)) as held:
    print("held", flush=True)
    sys.stdin.readline()
    time.sleep(3 * watch.BEAT)
    try:
        held.confirm()
    except ResultsError as error:
        print(error, flush=True)
"""
HERE = holder._describe_place()
ELSEWHERE = {"host": "node17", "machine": "another", "boot": "another", "process": 5}


@pytest.fixture
def quick(monkeypatch):
    """Beats of a twentieth of a second: half a second without one, and a folder is taken over."""
    monkeypatch.setattr(watch, "BEAT", 0.05)
    monkeypatch.setattr(holding, "_MOMENT", 0.02)


@pytest.fixture(params=["work", "do nothing", "fail"])
def locks(request, monkeypatch):
    set_locks(monkeypatch, request.param)
    return request.param


def set_locks(monkeypatch, locks):
    def fails(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    if locks != "work":
        monkeypatch.setattr(fcntl, "flock", fails if locks == "fail" else lambda *_: None)


@contextmanager
def child(folder, locks="work", beat=60):
    """Another process that holds the folder."""
    command = [sys.executable, "-c", CHILD, locks, folder, beat]
    process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def left(folder, age=0.0, **changes):
    """The file of a holder that is dead, or on another host."""
    folder.mkdir(exist_ok=True)
    facts = json.loads(holder.describe_myself(folder, locked=True)) | changes
    path = folder / holder.HOLDER
    path.write_text(json.dumps(facts))
    os.utime(path, (time.time() - age,) * 2)
    return path


def is_held(folder):
    """Whether it is held by this process, once taken."""
    with hold(folder) as held:
        held.confirm()
    return not (folder / holder.HOLDER).exists()


def test_a_second_run_is_refused_and_goes_on_at_once_when_the_first_was_killed(tmp_path, locks):
    with child(tmp_path, locks) as process:
        for _ in range(2):
            said = rf"held by another run \(process {process.pid} on .*, since .*, last sign of life \d+ s ago\)"
            with pytest.raises(ResultsError, match=said), hold(tmp_path):
                pass
        process.kill()
        process.wait()
        started = time.monotonic()
        assert is_held(tmp_path)
        assert time.monotonic() - started < 1


@pytest.mark.usefixtures("locks")
def test_a_run_that_ends_leaves_its_folder_to_the_next(tmp_path):
    for _ in range(2):
        assert is_held(tmp_path)
    assert os.listdir(tmp_path) == [watch.LOCK]


@pytest.mark.usefixtures("locks")
def test_a_number_that_another_process_has_now_holds_nothing(tmp_path):
    left(tmp_path, started="1")
    assert is_held(tmp_path)


def test_a_process_of_the_same_number_in_another_container_may_be_alive(tmp_path, monkeypatch):
    set_locks(monkeypatch, "fail")
    left(tmp_path, started="1", namespace="another")
    with pytest.raises(ResultsError, match="held by another run"), hold(tmp_path):
        pass


def test_the_kernels_lock_tells_that_a_container_of_this_machine_has_ended(tmp_path):
    left(tmp_path, started="1", namespace="another", host="container")
    assert is_held(tmp_path)


@pytest.mark.usefixtures("locks")
def test_a_machine_that_was_started_again_holds_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(holder, "_describe_place", lambda: HERE | {"machine": "this"})
    left(tmp_path, boot="earlier")
    assert is_held(tmp_path)


@pytest.mark.usefixtures("locks")
def test_a_run_on_another_host_is_refused_at_once_and_when_its_folder_can_be_had_is_said(tmp_path):
    left(tmp_path, age=30, **ELSEWHERE)
    started = time.monotonic()
    said = r"process 5 on node17, since .*, last sign of life 30 s ago.*dead, its folder can be had from \d\d:\d\d:\d\d on"
    with pytest.raises(ResultsError, match=said), hold(tmp_path):
        pass
    assert time.monotonic() - started < 1


@pytest.mark.usefixtures("locks", "quick")
def test_a_dead_host_is_waited_for_until_ten_minutes_of_silence_are_over(tmp_path, caplog):
    left(tmp_path, age=0.2, **ELSEWHERE)
    started = time.monotonic()
    assert is_held(tmp_path)
    assert 0.25 < time.monotonic() - started < 2
    waiting, taken = [record.getMessage() for record in caplog.records]
    assert "(process 5 on node17, since " in waiting
    assert "if it gives none until then, its folder is taken over" in waiting
    assert "taken over from another run (process 5 on node17" in taken


@pytest.mark.usefixtures("quick")
def test_a_lock_that_a_dead_host_left_with_a_file_server_keeps_nobody_out(tmp_path):
    left(tmp_path, age=5, **ELSEWHERE)
    with (tmp_path / watch.LOCK).open("wb") as server:
        fcntl.flock(server, fcntl.LOCK_EX)
        with hold(tmp_path) as held:
            held.confirm()
            with pytest.raises(ResultsError, match="held by another run"), hold(tmp_path):
                pass
        fcntl.flock(server, fcntl.LOCK_UN)
    assert is_held(tmp_path)


@pytest.mark.usefixtures("quick")
def test_who_took_a_folder_over_without_the_lock_still_holds_it_when_the_lock_is_free(tmp_path):
    left(tmp_path, age=5, **ELSEWHERE)
    with (tmp_path / watch.LOCK).open("wb") as server:
        fcntl.flock(server, fcntl.LOCK_EX)
        with hold(tmp_path) as held:
            fcntl.flock(server, fcntl.LOCK_UN)
            with pytest.raises(ResultsError, match="held by another run"), hold(tmp_path):
                pass
            held.confirm()


@pytest.mark.parametrize("hours", [-1, 1])
@pytest.mark.usefixtures("quick")
def test_a_host_whose_clock_is_wrong_is_alive_as_long_as_its_signs_come(tmp_path, hours):
    path, ended = left(tmp_path, **ELSEWHERE), threading.Event()

    def beat():
        while not ended.wait(watch.BEAT):
            os.utime(path, (time.time() + 3600 * hours,) * 2)

    os.utime(path, (time.time() + 3600 * hours,) * 2)
    thread = threading.Thread(target=beat)
    thread.start()
    try:
        with pytest.raises(ResultsError, match="process 5 on node17"), hold(tmp_path):
            pass
    finally:
        ended.set()
        thread.join()
    assert is_held(tmp_path)


@pytest.mark.usefixtures("quick")
def test_a_file_server_that_stood_still_is_no_sign_of_death(tmp_path, monkeypatch):
    read, hung = holding.read_holder, []

    def hang_once(folder):
        if not hung:
            hung.append(time.sleep(20 * watch.BEAT))
            thread.start()
        return read(folder)

    def beat():
        time.sleep(watch.BEAT)
        os.utime(path)

    path, thread = left(tmp_path, age=0.05, **ELSEWHERE), threading.Thread(target=beat)
    monkeypatch.setattr(holding, "read_holder", hang_once)
    with pytest.raises(ResultsError, match="process 5 on node17"), hold(tmp_path):
        pass
    thread.join()


@pytest.mark.usefixtures("quick")
def test_a_copy_of_a_folder_that_is_held_is_soon_free(tmp_path, locks):
    with child(tmp_path / "held", locks) as process:
        for name in (watch.LOCK, holder.HOLDER):
            (tmp_path / "copy").mkdir(exist_ok=True)
            (tmp_path / "copy" / name).write_bytes((tmp_path / "held" / name).read_bytes())
        started = time.monotonic()
        assert is_held(tmp_path / "copy")
        assert time.monotonic() - started < watch.SILENCE * watch.BEAT
        assert process.poll() is None


def test_a_folder_that_version_0_2_0_left_or_that_was_copied_from_there_is_free_at_once(tmp_path):
    (tmp_path / watch.LOCK).touch()
    (tmp_path / holder.HOLDER).write_text("process 5 on node17, since 2026-01-01T00:00:00+00:00\n")
    assert is_held(tmp_path)


@pytest.mark.usefixtures("quick")
def test_a_run_of_version_0_2_0_holds_its_folder_however_long_it_takes(tmp_path):
    path = tmp_path / holder.HOLDER
    path.write_text("process 5 on node17, since 2026-01-01T00:00:00+00:00\n")
    os.utime(path, (1, 1))
    with (tmp_path / watch.LOCK).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = r"\(process 5 on node17, since 2026-01-01T00:00:00\+00:00\).*If it has long ended, delete .*/\.lock"
        with pytest.raises(ResultsError, match=said), hold(tmp_path):
            pass


@pytest.mark.parametrize("text", ["", "{", "[]", '{"process": 5}', '{"process": -1, "host": 3}', "\x00" * 300])
@pytest.mark.usefixtures("locks", "quick")
def test_a_damaged_holders_file_keeps_nobody_out_for_long(tmp_path, text):
    path = tmp_path / holder.HOLDER
    path.write_text(text)
    os.utime(path, (time.time() - 1,) * 2)
    assert is_held(tmp_path)


@pytest.mark.usefixtures("quick")
def test_a_run_that_was_suspended_and_taken_over_says_so_when_it_wakes_and_touches_nothing(tmp_path, locks):
    with child(tmp_path, locks, beat=0.05) as process:
        process.send_signal(signal.SIGSTOP)
        time.sleep(3 * watch.BEAT)
        with hold(tmp_path) as held:
            process.send_signal(signal.SIGCONT)
            said, _ = process.communicate("\n")
            held.confirm()
        expected = "expected a results folder that this run still holds, got one that another run took over (process "
        assert f"{tmp_path}: {expected}{os.getpid()} on " in said


def test_a_run_that_was_suspended_and_wakes_in_time_keeps_its_folder(tmp_path, locks, monkeypatch):
    monkeypatch.setattr(watch, "BEAT", 0.5)
    monkeypatch.setattr(watch, "SILENCE", 3)
    with child(tmp_path, locks, beat=0.5) as process:
        process.send_signal(signal.SIGSTOP)
        time.sleep(1.6)
        process.send_signal(signal.SIGCONT)  # as a laptop that is opened: the last sign is old, the next to come
        with pytest.raises(ResultsError, match="held by another run"), hold(tmp_path):
            pass
        assert process.communicate("\n")[0] == ""


def test_of_many_that_take_a_folder_over_at_once_one_has_it(tmp_path, monkeypatch):
    set_locks(monkeypatch, "do nothing")
    left(tmp_path, started="1")
    ready, asked, confirmed, got = (*(threading.Barrier(8, timeout=20) for _ in range(3)), [])

    def take():
        with ExitStack() as stack:
            ready.wait()
            try:
                held = stack.enter_context(hold(tmp_path))
            except ResultsError:
                held = None
            asked.wait()
            with suppress(ResultsError):
                if held:
                    held.confirm()
                    got.append(held)
            confirmed.wait()

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1


def test_a_whole_run_is_refused_by_any_shard_and_leaves_nothing_in_their_parts(tmp_path):
    parts = [tmp_path / "shards" / f"{number}-of-300" for number in range(1, 301)]
    for part in parts:
        part.mkdir(parents=True)
    with holding.hold_whole(tmp_path):
        assert not any((part / holder.HOLDER).exists() for part in parts)
    with hold(parts[-1]), pytest.raises(ResultsError, match="300-of-300: .*held by another run"):
        holding.hold_whole(tmp_path).__enter__()
    assert not (tmp_path / holder.HOLDER).exists()


@pytest.mark.usefixtures("quick")
def test_who_waits_says_at_once_for_whom(tmp_path, caplog):
    with child(tmp_path, beat=0.05) as process, pytest.raises(ResultsError), hold(tmp_path, wait=0.2):
        pass
    (said,) = caplog.messages
    assert f"held by another run (process {process.pid} on " in said
    assert said.endswith("Waiting for it, for up to 0 s")
