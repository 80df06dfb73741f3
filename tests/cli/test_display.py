"""What is known of a run while it trains, and how it is shown: on terminals of any size, and in logs."""

import io

import pytest
from conftest import parsed
from rich.console import Console

from regsearch import data as datasets
from regsearch import study
from regsearch.cli import display as progress
from regsearch.cli.display import Display, Lines, make_reporter, render_run
from regsearch.grid import cells as grid
from regsearch.grid import costs as sizing
from regsearch.ledger.records import Counts, Record, Trial
from regsearch.runner import Reporter
from regsearch.runner import progress as tally
from regsearch.runner.jobs import Planner, select_missing
from regsearch.runner.pace import START_SECONDS
from regsearch.runner.progress import Shares, Tally, share_time

SPEC = parsed(("widths: [1, 2]", "widths: [1, 2, 4]"))
CELLS = grid.make_cells(SPEC, "population", "digits")


def trial(cell, loss=None, status="completed"):
    return Trial.of(cell, Counts(10, 9), status, validation_loss=loss)


def of(width, penalty, lam, seed=0):
    (found,) = (
        cell
        for cell in CELLS
        if (cell.architecture.width, cell.penalty_name, cell.lam, cell.seed) == (width, penalty, lam, seed)
    )
    return found


def begun(finished=(), expected=None):
    run = Tally()
    run.grow(CELLS, list(finished), expected or Shares(1.0, {cell.trial: 1.0 for cell in CELLS}))
    return run


def test_the_best_lambda_so_far_has_the_lowest_mean_over_seeds():
    run = begun()
    assert run.best("w2", "l1") is None
    run.add([trial(of(2, "l1", 0.01), 1.0), trial(of(2, "l1", 0.1), 0.5), trial(of(2, "l2", 0.1), 0.1)])
    assert run.best("w2", "l1") == 0.1
    run.add([trial(of(2, "l1", 0.1, seed=1), 2.0)])
    assert run.best("w2", "l1") == 0.01
    assert run.best("w1", "l1") is None


def test_lambda_zero_is_tried_for_every_penalty_once_the_penalty_is():
    run = begun()
    run.add([trial(of(1, "none", 0.0), 0.2)])
    assert run.best("w1", "l1") is None
    run.add([trial(of(1, "l1", 0.01), 0.3), trial(of(1, "l2", 0.01), 0.1)])
    assert (run.best("w1", "l1"), run.best("w1", "l2")) == (0.0, 0.01)


def test_diverged_lambdas_are_never_best_and_failed_trials_say_nothing():
    run = begun()
    run.add([trial(of(1, "l1", 0.1), status="diverged"), trial(of(1, "l2", 0.1), status="failed")])
    assert run.best("w1", "l1") is None
    assert run.best("w1", "l2") is None
    run.add([trial(of(1, "l1", 0.01), 9.0)])
    assert run.best("w1", "l1") == 0.01
    assert run.trained == 3


def test_a_resumed_run_counts_and_knows_what_the_ledger_had():
    run = begun([trial(of(4, "l1", 0.1), 0.5)])
    assert (run.done, run.had, run.trained, run.total) == (1, 1, 0, 30)
    assert run.best("w4", "l1") == 0.1
    assert run.seconds_left is None


