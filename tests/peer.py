"""Another container engine, to compare with: Docker's daemon on roots of its own.

It has no bridge, no firewall rules and no port of its own, so it disturbs nobody, and several may
run at the same time; with `networks` it has, and belongs in a network namespace of its own. Its
programs are unpacked from packages, not installed (bench.docker_peer).
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.kernel import capabilities, mounts
from tests import leaks
from tests.bench.docker_peer import unpacked
from tests.images import busybox_archive
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VERSION = "20.10"  # what the written differences are about: Debian 12's
LIMIT_S = 60.0
DAEMON = "dockerd --default-runtime=here"
ALONE = "--bridge=none --iptables=false --ip6tables=false --ip-forward=false --userland-proxy=false"
IN_A_NAMESPACE = "--experimental --ip6tables"
# runc refuses to grant a privileged container what the machine has not got
RUNTIME = """\
#!/bin/sh
for word; do
    [ "$previous" != --bundle ] || sed -i 's/"CAP_\\(WORDS\\)",//g' "$word/config.json"
    previous=$word
done
exec runc "$@"
"""


class NoPeer(Exception):
    """Why there is none: its packages cannot be had here, or are of another version."""


@dataclass(frozen=True)
class DockerPeer:
    """A daemon that runs; `busybox:latest` is loaded.

    cgroup  its containers' control groups are below this one
    """

    directory: Path
    environment: Mapping[str, str]
    cgroup: str

    def docker(self, *argv: str) -> str:
        """What a command of the client prints. Raises CalledProcessError."""
        command = ["docker", *argv]
        done = subprocess.run(
            command, env=self.environment, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout


@contextlib.contextmanager
def docker_peer(below: str = "/var/tmp", *, networks: bool = False) -> Iterator[DockerPeer]:
    """For the length of a with-block; nothing stays but empty directories in /run.

    below     where its state is
    networks  with bridges, firewall rules and proxies, in the caller's network namespace

    Raises NoPeer.
    """
    try:
        programs = unpacked()
    except (subprocess.CalledProcessError, OSError, IndexError) as error:
        raise NoPeer(f"Docker's packages cannot be fetched: {error}") from error
    directory = Path(tempfile.mkdtemp(prefix="b-peer-", dir=below))
    try:
        peer = _peer(directory, programs)
        with _daemon(peer, IN_A_NAMESPACE if networks else ALONE):
            peer.docker("load", "--quiet", "--input", str(busybox_archive()))
            yield peer
            if left := peer.docker("ps", "--all", "--quiet").split():
                peer.docker("rm", "--force", "--volumes", *left)
    finally:
        for target in leaks.mounts_below(str(directory)):  # of the daemon's own namespace
            mounts.unmount(target)
        shutil.rmtree(directory)


def _peer(directory: Path, programs: Path) -> DockerPeer:
    unpacked_root = programs.parent / "root/usr"
    places = f"{programs}:{unpacked_root}/sbin:{unpacked_root}/bin:{os.environ['PATH']}"
    environment = {
        "PATH": places,
        "DOCKER_HOST": f"unix://{directory}/socket",
        "DOCKER_CONFIG": f"{directory}/config",
    }
    runtime = directory / "runtime"
    missing = sorted(set(capabilities.NAMES) - set(capabilities.bounding()))
    runtime.write_text(RUNTIME.replace("WORDS", "\\|".join(missing)))
    runtime.chmod(0o755)
    return DockerPeer(directory, environment, f"buoy-peer-{directory.name}")


@contextlib.contextmanager
def _daemon(peer: DockerPeer, options: str) -> Iterator[None]:
    at = peer.directory
    places = ["--data-root", f"{at}/data", "--exec-root", f"{at}/exec", "--pidfile", f"{at}/pid"]
    own = ["--host", f"unix://{at}/socket", "--cgroup-parent", f"/{peer.cgroup}"]
    own += ["--add-runtime", f"here={at}/runtime"]
    with (at / "log").open("w") as log:
        daemon = subprocess.Popen(
            [*DAEMON.split(), *options.split(), *places, *own],
            env=peer.environment,
            stdout=log,
            stderr=log,
            process_group=0,
            preexec_fn=_raise_limits,
        )
    try:
        _await(peer, daemon)
        yield
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(LIMIT_S)
        _remove_cgroups(peer.cgroup)


def _raise_limits() -> None:
    """As its packaged unit does: LimitNOFILE, LimitNPROC and LimitCORE are `infinity`."""
    for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC, resource.RLIMIT_CORE):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (hard, hard))


def _await(peer: DockerPeer, daemon: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while daemon.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(subprocess.CalledProcessError):
            version = peer.docker("version", "--format", "{{.Server.Version}}")
            if not version.startswith(VERSION):
                raise NoPeer(f"this is Docker {version.strip()}, not {VERSION}")
            return
        time.sleep(0.05)
    lines = (peer.directory / "log").read_text().splitlines()
    raise RuntimeError("dockerd did not start:\n" + "\n".join(lines[-10:]))


def _remove_cgroups(name: str) -> None:
    """What was in them may not have ended quite."""

    def are_gone() -> bool:
        leaks.remove_cgroups(name)
        return not leaks.cgroups_at(name)

    assert eventually(are_gone)
