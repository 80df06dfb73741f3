"""The documents' tables of results, made from those that are committed.

python tests/quoted.py        writes them into the documents
"""

from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "results" / "reference"
STUDY, CALIBRATION = REFERENCE / "study", REFERENCE / "calibration"


def exponents():
    """How the best lambda goes with the weights in each part of the study."""
    table = pd.read_csv(STUDY / "studies.csv")
    rows = [
        "| optimizer | penalty | learning rate | training images | exponent of N (95 % interval) | verdict |",
        "|---|---|---|---|---|---|",
    ]
    for row in table.to_dict("records"):
        fit = (
            "no fit"
            if pd.isna(row["exponent"])
            else f"{row['exponent']:.2f} ({_end(row, 'low')} to {_end(row, 'high')})"
        )
        rows.append(
            f"| {row['optimizer']} | {row['penalty']} | {row['learning_rate']:g} | {row['train_size']} | {fit} "
            f"| {row['verdict']} |"
        )
    return "\n".join(rows) + "\n"


def best():
    """The best lambdas of one part, some of the columns."""
    table = pd.read_csv(STUDY / "sgd" / "best_lambda.csv")
    table = table[(table["penalty"] == "l2") & (table["train_size"] == 500)]
    rows = [
        "| architecture | trainable_weights | best_lambda | status | test_loss | test_loss_at_zero |",
        "|---|---|---|---|---|---|",
    ]
    for row in table.to_dict("records"):
        scores = [f"{row[name]:.3f}" for name in ("test_loss", "test_loss_at_zero")]
        cells = [
            row["architecture"],
            str(row["trainable_weights"]),
            f"{row['best_lambda']:.3g}",
            row["status"],
            *scores,
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def transfer():
    """What the smallest network's lambda costs on the widest, in each setting of the largest part."""
    table = pd.read_csv(STUDY / "sgd" / "transfer.csv")
    pair = table[(table["tuned_on"] == "w2") & (table["used_on"] == "w56")]
    rows = ["| penalty | training images | as it is | divided by the weights |", "|---|---|---|---|"]
    for (penalty, size), group in pair.groupby(["penalty", "train_size"]):
        costs = group.set_index("rule")
        cells = [
            f"{costs.at[rule, 'regret']:.2f} ± {costs.at[rule, 'regret_se']:.2f}" for rule in ("same", "inverse")
        ]
        rows.append(f"| {penalty} | {size} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def planted():
    """How well the exponent of planted data is found."""
    rows = [
        "| planted exponent | studies | mean found | bias | spread | 95 % interval holds it | verdicts |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in ("proportional", "constant", "inverse"):
        (row,) = pd.read_csv(CALIBRATION / name / "calibration.csv").to_dict("records")
        verdicts = [
            f"{row[claim]} {claim}" for claim in ("constant", "inverse", "power", "undetermined") if row[claim]
        ]
        numbers = (
            f"{row['mean_exponent']:.2f} | {row['bias']:+.3f} | {row['spread']:.2f} | {100 * row['coverage']:.1f} %"
        )
        rows.append(f"| {row['planted_exponent']} | {row['draws']} | {numbers} | {', '.join(verdicts)} |")
    return "\n".join(rows) + "\n"


def made_up():
    """How well the analyses find the exponent of made-up curves."""
    kinds = {"whole": "whole grids", "edge": "grids that end too early", "weak": "penalties that gain little"}
    rows = [
        "| studies | networks | optima known only as bounds | 95 % interval holds 0 | holds -1 | the wrong claim | undetermined |",
        "|---|---|---|---|---|---|---|",
    ]
    table = pd.read_csv(CALIBRATION / "made_up.csv")
    for (kind, networks), group in table.groupby(["studies", "networks"], sort=False):
        by_truth = group.set_index("planted_exponent")
        wrong = by_truth.at[0, "inverse"] + by_truth.at[-1, "constant"]
        shares = (
            group["censored_share"].mean(), by_truth.at[0, "coverage"], by_truth.at[-1, "coverage"],
            wrong / group["draws"].sum(), group["undetermined"].sum() / group["draws"].sum(),
        )  # fmt: skip
        rows.append(f"| {kinds[kind]} | {networks} | {' | '.join(f'{100 * share:.0f} %' for share in shares)} |")
    return "\n".join(rows) + "\n"


TABLES = {
    ROOT / "README.md": [best],
    STUDY / "README.md": [exponents, transfer],
    CALIBRATION / "README.md": [planted, made_up],
}


def written_into(document):
    """The document's text with its tables in place."""
    text = document.read_text()
    for make in TABLES[document]:
        start, end = f"<!-- {make.__name__}: made by tests/quoted.py -->\n", f"<!-- /{make.__name__} -->\n"
        before, rest = text.split(start)
        text = before + start + "\n" + make() + "\n" + end + rest.split(end)[1]
    return text


def _end(row, side):
    value = row[f"exponent_{side}"]
    return "…" if pd.isna(value) else f"{value:.2f}"


if __name__ == "__main__":
    for document in TABLES:
        document.write_text(written_into(document))
