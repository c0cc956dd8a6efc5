"""Limits, as the kernel enforces them."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine import ContainerProblem, ContainerSpec, Resources, RestartPolicy
from engine.cgroups.hierarchy import Hierarchies
from engine.containers import limits
from engine.containers.record import cgroup_parent
from engine.state.paths import Roots
from tests import leaks
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.engine.containers.dock import Dock

MIB = 1 << 20
HUNGRY = "head -c 200m /dev/zero | tail -c 200m | wc -c"


@needs_root
def test_a_container_that_takes_too_much_memory_is_killed_and_says_so(dock: Dock) -> None:
    container = dock.start(
        *("sh", "-c", "exec tail -c 200m /dev/zero"),
        resources=Resources(memory_bytes=16 * MIB, memory_swap_bytes=16 * MIB),
    )
    ended = dock.end_of(container).container
    assert (ended.exit_code, ended.oom_killed) == (137, True)


@needs_root
def test_a_kill_for_memory_is_told_while_init_lives_on(dock: Dock) -> None:
    limits = Resources(memory_bytes=16 * MIB, memory_swap_bytes=16 * MIB)
    container = dock.start("sh", "-c", f"{HUNGRY}; exec sleep 1000", resources=limits)
    told = dock.wait(container, lambda one: one.oom_killed)
    assert told.status == "running"
    query = "SELECT action, attributes FROM events WHERE subject = ? AND action = 'oom'"

    def told_of() -> list[tuple[str, str]]:
        return [tuple(row) for row in dock.engine.db.execute(query, (container.id,))]

    assert eventually(told_of)
    assert told_of() == [("oom", f'{{"name": "{container.name}"}}')]
    monitor = dock.monitor(container)
    children = Path(f"/proc/{monitor}/task/{monitor}/children")
    alone = [str(container.pid)]
    assert eventually(lambda: children.read_text().split() == alone)  # who wrote it is reaped


@needs_root
def test_limits_of_a_container_that_runs(dock: Dock) -> None:
    container = dock.idle(resources=Resources(pids=50, cpus=0.5, memory_bytes=64 * MIB))

    def read(name: str) -> str:
        (path,) = [group / name for group in dock.cgroups(container) if (group / name).exists()]
        return path.read_text().strip()

    changed = Resources(pids=4, memory_bytes=32 * MIB, cpu_quota_us=20_000, cpuset="0")
    assert dock.engine.containers.update(container.id, changed).discarded == ()
    assert read("pids.max") == "4"
    assert read("cpuset.cpus") == "0"
    if "memory" in Hierarchies.detect().v1:
        assert read("memory.limit_in_bytes") == str(32 * MIB)
        assert read("cpu.cfs_quota_us") == "20000"
        assert (read("cpu.shares"), read("devices.list")[:1]) == ("1024", "c")
    dock.exec(container, "sh", "-c", "echo > /dev/null")  # the devices are as they were
    script = "sleep 1000 & sleep 1000 & sleep 1000 & echo all"
    assert b"all" not in dock.exec(container, "sh", "-c", script).stdout
    with pytest.raises(ContainerProblem, match="limit"):
        dock.engine.containers.update(container.id, Resources(memory_bytes=1000))
    # on record, too: they hold at the next start
    asked = dock.engine.containers.spec(container.id).resources
    assert (asked.pids, asked.cpus, asked.cpu_quota_us) == (4, None, 20_000)
    dock.stop(container)
    dock.engine.containers.update(container.id, Resources(cpus=1.5))
    dock.start_again(container)
    assert read("pids.max") == "4"
    if "cpu" in Hierarchies.detect().v1:
        assert read("cpu.cfs_quota_us") == "150000"


@needs_root
def test_a_child_that_is_killed_for_memory_is_noticed_too(dock: Dock) -> None:
    limits = Resources(memory_bytes=16 * MIB, memory_swap_bytes=16 * MIB)
    ended = dock.sh(f"{HUNGRY}; exit 5", resources=limits)
    assert (ended.code, ended.container.oom_killed) == (5, True)


@needs_root
def test_each_run_has_its_own_word_on_memory(dock: Dock) -> None:
    script = "[ -e /second ] && exit 0; touch /second; exec tail -c 200m /dev/zero"
    ended = dock.sh(
        script,
        resources=Resources(memory_bytes=16 * MIB, memory_swap_bytes=16 * MIB),
        restart=RestartPolicy(name="on-failure"),
    )
    assert (ended.container.restart_count, ended.container.oom_killed) == (1, False)


@needs_root
def test_enough_memory_is_no_trouble(dock: Dock) -> None:
    ended = dock.sh("head -c 5m /dev/zero | wc -c", resources=Resources(memory_bytes=64 * MIB))
    assert (ended.lines, ended.container.oom_killed) == (["5242880"], False)


@needs_root
def test_no_more_processes_than_allowed(dock: Dock) -> None:
    script = "for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done; echo all"
    ended = dock.sh(script, resources=Resources(pids=5))
    assert "all" not in ended.lines
    assert "Resource temporarily unavailable" in ended.stderr or "fork" in ended.stderr
    assert dock.sh(script, resources=Resources(pids=-1)).lines == ["all"]


@needs_root
def test_no_more_cpu_than_allowed(dock: Dock) -> None:
    """A tenth of a CPU: no more than that and one period's worth, however long it spins."""
    container = dock.start(
        "sh", "-c", "while :; do :; done", resources=Resources(cpus=0.1, cpu_shares=512)
    )
    before_s = time.monotonic()
    spent_s = -_cpu_seconds(container.pid or 0)
    time.sleep(1.0)
    spent_s += _cpu_seconds(container.pid or 0)
    assert spent_s <= 0.1 * (time.monotonic() - before_s) + 0.1


