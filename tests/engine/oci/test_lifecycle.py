"""States and transitions, the words of errors that callers look for, and exit codes.

What is asked of `either` holds for runc, too.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.kernel.process import become_subreaper
from tests import leaks
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.engine.oci.runtime import Runtime

pytestmark = needs_root

IDLE = ("sleep", "1000")


def test_a_container_is_created_started_killed_and_deleted(either: Runtime) -> None:
    config = either.config(*IDLE) | {"annotations": {"a.b": "c"}}
    bundle = either.bundle(config)
    name = either.new_id()
    pid_file = either.root.parent / "pid"
    either.ok("create", "--bundle", str(bundle), "--pid-file", str(pid_file), name)
    state = either.state(name)
    pid = int(pid_file.read_text())
    assert state | {"pid": pid} == state
    assert (state["id"], state["status"]) == (name, "created")
    assert (state["bundle"], state["annotations"]) == (str(bundle), {"a.b": "c"})
    assert Path(f"/proc/{pid}/cmdline").read_text().split("\0")[0] != "sleep"
    either.ok("start", name)
    assert either.state(name)["status"] == "running"
    # runc returns before it has been executed
    assert eventually(lambda: Path(f"/proc/{pid}/cmdline").read_text() == "sleep\x001000\x00")
    either.ok("kill", name, "0")
    either.ok("kill", name, "KILL")
    either.wait(name)
    assert "container not running" in either("kill", name, "0").stderr
    assert (either.state(name)["status"], either.state(name)["pid"]) == ("stopped", 0)
    either.ok("delete", name)
    gone = either("state", name)
    assert gone.code == 1
    assert "does not exist" in gone.stderr


def test_what_cannot_be_done_says_why(either: Runtime) -> None:
    config = either.config(*IDLE)
    name = either.create(config)
    bundle = str(either.bundle(config))
    taken = either("create", "--bundle", bundle, name)
    assert (taken.code, "container with given ID already exists" in taken.stderr) == (1, True)
    either.ok("start", name)
    running = [
        (("start", name), "cannot start an already running container"),
        (("delete", name), f"cannot delete container {name} that is not stopped: running"),
    ]
    for verb, words in running:
        done = either(*verb)
        assert (done.code, words in done.stderr) == (1, True), done
    either.ok("kill", "--all", name, "KILL")
    either.wait(name)
    for last, words in (
        ("start", "cannot start a container that has stopped"),
        ("kill", "container not running"),
        ("exec", "cannot exec in a stopped container"),
    ):
        done = either(last, name, *(("true",) if last == "exec" else ()))
        assert (done.code != 0, words in done.stderr) == (True, True), done
    assert either.state(name)["status"] == "stopped"


@pytest.mark.parametrize("verb", ["start", "state", "kill", "delete", "pause", "exec"])
def test_a_container_that_is_not_there(either: Runtime, verb: str) -> None:
    words = ("true",) if verb == "exec" else ()
    done = either(verb, "none-of-that-name", *words)
    assert done.code == (255 if verb == "exec" else 1)
    assert "container does not exist" in done.stderr


def test_to_delete_by_force_is_to_accept_absence(either: Runtime) -> None:
    either.ok("delete", "--force", "none-of-that-name")
    name = either.start(either.config(*IDLE))
    either.ok("delete", "--force", name)
    assert either("state", name).code == 1


def test_a_created_container_can_be_deleted_and_killed(either: Runtime) -> None:
    name = either.create(either.config(*IDLE))
    either.ok("kill", name, "TERM")
    either.wait(name)
    either.ok("delete", name)
    either.ok("delete", either.create(either.config(*IDLE)))


@pytest.mark.parametrize("name", ["", "a/b", "..", "a b", "ä"])
def test_an_id_is_no_path(oci: Runtime, name: str) -> None:
    done = oci("create", "--bundle", str(oci.bundle(oci.config(*IDLE))), name)
    assert (done.code, "invalid container ID format" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["no-such-program"], "executable file not found in $PATH"),
        (["/no/such/program"], "no such file or directory"),
        (["/etc/passwd"], "permission denied"),
        (["/etc"], "permission denied"),
    ],
)
def test_a_program_that_cannot_be_executed_fails_at_create(
    either: Runtime, args: list[str], words: str
) -> None:
    done = either("create", "--bundle", str(either.bundle(either.config(*args))), either.new_id())
    assert (done.code, words in done.stderr) == (1, True), done
    assert either("state", either.ids[-1]).code == 1


@pytest.mark.parametrize(("script", "code"), [("exit 7", 7), ("kill -KILL $$", 137), ("", 0)])
def test_run_ends_as_the_program_does(oci: Runtime, script: str, code: int) -> None:
    config = oci.sh(script)
    config["linux"]["namespaces"] = [
        entry for entry in config["linux"]["namespaces"] if entry["type"] != "pid"
    ]
    assert oci.run(config).code == code
    assert oci("list", "--quiet").stdout == ""


def test_streams_are_the_callers(either: Runtime) -> None:
    done = either.run(either.sh("cat; echo error >&2; ls /proc/self/fd"), stdin="input\n")
    assert (done.lines, done.stderr) == (["input", "0", "1", "2", "3"], "error\n")


def test_descriptors_are_kept_if_asked_for(either: Runtime) -> None:
    path = either.root.parent / "three"
    opened = ("sh", "-c", 'exec "$@" 3>"$0"', str(path))
    with_it = replace(either, command=(*opened, *either.command))
    config = either.sh("echo through >&3; ls /proc/self/fd")
    done = with_it.run(config, "--preserve-fds", "1")
    assert (done.code, path.read_text(), done.lines) == (0, "through\n", ["0", "1", "2", "3", "4"])
    assert "Bad file descriptor" in with_it.run(config).stderr


def test_pause_and_resume(either: Runtime) -> None:
    name = either.start(either.config(*IDLE))
    either.ok("pause", name)
    assert either.state(name)["status"] == "paused"
    assert either("exec", name, "true").code == 255
    either.ok("resume", name)
    assert either.state(name)["status"] == "running"
    either.ok("pause", name)
    either.ok("delete", "--force", name)


def test_one_that_waits_for_its_start_is_paused_too(either: Runtime) -> None:
    name = either.create(either.config(*IDLE))
    either.ok("pause", name)
    assert either.state(name)["status"] == "paused"
    assert "cannot start a container in the paused state" in either("start", name).stderr
    either.ok("resume", name)
    assert either.state(name)["status"] == "created"
    either.ok("start", name)
    assert either.state(name)["status"] == "running"


def test_what_there_is_is_listed(either: Runtime) -> None:
    names = [either.create(either.config(*IDLE)) for _ in range(2)]
    listed = json.loads(either.ok("list", "--format", "json").stdout)
    assert [entry["id"] for entry in listed] == names
    assert {"pid", "status", "bundle", "created", "owner", "rootfs"} <= listed[0].keys()
    heading, *rows = either.ok("list").lines
    assert heading.split() == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
    assert [row.split()[0] for row in rows] == names
    assert either.ok("list", "-q").lines == names


def test_what_is_being_deleted_is_not_listed(oci: Runtime) -> None:
    name, other = oci.create(oci.config(*IDLE)), oci.create(oci.config(*IDLE))
    config = oci.root / name / "config.json"
    kept = config.read_bytes()
    config.unlink()
    assert [each["id"] for each in json.loads(oci.ok("list", "-f", "json").stdout)] == [other]
    assert oci("state", name).stderr.endswith('msg="container does not exist"\n')
    config.write_bytes(kept)


def test_processes_are_shown(either: Runtime) -> None:
    name = either.start(either.config(*IDLE))
    either.ok("exec", "--detach", name, *IDLE)

    def pids() -> list[int]:
        shown: list[int] = json.loads(either.ok("ps", "--format", "json", name).stdout)
        return shown

    assert eventually(lambda: len(pids()) == 2)  # who has brought it there goes
    assert either.state(name)["pid"] in pids()
    heading, *rows = either.ok("ps", name).lines
    assert "PID" in heading
    assert len(rows) == 2


def test_errors_are_logged_as_json(either: Runtime) -> None:
    path = either.root.parent / "log"
    done = either("--log", str(path), "--log-format", "json", "state", "nothing")
    logged = json.loads(path.read_text())
    assert (logged["level"], logged["msg"]) == ("error", "container does not exist")
    assert logged.keys() == {"level", "msg", "time"}
    assert (done.code, done.stderr) == (1, "container does not exist\n")


def test_a_log_that_cannot_be_written_hides_no_error(oci: Runtime) -> None:
    done = oci("--log", "/no/such/log", "state", "nothing")
    assert (done.code, done.lines) == (1, [])
    assert done.stderr == (
        "--log /no/such/log: No such file or directory\ncontainer does not exist\n"
    )


def test_the_first_processes_end_is_seen_by_the_subreaper(oci: Runtime) -> None:
    """conmon's part: what `create` leaves behind becomes the child of who waits for it."""
    pid = os.fork()
    if pid == 0:
        become_subreaper()
        name = oci.start(oci.sh("exit 9"))
        found, status = os.waitpid(oci.state(name)["pid"] or -1, 0)
        os._exit(os.waitstatus_to_exitcode(status) if found > 0 else 99)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    for path in oci.root.iterdir():
        oci.ids.append(path.name)


