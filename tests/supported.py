"""The table of what a spec may name, made from the code.

python tests/supported.py        writes it into configs/README.md
"""

from pathlib import Path
from typing import get_args

from regsearch.data import SOURCES
from regsearch.spec.layers import LAYERS, ActivationName, InitializerName
from regsearch.spec.optimizers import OPTIMIZERS, SCHEDULES
from regsearch.spec.penalties import PENALTIES
from regsearch.spec.values import Count

DOCUMENT = Path(__file__).parent.parent / "configs" / "README.md"
START, END = "<!-- supported: made by tests/supported.py -->\n", "<!-- /supported -->\n"


def arguments(choice):
    """Keras's arguments that are taken, with their defaults."""
    found = []
    for name, field in choice.model_fields.items():
        if name == "layers":
            return "a list of layers, which may hold others"
        default = "" if field.is_required() else f" {written(field.default)}"
        found.append(f"`{name}`{default}")
    return ", ".join(found)


def written(default):
    """A default as the spec writes it."""
    if isinstance(default, Count):
        return str(default)
    if isinstance(default, tuple):
        return f"[{', '.join(map(written, default))}]"
    return {"None": "none", "True": "true", "False": "false"}.get(str(default), str(default))


def choices(title, table):
    """The rows of things with arguments."""
    return [f"| {title} | `{name}` | {arguments(choice)} |" for name, choice in table.items()]


def formula(penalty):
    """A penalty's own words, up to the first colon or full stop."""
    return penalty.__doc__.partition(":")[0].partition(". ")[0].rstrip(".").replace("|", "\\|")


def table():
    """The table's Markdown."""
    listed = {"activation": get_args(ActivationName), "initializer": get_args(InitializerName)}
    return "\n".join([
        "| | name | arguments with their defaults, or what it is |",
        "|---|---|---|",
        *choices("layer", LAYERS),
        *[f"| penalty | `{name}` | {formula(penalty)} |" for name, penalty in PENALTIES.items()],
        *choices("optimizer", OPTIMIZERS),
        *choices("schedule", SCHEDULES),
        *[f"| {kind} | {', '.join(f'`{name}`' for name in names)} | |" for kind, names in listed.items()],
        *[f"| dataset | `{name}` | {origin} |" for name, origin in SOURCES.items()],
        "",
    ])  # fmt: skip


def written_into(text):
    """The document with the table between its markers."""
    return text.split(START)[0] + START + "\n" + table() + "\n" + END + text.split(END)[1]


if __name__ == "__main__":
    DOCUMENT.write_text(written_into(DOCUMENT.read_text()))
