"""E13, E15: what other users of the host can get at."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from engine import FileSpec, HealthcheckSpec, Mount
from tests import leaks
from tests.engine.containers.dock import LIMIT_S
from tests.marks import needs_root

if TYPE_CHECKING:
    from engine import Container
    from tests.engine.containers.dock import Dock

pytestmark = needs_root

SECRET = "hunter2-of-the-host"
# Runs as nobody: every file that it can read, every directory that it can list, below the roots.
LOOK = r"""
import os, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for top in sys.argv[1:]:
    for directory, names, files in os.walk(top):
        print("LISTED", directory)
        for name in files:
            path = os.path.join(directory, name)
            try:
                open(path, "rb").close()
            except OSError:
                continue
            print("READ", path)
"""


def as_nobody(script: str, *arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.splitlines()


def test_other_users_can_read_nothing(dock: Dock, rootfs: Path) -> None:
    (rootfs / "bin/busybox2").touch()
    container = dock.idle(
        image=f"rootfs:{rootfs}",
        environment={"PASSWORD": SECRET},
        files=(FileSpec(target="/run/secrets/s", content=SECRET, secret=True),),
        mounts=(Mount(type="volume", source="data", target="/data"),),
        healthcheck=HealthcheckSpec(test=("CMD", "true"), interval_s=0.05),
    )
    dock.wait(container, lambda found: found.health == "healthy")
    dock.exec(container, "sh", "-c", "cp /bin/busybox /data/su; chmod 4755 /data/su /bin/busybox2")
    roots = dock.engine.roots
    Path(roots.root).parent.chmod(0o755)  # as /var/lib is
    below = (roots.volume("data"), roots.container(container.id), f"{roots.root}/layers")
    seen = as_nobody(LOOK, roots.root, roots.run_root, *below)
    assert [line for line in seen if line != f"LISTED {roots.run_root}"] == []


def test_our_processes_do_not_tell_what_they_know(dock: Dock) -> None:
    """The monitor's command line and environment are there for everybody to read."""
    container = dock.idle(environment={"PASSWORD": SECRET})
    pid = dock.monitor(container)
    assert SECRET.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert Path(f"/proc/{pid}/environ").read_bytes() == b""
    found = as_nobody(
        "import os, sys\nos.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "for name in ('environ', 'mem', 'maps', 'root', 'fd'):\n"
        "    path = f'/proc/{sys.argv[1]}/{name}'\n"
        "    try:\n        os.listdir(path) if name in ('root', 'fd') else open(path).read(1)\n"
        "    except OSError: continue\n"
        "    print(name)\n",
        str(pid),
    )
    assert found == []


def test_sockets_are_files_in_directories_of_roots_own(dock: Dock) -> None:
    """CVE-2020-15257: an abstract socket has no owner, and a container with the host's network
    could talk to it."""
    container = dock.idle(network="host")
    ours = leaks.processes_of(dock.engine.roots)
    sockets = {link for pid in ours for link in leaks.open_files(pid) if link.startswith(b"socket")}
    assert sockets
    assert not sockets & _abstract()
    control = Path(dock.run_directory(container)) / "control"
    assert stat.S_ISSOCK(control.stat().st_mode)
    assert control.parent.stat().st_mode & 0o007 == 0
    Path(dock.engine.roots.root).parent.chmod(0o755)
    script = (
        "import os, socket, sys\nos.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
        "try: s.connect(sys.argv[1])\nexcept OSError as error: print(error.strerror)\n"
    )
    assert as_nobody(script, str(control)) == ["Permission denied"]


def _abstract() -> set[bytes]:
    """Abstract sockets in this network namespace, as descriptors lead to them."""
    rows = (line.split() for line in Path("/proc/net/unix").read_bytes().splitlines())
    return {b"socket:[%s]" % row[6] for row in rows if row[-1].startswith(b"@")}


def test_a_monitor_survives_what_is_sent_to_it(dock: Dock) -> None:
    container = dock.idle()
    control = f"{dock.run_directory(container)}/control"
    for packet in (b"{", b"[]", b"null", b'{"do": 1}', b"[" * 30_000, os.urandom(1000), b'"x"'):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.settimeout(LIMIT_S)
            client.connect(control)
            client.send(packet)
            client.settimeout(0.2)
            try:
                client.recv(1000)
            except (TimeoutError, ConnectionError):
                continue
    assert dock.exec(container, "true").code == 0
    assert dock.stop(container).status == "exited"


def _client(dock: Dock, container: Container) -> socket.socket:
    """A connection to the monitor of a container."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.settimeout(LIMIT_S)
    client.connect(f"{dock.run_directory(container)}/control")
    return client


MALFORMED: tuple[dict[str, object], ...] = (
    {"do": "kill"},
    {"do": "kill", "signal": "TERM"},
    {"do": "kill", "signal": 0},
    {"do": "kill", "signal": 1 << 70},
    {"do": "stop", "grace_s": "soon"},
    {"do": "stop", "signal": [15]},
    {"do": "stop", "signal": 65},
    {"do": "networks"},
    {"do": "networks", "network": {}, "attachments": []},
    {"do": "networks", "network": {"ports": 1}, "attachments": []},
    {"do": "attach"},
    {"do": "attach", "stdin": 1, "lossless": None},
    {"do": {}},
    {"do": "\ud800"},
)


def test_a_malformed_request_is_answered_by_an_error(dock: Dock) -> None:
    container = dock.idle()
    for request in MALFORMED:
        with _client(dock, container) as client:
            client.send(json.dumps(request).encode())
            assert json.loads(client.recv(1000))["error"], request
    assert dock.engine.containers.get(container.id).status == "running"


def test_a_client_that_sends_nonsense_is_let_go(dock: Dock) -> None:
    container = dock.idle(stdin_open=True)
    for packet in (b"{", b"[]", b"null", b"{}", b"[" * 4000):
        with _client(dock, container) as client:
            client.send(b'{"do": "attach", "stdin": true, "lossless": false}')
            assert client.recv(1000)
            client.send(packet)
            assert client.recv(1000) == b""
    assert dock.engine.containers.get(container.id).status == "running"


def test_a_grace_period_may_be_as_long_as_a_number_is(dock: Dock) -> None:
    container = dock.idle()
    with _client(dock, container) as client:
        client.send(b'{"do": "stop", "signal": 9, "grace_s": 1e300}')
        assert "exit_code" in json.loads(client.recv(1000))
