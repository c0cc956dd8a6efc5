"""podman, conmon and buildah with this runtime, which they start as a command of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import TEST_ROOTS
from tests.images import busybox_rootfs
from tests.marks import needs_program, needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    needs_root,
    needs_program("podman"),
    needs_program("conmon"),
    pytest.mark.xdist_group("podman"),
    pytest.mark.timeout(300),
]

# podman would raise limits, which needs a capability that not every root has.
CONF = """
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime_supports_json = ["buoy-oci"]
"""
SCRIPT = (
    f"#!{sys.executable}\nfrom engine.oci.__main__ import run_oci\nraise SystemExit(run_oci())\n"
)
LOOP = "trap 'echo stopping; exit 3' TERM; echo begun; while :; do sleep 0.05; done"
LIMIT_S = 60


@dataclass(frozen=True)
class Podman:
    """One podman with a storage of its own, and what it shares with buildah."""

    place: Path

    @property
    def runtime(self) -> str:
        return str(self.place / "buoy-oci")

    def storage(self) -> list[str]:
        return [
            *("--root", str(self.place / "root"), "--runroot", str(self.place / "run")),
            *("--storage-driver", "vfs"),
        ]

    def run(self, command: list[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.place),
            "CONTAINERS_CONF": str(self.place / "containers.conf"),
            "PYTEST_CURRENT_TEST": "podman",
        }
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
            env=environment,
        )

    def __call__(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        own = ["--runtime", self.runtime, "--tmpdir", str(self.place / "tmp")]
        return self.run(["podman", *self.storage(), *own, *words], stdin)

    def ok(self, *words: str, stdin: str = "") -> str:
        done = self(*words, stdin=stdin)
        assert done.returncode == 0, done
        return done.stdout

    def sh(self, script: str, *options: str) -> subprocess.CompletedProcess[str]:
        words = ("--rm", "--network", "none", *options, "busybox", "sh", "-c", script)
        return self("run", *words)

    def state(self, name: str) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.ok("inspect", name))[0]["State"]
        return state


@pytest.fixture(scope="module")
def podman() -> Iterator[Podman]:
    place = Path(tempfile.mkdtemp(prefix="b-p-", dir=TEST_ROOTS))
    place.chmod(0o755)
    podman = Podman(place)
    (place / "containers.conf").write_text(CONF)
    Path(podman.runtime).write_text(SCRIPT)
    Path(podman.runtime).chmod(0o755)
    podman.ok("import", str(busybox_rootfs()), "busybox")
    yield podman
    podman("rm", "--all", "--force", "--time", "0")
    shutil.rmtree(place)


@pytest.fixture
def looping(podman: Podman) -> Iterator[str]:
    """A container that runs until it is told to end."""
    name = f"c{time.monotonic_ns()}"
    run = ("run", "--detach", "--name", name, "--network", "none", "--hostname", "looping")
    podman.ok(*run, "busybox", "sh", "-c", LOOP)
    assert eventually(lambda: "begun" in podman.ok("logs", name))
    yield name
    podman.ok("rm", "--force", "--time", "0", name)


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (["true"], 0, ""),
        (["sh", "-c", "exit 5"], 5, ""),
        (["no-such-program"], 127, "executable file not found in $PATH"),
        (["/no/such/program"], 127, "no such file or directory"),
        (["/etc/passwd"], 126, "permission denied"),
    ],
)
def test_exit_codes(podman: Podman, command: list[str], code: int, words: str) -> None:
    done = podman("run", "--rm", "--network", "none", "busybox", *command)
    assert (done.returncode, words in done.stderr) == (code, True), done


def test_exec(podman: Podman, looping: str) -> None:
    script = "hostname; id -u; pwd; echo $A; cat; exit 4"
    options = ["--user", "1000", "--workdir", "/tmp", "--env", "A=b", "--interactive"]
    done = podman("exec", *options, looping, "sh", "-c", script, stdin="in")
    assert (done.returncode, done.stdout.split()) == (4, ["looping", "1000", "/tmp", "b", "in"])
    missing = podman("exec", looping, "no-such-program")
    assert (missing.returncode, "executable file not found" in missing.stderr) == (127, True)
    assert podman.ok("exec", "--tty", looping, "tty").split() == ["/dev/pts/0"]
    podman.ok("exec", "--detach", looping, "sleep", "77")
    assert eventually(lambda: "sleep 77" in podman.ok("top", looping, "args"))


def test_stop_logs_and_start_again(podman: Podman, looping: str) -> None:
    podman.ok("stop", "--time", "50", looping)
    state = podman.state(looping)
    assert (state["Status"], state["ExitCode"]) == ("exited", 3)
    assert eventually(lambda: podman.ok("logs", looping).split() == ["begun", "stopping"])
    podman.ok("start", looping)
    podman.ok("kill", looping)
    assert podman.ok("wait", looping).strip() == "137"


def test_pause_and_update(podman: Podman, looping: str) -> None:
    podman.ok("pause", looping)
    assert podman.state(looping)["Status"] == "paused"
    podman.ok("unpause", looping)
    assert podman.state(looping)["Status"] == "running"
    podman.ok("update", "--memory", "100m", "--cpus", "0.5", looping)
    group = podman.state(looping)["CgroupPath"]
    limit = Path(f"/sys/fs/cgroup/memory{group}/memory.limit_in_bytes")
    if limit.exists():
        assert limit.read_text().strip() == str(100 << 20)
    assert podman.ok("stats", "--no-stream", "--format", "{{.PIDs}}", looping).strip() != "0"


def test_limits_and_confinement(podman: Podman) -> None:
    options = [
        *("--memory", "50m", "--pids-limit", "20", "--cpus", "0.5", "--read-only"),
        *("--user", "1000:1000", "--cap-drop", "all", "--security-opt", "no-new-privileges"),
        *("--tmpfs", "/t:size=1m,mode=1777", "--volume", f"{podman.place}:/mnt:ro"),
    ]
    script = (
        "id -u; grep -E 'CapBnd|Seccomp:|NoNew' /proc/self/status; touch /x /mnt/x;"
        " touch /t/x && ls /t"
    )
    done = podman.sh(script, *options)
    words = done.stdout.split()
    assert words == ["1000", "CapBnd:", "0" * 16, "NoNewPrivs:", "1", "Seccomp:", "2", "x"]
    assert done.stderr.count("Read-only file system") == 2


def test_a_privileged_container(podman: Podman) -> None:
    done = podman.sh("mount -t tmpfs none /tmp && ls /dev | wc -l", "--privileged")
    assert (done.returncode, int(done.stdout) > 15) == (0, True), done


def test_a_user_namespace(podman: Podman) -> None:
    maps = ["--uidmap", "0:100000:65536", "--gidmap", "0:100000:65536"]
    done = podman.sh("id -u; cat /proc/self/uid_map; touch /root/x && stat -c %u /root/x", *maps)
    assert done.stdout.split() == ["0", "0", "100000", "65536", "0"], done


def test_namespaces_of_another(podman: Podman, looping: str) -> None:
    joined = [f"--{kind}=container:{looping}" for kind in ("pid", "ipc")]
    done = podman.sh("cat /proc/1/cmdline | grep -c begun; readlink /proc/self/ns/ipc", *joined)
    ipc = Path(f"/proc/{podman.state(looping)['Pid']}/ns/ipc").readlink()
    assert done.stdout.split() == ["1", str(ipc)], done


DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "mkdir", "-p", "/tmp", "/usr/bin"]
RUN ["/bin/busybox", "--install", "-s", "/bin"]
ENV A=b
WORKDIR /srv
RUN echo $A > file && chmod 1777 /tmp
USER 1000
RUN id -u > /tmp/id
CMD ["cat", "/srv/file", "/tmp/id"]
"""


@needs_program("buildah")
def test_buildah_builds_a_dockerfile(podman: Podman) -> None:
    context = podman.place / "context"
    context.mkdir()
    busybox = shutil.which("busybox")
    assert busybox is not None
    shutil.copy(busybox, context / "busybox")
    (context / "Dockerfile").write_text(DOCKERFILE)
    options = ["--runtime", podman.runtime, "--isolation", "oci", "--network", "none"]
    limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]
    tag = ["--tag", "localhost/built", str(context)]
    build = ["buildah", *podman.storage(), "bud", *options, *limits, *tag]
    done = podman.run(build)
    assert done.returncode == 0, done
    assert podman.ok("run", "--rm", "--network", "none", "localhost/built").split() == ["b", "1000"]
