"""Batch scripts for Slurm: a job array of shards, or Dask workers under one driver."""

import math
import shlex
from pathlib import Path

from regsearch.data import Facts
from regsearch.runner.plan import count_data_bytes
from regsearch.spec import Spec

BASE_GIB = 2
"""Memory of a worker besides what its networks and images take: TensorFlow, and what it compiled."""
COPIES = 3
"""How often a worker holds the images it trains on, in the end: as they came, one seed's, and TensorFlow's own."""

_HEAD = """\
#!/bin/bash
# {what}
# Written by `regsearch slurm`. Lines that say FILL IN are yours; the folder must be one that all nodes see.
#SBATCH --job-name={name}
{size}
#SBATCH --cpus-per-task=1
#SBATCH --mem-per-cpu={memory}G
#SBATCH --time=04:00:00          # FILL IN; what is not finished by then is requeued and goes on. `regsearch plan`
#                                  says about how long the whole grid takes on the machine where you ask it
##SBATCH --partition=NAME        # FILL IN, without the first #, where your site asks for it
##SBATCH --account=NAME          # likewise
##SBATCH --gpus-per-task=1       # likewise, to train on GPUs; not tried on a real one yet
#SBATCH --requeue
#SBATCH --signal=B:USR1@120
#SBATCH --open-mode=append
#SBATCH --output={log}

source .venv/bin/activate        # FILL IN: the environment in which regsearch is installed
"""

_END = """\
training=$!
trap 'out_of_time=yes; kill -TERM "$training"' USR1   # two minutes before the time is up
wait "$training"
code=$?
if [ -n "$out_of_time" ]; then
  wait "$training"   # it keeps everything finished, and ends within 10 seconds
  scontrol requeue "${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_}${SLURM_ARRAY_TASK_ID:-$SLURM_JOB_ID}"
fi
exit "$code"
"""

_SHARDS = """\
regsearch run {spec} --out {out} --shard "$SLURM_ARRAY_TASK_ID/{count}" --workers inline &
"""

_DASK = """\
# A certificate of this job's own: whoever does not have it can neither send code to the workers nor listen.
secrets=$(mktemp -d "$PWD/.regsearch-XXXXXXXX")
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$secrets"' EXIT
openssl req -x509 -newkey rsa:3072 -nodes -days 30 -subj /CN=regsearch \\
  -keyout "$secrets/key.pem" -out "$secrets/cert.pem" 2>/dev/null || exit 1
tls=(--tls-ca-file "$secrets/cert.pem" --tls-cert "$secrets/cert.pem" --tls-key "$secrets/key.pem")

# Nothing on the HTTP ports, which certificates do not cover; a worker that dies loses one population alone.
export DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES=[] DASK_DISTRIBUTED__WORKER__HTTP__ROUTES=[]
export DASK_DISTRIBUTED__SCHEDULER__WORKER_SATURATION=1.0 DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES=1
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

dask scheduler --protocol tls --port 0 --scheduler-file "$secrets/scheduler.json" \\
  --dashboard-address 127.0.0.1:0 "${{tls[@]}}" &
for _ in $(seq 60); do [ -s "$secrets/scheduler.json" ] && break; sleep 1; done
srun --ntasks={count} --overlap dask worker --scheduler-file "$secrets/scheduler.json" --protocol tls --nthreads 1 \\
  --memory-limit 0 --dashboard-address 127.0.0.1:0 --death-timeout 120 "${{tls[@]}}" &

address=$(python -c 'import json, sys; print(json.load(open(sys.argv[1]))["address"])' "$secrets/scheduler.json")
regsearch run {spec} --out {out} --cluster "$address" --tls-ca "$secrets/cert.pem" \\
  --tls-cert "$secrets/cert.pem" --tls-key "$secrets/key.pem" &
"""


def array(spec: Spec, shape: Facts, path: Path, out: Path, count: int) -> str:
    """A job array of `count` shards.

    Args:
        spec: the study.
        shape: of its dataset.
        path: its file.
        out: the results folder.
        count: how many shards.
    """
    what = f"Trains {path} as a job array of {count} shards; the last to finish writes the tables."
    head = _head(spec, shape, what, f"#SBATCH --array=1-{count}\n#SBATCH --ntasks=1", f"regsearch-{spec.name}-%a.log")
    return f"{head}\n{_SHARDS.format(spec=shlex.quote(str(path)), out=shlex.quote(str(out)), count=count)}{_END}"


def workers(spec: Spec, shape: Facts, path: Path, out: Path, count: int) -> str:
    """One job: a scheduler, `count` workers, and the command that drives them; see `array`."""
    what = f"Trains {path} on {count} Dask workers, one a core or GPU."
    head = _head(spec, shape, what, f"#SBATCH --ntasks={count}", f"regsearch-{spec.name}.log")
    return f"{head}\n{_DASK.format(spec=shlex.quote(str(path)), out=shlex.quote(str(out)), count=count)}{_END}"


def _head(spec: Spec, shape: Facts, what: str, size: str, log: str) -> str:
    images = COPIES * count_data_bytes(spec, shape) / 2**30
    memory = math.ceil(round(spec.training.memory_gib + images, 1)) + BASE_GIB
    return _HEAD.format(what=what, name=f"regsearch-{spec.name}", size=size, memory=memory, log=log)
