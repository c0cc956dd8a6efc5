"""Whoever is killed, whenever: what the next command finds and puts right."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine import (
    ContainerProblem,
    EndpointSpec,
    Engine,
    Mount,
    NetworkSpec,
    PortSpec,
    RestartPolicy,
)
from engine.containers.control import connect
from engine.containers.mending import LOCK_NAME
from engine.state.locks import locked
from tests.engine.containers.dock import Dock
from tests.leaks import processes_of
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine import Container

pytestmark = needs_root


@pytest.fixture
def later(dock: Dock) -> Iterator[Dock]:
    """The same containers, as the next command finds them."""
    engine = Engine(dock.engine.roots)
    yield Dock(engine, dock.runner, dock.image)
    engine.close()


@pytest.fixture
def networked(dock: Dock) -> dict[str, Any]:
    """What to ask for, to be on a network with a published port."""
    dock.engine.networks.create(NetworkSpec(name="net"))
    return {
        "network": "networks",
        "endpoints": (EndpointSpec(network="net", aliases=("web",)),),
        "ports": (PortSpec(target=80, host_ip="127.0.0.1"),),
        "address_owner": "a/b/1",
    }


def kill_process(pid: int | None) -> None:
    """SIGKILL, and wait until it is gone, whoever its parent is."""
    assert pid
    pidfd = os.pidfd_open(pid)
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    assert eventually(lambda: _is_gone(pidfd))
    os.close(pidfd)


def request(dock: Dock, container: Container, what: dict[str, Any]) -> None:
    """Ask a monitor for something, and wait until it has hung up."""
    client = connect(dock.run_directory(container))
    assert client
    with client:
        client.send(json.dumps(what).encode())
        client.recv(1 << 16)


def elements(dock: Dock) -> str:
    """Our table of the firewall."""
    table = ["nft", "list", "table", "ip", dock.engine.roots.kernel_name]
    return subprocess.run(table, capture_output=True, text=True, check=True).stdout


# --- the monitor


def test_init_dies_with_its_monitor_and_the_next_command_says_so(dock: Dock, later: Dock) -> None:
    container = dock.idle(restart=RestartPolicy(name="always"))
    init = os.pidfd_open(container.pid or 0)
    kill_process(dock.monitor(container))
    assert eventually(lambda: _is_gone(init))
    os.close(init)
    found = later.get(container)
    assert (found.status, found.exit_code, found.pid) == ("exited", 137, None)
    assert found.error == "its monitor was killed"


def test_a_monitor_that_fails_leaves_its_traceback(dock: Dock, later: Dock) -> None:
    container = dock.idle()
    config = json.loads(Path(dock.run_directory(container), "config.json").read_text())
    dock.stop(container)
    damaged = config["buoy"] | {"stop_grace_s": "a bug"}
    assert "code" not in dock.run(
        dock.engine.containers.stage.launch(dock.run_directory(container), damaged)
    )
    request(dock, container, {"do": "stop"})
    later.wait(container, lambda c: c.status == "exited")
    found = later.get(container)
    log = Path(dock.engine.roots.container(container.id), "monitor.log")
    assert found.exit_code == 137
    assert (found.error or "").startswith("its monitor failed: TypeError: ")
    assert str(log) in (found.error or "")
    assert "engine/containers/monitor.py" in log.read_text()
    assert later.start_again(container).error is None


def test_a_preparation_that_fails_leaves_its_traceback(dock: Dock) -> None:
    container = dock.sh("true").container
    config = Path(dock.run_directory(container), "config.json")
    record = json.loads(config.read_text())
    config.write_text(json.dumps(record | {"linux": None}))
    stage = dock.engine.containers.stage
    outcome = dock.run(stage.launch(dock.run_directory(container), record["buoy"]))
    log = Path(dock.engine.roots.container(container.id), "monitor.log")
    assert outcome["code"] == "monitor"
    assert "its monitor failed: RuntimeError: TypeError: " in outcome["what"]
    assert "engine/containers/preparing.py" in log.read_text()
    assert dock.end_of(dock.start_again(container)).code == 0


def test_whoever_waits_hears_of_a_killed_monitor(dock: Dock) -> None:
    container = dock.idle()
    monitor = dock.monitor(container)
    containers = dock.engine.containers

    async def kill_meanwhile() -> Container:
        waiting = asyncio.create_task(containers.wait(container.id, lambda c: c.status == "exited"))
        await asyncio.sleep(0.1)
        os.kill(monitor or 0, signal.SIGKILL)
        return await waiting

    assert dock.run(kill_meanwhile()).exit_code == 137


def test_a_container_whose_monitor_was_killed_starts_again(
    dock: Dock, later: Dock, networked: dict[str, Any]
) -> None:
    container = dock.idle(**networked)
    dock.exec(container, "touch", "/kept")
    kill_process(dock.monitor(container))
    again = later.start_again(container)
    assert again.status == "running"
    assert again.attachments[0].address == container.attachments[0].address
    assert later.exec(again, "ls", "/kept").code == 0
    assert later.exec(again, "nslookup", "web", "127.0.0.11").code == 0


def test_the_same_command_starts_it_again(dock: Dock, networked: dict[str, Any]) -> None:
    container = dock.idle(**networked)
    kill_process(dock.monitor(container))
    assert dock.start_again(container).status == "running"


def test_nothing_is_left_of_a_container_whose_monitor_was_killed(
    dock: Dock, later: Dock, networked: dict[str, Any]
) -> None:
    container = dock.idle(**networked)
    address = container.attachments[0].address
    network = dock.engine.networks.get("net")
    assert address in elements(dock)
    assert [e.container_id for e in dock.engine.networks.endpoints(network)] == [container.id]
    kill_process(dock.monitor(container))
    later.engine.containers.mend()
    assert address not in elements(later)
    assert later.engine.networks.endpoints(network) == []
    assert later.cgroups(container) == []
    later.engine.containers.remove(container.id)
    assert later.engine.containers.find(container.id) is None


def test_what_init_had_started_does_not_outlive_the_monitor(dock: Dock) -> None:
    container = dock.start("sh", "-c", "setsid sleep 1000 & setsid sleep 1000 & echo up; wait")
    dock.wait_for_line(container, "up")
    kill_process(dock.monitor(container))
    assert eventually(
        lambda: [p for p in processes_of(dock.engine.roots) if p != _stage(dock)] == []
    )


def test_a_monitor_that_is_asked_to_end_stops_its_container(dock: Dock) -> None:
    container = dock.start(
        "sh", "-c", "trap 'exit 4' TERM; echo up; while :; do sleep 0.1; done", stop_grace_s=60.0
    )
    dock.wait_for_line(container, "up")
    os.kill(dock.monitor(container) or 0, signal.SIGTERM)
    assert dock.end_of(container).code == 4


# --- init


def test_a_monitor_that_is_asked_to_end_gives_its_container_its_time_and_no_more(
    dock: Dock,
) -> None:
    container = dock.start("sleep", "1000", stop_grace_s=0.3)  # process 1 does not hear SIGTERM
    os.kill(dock.monitor(container) or 0, signal.SIGTERM)
    ended = dock.wait(container, lambda c: c.status == "exited")
    assert ended.exit_code == 137


def test_an_init_that_is_killed_gives_137(dock: Dock) -> None:
    container = dock.idle()
    kill_process(container.pid)
    ended = dock.end_of(container).container
    assert (ended.exit_code, ended.oom_killed, ended.error) == (137, False, None)
    assert eventually(lambda: dock.cgroups(container) == [])


# --- the command


def test_containers_run_on_when_their_command_and_stage_are_killed(dock: Dock) -> None:
    container = dock.idle()
    kill_process(_stage(dock))
    assert dock.get(container).status == "running"
    assert dock.stop(container).exit_code == 137


def test_a_command_whose_stage_was_killed_says_so(dock: Dock) -> None:
    container = dock.create("true")
    kill_process(_stage(dock))
    with pytest.raises(ContainerProblem, match="killed"):
        dock.start_again(container)
    dock.engine.containers.close()
    assert dock.end_of(dock.start_again(container)).code == 0


STARTER = """
import asyncio, sys
from engine import Engine, Roots
root, run_root, *ids = sys.argv[1:]
async def main():
    engine = Engine(Roots(root, run_root))
    print("begun", flush=True)
    await asyncio.gather(*(engine.containers.start(id) for id in ids))
    print("started", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.08, 0.1, 0.12, 0.15, 0.2])
