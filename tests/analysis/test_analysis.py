"""The analyses on made-up trials whose answer is known."""

import numpy as np
import pandas as pd
import pytest
from made_up import LAMBDAS, bowl, make_trials

from regsearch.analysis.best_lambda import find_best_lambdas, find_one_se_set
from regsearch.analysis.curves import make_curves, share_zero
from regsearch.analysis.response import average_response


def answer(*args, **kwargs):
    ((_, row),) = find_best_lambdas(list(make_curves(make_trials(*args, **kwargs)))).iterrows()
    return row


@pytest.mark.parametrize("best", [0.002, 0.01, 0.05])
def test_the_bottom_of_a_parabola_is_found_exactly_between_grid_points(best):
    row = answer(bowl(best))
    assert row["status"] == "interior"
    assert row["best_lambda"] == pytest.approx(best, rel=1e-9)
    assert abs(np.log10(row["best_grid_lambda"] / best)) <= 0.25
    assert row["validation_loss_at_zero"] > row["validation_loss"]
    assert row["test_loss"] == pytest.approx(row["validation_loss"] + 1)


def test_the_interval_holds_the_truth_under_noise_and_narrows_with_less():
    wide, narrow = (answer(bowl(0.01), noise=noise, seeds=8) for noise in (0.1, 0.01))
    for row in (wide, narrow):
        assert row["best_lambda_low"] <= 0.01 <= row["best_lambda_high"]
    assert narrow["best_lambda_high"] / narrow["best_lambda_low"] < wide["best_lambda_high"] / wide["best_lambda_low"]


def test_a_seeds_own_level_does_not_count_as_noise():
    one, two = (answer(bowl(0.01), noise=0.02, level=level) for level in (0.0, 50.0))
    for name in ("status", "best_grid_lambda", "one_se_low", "one_se_high"):
        assert one[name] == two[name]


@pytest.mark.parametrize(("loss", "status", "at"), [
    (lambda lam: 1 + lam, "left_edge", 1e-4),
    (lambda lam: 1 - lam / 5, "right_edge", 10**1.0),
    (lambda lam: np.nan if lam > 0.1 else 1 - lam, "right_edge", 0.1),
])  # fmt: skip
def test_an_optimum_at_the_edge_is_never_reported_as_the_optimum(loss, status, at):
    row = answer(loss)
    assert row["status"] == status
    assert row["best_grid_lambda"] == pytest.approx(at)
    assert pd.isna(row["best_lambda"])
    assert pd.isna(row["best_lambda_low" if status == "left_edge" else "best_lambda_high"]) == (at != 0.1)


def test_a_gain_over_lambda_0_is_shown_or_shown_to_be_small_or_neither():
    assert answer(bowl(0.01), noise=0.002, zero=1.0)["status"] == "no_benefit"
    assert answer(bowl(0.01), noise=0.05, zero=0.5)["status"] == "no_benefit"
    assert answer(bowl(0.01), noise=0.05, zero=1.0)["status"] == "unsure"
    assert answer(bowl(0.01), noise=0.05, zero=1.5)["status"] == "interior"


def test_one_seed_cannot_show_a_gain_and_has_no_interval():
    assert answer(bowl(0.01), seeds=1)["status"] == "unsure"
    trials = make_trials(bowl(0.01), seeds=1).query("`lambda` > 0")
    ((_, row),) = find_best_lambdas(list(make_curves(trials))).iterrows()
    assert row["status"] == "open"
    assert row["best_lambda"] == pytest.approx(0.01)
    assert pd.isna(row["best_lambda_low"])
    assert pd.isna(row["best_lambda_high"])


@pytest.mark.parametrize("lam", [0.0, 0.01])
def test_a_seed_without_every_lambda_does_not_count_and_drops_no_lambda(lam):
    trials = make_trials(bowl(0.01), zero=1.0, noise=0.05)
    gap = (trials["seed"] == 2) & np.isclose(trials["lambda"], lam)
    ((_, row),) = find_best_lambdas(list(make_curves(trials[~gap]))).iterrows()
    ((_, whole),) = find_best_lambdas(list(make_curves(trials[trials["seed"] != 2]))).iterrows()
    assert row["seeds"] == 4
    assert row["status"] == whole["status"] == "unsure"
    assert row["best_grid_lambda"] == whole["best_grid_lambda"]


def test_a_network_that_diverges_without_the_penalty_benefits_from_it():
    row = answer(bowl(0.01), zero=np.nan)
    assert row["status"] == "interior"
    assert pd.isna(row["validation_loss_at_zero"])


def test_the_interval_of_a_best_lambda_holds_its_own_grid_lambda_and_reaches_over_what_is_not_told_apart():
    two = lambda lam: 1 + 0.3 * np.cos(2 * np.pi * np.log10(lam) / 2)  # noqa: E731 - lowest at 10^-3 and 10^-1
    row = answer(two, LAMBDAS[:-2], noise=0.005)
    assert row["best_lambda_low"] < 1e-3 < 1e-1 < row["best_lambda_high"]
    for seed in range(20):
        trials = make_trials(bowl(0.01), noise=0.1, seeds=3).assign(
            validation_loss=lambda rows, seed=seed: (
                rows["validation_loss"] + 0.2 * np.random.default_rng(seed).normal(size=len(rows))
            )
        )
        ((_, row),) = find_best_lambdas(list(make_curves(trials))).iterrows()
        low, high = row[["best_lambda_low", "best_lambda_high"]].fillna(
            {"best_lambda_low": 0, "best_lambda_high": np.inf}
        )
        assert low < row["best_grid_lambda"] < high


