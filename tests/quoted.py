"""The README's tables of the study, made from its committed results.

python tests/quoted.py        writes them into README.md
"""

from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parent.parent
README, STUDY = ROOT / "README.md", ROOT / "results" / "reference" / "study"


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
        "| architecture | trainable_weights | best_lambda | best_lambda_low | best_lambda_high | status | test_loss "
        "| test_loss_at_zero | test_accuracy |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in table.to_dict("records"):
        numbers = [f"{row[name]:.3g}" for name in ("best_lambda", "best_lambda_low", "best_lambda_high")]
        scores = [f"{row[name]:.3f}" for name in ("test_loss", "test_loss_at_zero", "test_accuracy")]
        cells = [row["architecture"], str(row["trainable_weights"]), *numbers, row["status"], *scores]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


TABLES = {"exponents": exponents, "best": best}


def written_into(text):
    """The README with the tables in place."""
    for name, made in TABLES.items():
        start, end = f"<!-- {name}: made by tests/quoted.py -->\n", f"<!-- /{name} -->\n"
        before, rest = text.split(start)
        text = before + start + "\n" + made() + "\n" + end + rest.split(end)[1]
    return text


def _end(row, side):
    value = row[f"exponent_{side}"]
    return "…" if pd.isna(value) else f"{value:.2f}"


if __name__ == "__main__":
    README.write_text(written_into(README.read_text()))
