"""The commands: what is asked for on the command line → the library → what is printed."""

import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from regsearch.cli import output
from regsearch.cli.interrupt import StopSignals
from regsearch.cli.options import JSON, OUT, QUIET, RESULTS, SPEC, XLSX, settings_anywhere, settings_here
from regsearch.cli.program import Commands, show_warnings

if TYPE_CHECKING:
    from regsearch.runner import Settings

log = logging.getLogger(__name__)

SOME_FAILED = 5


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="regsearch")
def main() -> None:
    """Finds, by experiment, whether the best L1/L2 lambda depends on how many weights a network has.

    Example: regsearch run configs/smoke.yaml
    """
    show_warnings()
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever the user's Keras computes with in other programs


@main.command()
@click.argument("path", type=click.Path(path_type=Path), default="study.yaml")
def init(path: Path) -> None:
    """Writes a commented starter spec to PATH (study.yaml), which runs as it stands.

    Example: regsearch init my_study.yaml
    """
    from regsearch.spec import write_starter

    write_starter(path)
    click.echo(f"{path}: written. Next: regsearch check {path}", err=True)


@main.command()
@SPEC
@JSON
def check(path: Path, as_json: bool) -> None:
    """Validates a spec and prints weight counts and what it sees of the data; trains and downloads nothing.

    Example: regsearch check configs/digits.yaml
    """
    from regsearch import data, grid
    from regsearch.spec import Spec

    spec = data.resolve_path(Spec.load(path))
    facts = data.describe(spec)
    summary = data.summarise(spec, facts)
    warnings = [*spec.oddities, *summary.warnings]
    for warning in warnings:
        log.warning("%s", warning)
    rows = output.list_architectures(grid.measure(spec, facts))
    trials = len(grid.make_cells(spec, "population", facts.content))
    if as_json:
        named = {"spec": str(path), "name": spec.name, "dataset": spec.dataset.name, "trials": trials}
        seen = {**summary.facts, "warnings": warnings}
        output.print_json({**named, "architectures": rows, "data": seen})
        return
    header = ["architecture", "width", "trainable weights", "penalised weights"]
    output.print_table(header, [list(row.values()) for row in rows])
    click.echo(f"{spec.dataset.name}: {summary.words}")
    click.echo(f"{path}: valid; {trials} trials on {spec.dataset.name}")


@main.command()
@SPEC
@OUT
@settings_here
@JSON
@click.pass_obj
def plan(
    signals: StopSignals, path: Path, out: Path | None, make_settings: "Callable[[], Settings]", as_json: bool
) -> None:
    """Prints what a run would train, in what memory, and about how long it would take on this machine.

    The time comes from training a few small populations for some seconds, in the workers that the run would use.

    Example: regsearch plan configs/digits.yaml
    """
    started = time.perf_counter()
    from regsearch.spec import Spec

    spec = Spec.load(path)
    from regsearch import runner

    folder, settings = out or spec.folder, make_settings()
    planned = runner.make_plan(spec, folder, settings, started, signals)
    if as_json:
        named = {"spec": str(path), "name": spec.name, "dataset": spec.dataset.name, "results": str(folder)}
        output.print_json({**named, "engine": settings.engine, **output.describe_plan(planned)})
    else:
        output.print_plan(planned)


@main.command()
@SPEC
@OUT
@settings_anywhere
@click.option("--fresh", is_flag=True, help="Move what is in the results folder aside, and train everything.")
@XLSX
@QUIET
@click.pass_obj
def run(
    signals: StopSignals,
    path: Path,
    out: Path | None,
    make_settings: "Callable[[], Settings]",
    fresh: bool,
    xlsx: bool,
    quiet: bool,
) -> None:
    """Trains what is missing of a study, then writes its tables, figures and page; run again to resume.

    Example: regsearch run configs/digits.yaml

    Job arrays, clusters and GPUs: regsearch/runner/README.md
    """
    if quiet:
        show_warnings(quiet)
    from regsearch.spec import Spec

    spec = Spec.load(path)
    from regsearch import study
    from regsearch.cli.display import make_reporter

    folder, progress = out or spec.folder, make_reporter(quiet)
    try:
        outcome = study.run(spec, folder, make_settings(), progress, signals, fresh=fresh, xlsx=xlsx)
    finally:
        progress.stop()
    if not quiet:
        if outcome.report:
            output.print_summary(outcome.report)
        output.print_closing(outcome, folder)
    if outcome.failed:
        click.echo(f"regsearch: {outcome.describe_failures()}", err=True)
        sys.exit(SOME_FAILED)


