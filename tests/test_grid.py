"""The grid lists each network once, by a hash of all that determines its numbers."""

import pytest
from conftest import parsed

from regsearch.grid import cells, identity, populations


def trials(*changes, engine="reference", content="digits"):
    return [cell.trial for cell in cells(parsed(*changes), engine, content)]


def test_lambda_0_is_trained_once_for_all_penalties():
    found = cells(parsed(), "reference", "digits")
    assert len(found) == len({cell.trial for cell in found}) == 2 * 2 * (2 * 2 + 1)
    zero = [cell for cell in found if cell.lam == 0]
    assert [cell.penalty_name for cell in zero] == ["none"] * 4
    assert {cell.shares(9) for cell in zero} == {(0.0, 0.0, 0.0)}


def test_a_grown_grid_holds_the_old_trials():
    old = set(trials())
    for growth in [
        ("[0, 0.01, 0.1]", "[0, 0.001, 0.01, 0.1]"),
        ("seeds: 2", "seeds: 3"),
        ("widths: [1, 2]", "widths: [1, 2, 5]"),
        ("[l1, l2]", "[l1, l2, decoupled]"),
        ("seeds: 2", "seeds: 2\n  max_trials: 100"),
        ("activation: relu", "activation: relu, padding: valid"),  # a default, written out
    ]:
        assert old <= set(trials(growth)), growth


@pytest.mark.parametrize(
    "change",
    [
        ("train: 64", "train: 65"),
        ("validation: 50", "validation: 51"),
        ("test: 50", "test: 51"),
        ("test: 50", "test: 50\n  label_noise: 0.1"),
        ("kernel_size: 3", "kernel_size: 2"),
        ("learning_rate: 0.05", "learning_rate: 0.06"),
        ("momentum: 0.9", "momentum: 0.8"),
        ("batch_size: 32", "batch_size: 31"),
        ("epochs: 2", "epochs: 3"),
    ],
)
def test_whatever_changes_the_numbers_changes_the_trial(change):
    assert not set(trials()) & set(trials(change))


def test_the_engine_and_the_data_behind_a_name_are_part_of_the_trial():
    assert not set(trials()) & set(trials(engine="population"))
    assert not set(trials()) & set(trials(content="other"))


def test_trials_start_with_a_letter_so_that_no_spreadsheet_reads_a_number():
    assert all(trial[0] == "t" and len(trial) == 13 for trial in trials())


def test_populations_share_network_rate_size_and_seed_and_no_cell_is_lost():
    found = cells(
        parsed(("seeds: 2", "seeds: 2\n  learning_rates: [0.1, 0.2]"), ("learning_rate: 0.05, ", "")), "x", "y"
    )
    split = populations(found, members=3)
    assert [cell for population in split for cell in population.cells] == found
    assert {len(population.cells) for population in split} == {3, 2}
    for population in split:
        shared = {(cell.network, cell.learning_rate, cell.train_size, cell.seed) for cell in population.cells}
        assert len(shared) == 1


def test_two_specs_are_one_study_when_only_the_axes_differ():
    same = identity(parsed(), "digits")
    assert same == identity(parsed(("seeds: 2", "seeds: 5"), ("widths: [1, 2]", "widths: [9]")), "digits")
    assert same == identity(parsed(("learning_rate: 0.05", "learning_rate: 0.1")), "digits")
    assert same != identity(parsed(("epochs: 2", "epochs: 3")), "digits")
    assert same != identity(parsed(("kernel_size: 3", "kernel_size: 2")), "digits")
