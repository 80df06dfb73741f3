"""A grid in parts: balanced by the spec alone, each with its own part of the ledger, together the whole study."""

import pandas as pd
import pytest
from conftest import TABLES, parsed

from regsearch import data as datasets
from regsearch import report, study
from regsearch.errors import ResultsError
from regsearch.grid import cells as grid
from regsearch.grid import costs as sizing
from regsearch.ledger import Ledger, folder, tables
from regsearch.runner import work as runner_work
from regsearch.runner.jobs import Planner
from regsearch.runner.pace import DEFAULT
from regsearch.runner.shards import Shard

SPEC = parsed()
SIZES = sizing.measure(SPEC, datasets.describe(SPEC))
CELLS = grid.make_cells(SPEC, "population", "digits")


def share(spec, shard):
    sizes = sizing.measure(spec, datasets.describe(spec))
    return Planner(spec, sizes, study.Settings(shard=shard), "CPU").plan(
        grid.make_cells(spec, "population", "digits")
    )


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_every_cell_is_in_exactly_one_shard(count):
    found = [cell.trial for index in range(1, count + 1) for job in share(SPEC, Shard(index, count))
             for cell in job.population.cells]  # fmt: skip
    assert sorted(found) == sorted(cell.trial for cell in CELLS)


def test_shards_are_balanced_although_networks_differ_in_size():
    spec = parsed(("widths: [1, 2]", "widths: [1, 2, 4, 8, 16, 32, 64]"), ("seeds: 2", "seeds: 20"),
                  ("train: 64", "train: 1024"), ("epochs: 2", "epochs: 400"))  # fmt: skip
    loads = []
    for index in range(1, 5):
        own = share(spec, Shard(index, 4))
        compiled = {job.population.first.architecture for job in own}
        costs = [DEFAULT.estimate(job, spec) for job in own]
        loads.append(sum(cost.train for cost in costs) + costs[0].compile * len(compiled))
    assert max(loads) < 1.05 * sum(loads) / 4


def test_a_shard_compiles_few_networks_where_compiling_is_most_of_the_work():
    spec = parsed(("widths: [1, 2]", "widths: [1, 2, 3, 4]"), ("seeds: 2", "seeds: 4"))
    assert [len({job.population.first.architecture for job in share(spec, Shard(index, 4))}) for index in range(1, 5)] == [
        1, 1, 1, 1,
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "1/0", "-1/4", "1/4/2", "a/b", "1/99999", " 1/4", "01/4"])
def test_what_is_no_shard_is_refused_with_what_is_expected(text):
    with pytest.raises(ValueError, match="expected I/N with I from 1 to N and N up to 10000, such as 3/8, got"):
        Shard.parse(text)


def run(path, shard=None, *changes):
    return study.run(parsed(*changes), path, study.Settings(shard=shard and Shard.parse(shard)))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole")
    run(path)
    return path


@pytest.fixture(scope="module")
def sharded(tmp_path_factory):
    path = tmp_path_factory.mktemp("sharded")
    first = run(path, "2/2")
    assert first.report is None
    assert 0 < first.untried == len(CELLS) - first.trained
    assert not (path / "best_lambda.csv").exists()
    assert run(path, "1/2").report is not None
    return path


@pytest.mark.slow
def test_shards_together_make_the_tables_of_the_whole(whole, sharded):
    for name in TABLES:
        assert (sharded / name).read_bytes() == (whole / name).read_bytes(), name
    assert tables.read_trials(sharded)["trial"].is_unique
    parts = [pd.read_csv(sharded / "shards" / part / "trials.csv")["trial"] for part in ("1-of-2", "2-of-2")]
    assert sorted([*parts[0], *parts[1]]) == sorted(cell.trial for cell in CELLS)
    assert not (sharded / "trials.csv").exists()


@pytest.mark.slow
def test_a_shard_or_a_whole_run_after_it_trains_nothing_again(sharded):
    assert run(sharded, "1/2").trained == 0
    assert run(sharded, "3/5").trained == 0
    assert run(sharded).trained == 0


