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


def _kinds(error: Exception) -> set[str]:
    """By name: TensorFlow and Dask need not be imported to tell."""
    return {kind.__name__ for kind in type(error).__mro__}
