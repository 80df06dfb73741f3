"""YAML text → plain values and the lines they stand on.

Reads YAML 1.2's core schema, in which `1e-4` is a number, `no` is text and `010` is ten, and refuses what
makes YAML dangerous or quietly wrong: duplicate keys, tags, merge keys, aliases that expand without end.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from regsearch.errors import SpecError
from regsearch.spec.hints import COMMA

MAX_CHARACTERS = 250_000
MAX_DEPTH = 40
MAX_VALUES = 100_000

Location = tuple[str | int, ...]
"""The keys and list indices that lead to a value."""
Problem = tuple[Location, str]
"""What is wrong with a spec, and where."""

_WORDS = {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
}  # fmt: skip
_INTEGER = re.compile(r"[-+]?[0-9]{1,300}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass(frozen=True)
class Document:
    """A YAML file's name and text, the values in it, and the line of each: that of its key, where it has one."""

    name: str
    text: str
    values: Any
    lines: dict[Location, int]

    def line(self, location: Location) -> int:
        """The line of a location, or of the nearest value that holds it."""
        while location not in self.lines:
            location = location[:-1]
        return self.lines[location]

    def describe(self, problem: Problem) -> str:
        """One line of an error: `file:line: location: message`."""
        return f"{self.name}:{self.line(problem[0])}: {describe(problem)}"


def describe(problem: Problem) -> str:
    """`location: message`, the location `("grid", "lambdas", 2)` written `grid.lambdas[2]`."""
    location, message = problem
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location).removeprefix(".")
    return f"{text}: {message}" if text else message


def dump(values: object) -> str:
    """The YAML text of plain values, which `parse` reads back."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def read(path: Path) -> str:
    """The text of a YAML file, or the start of one that is too long to be parsed.

    Raises:
        SpecError: the file cannot be read, or is not text.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            return file.read(MAX_CHARACTERS + 1)
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: expected a YAML file in UTF-8, got bytes that are not ({error.reason})") from None
    except OSError as error:
        raise SpecError(f"{path}: expected a readable spec file, got: {error.strerror}") from None


def parse(text: str, name: str) -> Document:
    """Parses YAML text; `name` stands for the file in messages.

    Raises:
        SpecError: the text is not YAML as described above.
    """
    if len(text) > MAX_CHARACTERS:
        raise SpecError(f"{name}: expected a spec of at most {MAX_CHARACTERS:,} characters, got a longer file")
    lines: dict[Location, int] = {}
    try:
        loader: Any = _Loader(text)
        if not loader.check_node():
            raise SpecError(f"{name}:1: expected a spec, got an empty file")
        values = _resolve(loader.get_node(), lines)
        if loader.check_node():
            raise _RefusedError(loader.peek_event(), "expected one document, got a second one (`---`)")
        return Document(name, text, values, lines)
    except _RefusedError as error:
        raise SpecError(f"{name}:{error}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        if "'\\t'" in str(error.problem):
            raise SpecError(f"{name}{line}: expected spaces before the first word of a line, got a tab") from None
        raise SpecError(f"{name}{line}: expected valid YAML, got an error: {error.problem}") from None
    except yaml.reader.ReaderError as error:
        raise SpecError(f"{name}: expected printable text, got the character #x{error.character:04x}") from None
    except (OverflowError, ValueError) as error:
        raise SpecError(f"{name}: expected valid YAML, got a number or character out of range ({error})") from None


class _RefusedError(Exception):
    """What this reader refuses of the YAML that PyYAML reads."""

    def __init__(self, part: Any, message: str) -> None:
        super().__init__(f"{_line(part)}: {message}")


class _Loader(yaml.SafeLoader):
    """Composes nodes, and refuses what a tree of nodes no longer tells, or what would never end."""

    depth = 0

    def scan_to_next_token(self) -> None:
        """Passes by tabs too, but for those that indent: YAML allows them between words and before comments."""
        while True:
            super().scan_to_next_token()
            ahead = 0
            while self.peek(ahead) in ("\t", " "):
                ahead += 1
            indents = not self.buffer[self.pointer - self.column : self.pointer].strip()
            if not ahead or (indents and self.peek(ahead) not in "#\r\n\0"):
                return
            self.forward(ahead)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        if self.depth > MAX_DEPTH:
            raise _RefusedError(event, f"expected at most {MAX_DEPTH} levels of nesting, got more")
        if isinstance(event, yaml.AliasEvent):
            anchored = self.anchors.get(event.anchor)
            if anchored is None or anchored.end_mark is None:  # not there, or not complete: it would hold itself
                raise _RefusedError(event, f"expected an anchor defined above, got *{event.anchor}")
        elif isinstance(event, yaml.NodeEvent):
            if (tag := getattr(event, "tag", None)) is not None:
                raise _RefusedError(event, f"expected a plain value, got the tag {tag}: tags are never loaded")
            self.anchors.pop(event.anchor, None)  # an anchor may be used again
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Dumper(yaml.SafeDumper):
    """Puts text into quotes that would be a number here, and not for YAML 1.1."""


_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def _resolve(node: yaml.Node, lines: dict[Location, int], location: Location = (), line: int | None = None) -> Any:
    """A node as plain Python objects; notes the line of each value under its location, a key's where there is one."""
    lines[location] = line or _line(node)
    if len(lines) > MAX_VALUES:
        raise _RefusedError(node, f"expected at most {MAX_VALUES:,} values, got more (aliases count in full)")
    if len(location) > MAX_DEPTH:
        raise _RefusedError(node, f"expected at most {MAX_DEPTH} levels of nesting, got more")
    if isinstance(node, yaml.ScalarNode):
        return _resolve_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        _refuse_decimal_commas(node.value)
        return [_resolve(item, lines, (*location, index)) for index, item in enumerate(node.value)]
    values: dict[str, Any] = {}
    for key, value in node.value:
        name = _resolve_key(key)
        if name in values:
            first = lines[*location, name]
            raise _RefusedError(key, f"expected each key once, got {name!r} again (first on line {first})")
        values[name] = _resolve(value, lines, (*location, name), _line(key))
    return values


def _resolve_key(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _RefusedError(node, "expected a key that is text, got a list or mapping")
    if node.value == "<<":
        raise _RefusedError(node, "expected a key, got a merge key (<<): write the keys out")
    if isinstance(key := _resolve_scalar(node), str):
        return key
    hint = f" ({COMMA})" if node.value.isdigit() else ""
    raise _RefusedError(node, f"expected a key that is text, got {key!r}{hint}")


def _refuse_decimal_commas(items: list[yaml.Node]) -> None:
    """`[0,05]` would be the two numbers 0 and 5; nobody writes 05 for 5."""
    for one, other in pairwise(items):
        beside = other.start_mark and one.end_mark and other.start_mark.index == one.end_mark.index + 1
        if beside and re.fullmatch(r"\d+", str(one.value)) and re.fullmatch(r"0\d+", str(other.value)):
            raise _RefusedError(other, f"expected two numbers, got {one.value},{other.value} ({COMMA})")


def _resolve_scalar(node: yaml.ScalarNode) -> bool | int | float | str | None:
    text: str = node.value
    if node.style is not None:  # in quotes or a block
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return float(text.replace(".", "")) if _NOT_FINITE.fullmatch(text) else text


def _line(part: Any) -> int:
    return int(part.start_mark.line) + 1
