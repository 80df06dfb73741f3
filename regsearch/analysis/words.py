"""The tables in words: the verdict in sentences that quote their numbers, and what to doubt about it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from regsearch.analysis.scaling import CONSTANT, INVERSE
from regsearch.analysis.stability import find_divergence
from regsearch.analysis.tables import Tables, name_setting, split_settings

ENOUGH_SEEDS = 5
ENOUGH_NETWORKS = 6
FINE = 10**0.26
"""Up to this factor between lambdas an optimum is found well: a quarter of a decade, and what rounding needs."""

_TOO_SHORT, _REGULARISES = "training is too short for the best lambda to act fully", "its length regularises too"


class Status(NamedTuple):
    """What a status of the table of best lambdas means.

    Attributes:
        legend: in a figure.
        verdict: before the networks that have it; empty for a plain optimum.
        doubt: after them, with what to do.
    """

    legend: str
    verdict: str = ""
    doubt: str = ""


STATUSES = {
    "interior": Status("known"),
    "no_benefit": Status(
        "at most this: no benefit over 0",
        "lambda shows no benefit over 0",
        "no lambda is shown to be better than 0, so that its best lambda is only known to be no larger than what "
        "does as well",
    ),
    "left_edge": Status(
        "at most this: at the grid's left edge",
        "the optimum lies below the grid",
        "the optimum lies below the grid (grid.extend lets the grid grow)",
    ),
    "right_edge": Status(
        "at least this: at the grid's right edge",
        "the optimum lies above the stable part of the grid",
        "the optimum lies above the grid, or above what trains (grid.extend lets the grid grow)",
    ),
    "multimodal": Status(
        "known, but one of two minima",
        "there are two minima",
        "the loss has two minima, and which of them is lower may be chance (more seeds tell)",
    ),
}


class Claim(NamedTuple):
    """What a verdict of the table of scaling means: as a sentence that ends the verdict, and as a figure's title."""

    sentence: str
    title: str


CLAIMS = {
    "constant": Claim("the data support one lambda for every width, and not 1/N.", "one best lambda for every width"),
    "inverse": Claim(
        "the data support lambda ∝ 1/N, and not one lambda for every width.", "the best lambda shrinks as 1/N"
    ),
    "power": Claim(
        "the data support neither one lambda for every width nor lambda ∝ 1/N, but a power of its own.",
        "the best lambda follows a power of its own",
    ),
    "undetermined": Claim("the interval {reach}, so the data do not settle it.", "undetermined"),
}


def write_verdict(tables: Tables) -> list[str]:
    """A few sentences for each penalty, learning rate and training-set size, then what they have in common."""
    paragraphs = []
    for setting, best in split_settings(tables.best_lambda):
        rows = tables.select(setting)
        sentences = [
            *_claim(rows.scaling, len(best)),
            *_reuse(rows.transfer, best, rows.scaling),
            *_reserve(best, rows.stability),
            *_explosion(rows.stability),
        ]
        paragraphs.append(f"{name_setting(setting, tables.best_lambda)}: {' '.join(sentences)}")
    return [*paragraphs, *_sizes(tables.scaling), *_premise(tables.mechanism)]


def list_doubts(tables: Tables, missing: int, total: int, stopped_early: bool = False) -> list[str]:
    """What to doubt, a sentence each, and what to do about it; none where there is no reason.

    Args:
        tables: the study's.
        missing: trials of the grid that are not trained, or failed.
        total: trials of the grid.
        stopped_early: whether networks stop when their validation loss no longer falls.
    """
    doubts, best = [], tables.best_lambda
    if missing:
        doubts.append(f"{missing} of {total} networks are not trained yet, or failed: the tables rest on the others.")
    if stopped_early:
        doubts.append(
            "Early stopping regularises too, and at a small lambda most: it hides what lambda does, and may move the "
            "best one (repeat without training.early_stopping)."
        )
    for setting, rows in split_settings(best):
        texts = _doubt_setting(rows, tables.select(setting).stability)
        doubts += [f"{name_setting(setting, best)}: {text}" for text in texts]
    return [*doubts, *_doubt_study(best)]


