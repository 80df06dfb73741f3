"""A plan's arithmetic on made-up timings; its measuring on a real, tiny study."""

import math
import time

import pytest
from conftest import parsed

from regsearch import data as datasets
from regsearch import engine as engines
from regsearch import study
from regsearch.errors import RegsearchError, ResultsError
from regsearch.grid import cells as grid
from regsearch.grid import costs as sizing
from regsearch.ledger import folder
from regsearch.ledger.records import Record, Trial
from regsearch.runner import NoSignals, plan, timing
from regsearch.runner.jobs import Planner, select_missing
from regsearch.runner.pace import Cost, Pace, Timing, count_images
from regsearch.runner.plan import make_plan, schedule
from regsearch.runner.site import ThisMachine
from regsearch.runner.timing import Measured

SETTINGS = study.Settings("population", 0)
WIDTHS = ("widths: [1, 2]", "widths: [1, 2, 4]")
SHAPE = datasets.NAMED["digits"]


def jobs(*changes, finished=(), settings=SETTINGS):
    spec = parsed(WIDTHS, *changes)
    sizes = sizing.measure(spec, SHAPE)
    return select_missing(
        Planner(spec, sizes, settings, "CPU").plan(grid.make_cells(spec, settings.engine, "digits")), finished
    )


def names(found):
    return [job.population.first.architecture.name for job in found]


def measured(*timings):
    return Measured(Pace(tuple(Timing(*values) for values in timings)), overhead=10.0, memory=1000, processes=0)


def test_the_largest_and_smallest_network_are_timed_and_others_evenly_between():
    assert names(timing.pick_samples(jobs(), 2)) == ["w1", "w4"]
    assert names(timing.pick_samples(jobs(), 3)) == names(timing.pick_samples(jobs(), 9)) == ["w1", "w2", "w4"]
    assert names(timing.pick_samples(jobs(("widths: [1, 2, 4]", "widths: [2]")), 2)) == ["w2"]


def test_what_a_workers_first_network_takes_longer_to_compile_is_told_apart():
    timings = [
        [Timing(1.0, 5.0, 0.1, 1.0), Timing(9.0, 3.0, 0.3, 3.0)],
        [Timing(9.0, 4.0, 0.5, 5.0), Timing(1.0, 2.0, 0.1, 3.0)],
    ]
    pace, warming = timing.combine(timings)
    assert pace.timings == (Timing(1.0, 2.0, 0.1, 2.0), Timing(9.0, 3.0, 0.4, 4.0))
    assert warming == pytest.approx(((5.0 - 2.0) + (4.0 - 3.0)) / 2)


def test_a_training_image_counts_forwards_and_twice_as_much_back():
    assert count_images(parsed(), 64) == 3 * 64 + 50


def test_a_population_takes_its_start_and_each_epochs_images():
    job = jobs()[0]
    found = measured((job.size.work * job.members, 3.0, 0.5, 1e-3)).pace.estimate(job, parsed())
    assert found.compile == 3.0
    assert found.train == pytest.approx(0.5 + 2 * (3 * 64 + 50) * 1e-3)


def test_between_two_networks_costs_lie_on_a_straight_line_over_their_work():
    large, middle, small = jobs(("seeds: 2", "seeds: 1"))
    works = [job.size.work * job.members for job in (small, middle, large)]
    both = measured((works[0], 2.0, 0.0, 1e-3), (works[2], 4.0, 0.0, 3e-3))
    share = (works[1] - works[0]) / (works[2] - works[0])
    found = both.pace.estimate(middle, parsed())
    assert 0 < share < 1
    assert found.compile == pytest.approx(2 + 2 * share)
    assert found.train == pytest.approx(2 * 242 * (1e-3 + 2e-3 * share))


def test_one_worker_trains_one_after_another_and_compiles_each_network_once():
    todo = jobs()
    assert names(todo) == ["w4", "w4", "w2", "w2", "w1", "w1"]
    found = schedule(todo, [Cost(3.0, 5.0)] * 6, 0, overhead=10.0)
    assert (found.compile, found.train, found.total) == (9.0, 30.0, 49.0)