def test_a_creation_that_was_killed_leaves_nothing_running(oci: Runtime) -> None:
    """Its init sees the end of the socket."""
    config = oci.config(*IDLE)
    config["hooks"] = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "1000"]}]}
    name = oci.new_id()
    bundle = str(oci.bundle(config))
    command = [*oci.command, "--root", str(oci.root), "create", "--bundle", bundle, name]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as creating:
        hook = _child_named(creating.pid, "sleep")
        creating.kill()
    os.kill(hook, signal.SIGKILL)
    assert oci("state", name).code == 1
    oci.ok("delete", name)
    assert not (oci.root / name).exists()

    def are_removed() -> bool:
        """Only once init has ended."""
        for group in leaks.cgroups_at(f"buoy-oci/{name}"):
            with contextlib.suppress(OSError):
                group.rmdir()
        return not leaks.cgroups_at(f"buoy-oci/{name}")

    assert eventually(are_removed)


def test_a_creation_that_fails_after_init_has_gone_leaves_nothing(oci: Runtime) -> None:
    """Who waits for init may be quicker than who made it."""
    script = "pid=$(sed 's/.*\"pid\": \\([0-9]*\\).*/\\1/'); kill -9 $pid; " + (
        "while [ -e /proc/$pid ]; do sleep 0.01; done; exit 3"
    )
    config = oci.config(*IDLE)
    config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", script]}]}
    name = oci.new_id()
    bundle = str(oci.bundle(config))
    command = [*oci.command, "--root", str(oci.root), "create", "--bundle", bundle, name]
    told = oci.root.parent / "told"
    pid = os.fork()
    if pid == 0:
        become_subreaper()
        with told.open("w") as stderr:
            creating = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=stderr)
        while os.waitpid(-1, 0)[0] != creating.pid:
            pass
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert "error running createRuntime hook #0" in told.read_text()
    assert not (oci.root / name).exists()
    assert list(Path("/sys/fs/cgroup").glob(f"*/buoy-oci/{name}")) == []


def _child_named(parent: int, name: str) -> int:
    """The pid of a child, once it is a program of that name."""

    def found() -> list[int]:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return [int(pid) for pid in children if _command(pid) == name]

    assert eventually(found)
    return found()[0]


def _command(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:  # it has ended meanwhile
        return ""
