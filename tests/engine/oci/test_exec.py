"""A further process: from options or a `process` of its own, waited for or not."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.kernel.process import apparmor_is_enabled
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.engine.oci.runtime import Runtime

pytestmark = needs_root

APPARMOR = apparmor_is_enabled()
IDLE = ("sleep", "1000")


def test_it_is_in_the_container_with_the_streams_of_the_caller(either: Runtime) -> None:
    name = either.start(either.config(*IDLE))
    done = either("exec", name, "sh", "-c", "hostname; cat; echo bad >&2; exit 6", stdin="in\n")
    assert (done.code, done.lines, done.stderr) == (6, ["buoy", "in"], "bad\n")
    pid = either.state(name)["pid"]
    assert either.ok("exec", name, "readlink", "/proc/self/ns/pid").stdout.strip() == str(
        Path(f"/proc/{pid}/ns/pid").readlink()
    )


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["no-such-program"], "executable file not found in $PATH"),
        (["/no/such/program"], "no such file or directory"),
        (["/etc/passwd"], "permission denied"),
    ],
)
def test_what_cannot_be_executed(either: Runtime, args: list[str], words: str) -> None:
    done = either("exec", either.start(either.config(*IDLE)), *args)
    assert done.code == 255
    assert words in done.stderr
    assert "exec failed: unable to start container process" in done.stderr


def test_options_change_who_and_where_it_is(either: Runtime) -> None:
    name = either.start(either.config(*IDLE))
    options = ["--user", "1000:50", "--cwd", "/tmp", "--env", "A=1", "--env", "B=2", "-g", "7"]
    done = either.ok("exec", *options, name, "sh", "-c", "id; pwd; echo $A$B")
    assert done.lines == ["uid=1000(app) gid=50(staff) groups=7", "/tmp", "12"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--user", "root"], "--user root: not a number"),
        (["--additional-gids", "wheel"], "--additional-gids wheel: not a number"),
        (["--cwd", "tmp"], "process.cwd tmp is not absolute"),
        (["--process-label", "system_u:object_r:x:s0"], "process.selinuxLabel"),
        (["--apparmor", "no-such-profile"], "no-such-profile" if APPARMOR else "apparmorProfile"),
        (["--cgroup", "../other"], "/other/cgroup.procs"),
        (["--process", "/etc/passwd"], "/etc/passwd: Expecting value"),
    ],
)
def test_options_that_cannot_be_followed(oci: Runtime, options: list[str], words: str) -> None:
    name = oci.start(oci.config(*IDLE))
    done = oci("exec", *options, name, "true")
    assert (done.code, words in done.stderr) == (255, True), done
    assert "Traceback" not in done.stderr


def test_a_process_of_its_own_is_described_in_a_file(either: Runtime) -> None:
    name = either.start(either.config(*IDLE))
    file, pid_file = either.root.parent / "process", either.root.parent / "pid"
    described = {
        "args": ["sleep", "500"],
        "cwd": "/",
        "env": ["PATH=/bin"],
        "user": {"uid": 1, "gid": 2},
        "oomScoreAdj": 300,
    }
    file.write_text(json.dumps(described))
    options = ["--process", str(file), "--pid-file", str(pid_file), "--detach"]
    either.ok("exec", *options, name)
    pid = int(pid_file.read_text())
    # runc returns before it has been executed
    assert eventually(lambda: Path(f"/proc/{pid}/cmdline").read_text() == "sleep\x00500\x00")
    assert "Uid:\t1\t1\t1\t1" in Path(f"/proc/{pid}/status").read_text()
    if either.command != ("runc",):  # 1.1 passes it over
        assert Path(f"/proc/{pid}/oom_score_adj").read_text() == "300\n"
    own = Path(f"/proc/{either.state(name)['pid']}/cgroup").read_text()
    assert Path(f"/proc/{pid}/cgroup").read_text() == own
    either.ok("delete", "--force", name)
    assert eventually(lambda: not Path(f"/proc/{pid}").exists())  # whoever is to reap it


def test_its_terminal_goes_to_the_console_socket(either: Runtime) -> None:
    name = either.start(either.config(*IDLE))
    path = str(either.root.parent / "console")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen()
        options = ["--tty", "--detach", "--console-socket", path]
        either.ok("exec", *options, name, "sh", "-c", "test -t 1 && tty; sleep 1000")
        peer, _ = listener.accept()
        with peer:
            _, fds, _, _ = socket.recv_fds(peer, 100, 1)
    assert os.read(fds[0], 1000).decode().split() == ["/dev/pts/0"]
    os.close(fds[0])


def test_it_may_have_more_and_less_than_the_container(oci: Runtime) -> None:
    name = oci.start(oci.config(*IDLE))
    words = ("grep", "-E", "CapEff|NoNew", "/proc/self/status")
    capabilities, no_new = oci.ok("exec", "--cap", "net_admin", name, *words).lines
    assert int(capabilities.split()[1], 16) & 1 << 12
    assert no_new.split()[1] == "1"


def test_its_filter_is_the_containers(either: Runtime) -> None:
    config = either.config(*IDLE)
    config["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}],
    }
    done = either("exec", either.start(config), "mkdir", "/tmp/x")
    assert (done.code, "No space left" in done.stderr) == (1, True)


def test_it_runs_on_the_cpus_it_is_given(oci: Runtime) -> None:
    name = oci.start(oci.config(*IDLE))
    last = max(os.sched_getaffinity(0))
    file = oci.root.parent / "process"
    file.write_text(
        json.dumps(
            {
                "args": ["grep", "Cpus_allowed_list", "/proc/self/status"],
                "cwd": "/",
                "env": ["PATH=/bin"],
                "execCPUAffinity": {"initial": "0", "final": str(last)},
            }
        )
    )
    assert oci.ok("exec", "--process", str(file), name).stdout.split()[1] == str(last)


def test_a_signal_to_the_command_goes_to_the_process(oci: Runtime) -> None:
    name = oci.start(oci.config(*IDLE))
    script = "trap 'echo got it; exit 7' TERM; echo ready; while :; do sleep 0.05; done"
    command = [*oci.command, "--root", str(oci.root), "exec", name, "sh", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        running.send_signal(signal.SIGTERM)
        assert running.stdout.readline() == "got it\n"
    assert running.returncode == 7
