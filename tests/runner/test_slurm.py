"""Batch scripts for Slurm: whole and quoted; on a real Slurm, where there is one, they give the tables of one process.

The last is left out unless it is asked for, as root on a machine of which Slurm is a part:

    apt-get install slurmctld slurmd slurm-client munge
    pytest -m slurm
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import TABLES, edited, parsed

from regsearch import study
from regsearch.cli import main
from regsearch.ledger import read_trials

NEEDED = ("slurmctld", "slurmd", "sbatch", "munged")
ONE_NODE = Path(__file__).parent / "slurm" / "one_node.sh"
LONGER = [("widths: [1, 2]", "widths: [1, 2, 3, 4]"), ("seeds: 2", "seeds: 8"), ("epochs: 2", "epochs: 1500")]


def script(path, *options):
    result = CliRunner().invoke(main, ["slurm", str(path), *map(str, options)])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("options", [["--shards", 3], ["--workers", 3], []])
def test_a_script_is_bash_and_names_spec_folder_and_count(spec_file, options, tmp_path):
    text = script(spec_file(), "--out", "my results/$x", *options)
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)
    assert text.startswith("#!/bin/bash\n")
    assert f"regsearch run {tmp_path}/tiny.yaml --out 'my results/$x'" in text
    assert ("#SBATCH --array=1-3\n" in text) == (options[:1] == ["--shards"])
    assert ("#SBATCH --ntasks=3\n" in text) == (options[:1] == ["--workers"])
    if not options:
        assert "#SBATCH --array=1-8\n" in text
        assert '--shard "$SLURM_ARRAY_TASK_ID/8"' in text


def test_what_only_the_user_knows_is_marked(spec_file):
    marked = [line for line in script(spec_file()).splitlines() if "# FILL IN" in line]
    assert [line.split()[0].lstrip("#") for line in marked] == ["SBATCH", "SBATCH", "source"]
    assert "--time=" in marked[0]


def test_memory_follows_the_spec(spec_file):
    assert "#SBATCH --mem-per-cpu=4G\n" in script(spec_file())
    assert "#SBATCH --mem-per-cpu=10G\n" in script(spec_file(("batch_size: 32", "batch_size: 32\n  memory_gib: 7.5")))


def test_an_array_and_workers_at_once_are_refused(spec_file):
    result = CliRunner().invoke(main, ["slurm", str(spec_file()), "--shards", "2", "--workers", "2"])
    assert result.exit_code == 2


@pytest.fixture(scope="module")
def slurm():
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"a real Slurm needs root and {', '.join(NEEDED)}; missing: {', '.join(missing) or 'root'}")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        subprocess.run([ONE_NODE, "start", folder, "4"], check=True)
        os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
        yield folder
    finally:
        subprocess.run([ONE_NODE, "stop", folder], check=True)
        shutil.rmtree(folder, ignore_errors=True)


def slurm_says(*words):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True).stdout


def submitted(text, folder):
    """Submits a script as its user would, with the environment filled in; gives the job's number."""
    filled = text.replace("source .venv/bin/activate", f"export PATH={Path(sys.executable).parent}:$PATH")
    (folder / "job.sbatch").write_text(filled)
    return slurm_says("sbatch", "--parsable", "--chdir", folder, folder / "job.sbatch").strip()


def wait(until, folder, seconds=300):
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, "\n".join(path.read_text()[-2000:] for path in folder.glob("*.log"))
        time.sleep(0.5)


def rows(path):
    return path.read_bytes().count(b"\n") - 1 if path.exists() else 0


def ended():
    return slurm_says("squeue", "--noheader") == ""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    path = tmp_path_factory.mktemp("undisturbed")
    study.run(parsed(*LONGER), path, study.Settings())
    return path


def compare(path, undisturbed):
    for name in TABLES:
        assert (path / name).read_bytes() == (undisturbed / name).read_bytes(), name
    assert read_trials(path)["trial"].is_unique


@pytest.mark.slurm
@pytest.mark.slow
@pytest.mark.usefixtures("slurm")
def test_an_array_of_shards_of_which_one_is_cancelled_and_one_out_of_time_gives_the_same_tables(
    undisturbed, tmp_path
):
    (tmp_path / "tiny.yaml").write_text(edited(*LONGER))
    out = tmp_path / "out"
    job = submitted(script(tmp_path / "tiny.yaml", "--out", out, "--shards", 4), tmp_path)
    parts = [out / "shards" / f"{index}-of-4" / "trials.csv" for index in range(1, 5)]
    wait(lambda: rows(parts[1]) > 0 and rows(parts[2]) > 0, tmp_path)
    slurm_says("scancel", f"{job}_2")
    slurm_says("scancel", "--batch", "--signal=USR1", f"{job}_3")  # as when its time is nearly up
    had = rows(parts[1])
    wait(lambda: "_2" not in slurm_says("squeue", "--noheader", "--format=%i"), tmp_path)
    assert rows(parts[1]) < 40
    slurm_says("scontrol", "requeue", f"{job}_2")
    wait(ended, tmp_path)
    assert rows(parts[1]) >= had
    assert "stopped. What is finished is kept" in (tmp_path / "regsearch-tiny-3.log").read_text()
    compare(out, undisturbed)
    assert sum(map(rows, parts)) == len(read_trials(undisturbed))


@pytest.mark.slurm
@pytest.mark.slow
@pytest.mark.usefixtures("slurm")
def test_dask_workers_under_srun_give_the_same_tables(undisturbed, tmp_path):
    (tmp_path / "tiny.yaml").write_text(edited(*LONGER))
    out = tmp_path / "out"
    submitted(script(tmp_path / "tiny.yaml", "--out", out, "--workers", 2), tmp_path)
    wait(ended, tmp_path)
    compare(out, undisturbed)
    assert not list(tmp_path.glob(".regsearch-*")), "certificates were left behind"
