"""What is written to which control file, on trees of plain files: any layout, on any machine."""

from __future__ import annotations

import errno
import os
import select
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cgroups import cpu, io, limits, memory, oom
from engine.cgroups.cgroup import Cgroup
from engine.cgroups.controls import Controls, LimitRefused
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


def limited(
    directory: Path, section: str, version: int, wanted: Any, present: dict[str, str]
) -> tuple[dict[str, str], list[str]]:
    """What is in the files that are `present` after a section of limits, and what was discarded."""
    files(directory)
    for name, text in present.items():
        (directory / name).write_text(text)
    if version == 2:
        (directory / "cgroup.controllers").write_text("cpu cpuset memory pids io hugetlb")
    names = ("memory", "cpu", "cpuset", "pids", "blkio", "hugetlb")
    v1 = dict.fromkeys(names, str(directory)) if version == 1 else {}
    hierarchies = Hierarchies(v1, str(directory) if version == 2 else None)
    group = {**v1, V2: str(directory)} if version == 2 else dict(v1)
    discarded = limits.apply(hierarchies, group, {section: wanted})
    found = written(directory)
    found.pop("cgroup.controllers", None)
    return found, [setting for setting, _ in discarded]


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
        (2, {"limit": -1}, {"memory.max": "max", "memory.swap.max": "max"}),
        (
            1,
            {"limit": MIB, "swap": 2 * MIB, "reservation": 5, "swappiness": 7},
            {
                "memory.limit_in_bytes": str(MIB),
                "memory.memsw.limit_in_bytes": str(2 * MIB),
                "memory.soft_limit_in_bytes": "5",
                "memory.swappiness": "7",
            },
        ),
        (1, {"limit": -1}, {"memory.limit_in_bytes": "-1", "memory.memsw.limit_in_bytes": "-1"}),
        (1, {"disableOOMKiller": True}, {"memory.oom_control": "1"}),
        (1, {"disableOOMKiller": False}, {"memory.oom_control": "0"}),
    ],
)
def test_memory(
    tmp_path: Path, version: int, wanted: dict[str, Any], expected: dict[str, str]
) -> None:
    v1 = ("limit_in_bytes", "memsw.limit_in_bytes", "soft_limit_in_bytes", "swappiness")
    names = {1: (*v1, "oom_control"), 2: ("max", "swap.max", "low")}[version]
    present = {f"memory.{name}": "1" if "limit" in name else "" for name in names}
    found, discarded = limited(tmp_path / "g", "memory", version, wanted, present)
    assert {name: found[name] for name in expected} == expected
    untouched = {name: text for name, text in found.items() if name not in expected}
    assert all(present[name] == text for name, text in untouched.items())
    assert discarded == []


@pytest.mark.parametrize(
    ("present", "wanted", "order"),
    [
        ((64, 128), (96, 192), ["memsw", "limit"]),
        ((64, 128), (16, 32), ["limit", "memsw"]),
        ((64, 128), (32, 96), ["memsw", "limit"]),
        ((64, 128), (256, -1), ["memsw", "limit"]),
    ],
)
def test_memory_of_a_live_group_never_exceeds_the_sum(
    tmp_path: Path, present: tuple[int, int], wanted: tuple[int, int], order: list[str]
) -> None:
    for name, value in zip(("limit_in_bytes", "memsw.limit_in_bytes"), present, strict=True):
        (tmp_path / f"memory.{name}").write_text(str(value * MIB))
    controls = Recorded(str(tmp_path), 1, [])
    limit, swap = (value * MIB if value > 0 else value for value in wanted)
    memory.limit(controls, {"limit": limit, "swap": swap})
    assert [name.split(".")[1].removesuffix("_in_bytes") for name in controls.names] == order


class Recorded(Controls):
    """Notes the order of what is written."""

    __slots__ = ("names",)

    def __init__(self, directory: str, version: int, discarded: list[tuple[str, str]]) -> None:
        super().__init__(directory, version, discarded)
        self.names: list[str] = []

    def put(self, setting: str, value: object, *names: str) -> bool:
        self.names += names
        return super().put(setting, value, *names)


def test_a_live_group_is_not_limited_below_what_it_uses(tmp_path: Path) -> None:
    (tmp_path / "memory.current").write_text(str(8 * MIB))
    (tmp_path / "memory.max").touch()
    wanted = {"limit": MIB, "checkBeforeUpdate": True}
    with pytest.raises(LimitRefused, match="in use") as caught:
        memory.limit(Controls(str(tmp_path), 2, []), wanted)
    assert caught.value.setting == "memory.limit"
    memory.limit(Controls(str(tmp_path), 2, []), {**wanted, "limit": 9 * MIB})


