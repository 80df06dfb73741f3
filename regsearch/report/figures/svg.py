"""Matplotlib's SVG → the same picture in far fewer bytes: no id, group, decimal or attribute that is not needed."""

import html
import itertools
import re
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from xml.etree import ElementTree

FONTS = "DejaVu Sans, Verdana, sans-serif"
"""The font that places are reckoned with, then the widespread one nearest to it in width."""
SIZE = "9px"
DECIMALS = 2
"""Of a point, which is more than a pixel: a hundredth cannot be seen."""

_XLINK = "{http://www.w3.org/1999/xlink}"
_ROOT = {"font-family": FONTS, "font-size": SIZE, "stroke-linejoin": "round"}
_INHERITED = {
    **_ROOT, "stroke-linecap": "butt", "stroke-dashoffset": "0", "stroke-width": "1", "fill": "#000",
    "font-weight": "400", "font-style": "normal", "text-anchor": "start",
}  # fmt: skip
"""What holds where nothing else is said, for all that a group hands down to what is in it."""
_LOOK = {*_INHERITED, "stroke", "stroke-dasharray"}
_ATTRIBUTES = {*_LOOK, "opacity", "fill-opacity", "stroke-opacity"}
_ALONG_AN_AXIS = {"path": 0, "use": 1}
_DROPPED = ("metadata", "style", "title")
_NUMBER = re.compile(r"-?\d+\.\d+|-0\b(?!\.)")
_FONT = re.compile(r"font: (?:(italic|oblique) )?(?:(\d+) )?([\d.]+px) ")


class _Node:
    """An element without its namespace: what is in it is nodes and texts."""

    def __init__(self, tag: str, attributes: dict[str, str], inside: "Iterable[_Node | str]" = ()) -> None:
        self.tag, self.attributes, self.inside = tag, attributes, list(inside)

    def write(self) -> str:
        """Its markup; every text in it is escaped."""
        names = {"href": "xlink:href"}
        given = "".join(f' {names.get(name, name)}="{html.escape(text)}"' for name, text in self.attributes.items())
        parts = (html.escape(part) if isinstance(part, str) else part.write() for part in self.inside)
        return f"<{self.tag}{given}>{''.join(parts)}</{self.tag}>" if self.inside else f"<{self.tag}{given}/>"


def slim(svg: bytes) -> bytes:
    """The same picture, with its texts as texts.

    Args:
        svg: as Matplotlib writes it with `svg.fonttype: none`.
    """
    root = ElementTree.fromstring(svg)
    shared: list[_Node] = []
    drawn = list(_group(_group(_flatten(root, {}, shared), ["clip-path"]), _LOOK))
    everywhere = [*_walk(drawn), *_walk(shared)]
    used = {_find_reference(*item) for node in everywhere for item in node.attributes.items()}
    shared = [node for node in shared if node.attributes["id"] in used]
    short = {node.attributes["id"]: f"s{number}" for number, node in enumerate(shared)}
    for node in everywhere:
        for name, text in node.attributes.items():
            old = text if name == "id" else _find_reference(name, text)
            if old in short:
                node.attributes[name] = text.replace(old, short[old])
    size = {name: _round(root.get(name, "")) for name in ("width", "height")} | {"viewBox": root.get("viewBox", "")}
    spaces = {"xmlns": "http://www.w3.org/2000/svg", "xmlns:xlink": _XLINK.strip("{}")}
    defs = [_Node("defs", {}, shared)] if shared else []
    return (_Node("svg", spaces | size | _ROOT, [*defs, *drawn]).write() + "\n").encode()


def _flatten(parent: ElementTree.Element, handed: dict[str, str], shared: list[_Node]) -> Iterator[_Node]:
    """What is drawn, in order and without groups; what is drawn from elsewhere goes to `shared`."""
    for element in parent:
        tag = element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""  # else a comment
        if not tag or tag in _DROPPED:
            continue
        attributes = _read_attributes(element)
        name = attributes.pop("id", "")
        if tag == "defs":
            _share(element, shared)
        elif tag == "g" and element.find("{*}text/{*}tspan") is not None:
            yield from _read_formula(element, attributes)
        elif tag == "g" and not (attributes and element.find(".//{*}text") is not None):
            inside = list(_flatten(element, handed | attributes, shared))
            if name.startswith("matplotlib.axis"):  # lines, then ticks, then texts: each look is said once for all
                inside.sort(key=lambda node: _ALONG_AN_AXIS.get(node.tag, len(_ALONG_AN_AXIS)))
            yield from inside
        else:
            text = [element.text or ""] if tag == "text" else []
            yield _Node(tag, _simplify(tag, handed | attributes), [*text, *_flatten(element, {}, shared)])


def _share(defs: ElementTree.Element, shared: list[_Node]) -> None:
    for element in defs:
        tag = element.tag.rpartition("}")[2]
        if tag in _DROPPED:
            continue
        attributes = _read_attributes(element)
        if tag == "path":  # a marker, whose style is said again wherever it is used
            attributes = {name: attributes[name] for name in ("id", "d")}
        shared.append(_Node(tag, _simplify(tag, attributes), _flatten(element, {}, shared)))


def _read_attributes(element: ElementTree.Element) -> dict[str, str]:
    """An element's attributes, its style among them as far as it can be said so."""
    found = {name.removeprefix(_XLINK): text for name, text in element.attrib.items()}
    style = _read_style(found.pop("style", ""))
    return {name: text if name == "id" else _round(text) for name, text in found.items()} | style


