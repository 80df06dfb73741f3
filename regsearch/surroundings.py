"""What a user has set for other programs, and what lies around: none of it changes anything in a process of ours."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from regsearch.errors import DeviceError

_OTHERS = (
    "MPLBACKEND", "MATPLOTLIBRC", "DASK_", "KERASTUNER_", "KERAS_", "TF_", "TF2_", "PANDAS_", "NPY_", "NUMPY_",
    "SCIPY_", "SKLEARN_", "JUPYTER_", "PYTHONWARNINGS", "PYTHONOPTIMIZE", "PYTHONINSPECT", "PYTHONDEVMODE",
    "PYTHONASYNCIODEBUG", "PYTHONPROFILEIMPORTTIME", "PYTHONVERBOSE",
)  # fmt: skip
"""How variables begin that say what other programs, or libraries in other programs, should do."""
_OURS = (
    "KERAS_HOME",  # datasets that are there already
    "TF_FORCE_GPU_ALLOW_GROWTH", "TF_GPU_",  # how a machine's GPU is shared
    "DASK_INTERNAL_INHERIT_CONFIG", "DASK_LOGGING__DISTRIBUTED",  # what a worker gets from its driver
)  # fmt: skip
"""Of these, those that say something about the machine, or are ours."""
_NUMBERS = ("COLUMNS", "LINES", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables that libraries take for numbers."""
_NOWHERE = {"HOME": os.devnull, "DASK_ROOT_CONFIG": os.devnull}
_APART: dict[str, Mapping[str, str | None]] = {
    "matplotlib": {"MATPLOTLIBRC": os.devnull, "MPLBACKEND": None},
    "keras": {"KERAS_HOME": os.devnull, "KERAS_MAX_EPOCHS": None, "KERAS_MAX_STEPS_PER_EPOCH": None},
    "dask": _NOWHERE,
    "distributed": _NOWHERE,
}
"""Libraries that read a user's settings when they are imported, and the environment in which they find none."""

_OF_FLAGS = ("default", "default::BytesWarning", "error::BytesWarning")
"""Options for warnings that Python's own flags bring about, which it looks for when it starts a worker."""

_ours = False


def set_aside(worker: bool = False) -> None:
    """Makes this process, which is ours, one in which nobody has set anything; before anything else is imported.

    Args:
        worker: whether it is a worker, whose driver tells it some things by the environment.
    """
    global _ours
    import logging
    import warnings

    _ours = True
    for name in list(os.environ):
        ours = name.startswith(_OURS) and (worker or not name.startswith("DASK_"))
        if (name.startswith(_OTHERS) and not ours) or (name in _NUMBERS and not _is_number(os.environ[name])):
            del os.environ[name]
    sys.warnoptions[:] = [option for option in dict.fromkeys(sys.warnoptions) if option in _OF_FLAGS]
    warnings.resetwarnings()
    warnings.simplefilter("ignore")
    logging.getLogger().addHandler(logging.NullHandler())  # or Python would print what libraries log
    sys.path[:] = list_path(sys.path)
    guard_imports()


def guard_imports() -> None:
    """Sets the environment so that processes started from now on import nothing that lies in the current folder."""
    os.environ["PYTHONSAFEPATH"] = "1"
    if "PYTHONPATH" in os.environ:  # an empty part of it means the current folder
        os.environ["PYTHONPATH"] = os.pathsep.join(list_path(os.environ["PYTHONPATH"].split(os.pathsep)))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and int(text) > 0


def list_path(path: list[str]) -> list[str]:
    """Where Python imports from, without the current folder and the main script's: what lies there is not ours.

    The folder that holds this package stays, whatever else it is.
    """
    home = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))  # noqa: PTH120
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    foreign = {os.path.dirname(os.path.realpath(script))} if script else set()  # noqa: PTH120
    with suppress(OSError):  # it may be gone
        foreign.add(os.path.realpath(os.getcwd()))  # noqa: PTH109
    return [folder for folder in path if os.path.realpath(folder) == home or _is_kept(folder, foreign)]


def _is_kept(folder: str, foreign: set[str]) -> bool:
    return folder != "" and os.path.realpath(folder) not in foreign


def check_temporary_folder() -> None:
    """Asks for a folder for temporary files, which TensorFlow, Matplotlib and workers need.

    Raises:
        DeviceError: there is none.
    """
    import tempfile

    try:
        tempfile.gettempdir()
    except OSError as error:
        raise DeviceError(
            f"TMPDIR: expected a folder for temporary files that can be written, got: {error.strerror}. "
            "Name one: TMPDIR=DIR regsearch …"
        ) from None


def import_apart(*names: str) -> None:
    """Imports libraries, in a process of ours without a user's settings of them.

    In a user's own process they are imported with these, and without where these let no import succeed.
    """
    for name in names:
        if name in sys.modules:
            continue
        if not _ours:
            try:
                __import__(name)
            except Exception:
                for half in [module for module in sys.modules if module.partition(".")[0] == name]:
                    del sys.modules[half]
            else:
                continue
        with _replaced(_APART[name]), _elsewhere():
            __import__(name)


@contextmanager
def hidden(prefix: str) -> Iterator[None]:
    """Inside, the environment has no variable that begins so."""
    with _replaced({name: None for name in os.environ if name.startswith(prefix)}):
        yield


@contextmanager
def _replaced(variables: Mapping[str, str | None]) -> Iterator[None]:
    """Inside, the environment has these variables; it lacks those that are None."""
    before = {name: os.environ.get(name) for name in variables}
    _set(variables)
    try:
        yield
    finally:
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextmanager
def _elsewhere() -> Iterator[None]:
    """Inside, the current folder is one without a user's files: Matplotlib reads `matplotlibrc` there."""
    try:
        here = os.open(".", os.O_RDONLY)
    except OSError:  # it is not ours to read, and so has none for us
        yield
        return
    os.chdir("/")
    try:
        yield
    finally:
        os.fchdir(here)
        os.close(here)
