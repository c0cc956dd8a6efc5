"""A further process in a running container."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine import ContainerProblem, ExecSpec
from engine.containers.sessions import FILE_NAME, MOST
from tests.engine.containers.dock import status_of
from tests.marks import needs_root
from tests.terminals import Terminal
from tests.waiting import eventually

if TYPE_CHECKING:
    from engine import Container
    from tests.engine.containers.dock import Dock

pytestmark = needs_root


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -9 $$", 137)]
)
def test_the_exit_code_is_the_programs(dock: Dock, script: str, code: int) -> None:
    assert dock.exec(dock.idle(), "sh", "-c", script).code == code


@pytest.mark.parametrize(
    ("program", "code", "kind"),
    [
        ("no-such-program", 127, "command-not-found"),
        ("/etc/passwd", 126, "not-executable"),
        ("/etc", 126, "not-executable"),
        ("", 127, "command-not-found"),
    ],
)
def test_a_program_that_cannot_run_is_a_problem(
    dock: Dock, program: str, code: int, kind: str
) -> None:
    with pytest.raises(ContainerProblem, match=program or "'': not found") as caught:
        dock.exec(dock.idle(), program)
    assert (caught.value.exit_code, caught.value.code) == (code, kind)


def test_only_a_running_container_takes_one(dock: Dock) -> None:
    container = dock.create("true")
    for state in ("created", "exited"):
        with pytest.raises(ContainerProblem, match="not running") as caught:
            dock.exec(container, "true")
        assert caught.value.code == "container-not-running"
        assert dock.get(container).status == state
        if state == "created":
            dock.end_of(dock.start_again(container))


def test_it_joins_every_namespace_of_init(dock: Dock) -> None:
    container = dock.idle()
    script = "for n in mnt pid net uts ipc cgroup; do readlink /proc/self/ns/$n; done"
    inside = dock.exec(container, "sh", "-c", script).stdout.decode().split()
    kinds = ("mnt", "pid", "net", "uts", "ipc", "cgroup")
    assert inside == [str(Path(f"/proc/{container.pid}/ns/{kind}").readlink()) for kind in kinds]


def test_it_is_as_confined_as_init(dock: Dock) -> None:
    container = dock.idle(security_options=("no-new-privileges",), cap_drop=("CHOWN",))
    ours = status_of(dock.exec(container, "cat", "/proc/self/status").stdout.decode())
    init = status_of(Path(f"/proc/{container.pid}/status").read_text())
    for field in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"):
        assert ours[field] == init[field], field
    cgroup = Path(f"/proc/{container.pid}/cgroup").read_text()
    inside = dock.exec(container, "cat", "/proc/self/cgroup").stdout.decode()
    assert container.id in cgroup
    assert {line.split(":")[2] for line in inside.splitlines()} == {"/"}  # its own namespace


def test_it_has_no_descriptors_but_three(dock: Dock) -> None:
    script = "sleep 1000 & until grep -q sleep /proc/$!/comm; do :; done; ls /proc/$!/fd; kill $!"
    assert dock.exec(dock.idle(), "sh", "-c", script).stdout.split() == [b"0", b"1", b"2"]


def test_environment_user_and_directory_are_the_containers_or_given(dock: Dock) -> None:
    container = dock.idle(environment={"A": "1", "B": "2"}, user="app", working_dir="/tmp")
    script = "echo $A $B $C $HOME $(id -u) $(pwd)"
    assert dock.exec(container, "sh", "-c", script).stdout == b"1 2 /home/app 1000 /tmp\n"
    given: dict[str, Any] = {
        "environment": {"B": "3", "C": "4"},
        "user": "0:50",
        "working_dir": "/etc",
    }
    assert dock.exec(container, "sh", "-c", script, **given).stdout == b"1 3 4 /root 0 /etc\n"


def test_a_missing_directory_or_user_is_a_problem(dock: Dock) -> None:
    container = dock.idle()
    with pytest.raises(ContainerProblem, match="/no/where"):
        dock.exec(container, "true", working_dir="/no/where")
    with pytest.raises(ContainerProblem, match="unable to find user"):
        dock.exec(container, "true", user="stranger")


def test_its_output_is_ours_and_not_the_containers_log(dock: Dock) -> None:
    container = dock.idle()
    done = dock.exec(container, "sh", "-c", "echo out; echo err >&2")
    assert (done.stdout, done.stderr) == (b"out\n", b"err\n")
    assert dock.text(container) == ""


def test_binary_input_and_output_are_untouched(dock: Dock) -> None:
    data = bytes(range(256)) * 8192  # 2 MiB
    done = dock.exec(dock.idle(), "cat", stdin=data)
    assert done.code == 0
    assert done.stdout == data


def test_without_input_it_reads_nothing(dock: Dock) -> None:
    assert dock.exec(dock.idle(), "wc", "-c").stdout.split() == [b"0"]


def test_a_program_that_leaves_its_input_unread_ends_all_the_same(dock: Dock) -> None:
    assert dock.exec(dock.idle(), "true", stdin=b"x" * (1 << 20)).code == 0


def test_a_program_whose_output_nobody_takes_is_told(dock: Dock) -> None:
    container = dock.idle()
    kept = os.dup(1)
    read_fd, write_fd = os.pipe()
    os.dup2(write_fd, 1)
    for fd in (read_fd, write_fd):
        os.close(fd)
    try:
        spec = ExecSpec(argv=("yes",))
        assert dock.run(dock.engine.containers.exec(container.id, spec)) == 128 + signal.SIGPIPE
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def test_one_that_is_detached_runs_on(dock: Dock) -> None:
    container = dock.idle()
    done = dock.exec(container, "sh", "-c", "sleep 0.4; touch /done; sleep 99", detach=True)
    assert (done.code, done.stdout) == (0, b"")
    dock.engine.containers.close()
    assert eventually(lambda: dock.exec(container, "ls", "/done").code == 0)


def test_it_ends_with_the_container(dock: Dock) -> None:
    import asyncio

    from engine import ExecSpec

    container = dock.idle()
    containers = dock.engine.containers

    async def both() -> int:
        script = "touch /begun; exec sleep 99"
        spec = ExecSpec(argv=("sh", "-c", script), interactive=False)
        running = asyncio.create_task(containers.exec(container.id, spec))
        begun = Path(dock.engine.roots.container(container.id), "upper/begun")
        assert await asyncio.to_thread(eventually, begun.exists)
        await containers.stop(container.id, grace_s=0)
        return await running

    assert dock.run(both()) == 137


def test_what_it_leaves_behind_does_not_keep_it(dock: Dock) -> None:
    done = dock.exec(dock.idle(), "sh", "-c", "sleep 99 & echo started")  # in less time than that
    assert done.stdout == b"started\n"


def test_a_privileged_one_has_all_capabilities_and_no_filter(dock: Dock) -> None:
    container = dock.idle()
    status = dock.exec(container, "cat", "/proc/self/status", privileged=True).stdout.decode()
    fields = status_of(status)
    ours = status_of(Path("/proc/self/status").read_text())
    assert fields["CapEff"] == fields["CapPrm"] == ours["CapBnd"]
    assert fields["Seccomp"] == "0"


def test_a_directory_that_is_a_descriptor_is_refused(dock: Dock) -> None:
    """CVE-2024-21626, with a directory of the host open in our process under every number."""
    fds = [os.open("/", os.O_RDONLY | os.O_DIRECTORY) for _ in range(25)]
    try:
        for fd in fds:
            os.set_inheritable(fd, True)
        container = dock.idle()
        for number in range(3, 40):
            with pytest.raises(ContainerProblem) as caught:
                dock.exec(container, "ls", "..", working_dir=f"/proc/self/fd/{number}")
            assert caught.value.code == "working-directory"
    finally:
        for fd in fds:
            os.close(fd)


def test_there_is_an_end_to_how_many_there_are(dock: Dock) -> None:
    container = dock.idle()
    fd = os.open(f"{dock.run_directory(container)}/{FILE_NAME}", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX, MOST - 1, 1)
        assert dock.exec(container, "true").code == 0
        fcntl.lockf(fd, fcntl.LOCK_EX, 1, 0)
        with pytest.raises(ContainerProblem, match="too many"):
            dock.exec(container, "true")
    finally:
        os.close(fd)
    assert dock.exec(container, "true").code == 0


def test_where_init_has_delegated_its_cgroup_it_goes_where_init_is(dock: Dock) -> None:
    """As systemd does in a container: it moves, and hands controllers down (cgroup v2)."""
    container = dock.idle()
    found = [path for path in dock.cgroups(container) if (path / "cgroup.controllers").exists()]
    controllers = [(path, (path / "cgroup.controllers").read_text().split()) for path in found]
    if not any(names for _, names in controllers):
        pytest.skip("no cgroup v2 with a controller here")
    path, names = next((path, names) for path, names in controllers if names)
    inner = path / "init.scope"
    inner.mkdir()
    (inner / "cgroup.procs").write_text(str(container.pid))
    (path / "cgroup.subtree_control").write_text(f"+{names[0]}")
    assert dock.exec(container, "true").code == 0
    dock.stop(container)


# --- with a terminal

DRIVER = """
import asyncio, sys
from engine import Engine, ExecSpec, Roots
root, run_root, container, *argv = sys.argv[1:]
async def main():
    engine = Engine(Roots(root, run_root))
    code = await engine.containers.exec(container, ExecSpec(argv=tuple(argv), tty=True))
    engine.close()
    return code
