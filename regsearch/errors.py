"""The errors that a user can mend; everything else is a fault of ours and keeps its traceback."""


class RegsearchError(Exception):
    """Something the user can mend. The message says where, what was expected, what was found, what to do."""

    exit_code = 1

    def _render_traceback_(self) -> list[str]:
        """What IPython shows: the message alone, as the way to it through the library mends nothing."""
        return [f"{type(self).__name__}: {self}"]


class SpecError(RegsearchError):
    """The spec is not valid; every problem is listed, one a line."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class DeviceError(RegsearchError):
    """The device that was asked for is not there, or this machine does not let a process train on it."""

    exit_code = 2


class DatasetError(RegsearchError):
    """The dataset cannot be had, or does not hold what the spec asks of it."""

    exit_code = 3


class ResultsError(RegsearchError):
    """The results folder is locked, unreadable, or belongs to another study."""

    exit_code = 4


class ClusterError(RegsearchError):
    """The cluster that was asked for cannot be reached, may not be used, or was lost; or every worker was."""

    exit_code = 6
