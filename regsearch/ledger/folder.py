"""The results folder: held by one run at a time, and by one study for good."""

import hashlib
import json
import logging
import os
import platform
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from regsearch import grid
from regsearch.data import Facts
from regsearch.errors import ResultsError, SpecError
from regsearch.grid import WIDTHS
from regsearch.ledger.checkpoints import DECIDING, SAVE_SECONDS
from regsearch.ledger.files import unusable, write_text
from regsearch.ledger.ledger import Ledger
from regsearch.ledger.tables import EPOCHS, SHARDS, TRIALS
from regsearch.spec import Spec

SPEC, STUDY, LOCK, HOLDER = "spec.yaml", "study.json", ".lock", ".lock-holder"
OURS = (
    TRIALS, EPOCHS, SHARDS, "response.csv", "best_lambda.csv", "scaling.csv", "transfer.csv", "stability.csv",
    "mechanism.csv", "calibration.csv", "keras_tuner", "figures", "report.html", "tables.xlsx",
)  # fmt: skip
BRIEFLY, FOREVER = 120.0, -1.0
"""Seconds to wait for what is held for a moment only, or by one shard after the other."""
_GHOST = 30.0
"""Seconds after which a file system has let go of the lock of a shard whose machine was lost."""
MOVED_ASIDE = re.compile(r"-\d{8}-\d{6}(-\d+)?$")
"""How the name of a folder that was moved aside ends."""
PACKAGES = (*DECIDING, "keras-tuner", "pandas", "pillow", "scipy", "scikit-learn")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StudyFacts:
    """What `study.json` says of a results folder."""

    facts: dict[str, Any]

    @property
    def engine(self) -> str:
        """The engine of the last run; tables are made of its networks."""
        return str(self.facts["engine"])

    @property
    def content(self) -> str:
        """The dataset's content, as `data.describe` states it."""
        return str(self.facts["content"])

    @property
    def classes(self) -> int | None:
        """The number of classes; None where targets are numbers, or an earlier version did not write it."""
        classes = self.facts.get("classes")
        return classes if isinstance(classes, int) and classes > 1 else None


