"""Everything that a study says → one page that needs nothing else."""

import base64
import hashlib
import html
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from regsearch.report.figures.gallery import KINDS, Picture

if TYPE_CHECKING:
    from markupsafe import Markup

MAIN = "best_lambda"
"""The kind of figure, and the tables, that are not folded."""
ABOUT = {
    "best_lambda": "The best lambda of each network, chosen by validation loss, with its 95 % interval and a status.",
    "scaling": "How the best lambda goes with the weight count: best lambda ∝ N^exponent.",
    "transfer": "What the lambda chosen on one network by validation loss costs on another, in test loss.",
    "stability": "From which lambda on training diverged or collapsed, and what theory predicts.",
    "mechanism": "The sums of the weights and the penalty's share of the loss, before and after training.",
    "response": "Means over seeds at every lambda, and standard errors of their differences to the best lambda.",
    "calibration": "How well the planted exponent is found.",
    "studies": "How the best lambda goes with the weight count in each study: best lambda ∝ N^exponent.",
}
OPEN = ("best_lambda", "scaling")


def render_study(
    name: str,
    verdict: Sequence[str],
    doubts: Sequence[str],
    pictures: Sequence[Picture],
    tables: Mapping[str, pd.DataFrame],
    facts: Mapping[str, Any],
    spec: str,
) -> str:
    """The HTML of a study's page; every text in it is escaped.

    Args:
        name: the study's.
        verdict: in words, a paragraph each.
        doubts: what to doubt, a sentence each.
        pictures: the figures.
        tables: by name.
        facts: of `study.json`.
        spec: the spec's text.
    """
    numbered = list(enumerate(pictures, start=1))
    by_kind = {kind: [embed(each, number) for number, each in numbered if each.kind == kind.name] for kind in KINDS}
    described = {title: describe_table(title, table) for title, table in tables.items()}
    return render(
        "page.html",
        name=name,
        verdict=split_head(verdict),
        doubts=doubts,
        main=[picture for kind, shown in by_kind.items() if kind.name == MAIN for picture in shown],
        further=[(kind.title, shown) for kind, shown in by_kind.items() if kind.name != MAIN and shown],
        tables=[table for title, table in described.items() if title in OPEN],
        folded=[table for title, table in described.items() if title not in OPEN],
        facts=_describe_facts({key: value for key, value in facts.items() if key != "runs"}),
        runs=[_describe_facts(run) for run in facts.get("runs", [])],
        spec=spec,
    )


def render_notebook(
    summary: str, verdict: Sequence[str], doubts: Sequence[str], tables: Mapping[str, pd.DataFrame]
) -> str:
    """What a notebook shows of a study, as HTML; every text in it is escaped.

    Args:
        summary: which study it is.
        verdict: see `render_study`.
        doubts: likewise.
        tables: likewise; those are shown that are open there, without columns that are empty.
    """
    filled = {name: table.dropna(axis="columns", how="all") for name, table in tables.items() if name in OPEN}
    described = [describe_table(name, table) for name, table in filled.items()]
    return render("notebook.html", summary=summary, verdict=split_head(verdict), doubts=doubts, tables=described)


def render(template: str, **values: Any) -> str:
    """A page's HTML; every text in it is escaped. In names of files, which need not be text, `?` is what is none."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    here = FileSystemLoader(Path(__file__).parent)
    pages = Environment(loader=here, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    pages.filters["hash"] = _hash
    return pages.get_template(template).render(**values).encode(errors="replace").decode()


def _hash(script: str) -> str:
    """What a browser holds a script against that the page's policy allows."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode('ascii')}"


def split_head(paragraphs: Sequence[str]) -> list[tuple[str, str, str]]:
    """What stands before a paragraph's first colon, the colon, and the rest."""
    return [text.partition(": ") for text in paragraphs]


def embed(picture: Picture, number: int) -> "Markup":
    """A picture as the pages show it, the only part of them not escaped here: Matplotlib escaped every text in it.

    Args:
        picture: the figure.
        number: another for each figure of a page, so that no two have an id in common.

    Returns:
        Markup.
    """
    from markupsafe import Markup

    svg = picture.files["svg"].decode()
    name = html.escape(" ".join(picture.title.split()))
    svg = re.sub(r' (?:xmlns(?::xlink)?|width|height)="[^"]*"', "", svg, count=4)
    svg = re.sub(r'( id="|url\(#| href="#)', rf"\g<1>f{number}-", svg.replace(" xlink:href=", " href="))
    return Markup(svg.replace("<svg", f'<svg role="img" aria-label="{name}"', 1).strip())


def describe_table(name: str, table: pd.DataFrame) -> dict[str, Any]:
    """A table as the pages show it: what it is about, its columns with whether they hold numbers, its cells.

    Which columns hold words is said once, in `words`, for the style: saying it in each cell is a third of a page.
    """
    numbers = [pd.api.types.is_numeric_dtype(table[title]) for title in table.columns]
    return {
        "name": name,
        "about": ABOUT[name],
        "columns": list(zip(table.columns, numbers, strict=True)),
        "words": [place for place, number in enumerate(numbers, start=1) if not number],
        "rows": [[write_cell(value) for value in row] for row in table.itertuples(index=False)],
    }


def write_cell(value: Any) -> str:
    """A cell: whole numbers in full, others with four digits, nothing where there is no value."""
    if pd.isna(value):
        return ""
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)


def write_fact(value: Any) -> str:
    """A fact in words: the parts of lists and mappings in one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {write_fact(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return " ".join(write_fact(part) for part in value)
    return "" if value is None else str(value)


def _describe_facts(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(key, text) for key, value in facts.items() if (text := write_fact(value))]
