"""TensorFlow, Keras and their devices: imported without chatter, with their own defaults, set up once a process."""

import os
import re
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path

from regsearch import surroundings
from regsearch.engine.limits import count_allowed_cores
from regsearch.engine.xla_flags import list_xla_flags
from regsearch.errors import DeviceError

FEWEST_THREADS = 32

_importing = threading.Lock()
_ELSEWHERE = "train in processes of their own (workers), or in a new one"


def find_gpus() -> list[str]:
    """The GPUs of this machine that may be used, as CUDA_VISIBLE_DEVICES names them. Imports nothing."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name.strip() not in ("", "-1")]
    return sorted(
        path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia*") if re.search(r"\d$", path.name)
    )


def count_cores() -> int:
    """The cores this process may use: those it is bound to, or fewer where a container's share of time is smaller."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(there, count_allowed_cores() or there)


def has_gpu() -> bool:
    """Whether TensorFlow finds a GPU; it is asked only where the machine has one."""
    if not find_gpus():
        return False
    import_quietly()
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def start(threads: int = 0, device: str | None = None) -> None:
    """Makes TensorFlow and Keras ready to train in this process, which it changes: their settings, the environment.

    Called again, it changes nothing: TensorFlow takes its threads and devices only until it first computes.

    Args:
        threads: computing threads. Populations train on one, so that their numbers do not depend on where they
            train, and since one process a core is faster. 0 takes the number that the process was started with,
            or leaves it to TensorFlow.
        device: `CPU` hides every GPU, `GPU` needs them to be seen; None takes what there is.

    Raises:
        DeviceError: TensorFlow computes already, and on other threads or devices; or Keras computes with another
            library here.
    """
    _set_environment()
    import_quietly()
    import keras
    import tensorflow as tf

    if (library := keras.backend.backend()) != "tensorflow":
        raise DeviceError(
            f"expected Keras to compute with TensorFlow, got a process where it took {library}: {_ELSEWHERE}"
        )
    tf.get_logger().setLevel("ERROR")
    # A user's ~/.keras/keras.json and KERAS_… variables may say otherwise: the spec alone decides the numbers.
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_max_epochs(None)
    keras.config.set_max_steps_per_epoch(None)
    try:
        if device == "CPU":
            tf.config.set_visible_devices([], "GPU")
        if threads:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        computing = tf.config.threading.get_intra_op_parallelism_threads() or "as many as it takes"
        raise DeviceError(
            f"expected TensorFlow to train with {threads or computing} threads on {device or 'any device'}, on which "
            f"its numbers depend, got a process where it computes already ({computing} threads): {_ELSEWHERE}"
        ) from None
    if device == "GPU" and tf.config.list_physical_devices("GPU") and not tf.config.get_visible_devices("GPU"):
        raise DeviceError(f"expected TensorFlow to see its GPU, got a process that hid it: {_ELSEWHERE}")


def _set_environment() -> None:
    """What TensorFlow, Keras and XLA ask of the environment when they are imported or first compile."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever else a user's Keras computes with
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ["XLA_FLAGS"] = list_xla_flags()


def import_quietly() -> None:
    """Imports TensorFlow and Keras, and changes nothing else; what they print is shown only if that fails.

    Threads wait for one another: two that import these at once may each get half of them.
    """
    with _importing:
        _import_once()


@cache
def _import_once() -> None:
    """Imports them.

    TensorFlow prints from C++ before it can be told not to, past Python's `sys.stderr`: so file descriptor 2 itself
    leads elsewhere meanwhile.
    """
    surroundings.check_temporary_folder()
    _check_threads()
    level = os.environ.get("TF_CPP_MIN_LOG_LEVEL")
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = level or "3"
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            surroundings.import_apart("matplotlib", "keras")  # Keras imports Matplotlib; Python remembers them
            import tensorflow as tf  # noqa: F401
        except Exception:
            chatter.seek(0)
            os.write(stderr, chatter.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            if level is None:
                del os.environ["TF_CPP_MIN_LOG_LEVEL"]


def _check_threads() -> None:
    """Refuses a process that may start no more threads: TensorFlow would abort it.

    Raises:
        DeviceError: it may not.
    """
    end = threading.Event()
    threads = [threading.Thread(target=end.wait, daemon=True) for _ in range(FEWEST_THREADS)]
    try:
        for thread in threads:
            thread.start()
    except RuntimeError as error:
        raise DeviceError(
            f"expected to start {FEWEST_THREADS} threads, as TensorFlow does, got: {error}. "
            "Raise the limit on processes and threads (ulimit -u), or end some"
        ) from None
    finally:
        end.set()
