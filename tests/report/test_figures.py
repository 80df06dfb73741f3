"""The points of each figure on made-up tables: what is known, what is only a bound, what is missing."""

import html
import math

import numpy as np
import pandas as pd
import pytest
from checked_page import Checked
from made_up import LAMBDAS, WEIGHTS, bowl, make_optima, make_resampled, make_trials

from regsearch.analysis import mechanism, scaling, transfer
from regsearch.analysis.best_lambda import find_best_lambdas, resample_optima
from regsearch.analysis.curves import make_curves
from regsearch.analysis.response import average_response
from regsearch.analysis.stability import measure_stability
from regsearch.analysis.tables import Tables
from regsearch.report.figures import best_against_weights, penalty_share, regret_map, response_curves, stability_map
from regsearch.report.figures.canvas import GAP, place_lambdas, save, use_style
from regsearch.report.figures.gallery import KINDS, gallery
from regsearch.report.page import render_study
from regsearch.spec.optimizers import SGD
from regsearch.spec.penalties import L1, L2

CHANCE = math.log(10)


def fit_scaling(best):
    return scaling.fit_scaling(best, make_resampled(best))


def optima(exponent=0.0, **statuses):
    """A table of best lambdas with intervals; networks named in `statuses` have no optimum."""
    best = make_optima(exponent)
    best = best.assign(best_lambda_low=best["best_lambda"] / 1.2, best_lambda_high=best["best_lambda"] * 1.2)
    for name, status in statuses.items():
        best.loc[best["architecture"] == name, ["status", "best_lambda"]] = [status, np.nan]
    return best


def study(trials):
    """Every table of made-up trials of L2 under gradient descent."""
    found = list(make_curves(trials))
    best = find_best_lambdas(found)
    sizes = {int(size): 100 for size in trials["train_size"].unique()}
    limits = measure_stability(found, SGD(), sizes, [L1(), L2()])
    grown = pd.DataFrame(columns=mechanism.COLUMNS).astype(float).astype({"penalty": object})
    moved = transfer.measure_transfer(found)
    fits = scaling.fit_scaling(best, resample_optima(found, best), limits)
    return Tables(best, fits, moved, limits, grown, average_response(found))


def networks(widths=(1, 2, 4), **options):
    return pd.concat(
        [
            make_trials(bowl(0.01), **options).assign(
                architecture=f"w{width}",
                width=width,
                trainable_weights=20 * width**2,
                penalised_weights=18 * width**2,
            )
            for width in widths
        ],
        ignore_index=True,
    )


def test_the_best_lambdas_and_the_fitted_line_are_those_of_the_tables():
    best = optima(-0.5)
    fits = fit_scaling(best)
    found = best_against_weights.find_points(best, fits)
    assert found.best["trainable_weights"].tolist() == WEIGHTS.tolist()
    assert found.best["height"].to_numpy() == pytest.approx(best["best_lambda"])
    assert not found.best["side"].any()
    fit = fits[fits["against"] == "trainable_weights"].iloc[0]
    ends, heights = found.lines["fit"]
    assert ends.tolist() == [WEIGHTS[0], WEIGHTS[-1]]
    assert heights == pytest.approx(fit["coefficient"] * ends ** fit["exponent"])
    constant, inverse = found.lines["constant"][1], found.lines["inverse"][1]
    assert constant[0] == constant[1] == pytest.approx(np.exp(np.log(best["best_lambda"]).mean()))
    assert inverse[0] / inverse[1] == pytest.approx(WEIGHTS[-1] / WEIGHTS[0])
    assert f"N^{fit['exponent']:.2f}" in found.title
    assert "a power of its own" in found.title


def test_what_is_no_point_is_an_arrow_from_the_bound_that_the_fit_uses_and_what_is_not_known_is_not_drawn():
    best = optima(w300="left_edge", w3000="no_benefit", w30000="unsure", w100000="right_edge")
    best.loc[4, "best_lambda_high"] = np.nan
    found = best_against_weights.find_points(best, fit_scaling(best))
    assert found.best["architecture"].tolist() == ["w300", "w1000", "w3000", "w10000", "w100000"]
    assert found.best["side"].tolist() == [-1, 0, -1, 0, 1]
    heights = found.best["height"].to_numpy()
    rows = best.set_index("architecture")
    assert heights[0] == pytest.approx(rows.loc["w300", "best_lambda_high"])
    assert heights[2] == pytest.approx(rows.loc["w3000", "best_lambda_high"])
    assert heights[4] == pytest.approx(rows.loc["w100000", "best_lambda_low"])
    with use_style():
        drawn = best_against_weights.draw(found, "l2")
    arrows = [text for text in drawn.axes[0].texts if text.arrow_patch]
    assert len(arrows) == 3
    low, high = drawn.axes[0].get_ylim()
    assert low < heights.min() < heights.max() < high


