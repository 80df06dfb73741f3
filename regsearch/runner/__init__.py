"""Who trains what, where: settings, jobs, workers, clusters, shards, Keras Tuner, progress, plans, batch scripts."""

from regsearch.runner import dask_settings  # noqa: F401 - before any of the others imports Dask

# isort: split
from regsearch.runner.cluster import Cluster
from regsearch.runner.jobs import Planner, list_cells, select_missing
from regsearch.runner.plan import Plan, format_bytes, format_duration, make_plan
from regsearch.runner.progress import Reporter, Shares, Tally, share_time
from regsearch.runner.search import GridSearch, make_tuner, write_tuner
from regsearch.runner.settings import Settings
from regsearch.runner.shards import Shard
from regsearch.runner.signals import NoSignals, Signals
from regsearch.runner.site import Crew, open_site
from regsearch.runner.slurm import write_script

__all__ = [
    "Cluster", "Crew", "GridSearch", "NoSignals", "Plan", "Planner", "Reporter", "Settings", "Shard", "Shares",
    "Signals", "Tally", "format_bytes", "format_duration", "list_cells", "make_plan",
    "make_tuner", "open_site", "select_missing", "share_time",
    "write_script", "write_tuner",
]  # fmt: skip
