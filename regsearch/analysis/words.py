"""The tables in words: the verdict in sentences that quote their numbers, and what to doubt about it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from regsearch.analysis.power import count_deciding_networks
from regsearch.analysis.stability import find_divergence
from regsearch.analysis.tables import Tables, name_setting, split_settings

ENOUGH_SEEDS = 5
ENOUGH_NETWORKS = 6
FINE = 10**0.26
"""Up to this factor between lambdas an optimum is found well: a quarter of a decade, and what rounding needs."""


class Status(NamedTuple):
    """What a status of the table of best lambdas means: in a figure's legend, and as a doubt, with what to do."""

    legend: str
    doubt: str = ""


STATUSES = {
    "interior": Status("known"),
    "open": Status(
        "known, its interval open",
        "an end of the best lambda's interval is open (more seeds, or a wider grid, close it)",
    ),
    "unsure": Status(
        "no gain over 0 shown", "neither a gain over lambda 0 is shown, nor that it is small (more seeds tell)"
    ),
    "no_benefit": Status(
        "no gain over 0", "no lambda gains 2 % or more over lambda 0, so that there is no best one to follow"
    ),
    "left_edge": Status(
        "at the grid's left edge", "the best lambda lies at or below the grid's left edge (grid.extend lets it grow)"
    ),
    "right_edge": Status(
        "at the largest that trains",
        "the best lambda lies at or above the largest that trains (grid.extend lets the grid grow)",
    ),
}


class Claim(NamedTuple):
    """What a verdict of the table of scaling means: what to do, and as a figure's title."""

    advice: str
    title: str


CLAIMS = {
    "under_trained": Claim(
        "train longer before you scale lambda: at most networks training is too short for the best one to act "
        "fully, so that its length regularises too.",
        "training is too short to tell",
    ),
    "bent": Claim(
        "tune lambda at each width: no power fits, and it moves by more than a factor of 2 along the curve.",
        "no power fits",
    ),
    "constant": Claim("keep one lambda for every width, about {middle}.", "one best lambda for every width"),
    "inverse": Claim(
        "scale lambda as 1/N: about {first} at {smallest:,} weights, {last} at {widest:,}.",
        "the best lambda shrinks as 1/N",
    ),
    "power": Claim(
        "scale lambda as N^{exponent:.2f}: about {first} at {smallest:,} weights, {last} at {widest:,}.",
        "the best lambda follows a power of its own",
    ),
    "undetermined": Claim("{start}; {deciding}.", "undetermined"),
}
_NAMES = {"constant": "one lambda for every width", "inverse": "1/N"}
_STARTS = {
    "": "search lambda anew at each width",
    "inverse": "start from about {middle} at every width, and not from 1/N, and search around it",
    "constant": "start from N^{exponent:.2f}, about {first} at {smallest:,} weights and {last} at {widest:,}, and "
    "search around it",
}
_STARTS["constant, inverse"] = _STARTS["constant"]
"""What to do while a verdict is not determined, by the claims that are ruled out."""


def write_verdict(tables: Tables) -> list[str]:
    """At most three sentences for each setting: what to do, how sure, what it costs otherwise; then of all."""
    paragraphs = []
    for setting, best in split_settings(tables.best_lambda):
        rows = tables.select(setting)
        sentences = [*_claim(rows.scaling, best), *_cost(rows.transfer, best)]
        paragraphs.append(f"{name_setting(setting, tables.best_lambda)}: {' '.join(sentences)}")
    explosion = " ".join(_explode(tables.stability))
    return [
        *paragraphs,
        *_tell_sizes(tables.scaling),
        *([explosion] if explosion else []),
        *_premise(tables.mechanism),
    ]


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
        texts = _doubt_setting(rows, tables.select(setting))
        doubts += [f"{name_setting(setting, best)}: {text}" for text in texts]
    return [*doubts, *_doubt_study(best)]


def _claim(scaling: pd.DataFrame, best: pd.DataFrame) -> Iterator[str]:
    rows = scaling[scaling["against"] == "trainable_weights"].to_dict("records")
    if not rows:
        yield f"undetermined: {len(best)} networks of one weight count cannot show how lambda goes with it."
        return
    (row,) = rows
    known = row["points"] - row["censored"]
    if pd.isna(row["exponent"]):
        yield (
            f"undetermined: only {known} of {row['points']} networks have a best lambda that is known, and a fit "
            "needs 3."
        )
        return
    smallest, widest = int(best["trainable_weights"].min()), int(best["trainable_weights"].max())
    first, last = (f"{row['coefficient'] * count ** row['exponent']:.2g}" for count in (smallest, widest))
    middle = f"{row['coefficient'] * (smallest * widest) ** (row['exponent'] / 2):.2g}"
    numbers = {
        "first": first, "last": last, "middle": middle, "smallest": smallest, "widest": widest,
        "exponent": row["exponent"],
    }  # fmt: skip
    start = _STARTS[row["rules_out"]].format(**numbers)
    deciding = _tell_what_decides(row, smallest, widest)
    yield f"{row['verdict']}: {CLAIMS[row['verdict']].advice.format(**numbers, start=start, deciding=deciding)}"
    bounds = f", {row['censored']} of them known only within bounds" if row["censored"] else ""
    excluded = " and ".join(_NAMES[name] for name in row["rules_out"].split(", ") if name)
    verb = "are" if " and " in excluded else "is"
    ruled = f"{excluded} {verb} ruled out" if excluded else "neither claim is ruled out"
    yield (
        f"Best lambda ∝ N^{row['exponent']:.2f}, N the trainable weights (95 % interval {row['exponent_low']:.2f} to "
        f"{row['exponent_high']:.2f}, {row['points']} networks{bounds}); {ruled}"
        + (", where a mean's exponent 0 is 1/N of the sum." if row["penalty"].endswith("_mean") else ".")
    )


