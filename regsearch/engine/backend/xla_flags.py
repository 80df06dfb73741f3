"""The flags of XLA, which compiles for both backends: ours, and a user's, tried before a wrong one ends all."""

import os
import subprocess
import sys
from functools import cache
from importlib.metadata import version

from regsearch.errors import DeviceError

XLA_FLAGS = {"--xla_backend_optimization_level": "1"}
"""Populations compile in less time, and train as fast."""
XLA_FLAGS_KNOWN_TO = "2.21."
"""The TensorFlow release these were measured on; another may not know them, and an unknown flag ends a process."""

_TRY = {
    "tensorflow": "import tensorflow as tf; tf.function(lambda: tf.constant(1.0) + 1.0, jit_compile=True)()",
    "jax": "import jax; jax.jit(lambda: jax.numpy.float32(1) + 1)()",
}


def list_xla_flags(backend: str = "tensorflow") -> str:
    """The flags that XLA computes with where `start` was called: those of the environment, and ours."""
    flags = os.environ.get("XLA_FLAGS", "").split()
    if backend == "tensorflow" and version("tensorflow").startswith(XLA_FLAGS_KNOWN_TO):
        missing = [name for name in XLA_FLAGS if not any(flag.startswith(name) for flag in flags)]
        flags += [f"{name}={XLA_FLAGS[name]}" for name in missing]
    return " ".join(flags)


def check_xla_flags(backend: str) -> None:
    """Tries the flags of the environment, if there are any but ours, in a process of its own.

    Raises:
        DeviceError: the compiler does not take them.
    """
    if not set(os.environ.get("XLA_FLAGS", "").split()) <= {f"{name}={value}" for name, value in XLA_FLAGS.items()}:
        _try(list_xla_flags(backend), backend)


@cache
def _try(flags: str, backend: str) -> None:
    environment = os.environ | {
        "XLA_FLAGS": flags,
        "CUDA_VISIBLE_DEVICES": "",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "JAX_PLATFORMS": "cpu",
    }
    command = [sys.executable, "-P", "-c", _TRY[backend]]
    tried = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", errors="replace")
    if tried.returncode and "parse_flags_from_env" in tried.stderr:
        reason = next(line for line in tried.stderr.splitlines() if "parse_flags_from_env" in line)
        raise DeviceError(
            f"XLA_FLAGS: expected flags that the compiler of {backend} takes, got {os.environ['XLA_FLAGS']!r}: "
            f"{reason.partition('] ')[2].rstrip('.')}. Mend or unset that variable"
        )