sys.exit(asyncio.run(main()))
"""


def terminal_of(dock: Dock, container: Container, *argv: str) -> Terminal:
    """A process in a container, on a terminal of ours."""
    roots = dock.engine.roots
    return Terminal([sys.executable, "-c", DRIVER, roots.root, roots.run_root, container.id, *argv])


def test_on_a_terminal_it_has_one_as_large_as_ours(dock: Dock) -> None:
    script = "tty; stty size; echo TERM=$TERM; read x; echo got $x;"
    script += "until stty size | grep '44 99'; do sleep 0.02; done; read y; exit 5"
    terminal = terminal_of(dock, dock.idle(), "sh", "-c", script)
    terminal.expect(b"/dev/pts/0\r\n33 111\r\nTERM=xterm\r\n")
    terminal.resize(44, 99)
    terminal.send(b"hello\r")
    terminal.expect(b"got hello\r\n44 99\r\n")
    terminal.send(b"\r")
    assert terminal.end() == 5


def test_on_a_terminal_keys_go_to_the_program(dock: Dock) -> None:
    script = "trap 'echo interrupted; exit 3' INT; echo ready; while :; do sleep 0.1; done"
    terminal = terminal_of(dock, dock.idle(), "sh", "-c", script)
    terminal.expect(b"ready\r\n")
    terminal.send(b"\x03")
    terminal.expect(b"interrupted")
    assert terminal.end() == 3


def test_on_a_terminal_jobs_can_be_controlled(dock: Dock) -> None:
    terminal = terminal_of(dock, dock.idle(), "sh", "-i")
    terminal.expect(b"# ")
    terminal.send(b"sh -c 'echo a$((1)); exec sleep 99'\r")
    terminal.expect(b"a1\r\n")
    terminal.send(b"\x03")
    terminal.send(b"echo still $((40 + 2))\r")
    terminal.expect(b"still 42")
    assert b"can't access tty" not in terminal.seen
    terminal.send(b"exit 4\r")
    assert terminal.end() == 4


def test_on_a_terminal_it_is_left_by_keys_and_runs_on(dock: Dock) -> None:
    container = dock.idle()
    script = "stty -echo; echo ready; read x; seq 100000; read y; touch /left; sleep 1000"
    terminal = terminal_of(dock, container, "sh", "-c", script)
    terminal.expect(b"ready\r\n")
    terminal.send(b"\r\r\x10\x11")
    assert terminal.end() == 0
    # nobody reads, but it is not held up
    assert eventually(lambda: dock.exec(container, "ls", "/left").code == 0)


def test_a_detached_one_that_cannot_start_says_so_at_once(dock: Dock) -> None:
    container = dock.idle()
    for tty in (False, True):
        with pytest.raises(ContainerProblem, match="no-such-program"):
            dock.exec(container, "no-such-program", detach=True, tty=tty)
        assert dock.exec(container, "sleep", "1000", detach=True, tty=tty).code == 0