def _tell_what_decides(row: dict[Any, Any], smallest: int, widest: int) -> str:
    """The widths or seeds with which an interval would reach no farther than the tolerance from the exponent."""
    reach = (row["exponent_high"] - row["exponent_low"]) / 2
    networks = count_deciding_networks(smallest, widest, row["scatter"], row["tolerance"])
    if networks and networks > row["points"]:
        return f"about {networks} widths over the same range would decide"
    if reach > row["tolerance"] and np.isfinite(reach):
        return f"about {(reach / row['tolerance']) ** 2:.1f} times the seeds would decide"
    if networks is None:
        return "the best lambdas scatter too much for any number of widths in that range: widen it"
    return "the interval reaches over the edge of what would decide, and more seeds tell on which side it lies"


def _cost(transfer: pd.DataFrame, best: pd.DataFrame) -> Iterator[str]:
    """What the smallest network's lambda costs on the widest."""
    smallest, widest = best.sort_values("trainable_weights", kind="stable")["architecture"].iloc[[0, -1]]
    pair = transfer[(transfer["tuned_on"] == smallest) & (transfer["used_on"] == widest)]
    costs = {row["rule"]: _price(row) for row in pair.to_dict("records")}
    if costs:
        same, inverse = costs["same"], costs["inverse"]
        yield f"The lambda of {smallest} used on {widest} as it is {same}; scaled by 1/N it {inverse}."


def _price(row: dict[Any, Any]) -> str:
    if pd.isna(row["regret"]):
        return "falls outside the grid"
    verb, error = "costs" if row["regret"] >= 0 else "gains", row["regret_se"]
    around = "" if pd.isna(error) else f" ± {error:.3f}"
    return f"{verb} {abs(row['regret']):.3f}{around} in test loss"


def _explode(stability: pd.DataFrame) -> Iterator[str]:
    """From which lambda on training diverged or collapsed, over all penalties."""
    if divergence := find_divergence(stability):
        theory = f"; theory puts the limit at {divergence.theory}" if divergence.theory else ""
        yield f"Training diverged from lambda {divergence.lam:.3g} on (at {_list(divergence.architectures)}){theory}."
        diverged = stability[stability["smallest_diverged"].notna()]
        if (diverged["diverged_share_at_zero"] > 0).any():
            yield "Some of these diverge at lambda 0 too: the penalty is not why."
    collapsed = [
        f"{row['half_collapsed'].min():.2g} on with {penalty}"
        for penalty, row in stability[stability["half_collapsed"].notna()].groupby("penalty", sort=True)
    ]
    if collapsed:
        yield f"Networks collapse to guessing, half of the seeds, from lambda {_list(collapsed)}."


def _tell_sizes(scaling: pd.DataFrame) -> Iterator[str]:
    """How the best lambda goes with the training-set size, where there are several."""
    several = scaling["learning_rate"].nunique() > 1
    for row in scaling[scaling["against"] == "train_size"].to_dict("records"):
        name = f"{row['penalty']}, learning rate {row['learning_rate']:g}" if several else row["penalty"]
        if pd.isna(row["exponent"]):
            yield f"{name}: too few best lambdas are known to say how lambda goes with the training-set size."
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


def _doubt_setting(best: pd.DataFrame, rows: Tables) -> Iterator[str]:
    for name, status in STATUSES.items():
        networks = best.loc[best["status"] == name, "architecture"].tolist()
        if status.doubt and networks:
            yield f"at {', '.join(networks)} {status.doubt}."
    if len(best) < ENOUGH_NETWORKS:
        yield (
            f"{len(best)} networks can rarely tell one exponent from another: "
            f"{ENOUGH_NETWORKS} or more widths, far apart, can."
        )
    both = best.merge(rows.stability[["architecture", "under_trained_below"]], on="architecture")
    short = both[both["best_grid_lambda"] < both["under_trained_below"]]
    if len(short):
        yield (
            f"at {', '.join(short['architecture'])} training is too short for the best lambda to act fully (below "
            f"{short['under_trained_below'].max():.2g}): train longer, or at a higher learning rate."
        )


def _doubt_study(best: pd.DataFrame) -> Iterator[str]:
    if best.empty:
        return
    seeds = int(best["seeds"].min())
    if seeds < ENOUGH_SEEDS:
        yield (
            f"{seeds} seed{'s' * (seeds != 1)} a network: intervals are wide, and a gain over lambda 0 is hard to "
            f"show ({ENOUGH_SEEDS} or more help)."
        )
    steps = best.loc[best["best_lambda"].notna(), "grid_step"]
    if (steps > FINE).any():
        yield (
            f"Lambdas around the best are up to a factor {np.nanmax(steps):.3g} apart, which the intervals allow for "
            "(grid.refine: 8 adds lambdas there)."
        )
    if best["learning_rate"].nunique() == 1:
        yield (
            f"One learning rate ({best['learning_rate'].iloc[0]:g}) was tried: the best lambda may go with it "
            "(grid.learning_rates repeats the study at others)."
        )


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