@pytest.mark.parametrize("whole_group", [False, True], ids=["command", "command-and-stage"])
def test_a_start_that_is_killed_midway_is_put_right_by_the_next(
    dock: Dock, networked: dict[str, Any], after_s: float, whole_group: bool
) -> None:
    networked.pop("address_owner")
    made = [dock.create("sleep", "1000", **networked) for _ in range(4)]
    roots = dock.engine.roots
    command = [sys.executable, "-c", STARTER, roots.root, roots.run_root, *(c.id for c in made)]
    starter = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    assert starter.stdout
    assert starter.stdout.readline() == b"begun\n"
    time.sleep(after_s)
    os.killpg(starter.pid, signal.SIGKILL) if whole_group else starter.kill()
    starter.wait()
    starter.stdout.close()
    later = Engine(roots)
    try:
        next_dock = Dock(later, dock.runner, dock.image)
        for container in made:
            assert next_dock.start_again(container).status == "running"
        for container in made:
            assert next_dock.stop(container).status == "exited"
            assert next_dock.cgroups(container) == []
    finally:
        later.close()


@pytest.mark.parametrize("after_s", [0.0, 0.002, 0.004, 0.006, 0.01])
def test_a_monitor_that_is_killed_while_it_starts_is_noticed(
    dock: Dock, networked: dict[str, Any], after_s: float
) -> None:
    container = dock.create("sleep", "1000", **networked)
    containers = dock.engine.containers
    stage = containers.stage.pid

    async def kill_meanwhile() -> object:
        starting = asyncio.create_task(containers.start(container.id))
        await asyncio.sleep(0)  # the request is on its way
        assert eventually(lambda: bool(_children(stage)))
        await asyncio.sleep(after_s)
        for pid in _children(stage):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return (await asyncio.gather(starting, return_exceptions=True))[0]

    problem = dock.run(kill_meanwhile())
    if isinstance(problem, ContainerProblem):
        assert "killed" in problem.what
        assert dock.get(container).status == "created"
        assert dock.cgroups(container) == []
        assert dock.engine.networks.endpoints(dock.engine.networks.get("net")) == []
    assert dock.start_again(container).status == "running"


