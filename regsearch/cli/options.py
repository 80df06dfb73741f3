"""What the commands take: the options they share, and those that say how and where a study is trained."""

import os
from collections.abc import Callable, Sequence
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from regsearch.runner import Settings, Shard

PER_GPU = "per-gpu"
Option = Callable[[Callable[..., None]], Callable[..., None]]


class WorkersType(click.ParamType):  # type: ignore[type-arg]
    """Processes that train: a number, 0 for this one, or the words that leave the number to the machine."""

    name = "workers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str | int:
        """`inline` is 0; `auto` and `per-gpu` stay words."""
        if value in ("auto", PER_GPU):
            return str(value)
        if value == "inline":
            return 0
        if not str(value).isdecimal() or not 1 <= int(value) <= 1024:
            self.fail(f"expected auto, per-gpu, inline or a number from 1 to 1024, got {value!r}", param, ctx)
        return int(value)


class ShardType(click.ParamType):  # type: ignore[type-arg]
    """A part of the grid, such as 3/8."""

    name = "shard"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> "Shard":
        """The part by its number and how many there are."""
        from regsearch.runner import Shard

        try:
            return Shard.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


PATH = click.Path(path_type=Path)
SPEC = click.argument("path", metavar="SPEC", type=PATH)
RESULTS = click.argument("folder", metavar="DIR", type=PATH)
OUT = click.option("--out", type=PATH, help="Results folder.  [default: results/<name>]")
QUIET = click.option("--quiet", is_flag=True, help="Print nothing but errors.")
XLSX = click.option("--xlsx", is_flag=True, help="Write tables.xlsx too, with a sheet a table.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")


def _choose(name: str, words: Sequence[str], text: str | None = None) -> Option:
    return click.option(name, type=click.Choice(words), default=words[0], show_default=True, help=text)


_PROCESSES = "Processes that train: a number, auto (one a core or GPU), per-gpu, or inline (this process)."
_HOW = (
    click.option("--workers", type=WorkersType(), default="auto", show_default=True, metavar="TEXT", help=_PROCESSES),
    _choose("--engine", ["population", "reference"], "Many networks at once, or one at a time by plain Keras."),
    _choose("--device", ["auto", "cpu", "gpu"]),
    _choose("--backend", ["tensorflow", "jax"], "What computes; jax has to be installed."),
    click.option("--lowering", expose_value=False, hidden=True, deprecated="convolutions are computed one way"),
)
_SHARD = "Train the I-th of N parts of the grid, beside the others."
_WHERE = (
    click.option("--cluster", metavar="ADDRESS", help="Train on the workers of a Dask scheduler, tls://HOST:PORT."),
    click.option("--tls-ca", type=PATH, help="With --cluster: the certificate of the authority."),
    click.option("--tls-cert", type=PATH, help="With --cluster: the certificate of this command."),
    click.option("--tls-key", type=PATH, help="With --cluster: the private key of this command."),
    click.option("--shard", type=ShardType(), metavar="I/N", help=_SHARD),
)
_NAMES = ("workers", "engine", "device", "backend", "cluster", "tls_ca", "tls_cert", "tls_key", "shard")


def settings_here(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that say how a study is trained on this machine.

    The command gets `make_settings`, which makes them: that imports the runner, which takes a second.
    """
    return _add(_HOW, command)


def settings_anywhere(command: Callable[..., None]) -> Callable[..., None]:
    """Adds those that name a cluster or a shard, too; see `settings_here`."""
    return _add((*_HOW, *_WHERE), command)


def _add(options: Sequence[Option], command: Callable[..., None]) -> Callable[..., None]:
    @wraps(command)
    def call(*arguments: Any, **named: Any) -> None:
        chosen = {name: named.pop(name) for name in _NAMES if name in named}
        _check(chosen, named.get("fresh", False))
        command(*arguments, make_settings=partial(_make_settings, **chosen), **named)

    decorated: Callable[..., None] = call
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


def _check(chosen: dict[str, Any], fresh: bool) -> None:
    """Refuses options that do not go together."""
    workers, cluster = chosen["workers"], chosen.get("cluster")
    if workers == PER_GPU and chosen["device"] == "cpu":
        raise click.UsageError("--workers per-gpu does not go with --device cpu.")
    if workers == PER_GPU and chosen["engine"] == "reference":
        raise click.UsageError("--workers per-gpu does not go with --engine reference, which trains in one process.")
    if cluster and workers != "auto":
        raise click.UsageError("--cluster has workers of its own: leave --workers out.")
    if not cluster and any(chosen.get(name) for name in ("tls_ca", "tls_cert", "tls_key")):
        raise click.UsageError("--tls-ca, --tls-cert and --tls-key go with --cluster.")
    if chosen.get("shard") and fresh:
        raise click.UsageError("--fresh would move away what other shards train: leave it out.")


def _make_settings(workers: str | int, device: str, cluster: str | None = None, **others: Any) -> "Settings":
    from regsearch.runner import Cluster, Settings

    os.environ["KERAS_BACKEND"] = others["backend"]

    tls = [others.pop(name, None) for name in ("tls_ca", "tls_cert", "tls_key")]
    return Settings(
        workers=workers if isinstance(workers, int) else None,
        device="GPU" if workers == PER_GPU else None if device == "auto" else device.upper(),
        cluster=Cluster(cluster, *tls) if cluster else None,
        ours=True,
        **others,
    )
