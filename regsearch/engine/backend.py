"""TensorFlow, Keras and their devices: imported without chatter, with their own defaults, told apart by kind."""

import os
import re
import sys
import tempfile
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path


def gpus() -> list[str]:
    """The GPUs of this machine that may be used, as CUDA_VISIBLE_DEVICES names them. Imports nothing."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name.strip() not in ("", "-1")]
    return sorted(
        path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia*") if re.search(r"\d$", path.name)
    )


def cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


XLA_FLAGS = {"--xla_backend_optimization_level": "1", "--xla_cpu_use_fusion_emitters": "false"}
"""Measured on configs/digits.yaml: populations compile in two thirds of the time and train a sixth faster."""
XLA_FLAGS_KNOWN_TO = "2.21."
"""The TensorFlow release these were measured on; another may not know them, and an unknown flag ends a process."""


def has_gpu() -> bool:
    """Whether TensorFlow finds a GPU; it is asked only where the machine has one."""
    if not gpus():
        return False
    start()
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def start(threads: int = 0, device: str | None = None) -> None:
    """Imports TensorFlow, and Keras with its own defaults; what they print is shown only if the import fails.

    Args:
        threads: computing threads; 0 leaves the number to TensorFlow. Populations train on one, so that their
            numbers do not depend on where they train, and since one process a core is faster.
        device: `CPU` hides every GPU.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever else a user's Keras computes with
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    if version("tensorflow").startswith(XLA_FLAGS_KNOWN_TO):
        given = os.environ.get("XLA_FLAGS", "").split()
        ours = [
            f"{name}={value}" for name, value in XLA_FLAGS.items() if not any(flag.startswith(name) for flag in given)
        ]
        os.environ["XLA_FLAGS"] = " ".join([*given, *ours])
    _import_quietly()
    import keras
    import tensorflow as tf

    # A user's ~/.keras/keras.json and KERAS_… variables may say otherwise: the spec alone decides the numbers.
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_max_epochs(None)
    keras.config.set_max_steps_per_epoch(None)
    tf.get_logger().setLevel("ERROR")
    with suppress(RuntimeError):  # already computing, as it was set up first
        if device == "CPU":
            tf.config.set_visible_devices([], "GPU")
        if threads:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)


def _import_quietly() -> None:
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            import tensorflow  # noqa: F401
        except Exception:
            chatter.seek(0)
            os.write(stderr, chatter.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
