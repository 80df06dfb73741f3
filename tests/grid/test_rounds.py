"""A grid that grows: where it adds lambdas, when it stops, and that it does so again the same."""

from itertools import chain

import numpy as np
import pandas as pd
import pytest
from conftest import parsed

from regsearch.grid import rounds as growth

EXTEND, REFINE = ("seeds: 2", "seeds: 2\n  extend: 2"), ("seeds: 2", "seeds: 2\n  refine: 8")
BOTH = ("seeds: 2", "seeds: 2\n  extend: 2\n  refine: 8")
RANGE = ("[0, 0.01, 0.1]", "{from: 1e-3, to: 0.1, per_decade: 2}")


def ledger(cells, best):
    """Made-up rows: the loss is lowest at `best`, a function of the cell's network, penalty and seed."""
    rows = []
    for cell in cells:
        level = 1.0 + 0.1 * cell.seed + 0.001 * (int(cell.trial[1:], 16) % 7)
        loss = 99.0 if cell.lam == 0 else abs(np.log(cell.lam / best(cell)))
        weights = 10 * (cell.architecture.width or 1)
        rows.append(
            {
                "trial": cell.trial, "architecture": "an earlier name", "width": cell.architecture.width,
                "trainable_weights": weights, "penalised_weights": weights, "penalty": cell.penalty_name,
                "lambda": cell.lam, "learning_rate": cell.learning_rate, "train_size": cell.train_size,
                "seed": cell.seed, "status": "completed", "validation_loss": level + loss,
                "validation_accuracy": 0.5, "test_loss": 1.0, "test_accuracy": 0.5, "train_loss": 1.0,
                "guessing_loss": np.nan,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def grown(*changes, best):
    """The cells of each round, each trained before the next is asked for."""
    found = []
    rounds = growth.make_rounds(parsed(*changes), "population", "digits", lambda: ledger(chain(*found), best))
    for cells in rounds:
        found.append(cells)
    return found


def lambdas(cells, architecture="w1", penalty="l2"):
    return sorted(
        {cell.lam for cell in cells if (cell.architecture.name, cell.penalty_name) == (architecture, penalty)}
    )


def test_a_grid_grows_only_where_it_is_told_to():
    assert len(grown(RANGE, best=lambda cell: 1e-9)) == 1
    assert len(grown(RANGE, EXTEND, best=lambda cell: 0.01)) == 1
    assert len(grown(RANGE, ("seeds: 2", "seeds: 2\n  refine: 2"), best=lambda cell: 0.01)) == 1  # as fine already


def test_an_edge_grows_a_decade_at_a_time_until_the_optimum_is_inside():
    first, second, *rest = grown(RANGE, EXTEND, best=lambda cell: 3e-4 if cell.architecture.name == "w1" else 0.01)
    assert rest == []
    assert lambdas(second) == pytest.approx([1e-4, 3.16228e-4])
    assert lambdas(second, "w2") == []
    assert {cell.seed for cell in second} == {0, 1}
    assert len(second) == 2 * 2 * 2
    assert not {cell.trial for cell in first} & {cell.trial for cell in second}


def test_an_edge_grows_by_no_more_than_it_may():
    added = [lambdas(cells) for cells in grown(RANGE, EXTEND, best=lambda cell: 1e-12)[1:]]
    assert added == [pytest.approx([1e-4, 3.16228e-4]), pytest.approx([1e-5, 3.16228e-5])]
    up = [lambdas(cells) for cells in grown(RANGE, EXTEND, best=lambda cell: 1e12)[1:]]
    assert up == [pytest.approx([0.316228, 1.0]), pytest.approx([3.16228, 10.0])]


def test_a_list_grows_by_its_own_last_step():
    coarse = ("[0, 0.01, 0.1]", "[0, 0.01, 0.5]")
    added = [lambdas(cells) for cells in grown(coarse, EXTEND, best=lambda cell: 1e-12)[1:]]
    assert added == [[pytest.approx(0.0002)]]


def test_a_grown_grid_meets_the_same_grid_written_out():
    wide = parsed(("[0, 0.01, 0.1]", "{from: 1e-5, to: 0.1, per_decade: 2}"))
    written = {cell.trial for cell in growth.make_rounds(wide, "population", "digits", lambda: None).__next__()}
    reached = {cell.trial for cells in grown(RANGE, EXTEND, best=lambda cell: 1e-12) for cell in cells}
    assert reached == written


def test_refining_adds_finer_steps_between_the_ends_of_the_best_lambdas_interval():
    first, second = grown(RANGE, REFINE, best=lambda cell: 0.012)
    assert lambdas(first) == pytest.approx([1e-3, 3.16228e-3, 1e-2, 3.16228e-2, 0.1])
    assert np.log10(lambdas(second)) == pytest.approx([-2.125, -1.875, -1.75], abs=1e-4)


@pytest.mark.parametrize(("best", "expected"), [(1e-9, [-2.875, -2.75, -2.625]), (1e9, [-1.375, -1.25, -1.125])])
def test_refining_goes_a_step_beyond_the_best_where_an_end_is_open_as_far_as_the_grid_reaches(best, expected):
    *_, second = grown(RANGE, REFINE, best=lambda cell: best)
    assert np.log10(lambdas(second)) == pytest.approx(expected, abs=1e-4)
    one_seed = ("seeds: 2", "seeds: 1\n  refine: 8")
    *_, wide = grown(RANGE, one_seed, best=lambda cell: 0.01)  # one seed has no interval: a step either way
    assert np.log10(lambdas(wide)) == pytest.approx([-2.375, -2.25, -2.125, -1.875, -1.75, -1.625], abs=1e-4)


def test_refining_comes_after_extending_and_once():
    found = grown(RANGE, BOTH, best=lambda cell: 3e-4)
    assert len(found) == 3
    assert lambdas(found[1]) == pytest.approx([1e-4, 3.16228e-4])
    assert min(lambdas(found[2])) > 1e-4
    assert max(lambdas(found[2])) < 1e-3


def test_it_waits_until_every_trial_of_a_round_has_finished():
    spec, known = parsed(RANGE, EXTEND), []

    def with_a_failure():
        return ledger(known, lambda cell: 1e-9).assign(status=["failed"] + ["completed"] * (len(known) - 1))

    rounds = growth.make_rounds(spec, "population", "digits", with_a_failure)
    known += next(rounds)
    assert list(rounds) == []
    partly = growth.make_rounds(spec, "population", "digits", lambda: ledger(known[:-1], lambda cell: 1e-9))
    assert len(list(partly)) == 1


def test_it_stops_at_the_most_trials(caplog):
    limited = ("seeds: 2", "seeds: 2\n  extend: 2\n  max_trials: 44")
    assert len(grown(RANGE, limited, best=lambda cell: 1e-9)) == 1
    assert "max_trials" in caplog.text


def test_rows_of_the_ledger_take_the_names_that_cells_have_now():
    cells = next(growth.make_rounds(parsed(), "population", "digits", lambda: None))
    table = ledger(cells, lambda cell: 0.01)
    assert set(growth.select_present(table, cells[:3])["trial"]) == {cell.trial for cell in cells[:3]}
    assert set(growth.select_present(table, cells)["architecture"]) == {"w1", "w2"}


def test_rows_of_an_edited_ledger_stand_where_their_hash_says():
    cells = next(growth.make_rounds(parsed(), "population", "digits", lambda: None))
    table = ledger(cells, lambda cell: 0.01)
    axes = ["architecture", "width", "penalty", "lambda", "learning_rate", "train_size", "seed"]
    edited = table.assign(penalty="None", width=9, train_size=9, seed=9)
    expected = growth.select_present(table, cells)[axes]
    assert growth.select_present(edited, cells)[axes].equals(expected)
    assert expected["penalty"].tolist() == [cell.penalty_name for cell in cells]
