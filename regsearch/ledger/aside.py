"""Earlier results out of the way: a results folder under a dated name beside it, and nothing deleted."""

import logging
import re
from datetime import UTC, datetime
from pathlib import Path

from regsearch.errors import ResultsError
from regsearch.ledger.folder import OURS, SPEC, STUDY
from regsearch.ledger.holding import hold_whole

MOVED_ASIDE = re.compile(r"-\d{8}-\d{6}(-\d+)?$")
"""How the name of a folder that was moved aside ends."""

log = logging.getLogger(__name__)


def move_aside(folder: Path) -> None:
    """Renames a results folder to a dated name beside it, whatever is in it; one that is empty or not there stays.

    Where the folder is a link, what it leads to is renamed, on its own disk, and an empty folder takes its place.

    Raises:
        ResultsError: another run holds it, it is no results folder, or it cannot be renamed.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not any((folder / name).exists() for name in (SPEC, STUDY, *OURS)):
        raise ResultsError(
            f"{folder}: expected a results folder to move aside, got one with nothing of a study in it. "
            "Name another folder with --out."
        )
    whole = folder.resolve()
    if Path.cwd().resolve().is_relative_to(whole):
        raise ResultsError(
            f"{folder}: expected a folder that can be moved aside, got the one that this command runs in. "
            "Leave it, and name it with --out."
        )
    with hold_whole(folder) as held:
        stem = f"{whole.name}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
        names = (whole.with_name(stem + suffix) for suffix in ("", *(f"-{number}" for number in range(2, 1000))))
        aside = next(path for path in names if not path.exists())
        try:
            whole.rename(aside)
            held.folder = aside
            if folder.is_symlink():
                whole.mkdir()
        except OSError as error:
            raise ResultsError(
                f"{folder}: expected a folder that can be renamed to {aside}, got: {error.strerror or error}. "
                "Move what is in it elsewhere yourself, or name another folder with --out."
            ) from None
    log.warning("%s: earlier results are now in %s", folder, aside)
