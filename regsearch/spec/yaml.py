"""YAML text → plain values that remember their lines.

Reads YAML 1.2's core schema, in which `1e-4` is a number, `no` is text and `010` is ten, and refuses what
makes YAML dangerous or quietly wrong: duplicate keys, tags, merge keys, aliases that expand without end.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from regsearch.errors import SpecError

MAX_CHARACTERS = 250_000
MAX_DEPTH = 40
MAX_VALUES = 100_000

Location = tuple[str | int, ...]

_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULLS = {"", "~", "null", "Null", "NULL"}
_INTEGER = re.compile(r"[-+]?[0-9]{1,300}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass(frozen=True)
class Node:
    """One value of the document: a scalar, a list of nodes or a mapping of nodes, with the line it starts on."""

    value: Any
    line: int
    size: int = 1

    def plain(self) -> Any:
        """The value as plain Python objects."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


@dataclass(frozen=True)
class Source:
    """A parsed spec file: its name, its text and its values with their lines."""

    name: str
    text: str
    root: Node

    def values(self) -> Any:
        """The document as plain Python objects."""
        return self.root.plain()

    def line(self, location: Sequence[str | int]) -> int:
        """The line of a location, or of the nearest value that holds it."""
        nearest = self.root
        for step in location:
            inside = nearest.value
            holds = (
                step in inside
                if isinstance(inside, dict)
                else isinstance(inside, list) and step in range(len(inside))
            )
            if not holds:
                break
            nearest = inside[step]
        return nearest.line

    def problem(self, location: Sequence[str | int], message: str) -> str:
        """One line of an error: `file:line: location: message`."""
        where = dotted(location)
        return f"{self.name}:{self.line(location)}: {where}{': ' if where else ''}{message}"


def dotted(location: Sequence[str | int]) -> str:
    """`("grid", "lambdas", 2)` as `grid.lambdas[2]`."""
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def read(path: Path) -> Source:
    """Reads a spec file.

    Raises:
        SpecError: the file cannot be read, or is not YAML as described above.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_CHARACTERS + 1)
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: expected a YAML file in UTF-8, got bytes that are not ({error.reason})") from None
    except OSError as error:
        raise SpecError(f"{path}: expected a readable spec file, got: {error.strerror}") from None
    return parse(text, str(path))


def parse(text: str, name: str) -> Source:
    """Parses YAML text; `name` stands for the file in messages.

    Raises:
        SpecError: see `read`.
    """
    if len(text) > MAX_CHARACTERS:
        raise SpecError(f"{name}: expected a spec of at most {MAX_CHARACTERS:,} characters, got a longer file")
    try:
        return Source(name, text, _Parser(text, name).document())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise SpecError(f"{name}{line}: expected valid YAML, got an error: {error.problem}") from None
    except yaml.reader.ReaderError as error:
        raise SpecError(f"{name}: expected printable text, got the character #x{error.character:04x}") from None
    except (OverflowError, ValueError) as error:
        raise SpecError(f"{name}: expected valid YAML, got a number or character out of range ({error})") from None


class _Parser:
    """Builds nodes from PyYAML's events, so that each rule is checked where it is broken."""

    def __init__(self, text: str, name: str) -> None:
        self.events: Iterator[Any] = yaml.parse(text, Loader=yaml.SafeLoader)
        self.name = name
        self.anchors: dict[str | None, Node] = {}
        self.values = 0

    def document(self) -> Node:
        next(self.events)  # the stream starts
        if isinstance(next(self.events), yaml.StreamEndEvent):
            raise SpecError(f"{self.name}:1: expected a spec, got an empty file")
        root = self.node(next(self.events), depth=0)
        next(self.events)  # the document ends
        extra = next(self.events)
        if not isinstance(extra, yaml.StreamEndEvent):
            self.fail(extra, "expected one document, got a second one (`---`)")
        return root

    def node(self, event: Any, depth: int) -> Node:
        if depth > MAX_DEPTH:
            self.fail(event, f"expected at most {MAX_DEPTH} levels of nesting, got more")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                self.fail(event, f"expected an anchor defined above, got *{event.anchor}")
            node = self.anchors[event.anchor]
            self.count(event, node.size)
            return node
        self.count(event, 1)
        if getattr(event, "tag", None) not in (None, "!"):
            self.fail(event, f"expected a plain value, got the tag {event.tag}: tags are never loaded")
        if isinstance(event, yaml.ScalarEvent):
            node = Node(self.scalar(event), self.line(event))
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self.sequence(event, depth)
        else:
            node = self.mapping(event, depth)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def sequence(self, start: Any, depth: int) -> Node:
        items: list[Node] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self.node(event, depth + 1))
        return Node(items, self.line(start), 1 + sum(node.size for node in items))

    def mapping(self, start: Any, depth: int) -> Node:
        items: dict[str, Node] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.node(event, depth + 1).value
            if isinstance(event, yaml.ScalarEvent) and event.value == "<<":
                self.fail(event, "expected a key, got a merge key (<<): write the keys out")
            if not isinstance(key, str):
                found = "a list or mapping" if isinstance(key, list | dict) else repr(key)
                self.fail(event, f"expected a key that is text, got {found}")
            if key in items:
                self.fail(event, f"expected each key once, got {key!r} again (first on line {items[key].line})")
            node = self.node(next(self.events), depth + 1)
            items[key] = Node(node.value, self.line(event), node.size)
        return Node(items, self.line(start), 1 + sum(node.size for node in items.values()))

    def scalar(self, event: yaml.ScalarEvent) -> Any:
        text: str = event.value
        if event.style is not None or event.tag == "!":
            return text
        if text in _NULLS:
            return None
        if text in _BOOLEANS:
            return _BOOLEANS[text]
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
        if _NOT_FINITE.fullmatch(text):
            return float(text.replace(".", ""))
        return text

    def count(self, event: Any, size: int) -> None:
        self.values += size
        if self.values > MAX_VALUES:
            self.fail(event, f"expected at most {MAX_VALUES:,} values, got more (aliases count in full)")

    def line(self, event: Any) -> int:
        return int(event.start_mark.line) + 1

    def fail(self, event: Any, message: str) -> None:
        raise SpecError(f"{self.name}:{self.line(event)}: {message}")
