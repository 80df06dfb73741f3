"""The kinds of value a spec's fields take: strict numbers, names, counts that follow the width."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, GetPydanticSchema, model_validator
from pydantic.annotated_handlers import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


class Section(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """A mapping of the spec: frozen, with no keys but its own. The text below a key is what editors show of it."""

    @classmethod
    def fields_by_key(cls) -> dict[str, FieldInfo]:
        """The fields by the keys of the spec."""
        return {field.alias or name: field for name, field in cls.model_fields.items()}

    def plain(self) -> object:
        """What was said, in the plain values of a file."""
        fields = type(self).model_fields
        return {fields[name].alias or name: _plain(value) for name, value in self if name in self.model_fields_set}


def wrong(expected: str, got: str | None = None) -> PydanticCustomError:
    """The error of a validator: what was expected here; `got` replaces the value itself in the message."""
    return PydanticCustomError("regsearch", "expected {expected}", {"expected": expected, "got": got})


class Named(Section):
    """One of several things chosen by name: `Name` alone, or `Name: {argument: value}`."""

    kind: ClassVar[str]

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        cls.kind = cls.__dict__.get("kind", cls.__name__)

    @model_validator(mode="before")
    @classmethod
    def _open(cls, value: object) -> object:
        """`Flatten` and `{Conv2D: {…}}` as the arguments alone."""
        if isinstance(value, str):
            return {}
        if isinstance(value, dict) and list(value) == [cls.kind]:
            return {} if value[cls.kind] is None else value[cls.kind]
        return value

    def plain(self) -> object:
        """`Name`, or `Name: {argument: value}`."""
        arguments = super().plain()
        return {self.kind: arguments} if arguments else self.kind

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """`Name` where no argument is required, or `Name: {argument: value}`."""
        arguments = handler(core)
        whole = handler.resolve_ref_schema(arguments)
        about = {"description": whole["description"]}
        if whole.get("required"):
            return about | cls.under_kind(arguments)
        return about | {"anyOf": [{"const": cls.kind}, cls.under_kind({"anyOf": [arguments, {"type": "null"}]})]}

    @classmethod
    def under_kind(cls, value: dict[str, Any]) -> dict[str, Any]:
        """The JSON Schema of `Name: value`, from that of the value."""
        about = {"type": "object", "required": [cls.kind], "additionalProperties": False}
        return about | {"properties": {cls.kind: value}}


def name_of(value: object) -> str | None:
    """The name of a choice, written `Name` or `Name: {argument: value}`; None where it is neither."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and len(value) == 1:
        return str(next(iter(value)))
    return value.kind if isinstance(value, Named) else None