@pytest.mark.parametrize(
    ("section", "version", "wanted", "present", "discarded"),
    [
        ("memory", 2, {"limit": MIB, "swap": 2 * MIB}, ["memory.max"], ["memory.swap"]),
        ("memory", 2, {"limit": MIB, "swap": -1}, ["memory.max"], []),
        ("memory", 1, {"limit": MIB, "swap": -1}, ["memory.limit_in_bytes"], []),
        ("memory", 1, {"limit": MIB, "swap": MIB}, ["memory.limit_in_bytes"], ["memory.swap"]),
        (
            *("memory", 2, {"swappiness": 5, "disableOOMKiller": True, "kernel": 5}, []),
            ["memory.swappiness", "memory.disableOOMKiller", "memory.kernel"],
        ),
        ("cpu", 2, {"realtimeRuntime": 5, "shares": 512}, ["cpu.weight"], ["cpu.realtimeRuntime"]),
        ("cpu", 1, {"cpus": "0", "mems": "0"}, [], ["cpu.cpus", "cpu.mems"]),
        ("cpu", 1, {"realtimeRuntime": 5}, [], ["cpu.realtimeRuntime"]),
        ("pids", 2, {"limit": 5}, [], ["pids.limit"]),
        (
            "blockIO",
            1,
            {"weight": 10, "leafWeight": 5},
            [],
            ["blockIO.weight", "blockIO.leafWeight"],
        ),
        ("rdma", 2, {"mlx5_1": {"hcaHandles": 3}}, [], ["rdma"]),
    ],
)
def test_what_the_kernel_has_no_file_for_is_discarded_by_name(
    tmp_path: Path,
    section: str,
    version: int,
    wanted: dict[str, Any],
    present: list[str],
    discarded: list[str],
) -> None:
    found = limited(tmp_path / "g", section, version, wanted, dict.fromkeys(present, ""))
    assert (set(found[0]), found[1]) == (set(present), discarded)


def test_cpu_time_is_never_discarded(tmp_path: Path) -> None:
    for version in (1, 2):
        with pytest.raises(LimitRefused, match="has no cpu") as caught:
            limited(tmp_path / str(version), "cpu", version, {"quota": 5_000, "period": 10_000}, {})
        assert caught.value.errno == errno.ENOTSUP


@pytest.mark.parametrize(
    ("version", "wanted", "expected"),
    [
        (2, {"quota": 150_000, "period": 100_000}, {"cpu.max": "150000 100000"}),
        (2, {"quota": -1}, {"cpu.max": "max 100000"}),
        (2, {"period": 50_000}, {"cpu.max": "max 50000"}),
        (2, {"quota": 5_000, "period": 50_000, "burst": 9}, {"cpu.max.burst": "9"}),
        (2, {"shares": 512}, {"cpu.weight": "59"}),
        (2, {"idle": 1}, {"cpu.idle": "1"}),
        (2, {}, {}),
        (2, {"cpus": "0-1", "mems": "0"}, {"cpuset.cpus": "0-1", "cpuset.mems": "0"}),
        (
            1,
            {"quota": 50_000, "period": 100_000, "shares": 512, "cpus": "1", "burst": 4},
            {
                "cpu.cfs_quota_us": "50000",
                "cpu.cfs_period_us": "100000",
                "cpu.shares": "512",
                "cpuset.cpus": "1",
                "cpu.cfs_burst_us": "4",
            },
        ),
        (
            1,
            {"realtimePeriod": 1_000_000, "realtimeRuntime": 5_000},
            {"cpu.rt_period_us": "1000000", "cpu.rt_runtime_us": "5000"},
        ),
    ],
)
def test_cpu(
    tmp_path: Path, version: int, wanted: dict[str, Any], expected: dict[str, str]
) -> None:
    names = {
        1: "shares cfs_quota_us cfs_period_us cfs_burst_us rt_period_us rt_runtime_us",
        2: "max weight idle max.burst",
    }[version].split()
    present = {f"cpu.{name}": "" for name in names} | {"cpuset.cpus": "", "cpuset.mems": ""}
    found, discarded = limited(tmp_path / "g", "cpu", version, wanted, present)
    assert ({name: found.get(name) for name in expected}, discarded) == (expected, [])


IO = {
    "weight": 500,
    "weightDevice": [{"major": 8, "minor": 0, "weight": 200}],
    "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1000}],
    "throttleWriteIOPSDevice": [{"major": 8, "minor": 16, "rate": 0}],
}


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (
            1,
            {
                "blkio.bfq.weight": "500",
                "blkio.bfq.weight_device": "8:0 200",
                "blkio.throttle.read_bps_device": "8:0 1000",
                "blkio.throttle.write_iops_device": "8:16 0",
            },
        ),
        (1, {"blkio.weight": "500", "blkio.weight_device": "8:0 200"}),
        (2, {"io.bfq.weight": "8:0 200", "io.max": "8:16 wiops=max"}),
        (2, {"io.weight": "default 4950"}),
    ],
)
def test_block_devices(tmp_path: Path, version: int, expected: dict[str, str]) -> None:
    found, discarded = limited(tmp_path / "g", "blockIO", version, IO, dict.fromkeys(expected, ""))
    assert found == expected
    if len(expected) == 4:
        assert discarded == []


