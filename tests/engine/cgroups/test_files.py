"""What is written to which control file, on trees of plain files: any layout, on any machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cgroups import cpu, memory, pids
from engine.cgroups.cgroup import Cgroup
from engine.cgroups.hierarchy import V2, Hierarchies, read_counters, read_words, write_value

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


def files(directory: Path, *names: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    for name in names:
        (directory / name).touch()
    return directory


def written(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir() if path.read_text()}


# --- where controllers are


V1_LINE = "30 25 0:26 / /sys/fs/cgroup/{0} rw,nosuid shared:9 - cgroup cgroup rw,{1}\n"
V2_LINE = "31 25 0:27 / {0} rw,nosuid shared:10 - cgroup2 cgroup2 rw,nsdelegate\n"
OTHER = "22 1 0:20 / /proc rw - proc proc rw\n29 25 0:25 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n"


def detect(tmp_path: Path, text: str) -> Hierarchies:
    (tmp_path / "mountinfo").write_text(text)
    return Hierarchies.detect(str(tmp_path / "mountinfo"))


def test_pure_v2_is_one_mount(tmp_path: Path) -> None:
    found = detect(tmp_path, OTHER + V2_LINE.format("/sys/fs/cgroup"))
    assert (found.v1, found.v2, found.is_pure_v2) == ({}, "/sys/fs/cgroup", True)


def test_joint_controllers_share_a_mount(tmp_path: Path) -> None:
    text = V1_LINE.format("cpu,cpuacct", "cpu,cpuacct") + V1_LINE.format("memory", "memory")
    found = detect(tmp_path, OTHER + text)
    assert found.v1["cpu"] == found.v1["cpuacct"] == "/sys/fs/cgroup/cpu,cpuacct"
    assert (found.v2, found.is_pure_v2) == (None, False)


def test_hybrid_has_both(tmp_path: Path) -> None:
    text = V1_LINE.format("pids", "pids") + V2_LINE.format("/sys/fs/cgroup/unified")
    text += V1_LINE.format("systemd", "xattr,release_agent=/x,name=systemd")
    found = detect(tmp_path, OTHER + text)
    assert found.v1 == {
        "pids": "/sys/fs/cgroup/pids",
        "name=systemd": "/sys/fs/cgroup/systemd",
    }
    assert (found.v2, found.is_pure_v2) == ("/sys/fs/cgroup/unified", False)


def test_the_first_mount_of_a_hierarchy_counts(tmp_path: Path) -> None:
    text = V2_LINE.format("/sys/fs/cgroup") + V2_LINE.format("/tmp/again")
    assert detect(tmp_path, text).v2 == "/sys/fs/cgroup"


def test_a_controller_is_of_v1_or_of_v2_or_missing(tmp_path: Path) -> None:
    unified = files(tmp_path / "unified", "cgroup.controllers")
    (unified / "cgroup.controllers").write_text("cpu io\n")
    found = Hierarchies({"memory": "/m"}, str(unified))
    assert [found.version_of(name) for name in ("memory", "cpu", "pids")] == [1, 2, 0]
    assert Hierarchies({}, None).version_of("cpu") == 0


# --- limits


@pytest.mark.parametrize(
    ("version", "wanted", "expected"),
    [
        (
            2,
            {"limit": 64 * MIB, "swap": 96 * MIB, "reservation": 32 * MIB},
            {
                "memory.max": str(64 * MIB),
                "memory.swap.max": str(32 * MIB),
                "memory.low": str(32 * MIB),
            },
        ),
        (2, {"limit": MIB, "swap": MIB}, {"memory.max": str(MIB), "memory.swap.max": "0"}),
        (2, {"limit": MIB, "swap": -1}, {"memory.max": str(MIB), "memory.swap.max": "max"}),
        (2, {"limit": -1}, {"memory.max": "max"}),
        (
            1,
            {"limit": MIB, "swap": 2 * MIB, "reservation": 5},
            {
                "memory.limit_in_bytes": str(MIB),
                "memory.memsw.limit_in_bytes": str(2 * MIB),
                "memory.soft_limit_in_bytes": "5",
            },
        ),
    ],
)
def test_memory(
    tmp_path: Path, version: int, wanted: dict[str, Any], expected: dict[str, str]
) -> None:
    files(
        tmp_path,
        *("memory.max", "memory.swap.max", "memory.low", "memory.limit_in_bytes"),
        *("memory.memsw.limit_in_bytes", "memory.soft_limit_in_bytes"),
    )
    memory.limit(str(tmp_path), version, wanted)
    assert written(tmp_path) == expected


def test_a_kernel_without_swap_accounting_has_no_swap_to_limit(tmp_path: Path) -> None:
    files(tmp_path, "memory.max")
    memory.limit(str(tmp_path), 2, {"limit": MIB, "swap": 2 * MIB})
    assert written(tmp_path) == {"memory.max": str(MIB)}


@pytest.mark.parametrize(
    ("version", "wanted", "expected"),
    [
        (2, {"quota": 150_000, "period": 100_000}, {"cpu.max": "150000 100000"}),
        (2, {"quota": -1}, {"cpu.max": "max 100000"}),
        (2, {"shares": 512}, {"cpu.weight": "59"}),
        (2, {}, {}),
        (
            1,
            {"quota": 50_000, "period": 100_000, "shares": 512},
            {"cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "100000", "cpu.shares": "512"},
        ),
    ],
)
def test_cpu(
    tmp_path: Path, version: int, wanted: dict[str, Any], expected: dict[str, str]
) -> None:
    files(tmp_path, "cpu.max", "cpu.weight", "cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us")
    cpu.limit(str(tmp_path), version, wanted)
    assert written(tmp_path) == expected


@pytest.mark.parametrize(
    ("shares", "weight"),
    [
        *((1, 1), (2, 1), (100, 17), (256, 35), (512, 59), (1024, 100), (2048, 174)),
        *((4096, 303), (262_144, 10_000), (10**9, 10_000)),
    ],
)
def test_shares_as_weights(shares: int, weight: int) -> None:
    assert cpu.weight(shares) == weight


@given(shares=st.integers(2, 300_000), more=st.integers(0, 10_000))
def test_more_shares_never_weigh_less(shares: int, more: int) -> None:
    assert 1 <= cpu.weight(shares) <= cpu.weight(shares + more) <= 10_000


@pytest.mark.parametrize(("cpus", "quota"), [(1.5, 150_000), (0.01, 1_000), (0.333, 33_300)])
def test_cpus_as_quota(cpus: float, quota: int) -> None:
    assert cpu.quota(cpus) == quota


@pytest.mark.parametrize("cpus", [0.001, 0.0, -1.0])
def test_too_few_cpus_are_refused(cpus: float) -> None:
    with pytest.raises(ValueError, match="least"):
        cpu.quota(cpus)


@pytest.mark.parametrize(("count", "text"), [(100, "100"), (1, "1"), (0, "max"), (-1, "max")])
def test_pids(tmp_path: Path, count: int, text: str) -> None:
    files(tmp_path, "pids.max")
    for version in (1, 2):
        pids.limit(str(tmp_path), version, {"limit": count})
        assert written(tmp_path) == {"pids.max": text}


def test_counters_are_read_and_missing_files_are_empty(tmp_path: Path) -> None:
    (tmp_path / "memory.events").write_text("low 0\noom 3\noom_kill 2\n")
    assert read_counters(f"{tmp_path}/memory.events") == {"low": 0, "oom": 3, "oom_kill": 2}
    assert read_counters(f"{tmp_path}/none") == {}
    assert read_words(f"{tmp_path}/none") == []
    assert memory.oom_kills(Hierarchies({}, str(tmp_path)), {V2: str(tmp_path)}) == 2


def test_a_refused_value_is_named_with_its_file() -> None:
    with pytest.raises(OSError, match="writing 'x'") as caught:
        write_value("/dev", "full", "x")
    assert caught.value.filename == "/dev/full"


# --- a whole group on v2


def unified(tmp_path: Path, controllers: str) -> Hierarchies:
    """A cgroup2 tree as far as plain files can be one: the leaf has its files already."""
    for level in (tmp_path, tmp_path / "buoy"):
        files(level, "cgroup.subtree_control")
        (level / "cgroup.controllers").write_text(f"{controllers}\n")
    files(tmp_path / "buoy/web", "memory.max", "memory.swap.max", "cpu.max", "pids.max")
    return Hierarchies({}, str(tmp_path))


WANTED = {
    "memory": {"limit": MIB, "swap": MIB},
    "cpu": {"quota": 100_000, "period": 100_000},
    "pids": {"limit": 9},
}


def test_a_group_on_v2_gets_its_limits(tmp_path: Path) -> None:
    group = Cgroup(unified(tmp_path, "cpu memory pids"), "buoy", "web")
    assert group.create(WANTED) == []
    assert written(tmp_path / "buoy/web") == {
        "memory.max": str(MIB),
        "memory.swap.max": "0",
        "cpu.max": "100000 100000",
        "pids.max": "9",
    }
    for level in (tmp_path, tmp_path / "buoy"):  # each write replaces the last, in a plain file
        assert (level / "cgroup.subtree_control").read_text().startswith("+pids")


def test_a_controller_that_is_not_delegated_is_a_warning(tmp_path: Path) -> None:
    warnings = Cgroup(unified(tmp_path, "cpu pids"), "buoy", "web").create(WANTED)
    assert warnings == ["no memory controller here: the limit is not enforced"]


def test_without_any_hierarchy_every_limit_is_a_warning() -> None:
    group = Cgroup(Hierarchies({}, None), "buoy", "web")
    assert len(group.create(WANTED)) == 3
    assert group.processes() == []
    group.remove()