def one_of(kind: str, choices: Mapping[str, type[Named]], example: str) -> GetPydanticSchema:
    """The annotation of a field that takes one of these choices by its name; kind and example are for messages."""
    expected = f"{kind}, one of {', '.join(choices)}, written {example}"

    def generate(_: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        schemas = {name: handler.generate_schema(choice) for name, choice in choices.items()}
        return core_schema.tagged_union_schema(
            schemas, name_of, custom_error_type="regsearch", custom_error_message="expected {expected}",
            custom_error_context={"expected": expected, "choices": ", ".join(choices)},
        )  # fmt: skip

    return GetPydanticSchema(generate)


Integer = Annotated[int, Field(strict=True)]
Positive = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
Whole = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Rate = Annotated[Number, Field(gt=0)]
Fraction = Annotated[Number, Field(ge=0, lt=1)]
Flag = Annotated[bool, Field(strict=True)]
Text = Annotated[str, Field(strict=True)]

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"


_MONTH = (
    "(jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?|oct(ober)?|nov(ember)?"
    "|dec(ember)?)"
)
_MISTAKABLE = re.compile(
    rf"\d+\.?\d*(e-?\d+)?|\d{{1,4}}[-.]\d{{1,2}}([-.]\d{{1,4}})?|{_MONTH}[-.]?\d{{1,4}}|\d{{1,4}}[-.]?{_MONTH}"
    r"|true|false|na|n\.a\.?|nan|null|none|inf|infinity",
    re.IGNORECASE,
)


def is_mistakable(name: str) -> bool:
    """Whether spreadsheets or other programs take a name for a number, a date or an empty cell."""
    return _MISTAKABLE.fullmatch(name) is not None


def _name(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(NAME, value):
        raise wrong("a name of letters, digits, '.', '_' or '-', first a letter or digit (a number in quotes)")
    return value


Name = Annotated[str, BeforeValidator(_name), Field(json_schema_extra={"pattern": f"^{NAME}$"})]


def _sequence(value: object) -> object:
    if not isinstance(value, list | tuple) or not value:
        raise wrong("a list with at least one entry")
    return tuple(value)


def _no_repeats(values: tuple[object, ...]) -> tuple[object, ...]:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise wrong("each value once", f"{value} again (entry {index + 1})")
    return values


Item = TypeVar("Item")
NonEmpty = Annotated[  # min_length would count valid entries alone
    tuple[Item, ...], BeforeValidator(_sequence), Field(json_schema_extra={"minItems": 1})
]
Distinct = Annotated[NonEmpty[Item], AfterValidator(_no_repeats), Field(json_schema_extra={"uniqueItems": True})]


def _pair(value: object) -> object:
    if type(value) is int:
        return value, value
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise wrong("a whole number, or two of them as [height, width]")
    return tuple(value)


def _margins(value: object) -> object:
    sides = value if isinstance(value, list | tuple) else (value, value)
    pairs = tuple(tuple(side) if isinstance(side, list | tuple) else (side, side) for side in sides)
    whole = all(type(margin) is int and 0 <= margin < 2**31 for pair in pairs for margin in pair)
    if len(pairs) != 2 or any(len(pair) != 2 for pair in pairs) or not whole:
        raise wrong("a whole number from 0, [height, width], or [[top, bottom], [left, right]]")
    return pairs


_Side = Whole | tuple[Whole, Whole]
_Pair = tuple[Positive, Positive]
_Margins = tuple[tuple[int, int], tuple[int, int]]
Pair = Annotated[_Pair, BeforeValidator(_pair, json_schema_input_type=Positive | _Pair)]
Margins = Annotated[_Margins, BeforeValidator(_margins, json_schema_input_type=Whole | tuple[_Side, _Side])]


@dataclass(frozen=True)
class Count:
    """A number of filters or units: `factor` times the width or the number of classes (or outputs), or as it is."""

    factor: int
    of: str | None = None

    def resolve(self, width: int | None, classes: int | None = None) -> int:
        """The number at one width and number of classes."""
        size = {"width": width, "classes": classes, None: 1}[self.of]
        assert size is not None, f"{self} needs a {self.of}"
        return self.factor * size

    def plain(self) -> int | str:
        """As the spec writes it."""
        return self.factor if self.of is None else self.of if self.factor == 1 else f"{self.factor}*{self.of}"

    def __str__(self) -> str:
        return str(self.plain())


_MULTIPLE = re.compile(r"(?:([1-9][0-9]{0,8}) *\* *)?(width|classes|outputs)(?: *\* *([1-9][0-9]{0,8}))?")


def _count(value: object) -> Count:
    if isinstance(value, Count):
        return value
    if type(value) is int and 1 <= value < 2**31:
        return Count(value)
    match = _MULTIPLE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or (match[1] and match[3]):
        raise wrong("a whole number from 1, `width`, a whole-number multiple such as `2*width`, or `classes`")
    return Count(int(match[1] or match[3] or 1), match[2].replace("outputs", "classes"))


_Multiple = Annotated[str, Field(pattern=f"^ *({_MULTIPLE.pattern}) *$")]
Size = Annotated[Count, BeforeValidator(_count, json_schema_input_type=Positive | _Multiple)]


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.plain() if isinstance(value, Section | Count) else value


def simplify(value: object) -> object:
    """Values from Python as a file has them: NumPy's arrays and numbers as lists and numbers, paths as text."""
    if isinstance(value, Mapping):
        return {key: simplify(item) for key, item in value.items()}
    if isinstance(value, list | tuple | range):
        return [simplify(item) for item in value]
    if isinstance(value, PurePath):
        return str(value)
    return value.tolist() if hasattr(value, "tolist") else value
