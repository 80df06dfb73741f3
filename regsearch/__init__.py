"""regsearch: does the best L1/L2 lambda depend on how many weights a Conv2D network has? The Python API.

    import regsearch

    spec = regsearch.Spec.load("configs/smoke.yaml")
    results = regsearch.run(spec, "results/smoke")
    results.best_lambda

Nothing here prints, and importing it imports neither Keras nor TensorFlow. What there is to warn of goes to the
logger `regsearch`.
"""

from __future__ import annotations

import sys

if getattr(sys, "argv", [""])[0].rpartition("/")[2] in ("regsearch", "-m"):  # the command, before it imports more
    from regsearch import surroundings

    sys.path[:] = surroundings.list_path(sys.path)

import logging
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from regsearch.errors import ClusterError, DatasetError, DeviceError, RegsearchError, ResultsError, SpecError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from regsearch.report import Snapshot
    from regsearch.runner import Plan, Settings
    from regsearch.spec import Spec

__all__ = [
    "ClusterError", "DatasetError", "DeviceError", "RegsearchError", "Results", "ResultsError", "Spec", "SpecError",
    "load", "plan", "run",
]  # fmt: skip
__version__ = version("regsearch")

_Workers = int | Literal["auto"]


def __getattr__(name: str) -> Any:
    """`Spec`, imported when it is first asked for: `import regsearch` takes no time."""
    if name == "Spec":
        from regsearch.spec import Spec

        return Spec
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


class Results:
    """A study's results, as its folder had them when they were read.

    In a notebook it shows the verdict, what to doubt and the main tables.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        """Made by `run` and `load`."""
        self._snapshot = snapshot

    @property
    def folder(self) -> Path:
        """The results folder."""
        return self._snapshot.folder

    @property
    def spec(self) -> Spec:
        """What was asked."""
        return self._snapshot.spec

    @property
    def trials(self) -> pd.DataFrame:
        """One row a trained network of the grid: the ledger, `trials.csv`."""
        return self._snapshot.trials

    @cached_property
    def epochs(self) -> pd.DataFrame:
        """One row a network and epoch; epoch 0 is the start: `epochs.csv`."""
        return self._snapshot.read_epochs()

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table that the analyses make, by name."""
        return self._snapshot.tables.by_name()

    @property
    def best_lambda(self) -> pd.DataFrame:
        """One row an architecture and penalty: its best lambda, with an interval and a status."""
        return self._snapshot.tables.best_lambda

    @property
    def scaling(self) -> pd.DataFrame:
        """One row a penalty and what lambda is compared with: the exponent of best lambda ∝ N^exponent, a verdict."""
        return self._snapshot.tables.scaling

    @property
    def transfer(self) -> pd.DataFrame:
        """One row a pair of networks and rule: what the lambda tuned on one costs on the other."""
        return self._snapshot.tables.transfer

    @property
    def stability(self) -> pd.DataFrame:
        """One row an architecture and penalty: from which lambda on training diverged or collapsed."""
        return self._snapshot.tables.stability

    @property
    def mechanism(self) -> pd.DataFrame:
        """One row an architecture and penalty: the sums of the weights and the penalty's share of the loss."""
        return self._snapshot.tables.mechanism

    @property
    def response(self) -> pd.DataFrame:
        """One row an architecture, penalty and lambda: means and standard errors over seeds."""
        return self._snapshot.tables.response

    @property
    def calibration(self) -> pd.DataFrame | None:
        """How well a planted exponent is found; None for other data than planted."""
        return self._snapshot.tables.calibration

    @property
    def verdict(self) -> list[str]:
        """What the tables say in words, a paragraph each."""
        return self._snapshot.verdict

    @property
    def doubts(self) -> list[str]:
        """What to doubt, a sentence each."""
        return self._snapshot.doubts

    def suggest(self, weights: int, penalty: str | None = None, below: int | None = None) -> pd.DataFrame:
        """The range of lambdas to search for a network of another size.

        Args:
            weights: trainable weights of that network.
            penalty: the only one to go by, as the tables name it; None for all.
            below: goes by networks of fewer trainable weights than this alone.

        Returns:
            One row a penalty, learning rate and training-set size: `low`, `best` and `high`, a 95 % prediction
            interval; `factor`, how many times the largest network's weights that is; `words`; and `spec`, the part of
            a spec that searches the range. Where there is no range these are empty, and `words` says why.

        Raises:
            ResultsError: there is no range at all.
            ValueError: an argument makes no sense.
        """
        from regsearch import analysis

        return analysis.tabulate(self._snapshot.suggest(weights, penalty, below))

    def figure(
        self,
        kind: str = "best_lambda",
        penalty: str | None = None,
        learning_rate: float | None = None,
        train_size: int | None = None,
    ) -> Figure:
        """One of the figures.

        Args:
            kind: `best_lambda`, `response`, `transfer`, `stability` or `penalty_share`.
            penalty: as the tables name it; needed where there are several.
            learning_rate: likewise.
            train_size: likewise, the number of training images.

        Returns:
            A Matplotlib figure, to show, change or save.

        Raises:
            ValueError: there is no such figure, or several.
        """
        return self._snapshot.draw(kind, penalty=penalty, learning_rate=learning_rate, train_size=train_size)

    @cached_property
    def tuner(self) -> Any:
        """The search as Keras Tuner knows it, a `keras_tuner.Tuner`: for `results_summary()` and the like.

        `tuner.hypermodel.build(hyperparameters)` makes a trial's untrained network. Imports Keras Tuner and Keras,
        which takes seconds, and writes nothing into the results folder.
        """
        from regsearch import runner

        return runner.make_tuner(self._snapshot)

    def __repr__(self) -> str:
        return "\n".join([self._snapshot.summary, *self.verdict])

    def _repr_html_(self) -> str:
        return self._snapshot.render()


