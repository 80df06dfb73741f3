"""What pydantic finds wrong with a spec → problems in the words of its file."""

from collections.abc import Iterator

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from regsearch.spec import sections
from regsearch.spec.datasets import DATASETS, DatasetBase
from regsearch.spec.hints import advise
from regsearch.spec.layers import LAYERS
from regsearch.spec.optimizers import OPTIMIZERS, SCHEDULES
from regsearch.spec.penalties import PENALTIES
from regsearch.spec.values import Section, name_of
from regsearch.spec.yaml import Location, Problem

_SECTIONS: dict[str, type[Section]] = {
    "dataset": DatasetBase, **{f":{name}": model for name, model in DATASETS.items()},
    "architecture": sections.ScaledArchitecture, "architectures": sections.NamedArchitecture, "grid": sections.Grid,
    ":range": sections.LambdaRange, "training": sections.Training, "early_stopping": sections.EarlyStopping,
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


def list_problems(error: ValidationError, whole: type[Section]) -> Iterator[Problem]:
    """Every mistake, with where it is; `whole` is the model of the spec itself."""
    for detail in error.errors():
        # A step with a colon only tells which of several models pydantic chose, and is in no file.
        yield tuple(step for step in detail["loc"] if not str(step).startswith(":")), _describe(detail, whole)


def _describe(error: ErrorDetails, whole: type[Section]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "missing":
        return _missing_key(error["loc"], whole)
    if kind == "extra_forbidden":
        return _unknown_key(error["loc"], whole)
    expected = _EXPECTED[kind].format(**context)
    if kind == "literal_error":
        expected = expected.replace("'", "")
    choices = context.get("choices") or expected.removeprefix("one of ").replace(" or ", ", ")
    hint = advise(name_of(error["input"]), choices.split(", "))
    return f"expected {expected}, got {context.get('got') or show(error['input'])}{hint}"


def _missing_key(location: Location, whole: type[Section]) -> str:
    key = location[-1]
    about = _section(location, whole).fields_by_key()[str(key)].description
    return f"expected the key {key!r}, got nothing: it is required" + (f" ({about.rstrip('.')})" if about else "")


def _unknown_key(location: Location, whole: type[Section]) -> str:
    """Names the keys that the section takes, and the section that takes this key."""
    key, section = str(location[-1]), _section(location, whole)
    known = list(section.fields_by_key())
    siblings = {name: other for name, other in _SECTIONS.items() if other.__base__ is section.__base__}
    others = [name.lstrip(":") for name, other in siblings.items() if key in other.fields_by_key()]
    hint = advise(key, known) or (f" (a key of {', '.join(others)})" if others else "")
    taken = f"one of the keys {', '.join(known)}" if known else "no arguments"
    return f"expected {taken}, got the unknown key {key!r}{hint}"


def _section(location: Location, whole: type[Section]) -> type[Section]:
    """The innermost section of a location that leads to a key of it."""
    return next((_SECTIONS[str(step)] for step in reversed(location[:-1]) if step in _SECTIONS), whole)


def show(value: object) -> str:
    """A value as it stands in YAML, cut short."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