def test_each_worker_compiles_for_itself_and_takes_the_next_population_when_it_is_free():
    todo = jobs()
    found = schedule(todo, [Cost(3.0, 5.0)] * 6, 2, overhead=10.0)
    assert (found.compile, found.train, found.total) == (18.0, 30.0, 34.0)
    uneven = schedule(todo, [Cost(0.0, seconds) for seconds in (9.0, 1.0, 1.0, 1.0, 1.0, 1.0)], 2, overhead=0.0)
    assert uneven.total == 9.0


def test_a_worker_keeps_only_the_last_networks_compiled():
    w4, _, w2, _, w1, _ = jobs()
    again = schedule([w4, w2, w4, w1, w4, w2], [Cost(1.0, 0.0)] * 6, 0, overhead=0.0)
    assert again.compile == 4.0


def test_another_training_size_is_compiled_anew():
    todo = jobs(("  train: 64\n", ""), ("seeds: 2", "seeds: 1\n  train_sizes: [64, 128]"), WIDTHS[::-1])
    assert schedule(todo, [Cost(1.0, 0.0)] * len(todo), 0, overhead=0.0).compile == 4.0


def test_a_worker_holds_the_dataset_and_one_seeds_part_of_it():
    assert plan.count_data_bytes(parsed(), SHAPE) == 4 * 64 * (1797 + 64 + 50 + 50)


@pytest.fixture
def folder_of(tmp_path):
    """A results folder whose ledger has the first `count` cells of the small study, the last of them failed or not."""

    def make(spec, count, failed=True):
        from regsearch.ledger import Ledger

        folder.claim(tmp_path, spec, "population", SHAPE)
        scores = dict.fromkeys(("train_loss", "penalty_value", "validation_loss", "validation_accuracy"), 1.0)
        scores |= {"test_loss": 1.0, "test_accuracy": 1.0, "epochs": 2}
        from regsearch.ledger.records import Counts

        cells = grid.make_cells(spec, "population", "digits")[:count]
        rows = []
        for cell in cells:
            scores["validation_loss"] = 1 - cell.lam
            rows.append(Record(Trial.of(cell, Counts(10, 9), "completed", **scores)))
        if failed:
            rows[-1] = Record(Trial.of(cells[-1], None, "failed"))
        Ledger(tmp_path).append(rows)
        return tmp_path

    return make


def test_what_the_ledger_has_is_left_out_failed_trials_are_not_and_nothing_is_written(folder_of, monkeypatch):
    spec = parsed()
    results = folder_of(spec, 6)
    before = {path: path.read_bytes() for path in results.iterdir()}
    timed = []
    monkeypatch.setattr(timing, "measure", lambda *given: timed.append(given) or measured((1.0, 1.0, 1.0, 1.0)))
    found = make_plan(spec, results, SETTINGS, 0.0)
    assert [(row.architecture.name, row.trials, row.finished, row.populations) for row in found.rows] == [
        ("w1", 10, 5, 1), ("w2", 10, 0, 2),
    ]  # fmt: skip
    assert (found.trials, found.finished, found.populations) == (20, 5, 3)
    assert [row.members for row in found.rows] == [5, 5]
    assert {path: path.read_bytes() for path in results.iterdir()} == before
    assert len(timed[0][2]) == 3


def test_where_nothing_is_missing_nothing_is_measured(folder_of, monkeypatch):
    spec = parsed(("seeds: 2", "seeds: 1"))
    results = folder_of(spec, 10, failed=False)
    monkeypatch.delattr(timing, "measure")
    found = make_plan(spec, results, SETTINGS, 0.0)
    assert found.finished == found.trials == 10
    assert found.seconds is None
    assert found.memory is None


def test_a_plan_says_what_exponent_the_study_could_tell_from_a_claim(tmp_path, monkeypatch):
    monkeypatch.setattr(timing, "measure", lambda *_: measured((1.0, 1.0, 1.0, 1.0)))
    two = make_plan(parsed(), tmp_path, SETTINGS, 0.0)
    assert math.isnan(two.detectable)
    assert "tell the exponent" not in repr(two)
    four = make_plan(parsed(("widths: [1, 2]", "widths: [1, 2, 4, 8]")), tmp_path, SETTINGS, 0.0)
    assert f"it is {four.detectable:.2f} or more off (best lambdas scatter by 0.30" in repr(four)
    assert "assumed)" in repr(four)


