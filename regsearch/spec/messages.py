"""Pydantic's errors as a spec's own: where, what was expected, what was found."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from regsearch.spec.values import Section
from regsearch.spec.yaml import Location


def location(parts: tuple[str | int, ...]) -> Location:
    """Pydantic's location without the tags of unions that are ours, so that it names a place in the file."""
    return tuple(part for part in parts if not (isinstance(part, str) and part.startswith(":")))


_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "finite_number": "a finite number",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
}
_BOUNDS = {
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number of at least {ge:g}",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "a number of at most {le:g}",
}


def message(error: Any, root: type[Section], sections: Mapping[str, type[Section]]) -> str:
    """One of pydantic's errors as `expected …, got …`.

    Args:
        error: as pydantic lists it.
        root: the model of the whole file.
        sections: the models by the names under which they stand in a location, the innermost last.
    """
    kind, context = error["type"], error.get("ctx", {})
    if kind == "missing":
        return f"expected the key {error['loc'][-1]!r}, got nothing: it is required"
    if kind == "extra_forbidden":
        return _unknown_key(error["loc"], root, sections)
    if kind == "regsearch":
        return f"expected {context['expected']}, got {context.get('got') or _shown(error['input'])}"
    if kind == "literal_error":
        expected = f"one of {context['expected']}".replace("'", "")
    elif kind in _BOUNDS:
        expected = _BOUNDS[kind].format(**context)
    else:
        expected = _EXPECTED.get(kind, error["msg"].removeprefix("Input should be "))
    return f"expected {expected}, got {_shown(error['input'])}"


def _unknown_key(location: tuple[str | int, ...], root: type[Section], sections: Mapping[str, type[Section]]) -> str:
    """Names the keys that the section takes, found by walking the models along the location."""
    *path, key = location
    named = [part for part in path if part in sections]
    section = sections[str(named[-1])] if named else root
    known = [field.alias or name for name, field in section.model_fields.items()]
    close = get_close_matches(str(key), known, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    taken = f"one of the keys {', '.join(known)}" if known else "no arguments"
    return f"expected {taken}, got the unknown key {key!r}{hint}"


def _shown(value: Any) -> str:
    """The value as it stands in YAML, cut short."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