def run(
    spec: Spec | str | Path,
    folder: str | Path | None = None,
    *,
    workers: _Workers = "auto",
    engine: Literal["population", "reference"] = "population",
    device: Literal["auto", "cpu", "gpu"] = "auto",
    backend: Literal["tensorflow", "jax"] = "tensorflow",
    fresh: bool = False,
    xlsx: bool = False,
) -> Results:
    """Trains what is missing of a study, writes its tables, figures and page, and gives its results.

    What is finished is kept whenever it is interrupted; called again it goes on, and trains nothing twice.

    By default the networks train in processes of their own, one a core or GPU. These start without the caller's main
    module, so a script needs no `if __name__ == "__main__":`. This process imports Keras Tuner, as its Keras is set
    up; its settings, environment and logging are afterwards as they were. (While it lasts, Dask's log is silent, its
    settings are its defaults, and the environment names one computing thread a process.)

    With `workers=0` this process itself trains, and stays changed: Keras's float type, epsilon, image format and
    limits of epochs and steps; the backend's threads and devices, TensorFlow's logger; and in the environment
    `KERAS_BACKEND`, `XLA_FLAGS`, `TF_CPP_MIN_LOG_LEVEL` and `TF_FORCE_GPU_ALLOW_GROWTH`, or `NPROC` and
    `JAX_PLATFORMS`.

    Args:
        spec: what is asked, or the file that says so.
        folder: where the results are, or will be; by default `results/<name>`.
        workers: processes of their own that train, at most 1024; `auto` for one a core or GPU, 0 for this process.
        engine: `population` for many networks at once, `reference` for one at a time by plain Keras.
        device: what to train on; `auto` for a GPU where there is one.
        backend: what computes; `jax` has to be installed.
        fresh: moves earlier results aside first.
        xlsx: writes a workbook of the tables too.

    Returns:
        The results; networks that failed are among its `trials`, and said to the logger.

    Raises:
        SpecError, DeviceError, DatasetError, ResultsError: all of them RegsearchError, with what to do.
        ClusterError: no process of its own is left that trains.
        ValueError: an argument makes no sense.
    """
    from regsearch import study

    spec, settings = _read_spec(spec), _make_settings(workers, engine, device, backend)
    outcome = study.run(spec, Path(folder or spec.folder), settings, fresh=fresh, xlsx=xlsx)
    if outcome.failed:
        logging.getLogger(__name__).warning("%s", outcome.describe_failures())
    assert outcome.report is not None, "only shards leave the report to others"
    return Results(outcome.report)


def load(folder: str | Path) -> Results:
    """Reads a results folder, also one that is still being trained into; trains and writes nothing.

    Raises:
        ResultsError: it is none, or damaged.
    """
    from regsearch import report

    if studies := report.find_studies(Path(folder)):
        names = ", ".join(path.name for path in studies)
        raise ResultsError(f"{folder}: expected a results folder, got a folder of several: load one of {names}")
    return Results(report.read(Path(folder)))


def plan(
    spec: Spec | str | Path,
    folder: str | Path | None = None,
    *,
    workers: _Workers = "auto",
    engine: Literal["population", "reference"] = "population",
    device: Literal["auto", "cpu", "gpu"] = "auto",
    backend: Literal["tensorflow", "jax"] = "tensorflow",
) -> Plan:
    """What `run` with the same arguments would train, in what memory, and about how long it would take here.

    It trains a few small populations for some seconds, as `run` would train them, and writes nothing.

    Raises:
        SpecError, DeviceError, DatasetError, ResultsError, ValueError: as `run` would.
    """
    import time

    from regsearch import runner

    spec, started = _read_spec(spec), time.perf_counter()
    return runner.make_plan(
        spec, Path(folder or spec.folder), _make_settings(workers, engine, device, backend), started
    )


def _read_spec(spec: Spec | str | Path) -> Spec:
    from regsearch.spec import Spec

    if isinstance(spec, str | Path):
        return Spec.load(spec)
    if not isinstance(spec, Spec):
        raise TypeError(f"spec: expected a regsearch.Spec or the path of a spec file, got {spec!r}")
    return spec


def _make_settings(workers: _Workers, engine: str, device: str, backend: str) -> Settings:
    from regsearch.runner import Settings

    return Settings.of(workers, engine, device, backend)
