"""Where a spec's data lie: the path in the spec → the file or folder that it means."""

import logging
import os
from pathlib import Path

from regsearch.data.kinds import spell
from regsearch.errors import DatasetError
from regsearch.spec import Dataset, Digits, Planted, Spec

log = logging.getLogger(__name__)


def find_path(dataset: Dataset) -> Path | None:
    """The path that a spec gives; None where it gives none."""
    if isinstance(dataset, Digits | Planted) or dataset.path is None:
        return None
    return expand(dataset.path)


def expand(path: str) -> Path:
    """A path, of `~` the user's folder."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - leaves the name of no user as it is


def resolve_path(spec: Spec) -> Spec:
    """The spec with the path of its data in full, so that it means the same file wherever it is read.

    A relative path is looked for beside the spec's file and then in the current folder, where version 0.2.0 looked;
    that of a spec from no file in the current folder alone.

    Raises:
        DatasetError: nothing lies there.
    """
    path = find_path(spec.dataset)
    if path is None:
        return spec
    if path.is_absolute():
        return spec.relocate(str(path))
    here = path.absolute()
    beside = here if spec.file is None else spec.file.parent / path
    places = [place for place in dict.fromkeys((beside, here)) if os.path.exists(place)]  # noqa: PTH110 - never fails
    if not places:
        expected = f"{path} beside the spec ({beside}) or in the current folder ({here}), got neither"
        if beside == here:
            expected = f"{path} in the folder {here.parent}, got nothing there"
        raise DatasetError(_word(spec, f"expected {expected}. Write the path in full"))
    if places[0] != beside:
        log.warning(
            "%s",
            _word(
                spec,
                f"expected {path} beside the spec ({beside}), got it in the current folder alone: "
                f"{here} is used. Put it beside the spec, or write its path in full",
            ),
        )
    elif len(places) > 1 and not here.samefile(beside):
        log.warning(
            "%s",
            _word(
                spec,
                f"expected one {path}, got {beside} and {here}. That beside the spec is used, "
                "where version 0.2.0 used the other: remove one, or write the path in full",
            ),
        )
    return spec.relocate(str(places[0]))


def _word(spec: Spec, message: str) -> str:
    return spell(spec.problem(("dataset", "path"), message))
