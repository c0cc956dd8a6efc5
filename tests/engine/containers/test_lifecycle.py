"""From create to remove: states, exit codes, signals."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine import ContainerProblem
from engine.cgroups import freezer
from engine.cgroups.hierarchy import Hierarchies
from engine.containers import record
from engine.containers.group import find_cgroup
from engine.containers.mending import mend
from tests import leaks
from tests.engine.containers.test_crashes import kill_process
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.engine.containers.dock import Dock

pytestmark = needs_root


def test_a_created_container_does_not_run_yet(dock: Dock) -> None:
    container = dock.create("true", labels={"a": "b"})
    assert (container.status, container.pid, container.exit_code) == ("created", None, None)
    assert container.labels == {"a": "b"}
    assert dock.cgroups(container) == []


def test_a_started_container_is_process_one_of_its_own_namespace(dock: Dock) -> None:
    before = time.time()
    container = dock.idle()
    assert container.status == "running"
    status = os.readlink(f"/proc/{container.pid}/exe")  # noqa: PTH115
    assert status == "/bin/sleep"
    with open(f"/proc/{container.pid}/status") as file:  # noqa: PTH123
        inside = [line.split()[-1] for line in file if line.startswith("NSpid:")]
    assert inside == ["1"]
    assert before <= (container.started_at or 0) <= time.time()


def test_starting_a_running_container_leaves_it_alone(dock: Dock) -> None:
    container = dock.idle()
    assert dock.start_again(container).pid == container.pid


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_the_exit_code_is_the_programs(dock: Dock, code: int) -> None:
    ended = dock.sh(f"exit {code}").container
    assert (ended.status, ended.exit_code, ended.pid) == ("exited", code, None)
    assert ended.finished_at is not None
    assert ended.started_at is not None
    assert ended.finished_at >= ended.started_at


def test_a_program_that_ends_at_once_has_run(dock: Dock) -> None:
    ended = dock.end_of(dock.start("true"))
    assert (ended.code, ended.container.error) == (0, None)


def test_a_container_runs_again_with_what_it_wrote(dock: Dock) -> None:
    container = dock.start("sh", "-c", "cat /kept; echo more >> /kept")
    dock.end_of(container)
    dock.end_of(dock.start_again(container))
    assert dock.text(container) == "more\n"
    assert "No such file" in dock.text(container, "stderr")


@pytest.mark.parametrize(
    ("command", "code", "kind"),
    [
        ("no-such-program", 127, "command-not-found"),
        ("/no/such/program", 127, "command-not-found"),
        ("/etc/passwd", 126, "not-executable"),
        ("/etc", 126, "not-executable"),
        ("", 127, "command-not-found"),
        ("/script", 127, "command-not-found"),
        ("/noise", 126, "not-executable"),
        ("script", 127, "command-not-found"),
    ],
)
def test_a_program_that_cannot_run_is_told_at_the_start(
    dock: Dock, rootfs: Path, command: str, code: int, kind: str
) -> None:
    for name, text in (("script", "#!/no/interpreter\n"), ("noise", "no program\n")):
        (rootfs / name).write_text(text)
        (rootfs / name).chmod(0o755)
    container = dock.create(command, image=f"rootfs:{rootfs}")
    with pytest.raises(ContainerProblem, match=command or "'': not found") as caught:
        dock.start_again(container)
    assert (caught.value.exit_code, caught.value.code) == (code, kind)
    found = dock.get(container)
    assert (found.status, found.exit_code) == ("created", code)
    assert dock.cgroups(container) == []


def test_no_command_at_all_is_a_problem(dock: Dock) -> None:
    container = dock.create(entrypoint=(), command=())
    with pytest.raises(ContainerProblem, match="no command specified"):
        dock.start_again(container)


def test_an_entrypoint_comes_before_the_command(dock: Dock) -> None:
    container = dock.start("b", "c d", entrypoint=("echo", "a"))
    assert dock.end_of(container).lines == ["a b c d"]
    assert dock.get(container).command == ("echo", "a", "b", "c d")


# --- stop and kill


def test_stop_sends_sigterm_and_the_exit_code_says_so(dock: Dock) -> None:
    container = dock.start("sh", "-c", "trap 'exit 5' TERM; echo ready; while :; do sleep 1; done")
    dock.wait_for_line(container, "ready")
    stopped = dock.stop(container, grace_s=60)
    assert (stopped.status, stopped.exit_code) == ("exited", 5)


def test_a_program_without_a_handler_is_killed_after_the_grace(dock: Dock) -> None:
    container = dock.idle(stop_grace_s=0.3)
    before = time.monotonic()
    assert dock.stop(container).exit_code == 137
    assert time.monotonic() - before >= 0.3


def test_a_program_that_a_signal_ends_gives_128_and_its_number(dock: Dock) -> None:
    container = dock.start("sh", "-c", "sh -c 'kill -TERM $$'; exit $?")
    assert dock.end_of(container).code == 143
    assert dock.end_of(dock.start("sh", "-c", "sleep 100 & kill -9 $!; wait $!")).code == 137


@pytest.mark.parametrize("word", ["SIGUSR1", "usr1", "10"])
def test_the_stop_signal_is_the_one_asked_for(dock: Dock, word: str) -> None:
    script = "trap 'echo got; exit 0' USR1; echo ready; while :; do sleep 1; done"
    container = dock.start("sh", "-c", script, stop_signal=word, stop_grace_s=60.0)
    dock.wait_for_line(container, "ready")
    assert dock.stop(container).exit_code == 0
    assert dock.text(container) == "ready\ngot\n"


def test_an_unknown_stop_signal_is_a_problem(dock: Dock) -> None:
    with pytest.raises(ContainerProblem, match="SIGNOPE"):
        dock.start("true", stop_signal="SIGNOPE")


def test_what_even_sigkill_does_not_end_is_told_with_the_state_of_its_process(dock: Dock) -> None:
    container = dock.idle()
    directories = find_cgroup(dock.engine.roots, container.id).directories
    if "freezer" not in directories:
        pytest.skip("frozen tasks are deaf to SIGKILL in cgroup v1 alone")
    group = {"freezer": directories["freezer"]}
    freezer.set_frozen(group, frozen=True)
    try:
        with pytest.raises(ContainerProblem, match=r"killed and has not ended: .* state D") as told:
            dock.stop(container, grace_s=0)
        assert told.value.code == "container-not-ending"
    finally:
        freezer.set_frozen(group, frozen=False)
    assert dock.end_of(container).code == 137


@pytest.fixture
def frozen_parent() -> Iterator[Path]:
    """A control group in which everything stands still."""
    if "freezer" not in (points := Hierarchies.detect().v1):
        pytest.skip("no freezer of v1 here")
    name = f"buoy-test-{secrets.token_hex(4)}"
    parent = Path(points["freezer"], name)
    parent.mkdir()
    (parent / "freezer.state").write_text("FROZEN")
    yield parent
    for path in leaks.cgroups_at(name):
        path.rmdir()


def test_a_stop_that_comes_during_the_start_is_not_lost(dock: Dock, frozen_parent: Path) -> None:
    parent, containers = frozen_parent.name, dock.engine.containers
    container = dock.create("sleep", "1000", pid_mode="host", cgroup_parent=parent)

    async def stop_meanwhile() -> None:
        start = asyncio.create_task(containers.start(container.id))
        tasks = frozen_parent / container.id / "tasks"
        assert await asyncio.to_thread(eventually, lambda: tasks.exists() and tasks.read_text())
        stop = asyncio.create_task(containers.stop(container.id, grace_s=60))
        await asyncio.sleep(0.2)
        (frozen_parent / "freezer.state").write_text("THAWED")
        await asyncio.gather(start, stop)

    dock.run(stop_meanwhile())
    assert dock.get(container).exit_code == 128 + signal.SIGTERM


def test_what_commands_do_is_among_the_events(dock: Dock) -> None:
    container = dock.idle()
    containers = dock.engine.containers
    dock.exec(container, "sh", "-c", "exit 3")
    dock.kill(container, "WINCH")
    dock.run(containers.restart(container.id, grace_s=0))
    containers.rename(container.id, f"{container.name}-2")
    rows = dock.engine.db.execute(
        "SELECT action, attributes FROM events WHERE subject = ? ORDER BY rowid", (container.id,)
    )
    name = {"name": container.name}
    assert [(row["action"], json.loads(row["attributes"])) for row in rows] == [
        ("create", name | {"labels": {}}),
        ("start", name),
        ("exec_create", name | {"command": ["sh", "-c", "exit 3"]}),
        ("exec_die", name | {"exit_code": 3}),
        ("kill", name | {"signal": "WINCH"}),
        ("die", name | {"exit_code": 137}),
        ("stop", name),
        ("start", name),
        ("restart", name),
        ("rename", {"name": f"{container.name}-2"}),
    ]


def test_what_was_refused_leaves_no_trace(dock: Dock) -> None:
    container = dock.sh("exit 7").container
    for attempt in (lambda: dock.kill(container), lambda: dock.exec(container, "true")):
        with pytest.raises(ContainerProblem, match="not running"):
            attempt()
    found = dock.engine.db.execute("SELECT action FROM events WHERE subject = ?", (container.id,))
    assert [row["action"] for row in found] == ["create", "start"]
    assert not dock.engine.containers.row(container.id)["manually_stopped"]


def test_stopping_what_does_not_run_changes_nothing(dock: Dock) -> None:
    container = dock.sh("exit 7").container
    assert dock.stop(container).exit_code == 7
    assert dock.stop(dock.create("true")).status == "created"


def test_a_negative_grace_waits_for_the_program(dock: Dock) -> None:
    script = "trap 'sleep 0.4; exit 6' TERM; echo ready; while :; do sleep 0.1; done"
    container = dock.start("sh", "-c", script)
    dock.wait_for_line(container, "ready")
    assert dock.stop(container, grace_s=-1).exit_code == 6


def test_kill_ends_everything_in_the_container(dock: Dock) -> None:
    container = dock.start("sh", "-c", "sleep 1000 & setsid sleep 1000 & echo ready; wait")
    dock.wait_for_line(container, "ready")
    dock.kill(container)
    assert dock.end_of(container).code == 137
    assert dock.cgroups(container) == []


def test_kill_sends_any_signal(dock: Dock) -> None:
    container = dock.start(
        "sh", "-c", "trap 'echo hup' HUP; echo ready; while :; do sleep 0.1; done"
    )
    dock.wait_for_line(container, "ready")
    dock.kill(container, "HUP")
    dock.wait_for_line(container, "hup")
    assert dock.get(container).status == "running"


def test_killing_what_does_not_run_is_a_problem(dock: Dock) -> None:
    with pytest.raises(ContainerProblem, match="not running") as caught:
        dock.kill(dock.create("true"))
    assert caught.value.code == "container-not-running"


def test_restart_is_a_new_process_in_the_same_container(dock: Dock) -> None:
    container = dock.idle()
    dock.exec(container, "touch", "/mark")
    again = dock.run(dock.engine.containers.restart(container.id))
    assert (again.id, again.status) == (container.id, "running")
    assert again.pid != container.pid
    assert dock.exec(again, "ls", "/mark").code == 0


# --- names and records


def test_a_name_is_taken_once(dock: Dock) -> None:
    dock.create("true", name="web")
    with pytest.raises(ContainerProblem, match="web") as caught:
        dock.create("true", name="web")
    assert caught.value.code == "name-taken"


@pytest.mark.parametrize("name", ["", "a", "-a", "../a", "a/b", "a b", "ä1"])
def test_what_is_no_name_is_refused(dock: Dock, name: str) -> None:
    with pytest.raises(ContainerProblem) as caught:
        dock.create("true", name=name)
    assert caught.value.code == "container-name"
    container = dock.create("true")
    with pytest.raises(ContainerProblem) as caught:
        dock.engine.containers.rename(container.id, name)
    assert caught.value.code == "container-name"


def test_a_renamed_container_is_found_by_its_new_name(dock: Dock) -> None:
    container = dock.create("true", name="old")
    dock.create("true", name="other")
    dock.engine.containers.rename("old", "new")
    assert dock.engine.containers.find("old") is None
    assert dock.engine.containers.get("new").id == container.id
    with pytest.raises(ContainerProblem, match="other"):
        dock.engine.containers.rename("new", "other")


def test_containers_are_found_by_a_prefix_of_their_id(dock: Dock) -> None:
    container = dock.create("true")
    assert dock.engine.containers.get(container.id[:12]).id == container.id
    assert dock.engine.containers.find(container.id[:3]) is None
    assert dock.engine.containers.find("*") is None


def test_containers_are_listed_by_label(dock: Dock) -> None:
    one = dock.create("true", labels={"project": "a", "service": "x"})
    two = dock.create("true", labels={"project": "a", "service": "y"})
    dock.create("true", labels={"project": "b", "service": "x"})
    listed = dock.engine.containers.list({"project": "a"})
    assert [c.id for c in listed] == [one.id, two.id]
    assert len(dock.engine.containers.list()) == 3


def test_a_running_container_is_not_removed(dock: Dock) -> None:
    container = dock.idle()
    with pytest.raises(ContainerProblem, match="running"):
        dock.engine.containers.remove(container.id)
    assert dock.get(container).status == "running"


def test_nothing_is_left_of_a_removed_container(dock: Dock) -> None:
    container = dock.sh("true").container
    dock.engine.containers.remove(container.id)
    dock.engine.containers.remove(container.id)
    assert dock.engine.containers.find(container.id) is None
    roots = dock.engine.roots
    assert not os.path.exists(roots.container(container.id))  # noqa: PTH110
    assert not os.path.exists(roots.container_run(container.id))  # noqa: PTH110
    assert leaks.cgroups_named(roots.kernel_name) == []


def test_waiting_is_told_of_a_change_at_once(dock: Dock) -> None:
    script = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.1; done"
    container = dock.start("sh", "-c", script)
    dock.wait_for_line(container, "ready")
    before = time.time()
    os.kill(container.pid or 0, signal.SIGTERM)
    ended = dock.wait(container, lambda c: c.status == "exited")  # which never looks by itself
    assert before <= (ended.finished_at or 0) <= time.time()


def test_waiting_for_a_removed_container_is_a_problem(dock: Dock) -> None:
    import asyncio

    container = dock.create("true")
    containers = dock.engine.containers

    async def remove_meanwhile() -> None:
        waiting = asyncio.create_task(containers.wait(container.id, lambda _: False))
        await asyncio.sleep(0.05)
        containers.remove(container.id)
        await waiting

    with pytest.raises(ContainerProblem, match="no such container"):
        dock.run(remove_meanwhile())


def test_where_systemd_is_in_charge_monitors_outlive_the_session(
    dock: Dock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sessions and services take the processes in their groups with them."""
    monkeypatch.setattr(record, "SYSTEMD", str(tmp_path))
    containers = [dock.idle() for _ in range(2)]
    name = dock.engine.roots.kernel_name
    monitors = [dock.monitor(container) for container in containers]
    for monitor in monitors:
        lines = Path(f"/proc/{monitor}/cgroup").read_text().splitlines()
        tracked = [line for line in lines if ":name=systemd:" in line or line.startswith("0::")]
        assert {line.split(":", 2)[2] for line in tracked} == {f"/{name}/monitors"}
    dock.stop(containers[0])
    assert leaks.cgroups_at(f"{name}/monitors")
    kill_process(monitors[1])
    dock.wait(containers[1], lambda one: one.status == "exited")
    mend(dock.engine.containers)
    assert not leaks.cgroups_at(name)