@pytest.mark.slow
def test_a_grown_grid_is_sharded_anew_and_only_the_new_is_trained(sharded, whole):
    grown = ("lambdas: [0, 0.01, 0.1]", "lambdas: [0, 0.01, 0.1, 0.5]")
    assert [run(sharded, shard, grown).trained for shard in ("1/2", "2/2")] == [4, 4]
    run(whole, None, grown)
    for name in TABLES:
        assert (sharded / name).read_bytes() == (whole / name).read_bytes(), name


@pytest.mark.slow
def test_a_report_reads_the_parts_that_are_there(tmp_path):
    run(tmp_path, "1/3")
    found = report.write(report.read(tmp_path))
    assert found.missing == len(CELLS) - len(tables.read_trials(tmp_path)) > 0
    assert (tmp_path / "best_lambda.csv").exists()


def test_a_shard_that_another_process_trains_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "BRIEFLY", 0.1)
    with (
        folder.open_study(tmp_path, SPEC, datasets.describe(SPEC), "population", "shards/1-of-2"),
        pytest.raises(ResultsError, match="1-of-2: expected a results folder that no other run holds"),
    ):
        run(tmp_path, "1/2")


def test_the_whole_is_refused_while_a_shard_trains(tmp_path):
    with (
        folder.hold(tmp_path / "shards" / "1-of-2"),
        pytest.raises(ResultsError, match=r"1-of-2: expected a results folder that no other run holds"),
    ):
        run(tmp_path)


def test_a_shard_is_refused_while_the_whole_trains(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "BRIEFLY", 0.1)
    with folder.hold(tmp_path), pytest.raises(ResultsError, match="held by another run"):
        run(tmp_path, "1/2")
    assert not (tmp_path / "shards").exists()


def test_shards_of_another_study_are_refused(tmp_path):
    with folder.open_study(tmp_path, SPEC, datasets.describe(SPEC), "population", "shards/1-of-2"):
        pass
    with pytest.raises(ResultsError, match="what differs"):
        run(tmp_path, "2/2", ("epochs: 2", "epochs: 3"))


def test_the_split_is_the_same_whatever_trains_it():
    spec = parsed(("widths: [1, 2]", "widths: [1, 2, 4, 8, 64]"), ("lambdas: [0, 0.01, 0.1]", "lambdas: {from: 1e-5, to: 1, per_decade: 8}"),
                  ("seeds: 2", "seeds: 4"))  # fmt: skip
    sizes = sizing.measure(spec, datasets.describe(spec))
    cells = grid.make_cells(spec, "population", "digits")
    assert sizes[grid.make_architectures(spec)[-1]].members("CPU", 2) != sizes[
        grid.make_architectures(spec)[-1]
    ].members("GPU", 2)
    for index in range(1, 6):
        shares = [
            {cell.trial for job in Planner(spec, sizes, study.Settings(shard=Shard(index, 5)), device).plan(cells)
             for cell in job.population.cells}
            for device in ("CPU", "GPU")
        ]  # fmt: skip
        assert shares[0] == shares[1] != set()


def test_a_part_that_has_only_begun_stops_nobody(tmp_path):
    """What a shard leaves that is killed as it makes its files, or what another sees in that moment."""
    for part in ("shards/1-of-3", "shards/2-of-3"):
        (tmp_path / part).mkdir(parents=True)
    (tmp_path / "shards" / "1-of-3" / "epochs.csv").write_text("")
    Ledger(tmp_path, "shards/2-of-3")
    assert tables.read_trials(tmp_path).empty
    Ledger(tmp_path, "shards/1-of-3")


@pytest.mark.slow
def test_the_last_shard_writes_the_tables_although_a_network_failed_for_good(tmp_path, monkeypatch):
    work = runner_work.train

    def fails(spec, job, *asked):
        if any(cell.lam == 0.1 for cell in job.population.cells):
            raise RuntimeError("no luck")
        return work(spec, job, *asked)

    monkeypatch.setattr("regsearch.runner.work.train", fails)
    outcomes = [run(tmp_path, "1/2"), run(tmp_path, "2/2")]
    assert outcomes[0].report is None
    assert outcomes[1].report.missing == sum(len(outcome.failed) for outcome in outcomes) > 0
    assert (tmp_path / "best_lambda.csv").exists()
