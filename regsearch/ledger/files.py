"""Files that are written whole or not at all, and the error of a folder that cannot be used."""

from contextlib import suppress
from pathlib import Path

from regsearch.errors import ResultsError


def write_text(path: Path, text: str) -> None:
    """Writes a whole file, or nothing."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a whole file, or nothing."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise unusable(path.parent, error) from None


def unusable(folder: Path, error: Exception) -> ResultsError:
    """The error of a results folder that cannot be read or written."""
    path, reason = getattr(error, "filename", None) or folder, getattr(error, "strerror", None) or error
    return ResultsError(
        f"{path}: expected a results folder that can be read and written, got: {reason}. "
        "Mend that, or name another folder with --out. Everything finished is kept; run again to go on."
    )
