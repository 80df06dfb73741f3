"""Several studies side by side: a folder of results folders → one table, one figure and one page over theirs."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from regsearch import ledger
from regsearch.report import build
from regsearch.report.build import FIGURES, PAGE, Report
from regsearch.report.csv import write_csv
from regsearch.report.figures import exponents
from regsearch.report.figures.canvas import saved, styled
from regsearch.report.figures.gallery import Picture
from regsearch.report.page import overview

STUDIES = "studies.csv"
_COLUMNS = (
    "study", "optimizer", "penalty", "learning_rate", "train_size", "points", "censored", "exponent", "exponent_low",
    "exponent_high", "aicc_constant", "aicc_inverse", "aicc_free", "verdict",
)  # fmt: skip


@dataclass(frozen=True)
class Overview:
    """What was rebuilt: each study's report, and the table of all."""

    reports: dict[str, Report]
    studies: pd.DataFrame


def inside(results: Path) -> list[Path]:
    """The results folders right inside a folder that is none itself."""
    if (results / ledger.STUDY).exists() or not results.is_dir():
        return []
    found = sorted(path.parent for path in results.glob(f"*/{ledger.STUDY}"))
    return [path for path in found if not ledger.MOVED_ASIDE.search(path.name)]


def write(results: Path, xlsx: bool = False) -> Overview:
    """Rebuilds every study of a folder, and what shows them side by side.

    Args:
        results: a folder of results folders; see `inside`.
        xlsx: see `build.write`.

    Raises:
        ResultsError: one of them is damaged, or cannot be written.
    """
    reports, optimizers, specs = {}, {}, {}
    for path in inside(results):
        with ledger.hold(path, ledger.BRIEFLY):
            reports[path.name] = build.write(build.read(path), xlsx)
        spec = ledger.read_spec(path)
        optimizers[path.name], specs[path.name] = spec.training.optimizer.kind, spec.text
    table = _studies(reports, optimizers)
    pictures = []
    if (found := exponents.points(table)) is not None:
        with styled():
            pictures = [Picture("exponents", "exponents", found.title, saved(exponents.draw(found)))]
    words = {name: report.verdict for name, report in reports.items()}
    with ledger.hold(results, ledger.BRIEFLY):
        write_csv(results / STUDIES, table)
        build.write_figures(results / FIGURES, pictures, {"exponents"})
        ledger.write_text(results / PAGE, overview(results.resolve().name, words, pictures, table, specs))
    return Overview(reports, table)


def _studies(reports: dict[str, Report], optimizers: dict[str, str]) -> pd.DataFrame:
    """Of each study's table of scaling, the rows against the trainable weights."""
    found = []
    for name, report in reports.items():
        rows = report.tables.scaling
        rows = rows[(rows["against"] == "trainable_weights") & rows["train_size"].notna()]  # no joint fits over sizes
        found.append(rows.assign(study=name, optimizer=optimizers[name]))
    whole = pd.concat(found, ignore_index=True)
    order = whole.sort_values(["study", "penalty", "learning_rate", "train_size"], kind="stable", ignore_index=True)
    return order[list(_COLUMNS)].astype({"train_size": "int64"})