@needs_root
def test_an_exec_counts_against_the_containers_limits(dock: Dock) -> None:
    container = dock.idle(resources=Resources(pids=3))
    script = "sleep 1000 & sleep 1000 & sleep 1000 & echo all"
    assert b"all" not in dock.exec(container, "sh", "-c", script).stdout


def described(**asked: Any) -> dict[str, Any]:
    return limits.limits(Resources(**asked), "web")


@pytest.mark.parametrize(
    ("asked", "setting", "message"),
    [
        ({"memory_bytes": 1000}, "memory.limit", "1000"),
        ({"memory_bytes": 16 * MIB, "memory_swap_bytes": 8 * MIB}, "memory.swap", "swap"),
        ({"memory_swap_bytes": 8 * MIB}, "memory.swap", "alone"),
        (
            {"memory_bytes": 16 * MIB, "memory_reservation_bytes": 32 * MIB},
            *("memory.reservation", "reservation"),
        ),
        ({"memory_reservation_bytes": 5}, "memory.reservation", "= 5"),
        ({"swappiness": 101}, "memory.swappiness", "101"),
        ({"cpus": 0.001}, "cpu.quota", r"0\.001"),
        ({"cpus": 4096}, "cpu.quota", "4096"),
        ({"cpus": 1, "cpu_quota_us": 5_000}, "cpu.quota", "together"),
        ({"cpu_period_us": 5}, "cpu.period", "= 5"),
        ({"cpu_quota_us": 5}, "cpu.quota", "= 5"),
        ({"cpu_rt_runtime_us": 10, "cpu_rt_period_us": 5}, "cpu.realtimeRuntime", "10"),
        ({"cpuset": "0-9999"}, "cpu.cpus", "0-9999"),
        ({"cpuset": "one"}, "cpu.cpus", "one"),
        ({"cpuset_mems": "77"}, "cpu.mems", "77"),
        ({"io_weight": 5}, "blockIO.weight", "= 5"),
        ({"io_weight_device": (("/dev/null", 9),)}, "blockIO.weightDevice", "= 9"),
        ({"io_read_bps_device": (("/no/disk", 9),)}, "blockIO.throttleReadBpsDevice", "No such"),
        ({"io_write_iops_device": (("/dev/null", 9),)}, "blockIO.throttleWriteIOPSDevice", "block"),
    ],
)
def test_limits_that_make_no_sense_are_refused(
    asked: dict[str, Any], setting: str, message: str
) -> None:
    with pytest.raises(ContainerProblem, match=message) as caught:
        described(**asked)
    assert (caught.value.code, caught.value.setting) == ("limit-refused", setting)


def test_memory_comes_with_as_much_swap_unless_said() -> None:
    limit = {"limit": 16 * MIB}
    assert described(memory_bytes=16 * MIB) == {"memory": {**limit, "swap": 32 * MIB}}
    assert described(memory_bytes=16 * MIB, memory_swap_bytes=-1)["memory"]["swap"] == -1
    assert described(memory_bytes=-1) == {"memory": {"limit": -1, "swap": -1}}
    assert described(memory_reservation_bytes=6 * MIB) == {"memory": {"reservation": 6 * MIB}}


def test_no_limits_are_nothing_to_set() -> None:
    assert described() == {}
    assert described(cpu_quota_us=-1, pids=0) == {"cpu": {"quota": -1}, "pids": {"limit": 0}}


@pytest.mark.parametrize(
    ("parent", "path"),
    [
        ("", "buoy"),
        ("lab", "lab"),
        ("/lab/one/", "lab/one"),
        ("../../etc", "etc"),
        ("a-b.slice", "a.slice/a-b.slice"),
        ("user.slice/x.slice", "user.slice/x.slice"),
    ],
)
def test_where_its_group_is(parent: str, path: str) -> None:
    spec = ContainerSpec(name="web", image="", cgroup_parent=parent)
    assert cgroup_parent(Roots(), spec) == path


@needs_root
def test_a_container_below_a_group_of_the_users(dock: Dock) -> None:
    name = f"buoy-test-{secrets.token_hex(4)}"
    container = dock.idle(cgroup_parent=f"{name}/inside")
    lines = Path(f"/proc/{container.pid}/cgroup").read_text().splitlines()
    paths = {line.split(":", 2)[2] for line in lines} - {"/"}
    assert f"/{name}/inside/{container.id}" in paths
    dock.stop(container)
    left = leaks.cgroups_at(f"{name}/inside")
    assert left
    assert not any(path.is_dir() for top in left for path in top.iterdir())
    for path in left:
        path.rmdir()
        path.parent.rmdir()


@needs_root
def test_what_the_kernel_refuses_at_the_start_is_named(dock: Dock) -> None:
    if "cpu" not in Hierarchies.detect().v1:
        pytest.skip("v2 has a weight for every number of shares")
    container = dock.create("true", resources=Resources(cpu_shares=1))
    with pytest.raises(ContainerProblem, match="least are 2") as caught:
        dock.start_again(container)
    assert (caught.value.code, caught.value.setting) == ("limit-refused", "cpu.shares")
    assert dock.get(container).status == "created"


def _cpu_seconds(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100
