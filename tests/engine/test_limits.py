"""Cores and memory that a container leaves, read from made-up control groups of both versions."""

import pytest

from regsearch.engine import limits
from regsearch.engine.backend import devices

V2 = "31 23 0:28 / {root} rw,relatime - cgroup2 cgroup2 rw\n"
V1 = "32 31 0:29 {inside} {root}/cpu rw - cgroup cgroup rw,cpu,cpuacct\n33 31 0:30 / {root}/memory rw - cgroup cgroup rw,memory\n"


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Writes /proc/self and the groups' files."""
    monkeypatch.setattr(limits, "PROCESS", tmp_path / "proc")
    (tmp_path / "proc").mkdir()

    def write(mounts, membership, inside="/", **files):
        root = tmp_path / "cgroup"
        (tmp_path / "proc" / "mountinfo").write_text(mounts.format(root=root, inside=inside))
        (tmp_path / "proc" / "cgroup").write_text(membership)
        for name, text in files.items():
            path = root / name.replace("__", "/")
            path = path.with_name(path.name.replace("cpu_max", "cpu.max").replace("memory_max", "memory.max"))
            path = path.with_name(path.name.replace("cfs_", "cpu.cfs_").replace("limit_in", "memory.limit_in"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return write


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("50000 100000", 1),
        ("max 100000", None),
        ("", None),
        ("1 0", None),
    ],
)
def test_a_containers_quota_is_kept_to(groups, quota, cores):
    groups(V2, "0::/\n", cpu_max=quota)
    assert limits.count_allowed_cores() == cores


def test_the_strictest_group_above_counts(groups):
    groups(V2, "0::/a/b\n", cpu_max="max 100000", a__cpu_max="300000 100000", a__b__cpu_max="800000 100000")
    assert limits.count_allowed_cores() == 3


@pytest.mark.parametrize(
    ("inside", "membership"),
    [
        ("/", "4:cpuacct,cpu:/job\n1:name=systemd:/\n0::/\n"),  # a batch system's
        ("/docker/x", "4:cpu,cpuacct:/docker/x/job\n"),  # a container that is told the host's names
        ("/", "4:cpu,cpuacct:/job/../job\n"),
    ],
)
def test_a_quota_of_the_first_version_is_kept_to(groups, inside, membership):
    groups(V1, membership, inside, cpu__job__cfs_quota_us="250000\n", cpu__job__cfs_period_us="100000\n",
           cpu__cfs_quota_us="-1\n", cpu__cfs_period_us="100000\n")  # fmt: skip
    assert limits.count_allowed_cores() == 3


def test_a_host_path_that_a_container_cannot_see_means_its_own_root(groups):
    groups(V1, "4:cpu,cpuacct:/docker/x\n", "/docker/y", cpu__cfs_quota_us="100000", cpu__cfs_period_us="100000")
    assert limits.count_allowed_cores() == 1


def test_a_containers_memory_is_kept_to(groups):
    whole = limits.count_allowed_bytes()
    groups(V2, "0::/a\n", memory_max="max", a__memory_max=f"{2**20}")
    assert limits.count_allowed_bytes() == 2**20
    groups(V1, "4:memory:/\n", memory__limit_in_bytes="9223372036854771712\n")
    assert limits.count_allowed_bytes() == whole


def test_where_there_are_no_groups_there_is_no_limit(groups):
    assert limits.count_allowed_cores() is None
    assert limits.count_allowed_bytes() > 2**28
    groups("23 28 0:21 / /sys rw - sysfs sysfs rw\n", "")
    assert limits.count_allowed_cores() is None


def test_no_more_workers_than_the_quota_or_the_bound_cores(monkeypatch):
    monkeypatch.setattr(devices.os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    for allowed, cores in ((2, 2), (None, 64), (100, 64)):
        monkeypatch.setattr(devices, "count_allowed_cores", lambda allowed=allowed: allowed)
        assert devices.count_cores() == cores
