"""Batch scripts for Slurm: a job array of shards, or Dask workers under one driver."""

import math
import shlex
from pathlib import Path
from typing import Literal

from regsearch.data import Facts
from regsearch.runner.plan import count_data_bytes
from regsearch.spec import Spec

BASE_GIB = 2
"""Memory of a worker besides what its networks and images take: TensorFlow, and what it compiled."""
COPIES = 3
"""How often a worker holds the images it trains on, in the end: as they came, one seed's, and TensorFlow's own."""


def write_script(
    spec: Spec, facts: Facts, path: Path, out: Path, kind: Literal["array", "workers"], count: int
) -> str:
    """A script for `sbatch`.

    Args:
        spec: what is asked.
        facts: of its dataset.
        path: the spec's file.
        out: the results folder.
        kind: an `array` of shards, or one job of a scheduler, `workers` and the command that drives them.
        count: how many shards or workers.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    images = COPIES * count_data_bytes(spec, facts) / 2**30
    folder = Path(__file__).parent / "scripts"
    environment = Environment(loader=FileSystemLoader(folder), undefined=StrictUndefined, keep_trailing_newline=True)
    return environment.get_template(f"{kind}.sh.j2").render(
        path=path,
        spec=shlex.quote(str(path)),
        out=shlex.quote(str(out)),
        count=count,
        job_name=f"regsearch-{spec.name}",
        memory=math.ceil(round(spec.training.memory_gib + images, 1)) + BASE_GIB,
    )