def _claim(scaling: pd.DataFrame, networks: int) -> Iterator[str]:
    rows = scaling[scaling["against"] == "trainable_weights"].to_dict("records")
    if not rows:
        yield f"undetermined: {networks} networks of one weight count cannot show how lambda goes with it."
        return
    (row,) = rows
    points, censored, low, high = row["points"], row["censored"], row["exponent_low"], row["exponent_high"]
    if pd.isna(row["exponent"]):
        yield (
            f"undetermined: only {points - censored} of {points} networks have a best lambda inside the grid that "
            "beats lambda 0, and a fit needs 3."
        )
        return
    claimed = {"0 (constant)": CONSTANT, "-1 (1/N)": INVERSE}
    held = [words for words, exponent in claimed.items() if low <= exponent <= high]
    reach = f"holds {' and '.join(held)}" + ("" if len(held) > 1 else ", but reaches too far from it")
    known = f"{points} networks" + (f", {censored} of them known only within bounds" if censored else "")
    yield (
        f"{row['verdict']}. Best lambda ∝ N^{row['exponent']:.2f}, N the trainable weights (95 % interval {low:.2f} "
        f"to {high:.2f}, {known}): {CLAIMS[row['verdict']].sentence.format(reach=reach)}"
    )
    if row["penalty"].endswith("_mean"):
        yield (
            "This penalty is a mean, lambda·Σ/N over the penalised weights, so its exponent is about 1 more than "
            f"that of the sum, whose best lambda would go about as N^{row['exponent'] - 1:.2f}: 1/N for the sum is "
            "one lambda for every width here."
        )


def _reuse(transfer: pd.DataFrame, best: pd.DataFrame, scaling: pd.DataFrame) -> Iterator[str]:
    """What the smallest network's lambda costs on the widest; moved by a power only where the study fits one."""
    known = scaling.loc[scaling["against"] == "trainable_weights", "exponent"].notna().any()
    smallest, widest = best.sort_values("trainable_weights", kind="stable")["architecture"].iloc[[0, -1]]
    pair = transfer[(transfer["tuned_on"] == smallest) & (transfer["used_on"] == widest)]
    costs = {row["rule"]: _cost(row) for row in pair.to_dict("records")}
    if costs:
        moved = "; moved by the power fitted on the other networks it "
        fitted = moved + costs["fitted"] if known and "fitted" in costs else ""
        scaled = f"scaled by 1/N it {costs['inverse']}"
        yield f"The lambda of {smallest} used on {widest} as it is {costs['same']}; {scaled}{fitted}."


def _cost(row: dict[Any, Any]) -> str:
    if pd.isna(row["regret"]):
        return "falls outside the grid"
    verb = "costs" if row["regret"] >= 0 else "gains"
    return f"{verb} {abs(row['regret']):.3f} ± {row['regret_se']:.3f} in test loss"


def _reserve(best: pd.DataFrame, stability: pd.DataFrame) -> Iterator[str]:
    """Statuses that are no plain optimum, and training too short for lambda to act."""
    if statuses := "; ".join(f"{status.verdict} at {_list(names)}" for status, names in _list_statuses(best)):
        yield f"{_capitalise(statuses)}."
    short = _list_short(best, stability)
    if len(short):
        yield (
            f"{_capitalise(_TOO_SHORT)} at {_list(short['architecture'].tolist())} "
            f"(below {short['under_trained_below'].max():.2g}): {_REGULARISES}."
        )


def _explosion(stability: pd.DataFrame) -> Iterator[str]:
    """From which lambda on training diverged or collapsed."""
    if divergence := find_divergence(stability):
        theory = f"; theory puts the limit at {divergence.theory}" if divergence.theory else ""
        yield f"Training diverged from lambda {divergence.lam:.3g} on (at {_list(divergence.architectures)}){theory}."
        diverged = stability[stability["smallest_diverged"].notna()]
        if (diverged["diverged_share_at_zero"] > 0).any():
            yield "Some of these diverge at lambda 0 too: the penalty is not why."
    collapsed = stability["smallest_collapsed"].dropna()
    if len(collapsed):
        low, high = collapsed.min(), collapsed.max()
        span = f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}, by network,"
        yield f"From lambda {span} on networks collapse to guessing."


