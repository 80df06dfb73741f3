"""A YAML text → a frozen `Spec`, or every error at once with file and line."""

from difflib import get_close_matches
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from regsearch.errors import SpecError
from regsearch.spec import study, yaml
from regsearch.spec.datasets import DATASETS, DatasetBase
from regsearch.spec.layers import LAYERS
from regsearch.spec.optimizers import OPTIMIZERS, SCHEDULES
from regsearch.spec.penalties import PENALTIES
from regsearch.spec.rules import RULES
from regsearch.spec.study import Spec
from regsearch.spec.values import Section
from regsearch.spec.yaml import Location

_SECTIONS: dict[str, type[Section]] = {
    "dataset": DatasetBase, **{f":{name}": model for name, model in DATASETS.items()},
    "architecture": study.ScaledArchitecture, "architectures": study.NamedArchitecture, "grid": study.Grid,
    ":range": study.LambdaRange, "training": study.Training, "early_stopping": study.EarlyStopping,
    **LAYERS, **OPTIMIZERS, **PENALTIES, **SCHEDULES,
}  # fmt: skip
"""The parts of a spec by the key, or the name of a choice, that they stand under."""
_EXPECTED = {
    "regsearch": "{expected}",
    "literal_error": "one of {expected}",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "finite_number": "a finite number",
    "model_type": "a mapping of keys to values",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number of at least {ge:g}",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "a number of at most {le:g}",
}


def load(path: Path) -> Spec:
    """Reads and validates a spec file.

    Raises:
        SpecError: the file cannot be read or is not valid; every problem is listed, in the file's order.
    """
    return parse(yaml.read(path), str(path))


def parse(text: str, name: str) -> Spec:
    """Validates a spec's text; `name` stands for the file in messages.

    Raises:
        SpecError: see `load`.
    """
    document = yaml.parse(text, name)
    try:
        spec = Spec.model_validate(document.values)
    except ValidationError as error:
        # A step with a colon only tells which of several models pydantic chose, and is in no file.
        problems = [
            (tuple(step for step in detail["loc"] if not str(step).startswith(":")), _describe(detail))
            for detail in error.errors()
        ]
    else:
        problems = [problem for rule in RULES for problem in rule(spec)]
    if problems:
        problems.sort(key=lambda problem: document.line(problem[0]))
        raise SpecError(*dict.fromkeys(map(document.describe, problems)))
    spec._document = document
    return spec


def _describe(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "missing":
        return _missing_key(error["loc"])
    if kind == "extra_forbidden":
        return _unknown_key(error["loc"])
    expected = _EXPECTED[kind].format(**context)
    if kind == "literal_error":
        expected = expected.replace("'", "")
    return f"expected {expected}, got {context.get('got') or _shown(error['input'])}"


def _missing_key(location: Location) -> str:
    key = location[-1]
    about = _section(location).fields_by_key()[str(key)].description
    return f"expected the key {key!r}, got nothing: it is required" + (f" ({about.rstrip('.')})" if about else "")


def _unknown_key(location: Location) -> str:
    """Names the keys that the section takes, and the section that takes this key."""
    key, section = str(location[-1]), _section(location)
    known = list(section.fields_by_key())
    siblings = {name: other for name, other in _SECTIONS.items() if other.__base__ is section.__base__}
    others = [name.lstrip(":") for name, other in siblings.items() if key in other.fields_by_key()]
    hint = f" (a key of {', '.join(others)})" if others else ""
    if close := get_close_matches(key, known, n=1):
        hint = f" (did you mean {close[0]!r}?)"
    taken = f"one of the keys {', '.join(known)}" if known else "no arguments"
    return f"expected {taken}, got the unknown key {key!r}{hint}"


def _section(location: Location) -> type[Section]:
    """The innermost section of a location that leads to a key of it."""
    return next((_SECTIONS[str(step)] for step in reversed(location[:-1]) if step in _SECTIONS), Spec)


def _shown(value: object) -> str:
    """The value as it stands in YAML, cut short."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
