"""A process made ready to train: its backend imported without chatter, with Keras's own defaults, settled once."""

import os
import sys
import tempfile
import threading
from functools import cache

from regsearch import surroundings
from regsearch.engine.backend.xla_flags import list_xla_flags
from regsearch.errors import DeviceError

FEWEST_THREADS = 32
NAMES = {"tensorflow": "TensorFlow", "jax": "JAX"}
ELSEWHERE = "train in processes of their own (workers), or in a new one"

_importing = threading.Lock()


def start(threads: int = 0, device: str | None = None, backend: str = "tensorflow") -> None:
    """Makes a backend and Keras ready to train in this process, which it changes: their settings, the environment.

    Called again, it changes nothing: a backend takes its threads and devices only until it first computes.

    Args:
        threads: computing threads. Populations train on one, so that their numbers do not depend on where they
            train, and since one process a core is faster. 0 takes the number that the process was started with,
            or leaves it to the backend.
        device: `CPU` hides every GPU, `GPU` needs them to be seen; None takes what there is.
        backend: `tensorflow` or `jax`.

    Raises:
        DeviceError: the backend computes already, and on other threads or devices; or Keras computes with another
            here, or it is not installed.
    """
    from regsearch.engine import backend as backends

    set_environment(threads, device, backend)
    import_quietly(backend)
    import keras

    if (there := keras.backend.backend()) != backend:
        raise DeviceError(
            f"expected Keras to compute with {NAMES[backend]}, got a process where it took {there}: {ELSEWHERE}"
        )
    # A user's ~/.keras/keras.json and KERAS_… variables may say otherwise: the spec alone decides the numbers.
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_max_epochs(None)
    keras.config.set_max_steps_per_epoch(None)
    backends.door(backend).set_up(threads, device)


def set_environment(threads: int, device: str | None, backend: str) -> None:
    """What a backend, Keras and XLA ask of the environment when they are imported or first compile."""
    os.environ["KERAS_BACKEND"] = backend  # whatever else a user's Keras computes with
    os.environ["XLA_FLAGS"] = list_xla_flags(backend)
    if backend == "tensorflow":
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
        return
    if threads:
        os.environ["NPROC"] = str(threads)  # JAX has no other way to say how many threads compute
    if device:
        os.environ["JAX_PLATFORMS"] = {"CPU": "cpu", "GPU": "cuda"}[device]


def import_quietly(backend: str | None = None) -> None:
    """Imports Keras on a backend, and changes nothing else; what they print is shown only if that fails.

    None takes the backend that was imported before, or TensorFlow.

    Threads wait for one another: two that import these at once may each get half of them.
    """
    with _importing:
        if backend or not _import_once.cache_info().currsize:
            _import_once(backend or "tensorflow")


@cache
def _import_once(backend: str) -> None:
    """Imports them.

    TensorFlow prints from C++ before it can be told not to, past Python's `sys.stderr`: so file descriptor 2 itself
    leads elsewhere meanwhile.
    """
    surroundings.check_temporary_folder()
    _check_threads(backend)
    level = os.environ.get("TF_CPP_MIN_LOG_LEVEL")
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = level or "3"
    os.environ.setdefault("KERAS_BACKEND", backend)
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            surroundings.import_apart("matplotlib", "keras")  # Keras imports Matplotlib; Python remembers them
        except ModuleNotFoundError as error:
            if error.name != backend:
                raise
            raise DeviceError(
                f"expected {NAMES[backend]} to be installed, found none: pip install {backend}"
            ) from None
        except Exception:
            chatter.seek(0)
            os.write(stderr, chatter.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            if level is None:
                del os.environ["TF_CPP_MIN_LOG_LEVEL"]


def _check_threads(backend: str) -> None:
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
            f"expected to start {FEWEST_THREADS} threads, as {NAMES[backend]} does, got: {error}. "
            "Raise the limit on processes and threads (ulimit -u), or end some"
        ) from None
    finally:
        end.set()
