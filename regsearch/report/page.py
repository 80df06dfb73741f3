"""Everything found in a study → one page that needs nothing else."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from regsearch.report.figures.gallery import KINDS, Picture

if TYPE_CHECKING:
    from jinja2 import Template

MAIN = "best_lambda"
"""The kind of figure, and the tables, that are not folded."""
ABOUT = {
    "best_lambda": "The best lambda of each network, by validation loss, with its 95 % interval and a status.",
    "scaling": "How the best lambda goes with the weight count: best lambda ∝ N^exponent.",
    "transfer": "What the lambda tuned on one network costs on another, in test loss.",
    "stability": "From which lambda on training diverged or collapsed, and what theory predicts.",
    "mechanism": "The sums of the weights and the penalty's share of the loss, before and after training.",
    "response": "Means over seeds and their paired standard errors at every lambda.",
    "calibration": "How well the planted exponent is found.",
    "studies": "How the best lambda goes with the weight count in each study: best lambda ∝ N^exponent.",
}
OPEN = ("best_lambda", "scaling")


def page(
    name: str,
    verdict: Sequence[str],
    doubts: Sequence[str],
    pictures: Sequence[Picture],
    tables: Mapping[str, pd.DataFrame],
    facts: Mapping[str, Any],
    spec: str,
) -> str:
    """The page's HTML; every text in it is escaped.

    Args:
        name: the study's.
        verdict: in words, a paragraph each.
        doubts: what to doubt, a sentence each.
        pictures: the figures.
        tables: by name.
        facts: of `study.json`.
        spec: the spec's text.
    """
    shown = [_figure(picture) for picture in pictures]
    return _template("page.html").render(
        name=name,
        verdict=[text.partition(": ") for text in verdict],
        doubts=doubts,
        main=[one for one in shown if one["kind"] == MAIN],
        further=[
            (title, [one for one in shown if one["kind"] == kind])
            for kind, title in KINDS.items()
            if kind != MAIN and any(one["kind"] == kind for one in shown)
        ],
        tables=[_table(title, table) for title, table in tables.items() if title in OPEN],
        folded=[_table(title, table) for title, table in tables.items() if title not in OPEN],
        facts=_facts({key: value for key, value in facts.items() if key != "runs"}),
        runs=[_facts(run) for run in facts.get("runs", [])],
        spec=spec,
    )


def overview(
    name: str,
    verdicts: Mapping[str, Sequence[str]],
    pictures: Sequence[Picture],
    studies: pd.DataFrame,
    specs: Mapping[str, str],
) -> str:
    """The page over several studies; every text in it is escaped.

    Args:
        name: of the folder.
        verdicts: in words, by study, a paragraph each.
        pictures: the figures.
        studies: their table.
        specs: each spec's text.
    """
    return _template("overview.html").render(
        name=name,
        verdicts={study: [text.partition(": ") for text in texts] for study, texts in verdicts.items()},
        pictures=[_figure(picture) for picture in pictures],
        table=_table("studies", studies),
        specs=specs,
    )


def _template(name: str) -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def flat(value: Any) -> str:
    """A fact in words: the parts of lists and mappings in one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {flat(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return " ".join(flat(part) for part in value)
    return "" if value is None else str(value)


def _facts(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(key, text) for key, value in facts.items() if (text := flat(value))]


def _figure(picture: Picture) -> dict[str, Any]:
    data = base64.b64encode(picture.files["svg"]).decode("ascii")
    return {
        "kind": picture.kind,
        "title": picture.title,
        "file": picture.file,
        "source": f"data:image/svg+xml;base64,{data}",
    }


def _table(name: str, table: pd.DataFrame) -> dict[str, Any]:
    return {
        "name": name,
        "about": ABOUT[name],
        "columns": [(title, _is_number(table[title])) for title in table.columns],
        "rows": [[written(value) for value in row] for row in table.itertuples(index=False)],
    }


def _is_number(column: "pd.Series[Any]") -> bool:
    return bool(pd.api.types.is_numeric_dtype(column))


def written(value: Any) -> str:
    """A cell: whole numbers in full, others with four digits, nothing where there is no value."""
    if value is None or value is pd.NA or value != value:
        return ""
    if isinstance(value, float | np.floating):
        return f"{value:.4g}"
    return str(value)