# --- the host


def test_after_a_reboot_what_ran_is_known_to_have_ended(dock: Dock) -> None:
    """The volatile directory is gone; the end of one container had been written down."""
    ran, ended, new = dock.idle(), dock.sh("exit 6").container, dock.create("true")
    lose_the_host(dock, ran, ended)
    found = {c.id: (c.status, c.exit_code) for c in dock.engine.containers.list()}
    assert found[ran.id] == ("exited", 255)
    assert found[ended.id] == ("exited", 6)
    assert found[new.id] == ("created", None)
    later = Engine(dock.engine.roots)
    later.containers.mend()
    again = Dock(later, dock.runner, dock.image)
    assert again.start_again(ran).status == "running"
    later.close()


def lose_the_host(dock: Dock, *containers: Container) -> None:
    """Their processes and volatile directories are gone."""
    for container in containers:
        if dock.get(container).status == "running":
            kill_process(dock.monitor(container))
        wait_for_monitor(dock, container)
        shutil.rmtree(dock.run_directory(container))


def wait_for_monitor(dock: Dock, container: Container) -> None:
    """Until it has ended, which takes a moment once it has said that its container has."""
    assert eventually(lambda: dock.monitor(container) is None)


def test_what_is_resumed_after_a_reboot_is_for_the_policies_to_say(dock: Dock, later: Dock) -> None:
    def ended(script: str, **policy: Any) -> Container:
        return dock.sh(script, restart=RestartPolicy(**policy)).container

    def stopped(name: Any) -> Container:
        container = dock.idle(restart=RestartPolicy(name=name))
        dock.stop(container)
        return container

    running = [
        dock.idle(restart=RestartPolicy(name=name))
        for name in ("always", "unless-stopped", "on-failure")
    ]
    others = [
        dock.idle(restart=RestartPolicy(name="no")),
        stopped("unless-stopped"),
        ended("exit 1", name="on-failure", max_attempts=1),
        ended("exit 0", name="on-failure"),
    ]
    by_hand = stopped("always")
    new = dock.create("sleep", "9", restart=RestartPolicy(name="always"))
    lose_the_host(dock, *running, *others, by_hand)
    resumed = later.run(later.engine.containers.resume())
    assert [one.id for one in resumed] == [*(one.id for one in running), by_hand.id]
    assert later.get(new).status == "created"
    assert later.run(later.engine.containers.resume()) == []
    later.stop(by_hand)
    assert later.run(later.engine.containers.resume()) == []


