"""The verdict in words: what the tables say, in plain sentences that quote their numbers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from regsearch.analysis.scaling import CONSTANT, INVERSE

SETTING = ["penalty", "learning_rate", "train_size"]


@dataclass(frozen=True)
class Tables:
    """What the analyses found, each as its module defines it."""

    best_lambda: pd.DataFrame
    scaling: pd.DataFrame
    transfer: pd.DataFrame
    stability: pd.DataFrame
    mechanism: pd.DataFrame


def write_verdict(tables: Tables) -> list[str]:
    """A few sentences for each penalty, learning rate and training-set size, then what they have in common."""
    found: list[str] = []
    for setting, best in tables.best_lambda.groupby(SETTING, sort=True):
        rows = {name: select_setting(table, setting) for name, table in vars(tables).items()}
        parts = [
            *_claim(rows["scaling"], len(best)),
            *_reuse(rows["transfer"], best),
            *_doubts(best, rows["stability"]),
            *_explosion(rows["stability"]),
        ]
        found.append(f"{name_setting(setting, tables.best_lambda)}: " + " ".join(parts))
    return [*found, *_sizes(tables.scaling), *_premise(tables.mechanism)]


def select_setting(table: pd.DataFrame, setting: Any) -> pd.DataFrame:
    """The rows of one penalty, learning rate and training-set size."""
    penalty, rate, size = setting
    same = (table["penalty"] == penalty) & (table["learning_rate"] == rate) & (table["train_size"] == size)
    found: pd.DataFrame = table[same]
    return found


def name_setting(setting: Any, best: pd.DataFrame) -> str:
    """The penalty, and the learning rate and training-set size where there are several."""
    penalty, rate, size = setting
    words = str(penalty)
    if best["learning_rate"].nunique() > 1:
        words += f", learning rate {rate:g}"
    if best["train_size"].nunique() > 1:
        words += f", {size} training images"
    return words


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
    meaning = {
        "constant": "the data support one lambda for every width, and not 1/N.",
        "inverse": "the data support lambda ∝ 1/N, and not one lambda for every width.",
        "power": "the data support neither one lambda for every width nor lambda ∝ 1/N, but a power of its own.",
        "undetermined": f"the interval {_why(low, high)}, so the data do not settle it.",
    }[row["verdict"]]
    known = f"{points} networks" + (f", {censored} of them known only within bounds" if censored else "")
    yield (
        f"{row['verdict']}. Best lambda ∝ N^{row['exponent']:.2f}, N the trainable weights "
        f"(95 % interval {low:.2f} to {high:.2f}, {known}): {meaning}"
    )
    if row["penalty"].endswith("_mean"):
        yield (
            "This penalty is a mean, lambda·Σ/N over the penalised weights, so its exponent is about 1 more than "
            f"that of the sum, whose best lambda would go about as N^{row['exponent'] - 1:.2f}: 1/N for the sum is "
            "one lambda for every width here."
        )


def _why(low: float, high: float) -> str:
    holds = [name for name, at in (("0 (constant)", CONSTANT), ("-1 (1/N)", INVERSE)) if low <= at <= high]
    return f"holds {' and '.join(holds)}" + ("" if len(holds) > 1 else ", but reaches too far from it")


def _reuse(transfer: pd.DataFrame, best: pd.DataFrame) -> Iterator[str]:
    """What the smallest network's lambda costs on the widest."""
    by_weights = best.sort_values("trainable_weights", kind="stable")["architecture"].tolist()
    smallest, widest = by_weights[0], by_weights[-1]
    pair = transfer[(transfer["tuned_on"] == smallest) & (transfer["used_on"] == widest)]
    rows = {row["rule"]: row for row in pair.to_dict("records")}
    if not rows:
        return
    yield (
        f"The lambda of {smallest} used on {widest} as it is {_cost(rows['same'])}; scaled by 1/N it "
        f"{_cost(rows['inverse'])}"
        + (
            f"; moved by the power fitted on the other networks it {_cost(rows['fitted'])}."
            if "fitted" in rows
            else "."
        )
    )


def _cost(row: dict[str, Any]) -> str:
    if pd.isna(row["regret"]):
        return "falls outside the grid"
    verb = "costs" if row["regret"] >= 0 else "gains"
    return f"{verb} {abs(row['regret']):.3f} ± {row['regret_se']:.3f} in test loss"


def _doubts(best: pd.DataFrame, stability: pd.DataFrame) -> Iterator[str]:
    """Statuses that are no plain optimum, and training too short for lambda to act."""
    meaning = {
        "no_benefit": "lambda shows no benefit over 0 at",
        "left_edge": "the optimum lies below the grid at",
        "right_edge": "the optimum lies above the stable part of the grid at",
        "multimodal": "there are two minima at",
    }
    parts = []
    for status, words in meaning.items():
        names = best.loc[best["status"] == status, "architecture"].tolist()
        if names:
            parts.append(f"{words} {_listed(names)}")
    if parts:
        yield _sentence("; ".join(parts))
    both = best.merge(stability[["architecture", "under_trained_below"]], on="architecture")
    short = both[both["best_grid_lambda"] < both["under_trained_below"]]
    if len(short):
        yield (
            f"Training is too short for the best lambda to act fully at {_listed(short['architecture'].tolist())} "
            f"(below {short['under_trained_below'].max():.2g}): its length regularises too."
        )


def _explosion(stability: pd.DataFrame) -> Iterator[str]:
    """From which lambda on training diverged or collapsed."""
    seen = stability[stability["smallest_diverged"].notna()]
    if len(seen):
        smallest = seen["smallest_diverged"].min()
        first = seen[seen["smallest_diverged"] == smallest]
        names, limit = first["architecture"].tolist(), first["predicted_limit"].min()
        expected = f"; theory puts the limit at {limit:.3g} or a little lower" if pd.notna(limit) else ""
        yield f"Training diverged from lambda {smallest:.3g} on (at {_listed(names)}){expected}."
        if (seen["diverged_share_at_zero"] > 0).any():
            yield "Some of these diverge at lambda 0 too: the penalty is not why."
    collapsed = stability["smallest_collapsed"].dropna()
    if len(collapsed):
        low, high = collapsed.min(), collapsed.max()
        span = f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}, by network,"
        yield f"From lambda {span} on networks collapse to guessing."


def _sizes(scaling: pd.DataFrame) -> Iterator[str]:
    """How the best lambda goes with the training-set size, where there are several."""
    for row in scaling[scaling["against"] == "train_size"].to_dict("records"):
        several = scaling["learning_rate"].nunique() > 1
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
    if mechanism.empty:
        return
    absolute, squared = (
        mechanism[f"{name}_start_exponent"].iloc[0] for name in ("sum_abs_weights", "sum_squared_weights")
    )
    if pd.notna(absolute) and pd.notna(squared):
        yield f"Before training Σ|w| grows as N^{absolute:.2f} and Σw² as N^{squared:.2f}, N the penalised weights."


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
