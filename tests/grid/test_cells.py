"""The grid lists each network once, by a hash of all that determines its numbers."""

import hashlib
from pathlib import Path

import pytest
from conftest import digits_of_0_2_0, parsed

from regsearch import data as datasets
from regsearch import spec
from regsearch.grid.cells import identify, make_architectures, make_cells, make_populations


def trials(*changes, engine="reference", content="digits"):
    return [cell.trial for cell in make_cells(parsed(*changes), engine, content)]


def test_lambda_0_is_trained_once_for_all_penalties():
    found = make_cells(parsed(), "reference", "digits")
    assert len(found) == len({cell.trial for cell in found}) == 2 * 2 * (2 * 2 + 1)
    zero = [cell for cell in found if cell.lam == 0]
    assert [cell.penalty_name for cell in zero] == ["none"] * 4
    assert {cell.coefficients(9) for cell in zero} == {(0.0, 0.0, 0.0)}


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
        ("kernel_size: 3", "kernel_size: 3, groups: width"),
        ("epochs: 2", "epochs: 2\n  penalised: convolutions"),
        ("epochs: 2", "epochs: 2\n  schedule: cosine"),
        ("epochs: 2", "epochs: 2\n  schedule: {cosine: {alpha: 0.1}}"),
        ("epochs: 2", "epochs: 2\n  early_stopping: {patience: 1}"),
        ("    - Flatten\n", "    - Residual: [Dense: {units: width}]\n    - Flatten\n"),
    ],
)
def test_whatever_changes_the_numbers_changes_the_trial(change):
    assert not set(trials()) & set(trials(change))


@pytest.mark.parametrize(("config", "trials"), [
    ("digits.yaml", ["tc5ae713548df", "tb59e92f52878", "t1dd13b8fa874", "t861d6b1b42de", "9d1ad3394dc874f1"]),
    ("study/sgd.yaml", ["t53d4fbcf1b72", "tfe359847fe9c", "tdfd52a2a5fe3", "tc3e316ce65da", "8cf0fca5c88bbd80"]),
    ("calibration/inverse.yaml", ["tcaf186022aaa", "t1905d718d957", "t109f899cf1d3", "t82b6e9abcba0", "6301e906d5723132"]),
])  # fmt: skip
def test_what_a_spec_may_newly_say_changes_no_trial_of_those_that_do_not_say_it(config, trials):
    folder = Path(__file__).parents[2] / "configs"
    old = digits_of_0_2_0() if config == "digits.yaml" else (folder / config).read_text()
    study = spec.Spec.parse(old, config)
    found = [cell.trial for cell in make_cells(study, "population", datasets.describe(study).content)]
    whole = hashlib.sha256(" ".join(found).encode()).hexdigest()[:16]
    assert [found[0], found[1], found[len(found) // 2], found[-1], whole] == trials


@pytest.mark.parametrize("key", ["penalised: convolutions", "schedule: cosine", "early_stopping: {patience: 3}"])
def test_what_changes_the_training_makes_another_study(key):
    assert identify(parsed(), "digits") != identify(parsed(("epochs: 2", f"epochs: 2\n  {key}")), "digits")


def test_the_width_goes_into_the_layers_of_a_residual():
    inside = ("    - Flatten\n", "    - Flatten\n    - Residual: [Dense: {units: 36*width}]\n")
    first, second = (architecture for architecture in make_architectures(parsed(inside)))
    assert first.layers == second.layers
    assert len(set(trials(inside))) == len(trials(inside))


def test_the_engine_and_the_data_behind_a_name_are_part_of_the_trial():
    assert not set(trials()) & set(trials(engine="population"))
    assert not set(trials()) & set(trials(content="other"))


def test_trials_start_with_a_letter_so_that_no_spreadsheet_reads_a_number():
    assert all(trial[0] == "t" and len(trial) == 13 for trial in trials())


@pytest.mark.parametrize(("members", "sizes", "groups"), [(3, {3, 1}, {1}), (10, {10}, {1}), (25, {20, 10}, {2, 1})])
def test_wide_populations_are_of_one_seed_or_of_whole_ones_and_no_cell_is_lost(members, sizes, groups):
    rates = ("seeds: 2", "seeds: 3\n  learning_rates: [0.1, 0.2]\n  train_sizes: [32, 64]")
    found = make_cells(parsed(rates, ("learning_rate: 0.05, ", ""), ("  train: 64\n", "")), "x", "y")
    split = make_populations(found, members, wide=True)
    assert sorted(cell.trial for population in split for cell in population.cells) == sorted(c.trial for c in found)
    assert {len(population.cells) for population in split} == sizes
    assert {len(population.groups) for population in split} == groups
    for population in split:
        assert len({(cell.architecture, cell.train_size) for cell in population.cells}) == 1


def test_populations_share_network_rate_size_and_seed_and_no_cell_is_lost():
    found = make_cells(
        parsed(("seeds: 2", "seeds: 2\n  learning_rates: [0.1, 0.2]"), ("learning_rate: 0.05, ", "")), "x", "y"
    )
    split = make_populations(found, members=3)
    assert [cell for population in split for cell in population.cells] == found
    assert {len(population.cells) for population in split} == {3, 2}
    for population in split:
        shared = {(cell.architecture, cell.learning_rate, cell.train_size, cell.seed) for cell in population.cells}
        assert len(shared) == 1


def test_two_specs_are_one_study_when_only_the_axes_differ():
    same = identify(parsed(), "digits")
    assert same == identify(parsed(("seeds: 2", "seeds: 5"), ("widths: [1, 2]", "widths: [9]")), "digits")
    assert same == identify(parsed(("learning_rate: 0.05", "learning_rate: 0.1")), "digits")
    assert same != identify(parsed(("epochs: 2", "epochs: 3")), "digits")
    assert same != identify(parsed(("kernel_size: 3", "kernel_size: 2")), "digits")