@main.command()
@SPEC
@OUT
@click.option("--shards", type=click.IntRange(1, 10_000), help="An array of so many shards.  [default: 8]")
@click.option("--workers", type=click.IntRange(1, 10_000), help="So many Dask workers under one driver instead.")
def slurm(path: Path, out: Path | None, shards: int | None, workers: int | None) -> None:
    """Prints a batch script for Slurm, complete but for what only you know of your site.

    Example: regsearch slurm configs/digits.yaml --shards 8 > digits.sbatch

    Job arrays, clusters and GPUs: regsearch/runner/README.md
    """
    if shards and workers:
        raise click.UsageError("expected either --shards, for a job array, or --workers, for Dask.")
    from regsearch.spec import Spec

    spec = Spec.load(path)
    from regsearch import data, runner

    kind: Literal["array", "workers"] = "workers" if workers else "array"
    folder, count = out or spec.folder, workers or shards or 8
    spec = data.resolve_path(spec)
    click.echo(runner.write_script(spec, data.describe(spec), path, folder, kind, count), nl=False)


@main.command()
@RESULTS
@XLSX
@click.option("--keras-tuner", is_flag=True, help="Write keras_tuner/ too: a folder and a file a trial.")
@QUIET
def report(folder: Path, xlsx: bool, keras_tuner: bool, quiet: bool) -> None:
    """Rebuilds the tables, figures and page of a results folder from its ledger; trains nothing.

    Of a folder of results folders it rebuilds all, and a page that shows them side by side.

    Example: regsearch report results/smoke
    """
    from regsearch import ledger
    from regsearch import report as views

    if quiet:
        show_warnings(quiet)
    if views.find_studies(folder):
        if keras_tuner:
            raise click.UsageError("--keras-tuner goes with one results folder: name one of those in here.")
        overview = views.write_all(folder, xlsx)
        if not quiet:
            output.print_studies(overview.studies)
        return
    ledger.read_facts(folder)
    with ledger.hold(folder, ledger.BRIEFLY):
        written = views.write(views.read(folder), xlsx)
        if keras_tuner:
            from regsearch import runner

            runner.write_tuner(written, asked=True)
    if not quiet:
        output.print_summary(written)
        if written.missing:
            missing = f"{written.missing} of {written.total} trials are missing"
            click.echo(f"{missing}: `regsearch run` trains them", err=True)


@main.command()
@RESULTS
@click.option(
    "--weights", type=click.IntRange(1, 10**15), required=True, help="Trainable weights of the network to tune."
)
@click.option("--penalty", help="Only this penalty, as the tables name it.  [default: all]")
@click.option("--below", type=click.IntRange(2), help="Go by networks of fewer weights than this alone.")
@JSON
def suggest(folder: Path, weights: int, penalty: str | None, below: int | None, as_json: bool) -> None:
    """Suggests the range of lambdas to search for a network of another size.

    Example: regsearch suggest results/digits --weights 1000000 --penalty l2
    """
    from regsearch import analysis, report

    snapshot = report.read(folder)
    try:
        answers = snapshot.suggest(weights, penalty, below)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    suggestions = [answer for answer in answers if isinstance(answer, analysis.Suggestion)]
    for answer in answers:
        if isinstance(answer, analysis.Refusal):
            click.echo(answer.sentence, err=True)
    if as_json:
        output.print_json({"weights": weights, "suggestions": [suggestion.facts() for suggestion in suggestions]})
    else:
        texts = [f"{suggestion.sentence}\n\n{suggestion.spec}" for suggestion in suggestions]
        click.echo("\n".join(texts), nl=False)


@main.command()
def schema() -> None:
    """Prints the JSON Schema of a spec, with which editors complete and check it.

    Example: regsearch schema > regsearch.schema.json
    """
    from regsearch.spec import schema as make_schema

    output.print_json(make_schema())


@main.command()
@JSON
def datasets(as_json: bool) -> None:
    """Lists the datasets that a spec may name: their images, classes and where they come from.

    Example: regsearch datasets --json
    """
    from regsearch import data

    rows = data.list_datasets()
    if as_json:
        output.print_json(rows)
        return
    output.print_datasets(rows)
    click.echo(f"Downloads are kept in {data.find_cache()}/; ${data.CACHE_VARIABLE} names another folder.")
