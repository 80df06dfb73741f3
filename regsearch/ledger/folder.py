"""Whose study a results folder is: `spec.yaml`, `study.json`, and what of another study is refused."""

import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

from regsearch import grid
from regsearch.data import Facts
from regsearch.errors import ResultsError, SpecError
from regsearch.grid import TENSORFLOW, WIDTHS
from regsearch.ledger.checkpoints import DECIDING, SAVE_SECONDS, list_versions
from regsearch.ledger.files import unusable, write_text
from regsearch.ledger.holding import BRIEFLY, hold, hold_whole
from regsearch.ledger.ledger import Ledger
from regsearch.ledger.tables import EPOCHS, SHARDS, TRIALS
from regsearch.spec import Spec

SPEC, STUDY = "spec.yaml", "study.json"
OURS = (
    TRIALS, EPOCHS, SHARDS, "response.csv", "best_lambda.csv", "scaling.csv", "transfer.csv", "stability.csv",
    "mechanism.csv", "calibration.csv", "keras_tuner", "figures", "report.html", "tables.xlsx",
)  # fmt: skip
PACKAGES = (*dict.fromkeys(chain(*DECIDING.values())), "keras-tuner", "pandas", "pillow", "scipy", "scikit-learn")


@dataclass(frozen=True)
class StudyFacts:
    """What `study.json` says of a results folder."""

    facts: dict[str, Any]

    @property
    def engine(self) -> str:
        """The engine of the last run; tables are made of its networks."""
        return str(self.facts["engine"])

    @property
    def backend(self) -> str:
        """What the last run computed with."""
        return str(self.facts.get("backend", TENSORFLOW))

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
def open_study(
    folder: Path,
    spec: Spec,
    facts: Facts,
    engine: str,
    part: str = "",
    save_seconds: float = SAVE_SECONDS,
    backend: str = TENSORFLOW,
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
        backend: what computes.

    Raises:
        ResultsError: another run holds it, it is another study's (see `admit`), or its ledger is damaged.
    """
    with ExitStack() as stack:
        if part:
            with hold(folder, BRIEFLY):
                claim(folder, spec, engine, facts, backend)
                # A scheduler may start it again before its last machine has been silent for long enough.
                held = stack.enter_context(hold(folder / part, BRIEFLY))
        else:
            held = stack.enter_context(hold_whole(folder))
            claim(folder, spec, engine, facts, backend)
        yield Ledger(folder, part, save_seconds, held.confirm)


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


def claim(folder: Path, spec: Spec, engine: str, dataset: Facts, backend: str = TENSORFLOW) -> None:
    """Writes `spec.yaml` and `study.json`, unless the folder holds another study; see `admit`."""
    facts = admit(folder, spec, dataset.content) or {"name": spec.name, "created": _now()}
    identity = json.dumps(grid.identify(spec, dataset.content), sort_keys=True)
    facts |= {
        "engine": engine,
        "backend": backend,
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
        "versions": {"python": platform.python_version(), **list_versions(PACKAGES)},
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
        facts = json.loads(path.read_text(encoding="utf-8-sig"))  # Windows programs begin with a mark
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