def test_what_cannot_be_resumed_keeps_no_other_from_it(
    dock: Dock, later: Dock, tmp_path: Path
) -> None:
    policy, file = RestartPolicy(name="always"), tmp_path / "file"
    file.touch()
    mount = Mount(type="bind", source=str(file), target="/file", create_host_path=False)
    broken, whole = dock.idle(restart=policy, mounts=(mount,)), dock.idle(restart=policy)
    lose_the_host(dock, broken, whole)
    file.unlink()
    with pytest.raises(ExceptionGroup) as caught:
        later.run(later.engine.containers.resume())
    assert [type(one) for one in caught.value.exceptions] == [ContainerProblem]
    assert later.get(whole).status == "running"


def test_a_state_of_another_run_of_the_kernel_is_of_a_host_that_was_restarted(dock: Dock) -> None:
    """Where the volatile directory is on a disk."""
    container = dock.idle()
    kill_process(dock.monitor(container))
    assert dock.get(container).exit_code == 137
    path = Path(dock.run_directory(container)) / "state.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"boot_id": "another"}))
    found = dock.get(container)
    assert (found.exit_code, found.error) == (255, "the host was restarted while it ran")


def test_a_container_that_was_started_meanwhile_is_not_mended(dock: Dock, later: Dock) -> None:
    """Somebody else has found it lost, mended it, and started it, while we waited for the lock."""
    container = dock.idle()
    dock.engine.containers.mend()
    kill_process(dock.monitor(container))
    state = Path(dock.run_directory(container)) / "state.json"
    with locked(f"{dock.engine.roots.run_root}/{LOCK_NAME}"):
        mending = subprocess.Popen(
            [sys.executable, "-c", _MEND, dock.engine.roots.root, dock.engine.roots.run_root]
        )
        assert eventually(lambda: _waits_for_lock(mending.pid))
        state.write_text(json.dumps(dock.state(container) | {"status": "exited"}))
        running = dock.start_again(container)
    assert mending.wait() == 0
    assert later.get(container) == running


_MEND = """
import sys
from engine import Engine, Roots
Engine(Roots(*sys.argv[1:])).containers.mend()
"""


def _waits_for_lock(pid: int) -> bool:
    """Source: proc_locks(5), lines with an arrow are of those who wait."""
    lines = Path("/proc/locks").read_text().splitlines()
    return any("->" in line and f" {pid} " in line for line in lines)


def test_a_half_written_state_is_no_state(dock: Dock) -> None:
    container = dock.sh("exit 3").container
    wait_for_monitor(dock, container)
    state = Path(dock.run_directory(container)) / "state.json"
    state.write_text(state.read_text()[:20])
    assert (dock.get(container).status, dock.get(container).exit_code) == ("exited", 3)


def _stage(dock: Dock) -> int:
    return dock.engine.containers.stage.pid


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def _is_gone(pidfd: int) -> bool:
    try:
        signal.pidfd_send_signal(pidfd, 0)
    except ProcessLookupError:
        return True
    return _is_zombie(pidfd)


def _is_zombie(pidfd: int) -> bool:
    """Readable: it has ended, and its parent does not know yet."""
    import select

    return bool(select.select([pidfd], [], [], 0)[0])
