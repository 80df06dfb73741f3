"""What the commands take: the options they share, and those that say how and where a study is trained."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from regsearch.runner import Settings

PER_GPU = "per-gpu"

PATH = click.Path(path_type=Path)
SPEC = click.argument("spec", type=PATH)
RESULTS = click.argument("results", metavar="DIR", type=PATH)
OUT = click.option("--out", type=PATH, help="Results folder.  [default: results/<name>]")
QUIET = click.option("--quiet", is_flag=True, help="Print nothing but errors.")
XLSX = click.option("--xlsx", is_flag=True, help="Write tables.xlsx too, with a sheet a table.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")

_HOW = (
    click.option(
        "--workers",
        default="auto",
        show_default=True,
        help="Processes that train: a number, auto (one a core or GPU), per-gpu, or inline (this process).",
    ),
    click.option(
        "--engine",
        type=click.Choice(["population", "reference"]),
        default="population",
        show_default=True,
        help="Many networks at once, or one at a time by plain Keras.",
    ),
    click.option("--device", type=click.Choice(["auto", "cpu", "gpu"]), default="auto", show_default=True),
    click.option(
        "--lowering",
        type=click.Choice(["auto", "patches", "shifts", "native"]),
        default="auto",
        show_default=True,
        help="How convolutions are computed; auto goes by shapes and device.",
    ),
)
_WHERE = (
    click.option("--cluster", metavar="ADDRESS", help="Train on the workers of a Dask scheduler, tls://HOST:PORT."),
    click.option("--tls-ca", type=PATH, help="With --cluster: the certificate of the authority."),
    click.option("--tls-cert", type=PATH, help="With --cluster: the certificate of this command."),
    click.option("--tls-key", type=PATH, help="With --cluster: the private key of this command."),
    click.option("--shard", metavar="I/N", help="Train the I-th of N parts of the grid, beside the others."),
)


def settings_here(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that say how a study is trained on this machine; the command gets
    `settings`, which makes them.
    """
    return _with(_HOW, command)


def settings_anywhere(command: Callable[..., None]) -> Callable[..., None]:
    """Adds those that name a cluster or a shard, too."""
    return _with((*_HOW, *_WHERE), command)


def _with(options: tuple[Any, ...], command: Callable[..., None]) -> Callable[..., None]:
    @wraps(command)
    def called(
        *context: Any,
        workers: str,
        engine: str,
        device: str,
        lowering: str,
        cluster: str | None = None,
        tls_ca: Path | None = None,
        tls_cert: Path | None = None,
        tls_key: Path | None = None,
        shard: str | None = None,
        **others: Any,
    ) -> None:
        processes = _processes(workers)
        if workers == PER_GPU and device == "cpu":
            raise click.UsageError("--workers per-gpu does not go with --device cpu.")
        if workers == PER_GPU and engine == "reference":
            raise click.UsageError(
                "--workers per-gpu does not go with --engine reference, which trains in one process."
            )
        if cluster and workers != "auto":
            raise click.UsageError("--cluster has workers of its own: leave --workers out.")
        if not cluster and (tls_ca or tls_cert or tls_key):
            raise click.UsageError("--tls-ca, --tls-cert and --tls-key go with --cluster.")
        if shard and others.get("fresh"):
            raise click.UsageError("--fresh would move away what other shards train: leave it out.")
        part = _shard(shard)

        def settings() -> "Settings":
            from regsearch.runner import Cluster, Settings

            return Settings(
                engine=engine,
                workers=processes,
                device="GPU" if workers == PER_GPU else None if device == "auto" else device.upper(),
                lowering=None if lowering == "auto" else lowering,
                cluster=Cluster(cluster, tls_ca, tls_cert, tls_key) if cluster else None,
                shard=part,
            )

        command(*context, settings=settings, **others)

    for option in reversed(options):
        called = option(called)
    return called


def _processes(value: str) -> int | None:
    """`auto` as None, `inline` as 0."""
    if value in ("auto", PER_GPU, "inline"):
        return 0 if value == "inline" else None
    if not value.isdecimal() or not 1 <= int(value) <= 1024:
        raise click.BadParameter(
            f"expected auto, per-gpu, inline or a number from 1 to 1024, got {value!r}", param_hint="'--workers'"
        )
    return int(value)


def _shard(value: str | None) -> Any:
    if value is None:
        return None
    from regsearch.runner import Shard

    try:
        return Shard.parse(value)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="'--shard'") from None
