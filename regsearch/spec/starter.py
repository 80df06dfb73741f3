"""A commented starter spec, which runs as it stands."""

import re
from importlib.resources import files
from pathlib import Path

from regsearch.errors import SpecError
from regsearch.spec import yaml
from regsearch.spec.values import NAME as NAMES

NAME = "study"
"""The starter's name, where the file's own will not do."""


def starter(name: str) -> str:
    """The starter's text, for a study of this name."""
    text = files("regsearch.spec").joinpath("starter.yaml").read_text(encoding="utf-8")
    return text.replace(f"name: {NAME}\n", f"name: {name}\n", 1)


def write(path: Path) -> None:
    """Writes the starter; the study is named like the file, so that two do not share results.

    Raises:
        SpecError: the file exists, or cannot be written.
    """
    # `12` and `true` would be read as a number and a boolean.
    is_name = re.fullmatch(NAMES, path.stem) and yaml.parse(path.stem, "").values == path.stem
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(starter(path.stem if is_name else NAME))
    except FileExistsError:
        raise SpecError(f"{path}: expected a new file, got one that exists. Name another, or move it away.") from None
    except OSError as error:
        raise SpecError(f"{path}: expected a file that can be written, got: {error.strerror}") from None
