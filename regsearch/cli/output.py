"""What the commands print: tables for people, JSON for scripts, both on stdout."""

import json
import math
import shutil
import sys
import textwrap
from collections.abc import Container, Hashable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import pandas as pd

    from regsearch.grid import Architecture, Size
    from regsearch.report import Snapshot
    from regsearch.runner import Plan
    from regsearch.study import Outcome


def format_number(value: Any) -> str:
    """A number with three digits, nothing for none."""
    return "" if value is None or math.isnan(value) else f"{value:.3g}"


def print_table(header: list[str], rows: list[list[Any]], text: Container[str] = ()) -> None:
    """Prints a table. Its cells are never folded or cut; its headings fold on a terminal that is too narrow.

    Args:
        header: the columns' headings.
        rows: a cell for each; None stays empty.
        text: columns that hold text and so stand left, besides the first.
    """
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.measure import Measurement
    from rich.table import Table

    console = Console()
    for separator in (" ", "\n"):
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for index, name in enumerate(header):
            left = index == 0 or name in text
            table.add_column(name.replace(" ", separator), justify="left" if left else "right", no_wrap=True)
        for row in rows:
            table.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
        width = Measurement.get(console, console.options.update(max_width=10_000), table).maximum
        if width <= console.width or not console.is_terminal:
            break
    console.width = max(console.width, width)
    with console.capture() as printed:  # Rich would end the process by itself where stdout has no reader
        console.print(table)
    click.echo(printed.get(), nl=False)


def print_sentences(paragraphs: Iterable[str]) -> None:
    """Prints paragraphs, on a terminal folded between words, elsewhere a line each."""
    for paragraph in paragraphs:
        if sys.stdout.isatty():
            paragraph = textwrap.fill(paragraph, shutil.get_terminal_size().columns) + "\n"
        click.echo(paragraph)


def print_json(value: Any) -> None:
    """Prints JSON that any parser takes."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # a name that is no text, or a terminal that lacks a character
        text = json.dumps(value, indent=2, allow_nan=False)
    click.echo(text)


def list_architectures(sizes: "dict[Architecture, Size]") -> list[dict[str, Any]]:
    """Each architecture with its weight counts, for JSON."""
    return [
        {
            "architecture": architecture.name,
            "width": architecture.width,
            "trainable_weights": size.weights,
            "penalised_weights": size.penalised,
        }
        for architecture, size in sizes.items()
    ]


def print_plan(plan: "Plan") -> None:
    """Prints a plan: a row an architecture, then the whole."""
    from regsearch.runner import format_bytes

    print_table(
        ["architecture", "weights", "penalised", "trials", "finished", "populations", "members", "memory", "seconds"],
        [
            [
                row.architecture.name, row.size.weights, row.size.penalised, row.trials, row.finished,
                row.populations, row.members, format_bytes(row.memory),
                "" if row.seconds is None else f"{row.seconds:.0f}",
            ]
            for row in plan.rows
        ],
    )  # fmt: skip
    for sentence in plan.words:
        click.echo(sentence)


def describe_plan(plan: "Plan") -> dict[str, Any]:
    """A plan for scripts; what was not measured, as nothing is missing, is null."""
    seconds = plan.seconds
    sizes = {row.architecture: row.size for row in plan.rows}
    rows = [
        {
            **named,
            **{name: getattr(row, name) for name in ("trials", "finished", "populations", "members")},
            "memory_bytes": row.memory,
            "train_seconds": row.seconds,
        }
        for named, row in zip(list_architectures(sizes), plan.rows, strict=True)
    ]
    return {
        "trials": plan.trials,
        "finished": plan.finished,
        "missing": plan.trials - plan.finished,
        "populations": plan.populations,
        "workers": plan.workers,
        "device": plan.device,
        "memory_bytes_per_worker": plan.memory,
        "seconds": seconds and seconds.total,
        "overhead_seconds": seconds and seconds.overhead,
        "compile_seconds": seconds and seconds.compile,
        "train_seconds": seconds and seconds.train,
        "architectures": rows,
        "detectable_exponent": None if math.isnan(plan.detectable) else plan.detectable,
        "scatter": plan.scatter,
        "scatter_assumed": plan.assumed,
    }


def print_summary(report: "Snapshot") -> None:
    """Prints the best lambdas as they stand in `best_lambda.csv`."""
    table = report.tables.best_lambda
    if table.empty:
        click.echo("No network has finished yet, or all diverged: there is no best lambda.", err=True)
        return
    axes = [name for name in ("learning_rate", "train_size") if table[name].nunique() > 1]
    rows = [[row[name] for name in ("architecture", "trainable_weights", *axes, "penalty", "status")]
            + [_tell_best(row), f"{format_number(row['test_loss'])} ({format_number(row['test_loss_at_zero'])})"]
            for row in table.to_dict("records")]  # fmt: skip
    named = [name.replace("_", " ") for name in axes]
    header = ["architecture", "weights", *named, "penalty", "status", "best lambda (95 %)", "test loss (at 0)"]
    print_table(header, rows)
    print_sentences(report.verdict)


def _tell_best(row: dict[Hashable, Any]) -> str:
    best, low, high = (format_number(row[f"best_lambda{end}"]) for end in ("", "_low", "_high"))
    return f"{best} ({low} to {high})" if best else f"near {format_number(row['best_grid_lambda'])}"


def print_studies(studies: "pd.DataFrame") -> None:
    """Prints how lambda goes with the weights in each of several studies."""
    rows = [
        [
            row["study"], row["penalty"], row["learning_rate"], row["train_size"], row["points"], row["verdict"],
            "" if math.isnan(row["exponent"]) else f"{row['exponent']:.2f}",
            f"{format_number(row['exponent_low'])} to {format_number(row['exponent_high'])}",
        ]
        for row in studies.to_dict("records")
    ]  # fmt: skip
    header = ["study", "penalty", "learning rate", "train size", "networks", "verdict", "exponent", "95 %"]
    print_table(header, rows, text=["penalty", "verdict"])


def print_datasets(rows: list[dict[str, Any]]) -> None:
    """Prints the datasets that a spec may name."""
    header = ["name", "image", "classes", "images", "test images", "source"]
    columns = ("name", "image", "classes", "images", "test_images", "source")
    shown = [{**row, "image": "×".join(map(str, row["image"] or ()))} for row in rows]
    cells = [[row[column] for column in columns] for row in shown]
    print_table(header, cells, text=["source"])


def print_closing(outcome: "Outcome", results: Path) -> None:
    """Says, on stderr, what a run did and where its results are."""
    done = f"trained {outcome.trained}" if outcome.trained else "nothing was missing, so nothing was trained"
    tables = f"The tables in {results}/ are written already."
    if outcome.report:
        tables = f"Results are in {results}/"
    elif outcome.untried:
        done = done.replace("nothing was missing", "nothing of this shard was missing")
        tables = (
            f"{outcome.untried} are left to other shards, the last of which writes the tables to {results}/. "
            "(If all have ended, submit them again: one was stopped, or the grid grew.)"
        )
    click.echo(f"{outcome.total} in the grid: {done}. {tables}", err=True)