def test_with_too_few_optima_the_claims_go_through_their_middle_and_with_none_are_not_drawn():
    few = optima(w3000="no_benefit", w10000="no_benefit", w30000="no_benefit", w100000="no_benefit")
    found = best_against_weights.find_points(few, fit_scaling(few))
    assert set(found.lines) == {"constant", "inverse"}
    assert found.lines["constant"][1][0] == pytest.approx(np.exp(np.log(few["best_lambda"].dropna()).mean()))
    assert found.title == "undetermined, with 2 of 6 optima known"
    none = optima(**{f"w{n}": "left_edge" for n in WEIGHTS})
    assert best_against_weights.find_points(none, fit_scaling(none)).lines == {}
    assert best_against_weights.find_points(none.iloc[:0], fit_scaling(none.iloc[:0])) is None
    one = optima().iloc[:1]
    assert best_against_weights.find_points(one, fit_scaling(one)).lines == {}


def test_lambda_0_lies_a_gap_left_of_the_smallest():
    assert place_lambdas(np.array([0.0, 0.01, 1.0])).tolist() == [-2 - GAP, -2, 0]
    assert place_lambdas(np.array([0.0])).tolist() == [-GAP]


def test_a_panel_holds_a_networks_curve_and_its_best_lambda():
    tables = study(networks(noise=0.02))
    found = response_curves.find_points(tables.response, tables.best_lambda, "nats")
    assert found.best.index.tolist() == ["w1", "w2", "w4"]
    curve, best, row = found.response.query("architecture == 'w2'"), found.best.iloc[1], tables.best_lambda.iloc[1]
    assert curve["lambda"].tolist() == [0.0, *LAMBDAS]
    assert best["best_lambda"] == row["best_lambda"]
    assert (best["one_se_low"], best["one_se_high"]) == (row["one_se_low"], row["one_se_high"])
    at_best = curve.loc[curve["lambda"] == row["best_grid_lambda"], "validation_loss"]
    assert at_best.item() == pytest.approx(row["validation_loss"])
    assert "lowest at lambda" in found.title
    assert response_curves.find_points(tables.response.iloc[:0], tables.best_lambda, "nats") is None


def test_losses_far_apart_are_drawn_on_a_log_axis():
    tables = study(networks(noise=0.02))
    assert response_curves.find_points(tables.response, tables.best_lambda, "nats").logarithmic == (
        tables.response["validation_loss"].max() > response_curves.TALL * tables.response["validation_loss"].min()
    )
    flat = tables.response.assign(validation_loss=1.0)
    assert not response_curves.find_points(flat, tables.best_lambda, "nats").logarithmic


def test_regrets_stand_in_the_row_they_were_tuned_on_and_the_column_they_are_used_on():
    tables = study(networks(noise=0.02))
    moved = tables.transfer.copy()
    moved.loc[(moved["tuned_on"] == "w1") & (moved["used_on"] == "w4") & (moved["rule"] == "inverse"), "regret"] = (
        np.nan
    )
    found = regret_map.find_points(moved)
    assert found.names == ["w1", "w2", "w4"]
    assert np.isnan(found.regrets["inverse"][0, 2])
    one = moved[(moved["tuned_on"] == "w4") & (moved["used_on"] == "w1") & (moved["rule"] == "same")]
    assert found.regrets["same"][2, 0] == one["regret"].item()
    assert np.diag(found.regrets["fitted"]).tolist() == [0, 0, 0]
    assert regret_map.find_points(moved.iloc[:0]) is None


def outcomes(loss, train_loss=None):
    trials = networks().assign(guessing_loss=CHANCE)
    trials["validation_loss"] = [loss(lam) for lam in trials["lambda"]]
    trials["train_loss"] = trials["validation_loss"] if train_loss is None else train_loss
    trials.loc[trials["validation_loss"].isna(), "status"] = "diverged"
    tables = study(trials)
    return stability_map.find_points(tables.response, tables.stability)


def test_divergence_and_collapse_are_told_apart_and_a_quiet_study_has_no_map():
    assert (
        outcomes(lambda lam: 1.0).cells["lambda"].max() == LAMBDAS.max()
    )  # the limit, 5 at a rate of 0.1, lies in the grid
    blown = outcomes(lambda lam: np.nan if lam > 1 else 1.0)
    states = blown.cells.set_index(["architecture", "lambda"])["state"]
    assert states["w1", LAMBDAS[-1]] == "diverged"
    assert states["w4", 0.0] == "stable"
    assert "diverged from lambda 3.16 on (theory: 10 or a little lower)" in blown.title
    dead = outcomes(lambda lam: CHANCE if lam > 0.05 else 1.0)
    assert "collapsed" in dead.cells["state"].tolist()
    assert "collapsed to guessing from 0.1 on" in dead.title