def _sizes(scaling: pd.DataFrame) -> Iterator[str]:
    """How the best lambda goes with the training-set size, where there are several."""
    several = scaling["learning_rate"].nunique() > 1
    for row in scaling[scaling["against"] == "train_size"].to_dict("records"):
        name = f"{row['penalty']}, learning rate {row['learning_rate']:g}" if several else row["penalty"]
        if pd.isna(row["exponent"]):
            yield f"{name}: too few optima inside the grid to say how lambda goes with the training-set size."
        else:
            yield (
                f"{name}: with n training images at the same weights, best lambda ∝ n^{row['exponent']:.2f} "
                f"(95 % interval {row['exponent_low']:.2f} to {row['exponent_high']:.2f}, {row['points']} points)."
            )


def _premise(mechanism: pd.DataFrame) -> Iterator[str]:
    """How the sums that the penalties are made of grow with the weights, at the start."""
    for row in mechanism[:1].to_dict("records"):
        absolute, squared = row["sum_abs_weights_start_exponent"], row["sum_squared_weights_start_exponent"]
        if pd.notna(absolute) and pd.notna(squared):
            growth = f"Σ|w| grows as N^{absolute:.2f} and Σw² as N^{squared:.2f}"
            yield f"Before training {growth}, N the penalised weights."


def _doubt_setting(best: pd.DataFrame, stability: pd.DataFrame) -> Iterator[str]:
    for status, names in _list_statuses(best):
        yield f"at {', '.join(names)} {status.doubt}."
    if len(best) < ENOUGH_NETWORKS:
        yield (
            f"{len(best)} networks can rarely tell one exponent from another: "
            f"{ENOUGH_NETWORKS} or more widths, far apart, can."
        )
    if short := _list_short(best, stability)["architecture"].tolist():
        yield f"at {', '.join(short)} {_TOO_SHORT}: {_REGULARISES} (train longer, or at a higher learning rate)."


def _doubt_study(best: pd.DataFrame) -> Iterator[str]:
    if best.empty:
        return
    seeds = int(best["seeds"].min())
    if seeds < ENOUGH_SEEDS:
        yield (
            f"{seeds} seed{'s' * (seeds != 1)} a network: the interval of one network's best lambda is rough, and a "
            f"benefit is hard to show ({ENOUGH_SEEDS} or more help). The exponent's interval does not rest on it."
        )
    steps = best.loc[best["best_lambda"].notna(), "grid_step"]
    if (steps > FINE).any():
        yield (
            f"Lambdas around the optima are up to a factor {np.nanmax(steps):.3g} apart, and each optimum is read "
            "off a curve through so few points (grid.refine: 8 adds lambdas around each)."
        )
    if best["learning_rate"].nunique() == 1:
        yield (
            f"One learning rate ({best['learning_rate'].iloc[0]:g}) was tried: the best lambda may go with it "
            "(grid.learning_rates repeats the study at others)."
        )


def _list_statuses(best: pd.DataFrame) -> Iterator[tuple[Status, list[str]]]:
    """Each status that is no plain optimum, with the networks that have it."""
    for name, status in STATUSES.items():
        networks = best.loc[best["status"] == name, "architecture"].tolist()
        if status.doubt and networks:
            yield status, networks


def _list_short(best: pd.DataFrame, stability: pd.DataFrame) -> pd.DataFrame:
    """The networks whose training is too short for their best lambda to act, and below what it is."""
    both = best.merge(stability[["architecture", "under_trained_below"]], on="architecture")
    return both[both["best_grid_lambda"] < both["under_trained_below"]]


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _capitalise(text: str) -> str:
    return text[0].upper() + text[1:]