@lru_cache  # a figure has a handful of styles, each of them hundreds of times
def _read_style(style: str) -> dict[str, str]:
    found, rest = {}, []
    # Older releases of Matplotlib say `font: 700 9px 'DejaVu Sans'`.
    for part in _FONT.sub(r"font-style: \1; font-weight: \2; font-size: \3; font-family: ", style).split(";"):
        name, _, value = (text.strip() for text in part.partition(":"))
        if name == "font-family" and value.startswith("'DejaVu Sans'"):
            value = FONTS
        if name in _ATTRIBUTES and value:
            found[name] = _round(value)
        elif value:
            rest.append(f"{name}:{value}")
    return found | ({"style": ";".join(rest)} if rest else {})


def _simplify(tag: str, attributes: dict[str, str]) -> dict[str, str]:
    """The attributes that say something."""
    if "d" in attributes:
        attributes["d"] = _shorten(attributes["d"])
    if tag == "text":
        turned = re.fullmatch(r"(?:rotate|translate)\((\S+) (\S+)(?: (\S+))?\)", attributes.get("transform", ""))
        if turned and turned[3] and turned[1] == "0":
            del attributes["transform"]
        elif turned and not turned[3]:
            del attributes["transform"]
            attributes = {"x": turned[1], "y": turned[2], **attributes}
    return {name: text for name, text in attributes.items() if _INHERITED.get(name) != text}


def _read_formula(group: ElementTree.Element, attributes: dict[str, str]) -> Iterator[_Node]:
    """A text with exponents: Matplotlib sets each letter by itself, here runs of them follow one another."""
    letters: list[tuple[float, float, dict[str, str], str]] = []
    for span in group.iterfind("{*}text/{*}tspan"):
        style = _read_attributes(span)
        xs, ys = ([float(number) for number in style.pop(name).split()] for name in "xy")
        text = (span.text or "").replace("\xa0", " ")
        # Older releases of Matplotlib put letters of a look into one element: many x, and one y if all have the same.
        letters += zip(xs, ys * len(xs) if len(ys) == 1 else ys, [style] * len(xs), text, strict=True)
    letters.sort(key=lambda letter: letter[0])
    begin, line, first = letters[0][:3]
    turned = attributes.pop("transform", "")
    moved = re.fullmatch(r"translate\((\S+) (\S+)\)", turned)
    if moved:
        place = {"x": _format(float(moved[1]) + begin), "y": _format(float(moved[2]) + line)}
    else:
        place = {"x": _format(begin), "y": _format(line), "transform": turned}
    runs: list[_Node | str] = []
    height = line
    for (y, style), run in itertools.groupby(letters, key=lambda letter: letter[1:3]):
        text = "".join(letter[3] for letter in run)
        dy = _format(y - height)
        own = {name: style.get(name, _INHERITED.get(name, "")) for name in {**first, **style}}
        own = {name: value for name, value in own.items() if first.get(name, _INHERITED.get(name)) != value}
        own |= {"dy": dy} if dy != "0" else {}
        runs.append(_Node("tspan", own, [text]) if own else text)
        height = y
    yield _Node("text", _simplify("text", attributes | first | place), runs)
    for rule in group.iterfind("{*}rect"):  # of roots and fractions
        yield _Node("rect", {**_read_attributes(rule), **attributes, "transform": turned})


def _group(nodes: Iterable[_Node], names: Collection[str]) -> Iterator[_Node]:
    """What neighbours say alike under some names, said once."""

    def read(node: _Node) -> dict[str, str]:
        return {name: text for name, text in node.attributes.items() if name in names}

    for said, neighbours in itertools.groupby(nodes, key=read):
        run = list(neighbours)
        for node in run:
            if node.tag == "g":
                node.inside = list(_group((one for one in node.inside if isinstance(one, _Node)), names))
        if not said or len(run) == 1:
            yield from run
            continue
        for node in run:
            node.attributes = {name: text for name, text in node.attributes.items() if name not in said}
        yield _Node("g", said, run)


def _walk(nodes: "Iterable[_Node | str]") -> Iterator[_Node]:
    for node in nodes:
        if isinstance(node, _Node):
            yield node
            yield from _walk(node.inside)


def _find_reference(name: str, text: str) -> str:
    """The id that an attribute refers to; empty where it refers to none."""
    found = re.fullmatch(r"#(.*)" if name == "href" else r"url\(#(.*)\)", text)
    return found[1] if found else ""


def _shorten(path: str) -> str:
    """A path's data without needless spaces and letters: level and upright lines by one number."""
    parts, x, y, last = [], "", "", ""
    for letter, rest in re.findall(r"([A-Za-z])([^A-Za-z]*)", path):
        numbers = rest.split()
        if letter == "L" and numbers[1] == y:
            letter, numbers = "H", numbers[:1]
        elif letter == "L" and numbers[0] == x:
            letter, numbers = "V", numbers[1:]
        x = numbers[-1] if letter == "H" else numbers[-2] if len(numbers) > 1 else x
        y = y if letter == "H" else numbers[-1] if numbers else y
        parts.append((" " if letter == last else letter) + " ".join(numbers))
        last = letter
    return "".join(parts)


def _round(text: str) -> str:
    """A text with its decimal numbers rounded, but for factors of size, and a colour in three digits if it can be."""
    if "#" in text:
        return re.sub(r"^#(.)\1(.)\2(.)\3$", r"#\1\2\3", text)
    if "scale" in text or "matrix" in text:
        return text
    return _NUMBER.sub(lambda found: _format(float(found[0])), text)


def _format(number: float) -> str:
    text = f"{number:.{DECIMALS}f}".rstrip("0").rstrip(".")
    if text.startswith(("0.", "-0")):
        return text.replace("0", "", 1) if "." in text else "0"
    return text