def test_a_network_that_fits_too_closely_has_not_collapsed():
    by_heart = outcomes(lambda lam: 2 * CHANCE if lam < 0.01 else 1.0, train_loss=0.1)
    assert "collapsed" not in by_heart.cells["state"].tolist()


def test_nothing_to_show_is_no_map():
    tables = study(networks().query("`lambda` < 1"))
    assert stability_map.find_points(tables.response, tables.stability) is None


def test_the_share_and_the_sums_are_those_of_the_table():
    rows = {name: np.arange(1.0, 4.0) for name in mechanism.COLUMNS}
    rows |= {
        "architecture": ["a", "b", "c"],
        "penalised_weights": [300, 100, 200],
        "penalty_share_end": [0.3, 0.1, 0.2],
    }
    found = penalty_share.find_points(pd.DataFrame(rows))
    assert found.table["penalised_weights"].tolist() == [100, 200, 300]
    assert found.table["penalty_share_end"].tolist() == [0.1, 0.2, 0.3]
    assert "10 to 30 %" in found.title
    nothing = pd.DataFrame({**rows, "penalty_share_end": np.nan})
    assert "not known" in penalty_share.find_points(nothing).title
    assert penalty_share.find_points(nothing.iloc[:0]) is None


STUDIES = {
    "one seed": networks(seeds=1),
    "one network": networks(widths=(2,)),
    "no optimum": networks(zero=0.0),
    "all diverged": networks().assign(status="diverged", validation_loss=np.nan, test_loss=np.nan),
    "no lambda 0": networks().query("`lambda` > 0"),
    "lambda 0 alone": networks().query("`lambda` == 0"),
    "one lambda": networks().query("`lambda` == 0.01"),
    "many networks": networks(widths=range(1, 15), seeds=2),
    "nothing": networks().iloc[:0],
}


@pytest.mark.parametrize("name", STUDIES)
def test_figures_are_drawn_without_a_warning_whatever_is_missing(name):
    tables = study(STUDIES[name])
    drawn = list(gallery(tables, "nats"))
    for picture in drawn:
        assert picture.kind in {kind.name for kind in KINDS}
        assert picture.files["png"].startswith(b"\x89PNG")
        assert b"</svg>" in picture.files["svg"]
    expected = {
        "one seed": {"response", "stability"},  # which tells nothing of any network's best lambda
        "one network": {"best_lambda", "response", "stability"},
        "all diverged": {"response", "stability"},
        "one lambda": {"response", "transfer"},
        "lambda 0 alone": set(), "nothing": set(),
    }.get(name, {"best_lambda", "response", "transfer", "stability"})  # fmt: skip
    assert {picture.kind for picture in drawn} == expected


def test_every_rate_and_size_has_a_set_named_so_and_the_bytes_are_the_same_again():
    trials = pd.concat([networks(seeds=2), networks(seeds=2).assign(learning_rate=0.2)], ignore_index=True)
    first, again = (list(gallery(study(trials), "nats")) for _ in range(2))
    files = [picture.file for picture in first]
    assert len(set(files)) == len(files)
    assert "best_lambda-l2-learning-rate-0.1" in files
    assert "best_lambda-l2-learning-rate-0.2" in files
    assert [picture.files for picture in first] == [picture.files for picture in again]


def test_figures_carry_no_date_and_no_address_to_load():
    with use_style():
        files = save(
            best_against_weights.draw(best_against_weights.find_points(optima(), fit_scaling(optima())), "l2")
        )
    assert b"date" not in files["svg"]
    assert b'href="http' not in files["svg"]


@pytest.mark.figures
def test_the_texts_of_a_study_stay_texts_in_figure_and_page():
    """Whatever a network is called: names of networks are held to letters and digits only further up."""
    evil = "<script>&\"'</script>"
    tables = study(networks().replace({"architecture": {"w2": evil}}))
    drawn = list(gallery(tables, "nats"))
    pages = [render_study("made up", [], [], [picture], {}, {}, "") for picture in drawn]
    assert {picture.kind for picture in drawn if html.escape(evil, quote=False) in picture.files["svg"].decode()} == {
        "response", "transfer", "stability",
    }  # fmt: skip
    for picture, page in zip(drawn, pages, strict=True):
        assert b"<script" not in picture.files["svg"]
        assert Checked(page).tags.count("script") == 1
