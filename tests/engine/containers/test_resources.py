"""Limits, as the kernel enforces them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from engine import ContainerProblem, ContainerSpec, Resources, RestartPolicy
from engine.containers import confinement
from tests.marks import needs_root

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
    script = "for i in 1 2 3 4 5 6 7 8 9; do sleep 5 & done; echo all"
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
    spent = [_cpu_seconds(container.pid or 0)]
    time.sleep(1.0)
    spent.append(_cpu_seconds(container.pid or 0))
    assert spent[1] - spent[0] <= 0.1 + 0.1


@needs_root
def test_an_exec_counts_against_the_containers_limits(dock: Dock) -> None:
    container = dock.idle(resources=Resources(pids=3))
    script = "sleep 1 & sleep 1 & sleep 1 & echo all"
    assert b"all" not in dock.exec(container, "sh", "-c", script).stdout


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"memory_bytes": 1000}, "least|1000"),
        ({"memory_bytes": 16 * MIB, "memory_swap_bytes": 8 * MIB}, "swap"),
        ({"memory_swap_bytes": 8 * MIB}, "swap"),
        ({"memory_bytes": 16 * MIB, "memory_reservation_bytes": 32 * MIB}, "reservation"),
        ({"cpus": 0.001}, "cpus"),
    ],
)
def test_limits_that_make_no_sense_are_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ContainerProblem, match=message):
        confinement.resources(ContainerSpec(name="web", image="", resources=Resources(**asked)))


def test_memory_comes_with_as_much_swap_unless_said() -> None:
    def memory(**asked: int) -> object:
        return confinement.resources(
            ContainerSpec(name="web", image="", resources=Resources(**asked))
        )["memory"]

    assert memory(memory_bytes=16 * MIB) == {"limit": 16 * MIB, "swap": 32 * MIB}
    assert memory(memory_bytes=16 * MIB, memory_swap_bytes=-1) == {"limit": 16 * MIB, "swap": -1}
    assert memory(memory_reservation_bytes=MIB) == {"reservation": MIB}


def _cpu_seconds(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100
