"""Faults that libraries throw at us while training, told apart by what helps against them."""

_MEMORY = ("RESOURCE_EXHAUSTED", "Out of memory", "out of memory")


def wants_memory(error: Exception) -> bool:
    """Whether fewer networks at a time may help: memory ran out, here, on a GPU, or so that a worker was killed."""
    kinds = _kinds(error)
    return (
        isinstance(error, MemoryError)
        or bool(kinds & {"ResourceExhaustedError", "KilledWorker"})
        or any(words in str(error) for words in _MEMORY)
    )


def lost_a_worker(error: Exception) -> bool:
    """Whether the worker died, was killed or closed: for want of memory, or for reasons of its machine's own."""
    return bool(_kinds(error) & {"KilledWorker", "UnwantedError"})


def may_be_compilers(error: Exception) -> bool:
    """Whether training without XLA may help: TensorFlow says no more than that something in it failed."""
    return "OpError" in _kinds(error) and not wants_memory(error)


def word_cause(error: BaseException) -> str:
    """The reason in a line: the deepest tells most, but for an attempt that ran out of time and says nothing."""
    reason, cause = str(error).partition("\n")[0] or type(error).__name__, error.__cause__
    while cause is not None:
        reason, cause = str(cause).partition("\n")[0] or reason, cause.__cause__
    return reason


def _kinds(error: Exception) -> set[str]:
    """By name: TensorFlow and Dask need not be imported to tell."""
    return {kind.__name__ for kind in type(error).__mro__}