def test_time_left_goes_by_what_the_trials_should_take_not_by_their_number(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(tally.time, "monotonic", lambda: now[0])
    slow = {cell.trial: 10.0 if cell.architecture.width == 4 else 1.0 for cell in CELLS}
    run = begun(expected=Shares(20.0, slow))
    now[0] += 60.0
    run.add([trial(cell, 1.0) for cell in CELLS if cell.architecture.width == 4])
    assert run.seconds_left == pytest.approx(60 * 20 / 120)
    assert run.trials_a_second == pytest.approx(10 / 60)


def test_a_grid_that_grows_keeps_what_is_known_and_its_pace(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(tally.time, "monotonic", lambda: now[0])
    first, more = CELLS[:10], CELLS[10:]
    run = Tally()
    run.grow(first, [], Shares(2.0, {cell.trial: 1.0 for cell in first}))
    run.add([trial(cell, 1.0) for cell in first])
    now[0] = 24.0
    assert run.seconds_left == 0
    run.grow(more, [trial(more[0], 1.0)], Shares(2.0, {cell.trial: 1.0 for cell in more[1:]}))
    assert (run.total, run.done, run.had) == (30, 11, 1)
    assert run.seconds_left == pytest.approx(24 * 19 / 12)
    assert run.architectures == ("w1", "w2", "w4")
    assert run.best("w1", "l1") is not None


def test_shares_are_the_larger_the_larger_the_network_and_cover_what_is_missing():
    sizes = sizing.measure(SPEC, datasets.NAMED["digits"])
    jobs = select_missing(Planner(SPEC, sizes, study.Settings(), "CPU").plan(CELLS), {CELLS[0].trial})
    found = share_time(jobs, SPEC, 2)
    assert set(found.trials) == {cell.trial for cell in CELLS[1:]}
    assert found.trials[of(4, "l1", 0.1).trial] > found.trials[of(2, "l1", 0.1).trial]
    assert found.start == 2 * START_SECONDS


def screen(run, width, height):
    console = Console(width=width, height=height, file=io.StringIO(), color_system=None)
    console.print(render_run(run, width, height))
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [20, 50, 80, 160])
@pytest.mark.parametrize("height", [5, 10, 24])
@pytest.mark.parametrize("stage", ["start", "resumed", "middle", "end"])
def test_nothing_wraps_and_all_fits_the_terminal(width, height, stage):
    finished = [trial(cell, 1.0) for cell in CELLS[:7]] if stage == "resumed" else []
    run = begun(finished)
    if stage in ("middle", "end"):
        run.add([trial(cell, 1.0) for cell in CELLS[: 15 if stage == "middle" else 30]])
    lines = screen(run, width, height)
    assert len(lines) < height
    assert all(len(line) <= width for line in lines)
    if width >= 50:
        assert f"{run.done}/30 trials" in lines[0]
        assert sum("trials" in line for line in lines) == 1


def test_many_widths_show_those_trained_last():
    spec = parsed(("widths: [1, 2]", f"widths: {list(range(1, 41))}"))
    cells = grid.make_cells(spec, "population", "digits")
    run = Tally()
    run.grow(cells, [], Shares(1.0, {}))
    for cell in reversed(cells):
        run.add([trial(cell, 1.0)])
    shown = [line.split()[0] for line in screen(run, 80, 12) if line.strip().startswith("w")]
    assert shown[1:] == ["w1", "w2", "w3", "w4", "w5", "w6"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_display_is_for_terminals_lines_for_all_else_and_silence_when_asked():
    terminal = Console(file=Terminal(), force_terminal=True)
    assert isinstance(make_reporter(False, terminal), Display)
    assert type(make_reporter(True, terminal)) is Reporter
    assert isinstance(make_reporter(False, Console(file=io.StringIO())), Lines)
    forced = Console(file=io.StringIO(), force_terminal=True)  # FORCE_COLOR in a batch log
    assert isinstance(make_reporter(False, forced), Lines)


def test_the_display_draws_in_place_and_leaves_nothing_behind():
    console = Console(file=Terminal(), force_terminal=True, width=80, height=24)
    display = Display(console)
    display.start(CELLS, [], Shares(1.0, {cell.trial: 1.0 for cell in CELLS}))
    display.advance([Record(trial(CELLS[0], 1.0))])
    display.stop()
    written = console.file.getvalue()
    assert "1/30 trials" in written
    assert written.endswith("\x1b[2K")


def test_no_color_draws_without_colours(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    console = Console(file=Terminal(), force_terminal=True, width=80, height=24)
    run = begun()
    run.add([trial(CELLS[0], 1.0)])
    console.print(render_run(run, 80, 24))
    assert "\x1b[3" not in console.file.getvalue()


def test_a_log_gets_a_line_now_and_then_however_long_the_run(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(tally.time, "monotonic", lambda: now[0])
    spec = parsed(("seeds: 2", "seeds: 1000"), ("widths: [1, 2]", "widths: [1]"))
    cells = grid.make_cells(spec, "population", "digits")
    lines = Lines(Console(file=io.StringIO(), width=40))
    lines.start(cells, [], Shares(0.0, {cell.trial: 1.0 for cell in cells}))
    for cell in cells:
        now[0] += 2.0
        lines.advance([Record(trial(cell, 1.0))])
    written = lines.console.file.getvalue().splitlines()
    assert written[0] == f"{len(cells)} trials: training {len(cells)}"
    assert written[1] == f"5/{len(cells)} trials, 10 s, about 2 h 46 min left (last: w1 l2)"
    assert written[-1].startswith(f"{len(cells)}/{len(cells)} trials, 2 h 46 min, about 0 s left")
    assert 40 < len(written) < 120


MIB = 2**20


def test_a_log_gets_a_line_when_a_download_begins_every_10_seconds_and_when_it_ends(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    lines = Lines(Console(file=io.StringIO(), width=40))
    for done in range(1, 163):
        now[0] += 0.25
        lines.download("cifar-10-python.tar.gz", done * MIB, 163 * MIB)
    lines.download("cifar-10-python.tar.gz", 163 * MIB, 163 * MIB)
    lines.download("another.gz", MIB, 0)
    assert lines.console.file.getvalue().splitlines() == [
        "downloading cifar-10-python.tar.gz: 1 of 163 MiB",
        *(f"downloading cifar-10-python.tar.gz: {done} of 163 MiB" for done in (41, 81, 121, 161)),
        "downloading cifar-10-python.tar.gz: 163 MiB",
        "downloading another.gz: 1 MiB",
    ]


@pytest.mark.parametrize("width", [20, 50, 80, 160])
@pytest.mark.parametrize("total", [0, 163 * MIB])
def test_a_download_is_drawn_in_one_line(width, total):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(progress.render_download("cifar-10-python.tar.gz", 12 * MIB, total, width))
    (line,) = console.file.getvalue().splitlines()
    assert len(line) <= width
    assert ("━" in line) == (width >= 80 and total > 0)


def test_the_display_draws_a_download_and_then_the_run():
    console = Console(file=Terminal(), force_terminal=True, width=80, height=24)
    display = Display(console)
    display.download("mnist.npz", 5 * MIB, 11 * MIB)
    display.live.refresh()
    assert "5 of 11 MiB" in console.file.getvalue()
    display.download("mnist.npz", 11 * MIB, 11 * MIB)
    assert console.file.getvalue().endswith("\x1b[2K")
    display.start(CELLS, [], Shares(1.0, {cell.trial: 1.0 for cell in CELLS}))
    display.stop()
    assert "0/30 trials" in console.file.getvalue()
