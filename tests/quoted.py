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
            f"{row[claim]} {claim}"
            for claim in ("constant", "inverse", "power", "bent", "undetermined")
            if row[claim]
        ]
        numbers = (
            f"{row['mean_exponent']:.2f} | {row['bias']:+.3f} | {row['spread']:.2f} | {100 * row['coverage']:.1f} %"
        )
        rows.append(f"| {row['planted_exponent']} | {row['draws']} | {numbers} | {', '.join(verdicts)} |")
    return "\n".join(rows) + "\n"


def networks():
    """How often the interval of a best lambda holds it on made-up curves, and how wide it is."""
    return _by_cell("networks", "curves", lambda row: f"{_share(row['coverage'])}, {row['median_decades']:.2f}")


def studies():
    """How often the interval of an exponent holds it in made-up studies, and how wide it is."""
    table = pd.read_csv(CALIBRATION / "made_up_studies.csv")
    table = table[(table["grid"] == "whole") & (table["bend"] == 0)]
    rows = [
        "| exponent of | widths | seeds' own slopes | cells | 95 % interval holds it | least | median width | wrong claim |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (against, widths, slopes), group in table.groupby(["against", "widths", "slopes"]):
        wrong = group["constant"].where(group["exponent"] == -1, 0) + group["inverse"].where(
            group["exponent"] == 0, 0
        )
        claimable = group.loc[group["exponent"].isin([0, -1]), "studies"].sum()
        cells = (
            {"penalised_weights": "N", "train_size": "n"}[against], str(widths), f"{slopes:g}", str(len(group)),
            _share(group["coverage"].mean()), _share(group["coverage"].min()), f"{group['median_width'].mean():.2f}",
            _share(wrong.sum() / claimable),
        )  # fmt: skip
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def gains():
    """How often a gain over lambda 0 is claimed."""
    return _by_cell("gains", "gain", lambda row: _share(row["claimed"]))


def _by_cell(name, key, write):
    """A row for each value of the key, a column for each number of seeds and lambdas a decade."""
    table = pd.read_csv(CALIBRATION / f"made_up_{name}.csv")
    cells = list(table.groupby(["seeds", "per_decade"]).groups)
    rows = [
        f"| {key} | {' | '.join(f'{seeds} seeds, {per_decade} a decade' for seeds, per_decade in cells)} |",
        "|---" * (1 + len(cells)) + "|",
    ]
    for value, group in table.groupby(key, sort=False):
        by_cell = group.set_index(["seeds", "per_decade"])
        rows.append(f"| {value} | {' | '.join(write(by_cell.loc[cell]) for cell in cells)} |")
    return "\n".join(rows) + "\n"


TABLES = {
    ROOT / "README.md": [best],
    STUDY / "README.md": [exponents, transfer],
    CALIBRATION / "README.md": [planted, networks, studies, gains],
}


def written_into(document):
    """The document's text with its tables in place."""
    text = document.read_text()
    for make in TABLES[document]:
        start, end = f"<!-- {make.__name__}: made by tests/quoted.py -->\n", f"<!-- /{make.__name__} -->\n"
        before, rest = text.split(start)
        text = before + start + "\n" + make() + "\n" + end + rest.split(end)[1]
    return text


def _share(value):
    return f"{100 * value:.1f} %"


def _end(row, side):
    value = row[f"exponent_{side}"]
    return "…" if pd.isna(value) else f"{value:.2f}"


if __name__ == "__main__":
    for document in TABLES:
        document.write_text(written_into(document))
