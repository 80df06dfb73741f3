"""Dask with settings of ours alone, and silent; a user's settings and log are afterwards as they were."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from regsearch import surroundings

surroundings.import_apart("dask", "distributed")

import dask  # noqa: E402

SETTINGS = {
    "distributed.worker.multiprocessing-method": "spawn",
    # A nanny replaces its dead worker itself. Dask would close one whose worker is away this long after a death, also
    # if that is because it died again and is being replaced: then nobody would train any more.
    "distributed.deploy.lost-worker-timeout": "1000 days",
    "distributed.scheduler.worker-saturation": 1.0,  # a dead worker loses one task, not a queue of them
    "distributed.scheduler.allowed-failures": 0,  # `dispatch` tries again
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    # Samples of themselves that nobody looks at; without them two workers on two cores are a tenth faster.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.tick.interval": "500ms",
    "distributed.nanny.pre-spawn-environ": {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "DASK_LOGGING__DISTRIBUTED": "critical",
    },
}
"""What a scheduler and its workers need besides their defaults: nothing on HTTP, one task a worker, no sampling."""


@contextmanager
def settings_of_ours() -> Iterator[None]:
    """Inside, Dask's settings are its defaults and ours, and it is silent. What it sets in the environment goes."""
    config, levels, environment = _copy(dask.config.config), silence_dask(), dict(os.environ)
    surroundings.guard_imports()
    dask.config.refresh(paths=[], env={})
    try:
        with dask.config.set(SETTINGS):
            yield
    finally:
        for name in os.environ.keys() - environment.keys():
            del os.environ[name]
        os.environ.update(environment)
        for logger, level in levels.items():
            logger.setLevel(level)
        dask.config.config.clear()
        dask.config.config.update(config)


def _copy(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: _copy(value) if isinstance(value, dict) else value for name, value in settings.items()}


def silence_dask() -> dict[logging.Logger, int]:
    """Dask says nothing from now on, not even of workers that die: we do. Gives the levels that its loggers had."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client", "asyncio", "tornado")]
    levels = {logger: logger.level for logger in loggers}
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    return levels