def test_a_round_by_which_a_finished_grid_grows_is_planned_too(folder_of, monkeypatch):
    monkeypatch.setattr(timing, "measure", lambda *_: measured((1.0, 1.0, 1.0, 1.0)))
    spec = parsed(("seeds: 2", "seeds: 1\n  extend: 1"))
    results = folder_of(spec, 10, failed=False)  # the largest lambda is the best
    found = make_plan(spec, results, SETTINGS, 0.0)
    assert (found.trials, found.finished, found.populations) == (14, 10, 2)
    assert make_plan(spec, results / "none", SETTINGS, 0.0).trials == 10


def test_another_studys_folder_is_refused_as_a_run_would(folder_of):
    results = folder_of(parsed(), 3)
    with pytest.raises(ResultsError, match="epochs: 2 there, 3 here"):
        make_plan(parsed(("epochs: 2", "epochs: 3")), results, SETTINGS, 0.0)


def test_a_long_epoch_is_timed_on_fewer_images_that_teach_nothing():
    spec = parsed(
        ("name: digits", "name: cifar10"), ("train: 64", "train: 40000"), ("widths: [1, 2]", "widths: [64]")
    )
    shape = datasets.NAMED["cifar10"]
    (size,) = sizing.measure(spec, shape).values()
    cells, (architecture,) = grid.make_cells(spec, "population", "cifar10"), grid.make_architectures(spec)
    job = Planner(spec, {architecture: size}, SETTINGS, "CPU").plan(cells)[0]
    sample = timing._Sample.of(spec, shape, job)
    count = len(sample.split.train[0])
    assert 4 * 32 <= count < 2000
    assert count % 32 == 0
    assert sample.split.train[0].shape[1:] == shape.image
    assert {(cell.train_size, cell.learning_rate) for cell in sample.job.population.cells} == {(count, 1e-9)}
    assert sample.images == 3 * count + len(sample.split.validation[0])
    whole = timing._Sample.of(parsed(), SHAPE, jobs()[0])
    assert (len(whole.split.train[0]), whole.images) == (64, 3 * 64 + 50)


def test_an_epoch_of_few_steps_is_timed_as_it_is():
    spec = parsed(WIDTHS, ("epochs: 2", "epochs: 2\n  steps_per_epoch: 1"))
    assert timing._Sample.of(spec, SHAPE, jobs()[0]).images == 3 * 32 + 50
    assert measured((1.0, 0.0, 0.0, 1.0)).pace.estimate(jobs()[0], spec).train == 2 * (3 * 32 + 50)


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "epochs"), [("population", 100), ("reference", 10)])
def test_a_plan_of_a_real_study_is_of_the_right_order(tmp_path, engine, epochs):
    """How near it comes, `tests/benchmarks/planned.py` measures: a test beside other work cannot."""
    small = ("[l1, l2]", "[l2]"), ("[0, 0.01, 0.1]", "[0.1]"), ("[1, 2]", "[2]"), ("seeds: 2", "seeds: 1")
    spec = parsed(("epochs: 2", f"epochs: {epochs}"), *small)
    settings = study.Settings(engine, 0)
    found = make_plan(spec, tmp_path / "none", settings, time.perf_counter())
    engines.forget()  # what the samples compiled: a run in another process finds nothing
    started = time.perf_counter()
    study.run(spec, tmp_path / "results", settings)
    took = time.perf_counter() - started
    assert not (tmp_path / "none").exists()
    assert found.memory > 2**20
    assert took / 10 < found.seconds.compile + found.seconds.train < 10 * took


def test_a_sample_that_cannot_train_is_a_clear_error(monkeypatch):
    def fails(*_):
        raise MemoryError("no room")

    monkeypatch.setattr(timing, "_time", fails)
    with pytest.raises(RegsearchError, match=r"expected sample populations of w1, w4 to train, got: no room"):
        timing.measure(parsed(WIDTHS), SHAPE, jobs(), ThisMachine(study.Settings()), 0.0, NoSignals())
