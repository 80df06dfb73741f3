"""A study, as the spec asks for it: read from a file, a text or keywords, and held to every rule."""

import math
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError
from pydantic.json_schema import GenerateJsonSchema

from regsearch.errors import SpecError
from regsearch.spec import yaml
from regsearch.spec.datasets import Dataset
from regsearch.spec.messages import list_problems, show
from regsearch.spec.rules import RULES
from regsearch.spec.sections import Grid, NamedArchitecture, ScaledArchitecture, Training
from regsearch.spec.values import Name, NonEmpty, Section, is_mistakable, simplify
from regsearch.spec.yaml import Document, Location, Problem, describe, dump


class _InvalidError(SpecError):
    """A spec that breaks rules, with where it does."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(*dict.fromkeys(f"Spec: {describe(problem)}" for problem in problems))
        self.located = problems


class Spec(Section, json_schema_extra={"oneOf": [{"required": ["architecture"]}, {"required": ["architectures"]}]}):
    """A study: the question put to one dataset and a grid of networks."""

    name: Name
    """The study's name; its results go to results/<name>/."""
    dataset: Dataset
    """Which images, how many, how noisy their labels."""
    architecture: ScaledArchitecture | None = None
    """One architecture at several widths."""
    architectures: NonEmpty[NamedArchitecture] | None = None
    """Several architectures by name, in place of `architecture`."""
    grid: Grid
    """The axes: every combination is trained."""
    training: Training
    """How each network is trained."""

    _document: Document | None = None
    _file: Path | None = None

    def __init__(self, /, *others: object, **sections: Any) -> None:
        """A spec from the sections of its file as keywords: mappings, lists, numbers, also NumPy's, and paths.

        Raises:
            SpecError: it is not valid; every problem is listed.
        """
        if others:
            raise TypeError("expected sections as keywords; Spec.load(path) reads a file and Spec.parse(text) a text")
        try:
            super().__init__(**{key: simplify(value) for key, value in sections.items()})
        except ValidationError as error:
            problems = list(list_problems(error, type(self)))
        else:
            problems = [problem for rule in RULES for problem in rule(self)]
        if problems:
            raise _InvalidError(problems)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Reads and validates a spec file.

        Raises:
            SpecError: the file cannot be read or is not valid; every problem is listed, in the file's order.
        """
        spec = cls.parse(yaml.read(Path(path)), str(path))
        spec._file = Path(path).absolute() if Path(path).is_file() else None  # a pipe lies beside no data
        return spec

    @classmethod
    def parse(cls, text: str, name: str = "spec") -> Self:
        """Validates a spec's text; `name` stands for the file in messages.

        Raises:
            SpecError: see `load`.
        """
        document = yaml.parse(text, name)
        if not isinstance(document.values, dict):
            problem = (), f"expected a mapping of keys to values, got {show(document.values)}"
            raise SpecError(document.describe(problem))
        try:
            spec = cls(**document.values)
        except _InvalidError as error:
            problems = sorted(error.located, key=lambda problem: document.line(problem[0]))
            raise SpecError(*dict.fromkeys(map(document.describe, problems))) from None
        spec._document = document
        return spec

    def __eq__(self, other: object) -> bool:
        """Whether both ask for the same, in whatever words."""
        return isinstance(other, Spec) and dict(self) == dict(other)

    @property
    def text(self) -> str:
        """The file as it was read, or the YAML text of a spec that was not read from one."""
        return self._document.text if self._document else dump(self.plain())

    @property
    def file(self) -> Path | None:
        """The file that it was read from, in full; None where it comes from a text, keywords or a pipe."""
        return self._file

    def relocate(self, path: str | None) -> Self:
        """The same study with its data at another path, or where they were, and beside no file of a spec."""
        dataset = self.dataset.model_copy(update={"path": path}) if path else self.dataset
        moved = self.model_copy(update={"dataset": dataset})
        moved._file = None
        return moved

    @property
    def folder(self) -> Path:
        """Where its results go unless another folder is named."""
        return Path("results") / self.name

    def learning_rates(self) -> tuple[float, ...]:
        """The grid's learning rates, or the optimizer's own."""
        return self.grid.learning_rates or (self.training.optimizer.learning_rate,)

    def train_sizes(self) -> tuple[int, ...]:
        """The grid's training-set sizes, or the dataset's."""
        sizes = self.grid.train_sizes or (self.dataset.train,)
        return tuple(size for size in sizes if size is not None)

    def steps(self) -> dict[int, int]:
        """Training steps in all, by training-set size."""
        return {size: self.training.epochs * self.training.steps(size) for size in self.train_sizes()}

    def count_trials(self) -> int:
        """The number of networks to train, without listing them."""
        lambdas, sizes = self.grid.lambda_values(), self.train_sizes() or (0,)
        architectures = self.architecture.widths if self.architecture else self.architectures or ()
        axes = (architectures, self.grid.seed_values(), self.learning_rates(), sizes)
        positive = sum(value > 0 for value in lambdas)
        return math.prod(map(len, axes)) * (positive * len(self.grid.penalties) + (0.0 in lambdas))

    @property
    def oddities(self) -> list[str]:
        """What may end otherwise than it is meant, a sentence each."""
        return [
            self.problem(
                ("architectures", index, "name"),
                f"spreadsheets and other programs take {item.name!r} for a number, a date or an empty cell: name it "
                f"otherwise, such as net-{item.name}, or read tables.xlsx (--xlsx)",
            )
            for index, item in enumerate(self.architectures or ())
            if is_mistakable(item.name)
        ]

    def problem(self, location: Location, message: str) -> str:
        """One line of an error about this spec, with file and line where it was read from a file."""
        problem = location, message
        return self._document.describe(problem) if self._document else describe(problem)


class _Generator(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        """Keys are their own titles."""
        return False


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a spec, for editors: made from the models that validate it.

    What no schema can say (a batch larger than the training set, a grid of too many trials, …) is left to
    `regsearch check`.
    """
    whole = Spec.model_json_schema(schema_generator=_Generator)
    return {"$schema": GenerateJsonSchema.schema_dialect, **whole, "title": "A regsearch study"}