def test_the_best_lambda_hardly_depends_on_the_grids_step():
    lopsided = lambda lam: bowl(0.01)(lam) + 0.02 * np.log(lam / 0.01) ** 3  # noqa: E731
    grids = [10.0 ** np.arange(-3.0, -0.9, step) for step in (0.5, 0.25, 0.125)]
    found = [answer(lopsided, grid)["best_lambda"] for grid in grids]
    assert found == pytest.approx([0.01] * 3, rel=0.15)


def test_a_best_lambda_beside_a_cliff_is_a_grid_point_and_its_interval_reaches_towards_the_cliff():
    guessing = 2.3
    trials = make_trials(
        lambda lam: guessing if lam > 0.02 else 1 + 0.1 * abs(np.log10(lam / 0.01)), level=0, noise=0.001
    )
    trials = trials.assign(train_loss=trials["validation_loss"], guessing_loss=guessing)
    ((_, row),) = find_best_lambdas(list(make_curves(trials))).iterrows()
    assert (row["estimate"], row["status"]) == ("grid", "interior")
    assert row["best_lambda"] == pytest.approx(row["best_grid_lambda"]) == pytest.approx(0.01)
    assert row["best_lambda_high"] >= 0.01 * 10**0.2 - 1e-9  # beyond the middle is not known to be worse


def test_where_every_seed_diverged_is_ruled_out_and_where_some_did_counts_as_guessing():
    trials = make_trials(bowl(0.01), noise=0.01)
    every = trials["lambda"] > 0.05
    some = every & (trials["seed"] == 0)
    for lost in (every, some):
        torn = trials.assign(guessing_loss=3.0)
        torn.loc[lost, ["status", "validation_loss"]] = ["diverged", np.nan]
        ((_, row),) = find_best_lambdas(list(make_curves(torn))).iterrows()
        assert row["best_grid_lambda"] == pytest.approx(0.01)
        assert 0.01 < row["best_lambda_high"] <= 0.1


def test_a_tie_takes_the_smaller_lambda():
    assert answer(lambda lam: 1.0 + (lam < 0.005) + (lam > 0.05), level=0)["best_grid_lambda"] == pytest.approx(0.01)


def test_lambdas_that_any_seed_diverged_with_are_no_candidates():
    trials = make_trials(bowl(0.01))
    trials.loc[(trials["seed"] == 2) & np.isclose(trials["lambda"], 0.01), ["status", "validation_loss"]] = [
        "diverged",
        np.nan,
    ]
    ((_, row),) = find_best_lambdas(list(make_curves(trials))).iterrows()
    assert not np.isclose(row["best_grid_lambda"], 0.01)
    table = average_response(list(make_curves(trials)))
    assert table.loc[np.isclose(table["lambda"], 0.01), "diverged_share"].tolist() == [0.2]


def test_lambda_0_serves_every_penalty():
    trials = pd.concat([make_trials(bowl(0.01)), make_trials(bowl(0.01), penalty="l1").query("`lambda` > 0")])
    both = share_zero(trials)
    assert both.query("`lambda` == 0").groupby("penalty").size().to_dict() == {"l1": 5, "l2": 5}
    table = average_response(list(make_curves(trials)))
    assert len(table) == 2 * (1 + len(LAMBDAS))
    zero = table.query("`lambda` == 0")
    assert zero["validation_loss"].nunique() == 1


def test_failed_trials_and_those_not_trained_yet_are_left_out():
    trials = make_trials(bowl(0.01))
    trials.loc[trials["seed"] == 0, "status"] = "failed"
    assert average_response(list(make_curves(trials)))["seeds"].unique().tolist() == [4]
    few = make_trials(bowl(0.01)).iloc[:7]
    assert average_response(list(make_curves(few)))["seeds"].unique().tolist() == [1]


def test_no_trials_make_empty_tables():
    empty = make_trials(bowl(0.01)).iloc[:0]
    assert len(average_response(list(make_curves(empty)))) == len(find_best_lambdas(list(make_curves(empty)))) == 0


def test_standard_errors_are_those_of_the_paired_difference_to_the_best_lambda():
    trials = make_trials(bowl(0.01), noise=0.05, level=10.0)
    table = average_response(list(make_curves(trials))).set_index("lambda")
    losses = trials.pivot(index="seed", columns="lambda", values="validation_loss")
    best = losses.loc[:, losses.columns > 0].mean().idxmin()
    differences = losses.sub(losses[best], axis=0)
    assert table["validation_loss_se"].to_numpy() == pytest.approx((differences.std() / np.sqrt(5)).to_numpy())
    assert (table.loc[best, [name for name in table if name.endswith("_se")]] == 0).all()


def test_the_one_se_set_is_within_one_standard_error_of_the_paired_difference():
    losses = np.array([[1.0, 1.1, 2.0], [2.0, 2.0, 3.1], [3.0, 3.0, 4.0]])
    assert find_one_se_set(losses, best=0).tolist() == [True, True, False]


def test_networks_that_guess_the_commoner_of_two_uneven_classes_have_collapsed():
    guessing = 0.6109  # of 70 and 30 %: the entropy, where ln(2) is 0.6931
    trials = make_trials(lambda lam: guessing if lam > 0.1 else 0.4, level=0.0, zero=0.8)
    trials = trials.assign(
        guessing_loss=guessing, train_loss=trials["validation_loss"].where(trials["lambda"] > 0, 0.1)
    )
    table = average_response(list(make_curves(trials))).set_index("lambda")
    assert table.index[table["collapsed_share"] == 1].tolist() == [lam for lam in LAMBDAS if lam > 0.1]
    assert table.loc[0.0, "collapsed_share"] == 0  # as bad on new images, but it knows its own
    unknown = average_response(list(make_curves(trials.assign(guessing_loss=np.nan))))
    assert (unknown["collapsed_share"] == 0).all()
