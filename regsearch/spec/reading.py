"""A YAML text → a frozen `Spec`, or every error at once with file and line."""

from pathlib import Path

from pydantic import ValidationError

from regsearch.errors import SpecError
from regsearch.spec import yaml
from regsearch.spec.messages import list_problems
from regsearch.spec.rules import RULES
from regsearch.spec.study import Spec


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
        problems = list_problems(error)
    else:
        problems = [problem for rule in RULES for problem in rule(spec)]
    if problems:
        problems.sort(key=lambda problem: document.line(problem[0]))
        raise SpecError(*dict.fromkeys(map(document.describe, problems)))
    spec._document = document
    return spec