@contextmanager
def hold(folder: Path, wait: float = 0.0) -> Iterator[None]:
    """Holds the folder against other runs, but not against shards, which hold their own parts of it.

    Args:
        folder: made where there is none.
        wait: seconds to wait for whoever holds it now.

    Raises:
        ResultsError: another run holds it, or it cannot be made or written.
    """
    holder, lock = folder / HOLDER, FileLock(folder / LOCK, timeout=wait)
    if folder.exists() and not folder.is_dir():
        raise ResultsError(f"{folder}: expected a folder for the results, got a file. Name another with --out.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        who = "unknown"
        with suppress(OSError):  # it may be leaving
            who = holder.read_text(encoding="utf-8").strip()
        raise ResultsError(
            f"{folder}: expected a results folder that no other run holds, got one held by another run ({who}). "
            "Wait for it, or name another folder with --out."
        ) from None
    except OSError as error:
        raise unusable(folder, error) from None
    try:
        write_text(holder, f"process {os.getpid()} on {socket.gethostname()}, since {_now()}\n")
        yield
    finally:
        with suppress(OSError):
            holder.unlink()
        lock.release()


@contextmanager
def hold_whole(folder: Path) -> Iterator[None]:
    """Holds the folder and every shard's part of it; see `hold`."""
    with ExitStack() as stack:
        stack.enter_context(hold(folder))
        for part in sorted(path for path in folder.glob(f"{SHARDS}/*") if path.is_dir()):
            stack.enter_context(hold(part))
        yield


@contextmanager
def open_study(
    folder: Path, spec: Spec, facts: Facts, engine: str, part: str = "", save_seconds: float = SAVE_SECONDS
) -> Iterator[Ledger]:
    """Holds and claims the folder for a study, the whole of it or one shard's part, and opens its ledger.

    A shard holds what all share only while it claims it, so that shards may run side by side, but not with a run
    of the whole grid.

    Args:
        folder: made where there is none.
        spec: what is asked.
        facts: of its dataset.
        engine: what trains it.
        part: the shard's own part of the folder.
        save_seconds: the least time between two writes of the state of a population in training.

    Raises:
        ResultsError: another run holds it, it is another study's (see `admit`), or its ledger is damaged.
    """
    with ExitStack() as stack:
        if part:
            with hold(folder, BRIEFLY):
                claim(folder, spec, engine, facts)
                stack.enter_context(hold(folder / part, _GHOST))
        else:
            stack.enter_context(hold_whole(folder))
            claim(folder, spec, engine, facts)
        yield Ledger(folder, part, save_seconds)


def move_aside(folder: Path) -> None:
    """Renames a results folder to a dated name beside it, whatever is in it; one that is empty or not there stays.

    Raises:
        ResultsError: another run holds it, it is no results folder, or it cannot be renamed.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not any((folder / name).exists() for name in (SPEC, STUDY, *OURS)):
        raise ResultsError(
            f"{folder}: expected a results folder to move aside, got one with nothing of a study in it. "
            "Name another folder with --out."
        )
    with hold_whole(folder):
        whole = folder.parent.resolve() / folder.name if folder.name not in ("", "..") else folder.resolve()
        stem = f"{whole.name}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
        names = (whole.with_name(stem + suffix) for suffix in ("", *(f"-{number}" for number in range(2, 1000))))
        aside = next(path for path in names if not path.exists())
        try:
            whole.rename(aside)
        except OSError as error:
            raise unusable(folder, error) from None
    log.warning("%s: earlier results are now in %s", folder, aside)


def admit(folder: Path, spec: Spec, content: str) -> dict[str, Any] | None:
    """The facts of a folder that may hold this study, None where there are none yet. Writes nothing.

    Raises:
        ResultsError: the folder is another study's; the message says what differs.
    """
    if (folder / SPEC).exists() and (folder / STUDY).exists():
        earlier = read_facts(folder)
        identities = grid.identify(read_spec(folder), earlier.content), grid.identify(spec, content)
        if differences := list(_differences(*identities)):
            raise ResultsError(
                f"{folder}: expected the results of this study, got those of another; what differs:\n"
                + "\n".join(f"  {line}" for line in differences)
                + "\nName another folder with --out, or move this one aside with --fresh. (Widths, penalties, "
                "lambdas, seeds, learning rates and training sizes may grow in the same folder; data, layers and "
                "training may not.)"
            )
        return earlier.facts
    if foreign := [name for name in (SPEC, *OURS) if (folder / name).exists()]:
        raise ResultsError(
            f"{folder}: expected an empty folder or a results folder, got one with {foreign[0]} but without both "
            f"{SPEC} and {STUDY}. Restore them, or name another folder with --out."
        )
    return None


def claim(folder: Path, spec: Spec, engine: str, dataset: Facts) -> None:
    """Writes `spec.yaml` and `study.json`, unless the folder holds another study; see `admit`."""
    facts = admit(folder, spec, dataset.content) or {"name": spec.name, "created": _now()}
    identity = json.dumps(grid.identify(spec, dataset.content), sort_keys=True)
    facts |= {
        "engine": engine,
        "content": dataset.content,
        "classes": dataset.outputs if dataset.loss == "cross_entropy" else None,
        "fingerprint": hashlib.sha256(identity.encode()).hexdigest()[:16],
        "seeds": list(spec.grid.seed_values()),
        **({"dataset_path": path} if (path := getattr(spec.dataset, "path", None)) else {}),
    }
    write_text(folder / STUDY, json.dumps(facts, indent=2) + "\n")  # first: a kill in between leaves a fresh folder
    write_text(folder / SPEC, spec.text)


def note_run(folder: Path, **facts: Any) -> None:
    """Adds a run that trained something to `study.json`: what is given, the versions, the machine, the command."""
    study = read_facts(folder).facts
    run = facts | {
        "ended": _now(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "machine": {"platform": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()},
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }
    write_text(folder / STUDY, json.dumps(study | {"runs": [*study.get("runs", []), run]}, indent=2) + "\n")


def read_facts(folder: Path) -> StudyFacts:
    """Reads `study.json`.

    Raises:
        ResultsError: it is missing or damaged.
    """
    path = folder / STUDY
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(facts, dict):
            raise ValueError("it is no mapping of names to values")
        for key in ("engine", "content"):
            if not isinstance(facts.get(key), str):
                raise ValueError(f"{key!r} is missing or no text; older versions did not write it")
        if not isinstance(facts.get("runs", []), list):
            raise ValueError("'runs' is no list")
    except FileNotFoundError:
        raise ResultsError(
            f"{path}: expected a results folder, got no such file. `regsearch run` makes one."
        ) from None
    except OSError as error:
        raise unusable(folder, error) from None
    except (ValueError, RecursionError) as error:
        raise ResultsError(
            f"{path}: expected the facts of a study as JSON, got a damaged file ({error}). "
            "Restore it, name another folder with --out, or move this one aside with --fresh."
        ) from None
    return StudyFacts(facts)


def read_spec(folder: Path) -> Spec:
    """The spec as it was run. Its data lie where they lay then; if not, a relative path is of the current folder.

    Raises:
        ResultsError: it is missing or damaged.
    """
    try:
        spec = Spec.load(folder / SPEC)
    except SpecError as error:
        raise ResultsError(f"{folder}: expected the spec of a study in {SPEC}, got a damaged one:\n{error}") from None
    path = read_facts(folder).facts.get("dataset_path")
    here = isinstance(path, str) and hasattr(spec.dataset, "path") and os.path.exists(path)  # noqa: PTH110 - never fails
    return spec.relocate(path if here else None)


def _differences(old: Any, new: Any, key: str = "") -> Iterator[str]:
    """What differs between two studies, a line each; architectures that only one of them lists do not."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys([*old, *new]):
            if key == "layers" and (name not in old or name not in new) and WIDTHS not in (*old, *new):
                continue
            yield from _differences(old.get(name), new.get(name), f"{key}.{name}" if key else name)
    elif old != new:
        there, here = ("the default" if value is None else json.dumps(value) for value in (old, new))
        yield f"{key}: {there} there, {here} here"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