@pytest.mark.parametrize(("given", "weight"), [(10, 1), (100, 910), (500, 4950), (1000, 10_000)])
def test_weights_of_block_devices(given: int, weight: int) -> None:
    assert io.weight(given) == weight


@pytest.mark.parametrize(
    ("version", "names"),
    [
        (1, ["hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.rsvd.limit_in_bytes"]),
        (2, ["hugetlb.2MB.max", "hugetlb.2MB.rsvd.max"]),
        (2, ["hugetlb.2MB.max"]),
    ],
)
def test_huge_pages(tmp_path: Path, version: int, names: list[str]) -> None:
    wanted = [{"pageSize": "2MB", "limit": 4 * MIB}]
    found = limited(tmp_path / "g", "hugepageLimits", version, wanted, dict.fromkeys(names, ""))
    assert found == (dict.fromkeys(names, str(4 * MIB)), [])


def test_files_of_v2_by_their_names(tmp_path: Path) -> None:
    found, _ = limited(tmp_path / "g", "unified", 2, {"cpu.idle": "1"}, {"cpu.idle": ""})
    assert found == {"cpu.idle": "1"}
    for name in ("memory.oom.group", "../cpu.idle"):
        with pytest.raises(LimitRefused, match="not available"):
            limited(tmp_path / "g", "unified", 2, {name: "1"}, {})
    with pytest.raises(LimitRefused, match="cgroup v2"):
        limited(tmp_path / "one", "unified", 1, {"cpu.idle": "1"}, {})


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
    for version in (1, 2):
        found = limited(tmp_path / "g", "pids", version, {"limit": count}, {"pids.max": ""})
        assert found == ({"pids.max": text}, [])


def test_counters_are_read_and_missing_files_are_empty(tmp_path: Path) -> None:
    (tmp_path / "memory.events").write_text("low 0\noom 3\noom_kill 2\n")
    assert read_counters(f"{tmp_path}/memory.events") == {"low": 0, "oom": 3, "oom_kill": 2}
    assert read_counters(f"{tmp_path}/none") == {}
    assert read_words(f"{tmp_path}/none") == []
    assert oom.kills(oom.counters_of({V2: str(tmp_path)})) == 2


def test_a_change_of_the_counters_is_told(tmp_path: Path) -> None:
    events = tmp_path / "memory.events"
    events.write_text("oom_kill 0\n")
    watch_fd = oom.open_watch(oom.counters_of({V2: str(tmp_path)}))
    readable = select.poll()
    readable.register(watch_fd, select.POLLIN)
    assert readable.poll(0) == []
    events.write_text("oom_kill 1\n")
    assert readable.poll(0) != []
    os.read(watch_fd, 4096)
    assert readable.poll(0) == []
    os.close(watch_fd)
    assert oom.counters_of({}) == ""
    assert oom.kills("") == 0


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


def test_a_parent_of_several_levels_passes_everything_on(tmp_path: Path) -> None:
    hierarchies = unified(tmp_path, "cpu memory pids")
    (tmp_path / "buoy").rename(tmp_path / "a.slice")
    files(tmp_path / "a.slice/b", "cgroup.subtree_control")
    (tmp_path / "a.slice/b/cgroup.controllers").write_text("pids")
    group = Cgroup(hierarchies, "/a.slice/../a.slice/b/", "web", keep_parent=True)
    group.create({})
    assert group.directories == {V2: f"{tmp_path}/a.slice/b/web"}
    for level in ("", "a.slice", "a.slice/b"):
        assert (tmp_path / level / "cgroup.subtree_control").read_text().startswith("+pids")
    assert Cgroup(hierarchies, "../../x", "web").directories == {V2: f"{tmp_path}/x/web"}


def test_a_controller_that_is_not_delegated_is_discarded(tmp_path: Path) -> None:
    warnings = Cgroup(unified(tmp_path, "cpu pids"), "buoy", "web").create(WANTED)
    assert [setting for setting, _ in warnings] == ["memory.limit", "memory.swap"]


def test_without_any_hierarchy_every_limit_is_discarded() -> None:
    group = Cgroup(Hierarchies({}, None), "buoy", "web")
    discarded = group.create({key: WANTED[key] for key in ("memory", "pids")})
    assert [setting for setting, _ in discarded] == ["memory.limit", "memory.swap", "pids.limit"]
    assert group.processes() == []
    group.remove()
