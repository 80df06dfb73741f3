"""Several studies side by side: a folder of results folders → one table, one figure and one page of all."""

import os
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from regsearch import ledger, surroundings
from regsearch.report import views
from regsearch.report.csv import write_csv
from regsearch.report.figures.gallery import draw_picture
from regsearch.report.page import describe_table, embed, render, split_head
from regsearch.report.views import FIGURES, PAGE, Snapshot

STUDIES = "studies.csv"
_COLUMNS = (
    "study", "optimizer", "penalty", "learning_rate", "train_size", "points", "censored", "exponent", "exponent_low",
    "exponent_high", "aicc_constant", "aicc_inverse", "aicc_free", "verdict",
)  # fmt: skip


class Overview(NamedTuple):
    """What was rebuilt: each study's snapshot, and the table of all."""

    snapshots: dict[str, Snapshot]
    studies: pd.DataFrame


def find_studies(folder: Path) -> list[Path]:
    """The results folders right inside a folder that is none itself."""
    if (folder / ledger.STUDY).exists() or not folder.is_dir():
        return []
    studies = sorted(path.parent for path in folder.glob(f"*/{ledger.STUDY}"))
    return [path for path in studies if not ledger.MOVED_ASIDE.search(path.name)]


def write(folder: Path, xlsx: bool = False) -> Overview:
    """Rebuilds every study of a folder, and what shows them side by side.

    Args:
        folder: a folder of results folders; see `find_studies`.
        xlsx: see `views.write`.

    Raises:
        ResultsError: one of them is damaged, or cannot be written.
    """
    surroundings.import_apart("matplotlib")
    from regsearch.report.figures import exponents

    studies = {}
    for path in find_studies(folder):
        with ledger.hold(path, ledger.BRIEFLY):
            studies[_name(path)] = views.write(views.read(path), xlsx)
    table = _make_table(studies)
    picture = draw_picture("exponents", exponents.draw, exponents.find_points(table))
    with ledger.hold(folder, ledger.BRIEFLY):
        write_csv(folder / STUDIES, table)
        views.write_figures(folder / FIGURES, picture, ["exponents"])
        page = render(
            "overview.html",
            name=_name(folder.resolve()),
            verdicts={name: split_head(snapshot.verdict) for name, snapshot in studies.items()},
            pictures=[embed(each, number) for number, each in enumerate(picture, start=1)],
            table=describe_table("studies", table),
            specs={name: snapshot.spec.text for name, snapshot in studies.items()},
        )
        ledger.write_text(folder / PAGE, page)
    return Overview(studies, table)


def _name(folder: Path) -> str:
    r"""A folder's name; `\xff` stands for a byte of it that is no text."""
    return os.fsencode(folder.name).decode("utf-8", errors="backslashreplace")


def _make_table(studies: dict[str, Snapshot]) -> pd.DataFrame:
    """Of each study's table of scaling, the rows against the trainable weights."""
    tables = [
        snapshot.tables.scaling.assign(study=name, optimizer=snapshot.spec.training.optimizer.kind)
        for name, snapshot in studies.items()
    ]
    whole = pd.concat(tables, ignore_index=True)
    rows = whole[(whole["against"] == "trainable_weights") & whole["train_size"].notna()]  # no joint fits over sizes
    order = rows.sort_values(["study", "penalty", "learning_rate", "train_size"], kind="stable", ignore_index=True)
    return order[list(_COLUMNS)].astype({"train_size": "int64"})
