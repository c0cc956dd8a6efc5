"""A Docker engine and both generations of its compose, to measure Buoy against.

    python -m tests.bench.docker_peer [--directory DIR] [COMMAND...]

Fetches Debian's packages with this machine's own apt, unpacks them in a directory without
installing anything, starts dockerd with all its state there, and runs COMMAND (a shell by default)
with `docker`, `docker-compose-1` (1.29) and `docker-compose-2` (2.40) on its PATH and the images
`debian:bookworm-slim` and `busybox:latest` present. Afterwards the daemon, its bridges and its
firewall rules are gone; the packages stay, so that the next start takes seconds.

Needs root, and that no other Docker engine runs here.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.images import REFERENCE, busybox_archive, cache_directory, locked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

START_S = 60.0
PACKAGES = ("docker.io", "docker-compose")  # of the release that runs here: 20.10 and 1.29
NEWER = ("docker-compose", "sid")  # compose 2 is packaged there alone
FIREWALLS = ("iptables", "ip6tables")


class Peer:
    """The directory that a Docker engine was unpacked in, and what runs its commands."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment = {
            **os.environ,
            "PATH": f"{directory}/bin:{directory}/root/usr/sbin:{os.environ['PATH']}",
            "DOCKER_HOST": f"unix://{directory}/docker.sock",
            "DOCKER_CONFIG": f"{directory}/config",
            "DOCKER_BUILDKIT": "0",  # the daemon's own builder: buildx is not packaged
            "COMPOSE_DOCKER_CLI_BUILD": "0",
        }

    def run(self, *argv: str, cwd: Path | None = None) -> str:
        """A command to its end; its standard output. Raises CalledProcessError."""
        done = subprocess.run(
            argv, cwd=cwd, env=self.environment, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout


@contextlib.contextmanager
def docker_peer(directory: Path) -> Iterator[Peer]:
    """A running Docker engine for the length of a with-block."""
    peer = Peer(directory)
    _fetch(peer)
    with _firewall_as_it_was(), _links_as_they_were(), _daemon(peer):
        _load_images(peer)
        yield peer


def unpacked() -> Path:
    """The directory with the programs, fetched but with no engine running."""
    peer = Peer(cache_directory().parent / "peer")
    _fetch(peer)
    return peer.directory / "bin"


def _fetch(peer: Peer) -> None:
    """Unpack the packages and write the wrappers, unless that was done before."""
    peer.directory.parent.mkdir(parents=True, exist_ok=True)
    with locked(peer.directory.with_suffix(".lock")):
        if not (peer.directory / "ready").exists():
            _unpack(peer)


def _unpack(peer: Peer) -> None:
    shutil.rmtree(peer.directory, ignore_errors=True)
    for name in ("bin", "root", "newer", "config"):
        (peer.directory / name).mkdir(parents=True)
    for package in download(peer.directory, PACKAGES):
        subprocess.run(["dpkg-deb", "-x", package, peer.directory / "root"], check=True)
    for package in download_newer(peer.directory, *NEWER):
        subprocess.run(["dpkg-deb", "-x", package, peer.directory / "newer"], check=True)
    _write_wrappers(peer.directory)
    (peer.directory / "ready").touch()


def download(directory: Path, packages: Sequence[str]) -> list[Path]:
    """The packages with what they need and this machine has not got; in `archives` there."""
    archives = directory / "archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    options = _options({"Dir::Cache::archives": archives, "APT::Sandbox::User": "root"})
    install = ["install", "--yes", "--download-only", "--no-install-recommends", "--reinstall"]
    subprocess.run(["apt-get", *options, *install, *packages], check=True, stdout=sys.stderr)
    return sorted(archives.glob("*.deb"))


def download_newer(directory: Path, package: str, release: str, *more: str) -> list[Path]:
    """Packages of a newer release, from the mirror that this machine uses, known to apt only for
    this download; in `newer` there."""
    for name in ("newer", "lists/partial"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    listed = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Label: Debian"]
    mirror = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split()[0]
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    sources = directory / "newer.list"
    sources.write_text(f"deb [signed-by={keyring}] {mirror} {release} main\n")
    options = _options(
        {
            "Dir::Etc::SourceList": sources,
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::State::lists": directory / "lists",
            "Dir::Cache": directory / "lists",
            "APT::Sandbox::User": "root",
        }
    )
    subprocess.run(["apt-get", *options, "update"], check=True, stdout=sys.stderr)
    fetch = ["apt-get", *options, "download", package, *more]
    subprocess.run(fetch, check=True, cwd=directory / "newer", stdout=sys.stderr)
    return sorted((directory / "newer").glob("*.deb"))


def _options(values: Mapping[str, str | Path]) -> list[str]:
    return [word for key, value in values.items() for word in ("-o", f"{key}={value}")]


def _write_wrappers(directory: Path) -> None:
    """Commands that find their libraries and modules beside themselves."""
    root, newer = directory / "root/usr", directory / "newer/usr"
    modules = f"PYTHONPATH={root}/lib/python3/dist-packages"
    wrappers = {
        "docker": f"exec {_program(root, 'bin/docker')}",
        "dockerd": f"exec {_program(root, 'sbin/dockerd')}",
        "containerd": f"exec {_program(root, 'bin/containerd')}",
        "containerd-shim-runc-v2": f"exec {_program(root, 'bin/containerd-shim-runc-v2')}",
        "runc": f"exec {_program(root, 'sbin/runc')}",
        "docker-compose-1": f"{modules} exec /usr/bin/python3 {root}/bin/docker-compose",
        "docker-compose-2": f"exec {newer}/libexec/docker/cli-plugins/docker-compose",
    }
    for name, line in wrappers.items():
        path = directory / "bin" / name
        path.write_text(f'#!/bin/sh\n{line} "$@"\n')
        path.chmod(0o755)


def _program(root: Path, name: str) -> Path:
    """In what was unpacked, or the installed one where apt saw no need to fetch it again."""
    unpacked = root / name
    return unpacked if unpacked.exists() else Path("/usr") / name


@contextlib.contextmanager
def _daemon(peer: Peer) -> Iterator[None]:
    at = peer.directory
    places = ["--data-root", f"{at}/data", "--exec-root", f"{at}/exec", "--pidfile", f"{at}/pid"]
    command = ["dockerd", *places, "--host", f"unix://{at}/docker.sock"]
    with (at / "dockerd.log").open("w") as log:
        daemon = subprocess.Popen(
            command, env=peer.environment, stdout=log, stderr=log, process_group=0
        )
    try:
        _await_daemon(peer, daemon)
        yield
        if left := peer.run("docker", "ps", "--all", "--quiet").split():
            peer.run("docker", "rm", "--force", "--volumes", *left)
        peer.run("docker", "network", "prune", "--force")
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(30)


def _await_daemon(peer: Peer, daemon: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    asked = ["docker", "version", "--format", "{{.Server.Version}}"]
    while subprocess.run(asked, env=peer.environment, capture_output=True, check=False).returncode:
        if daemon.poll() is not None or time.monotonic() > deadline:
            log = (peer.directory / "dockerd.log").read_text().splitlines()[-10:]
            raise RuntimeError("dockerd did not start:\n" + "\n".join(log))
        time.sleep(0.1)


def _load_images(peer: Peer) -> None:
    listed = ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]
    present = peer.run(*listed).split()
    if REFERENCE not in present:
        peer.run("docker", "load", "--input", str(busybox_archive()))
    if "debian:bookworm-slim" not in present:
        tar = peer.directory / "bookworm-slim.tar"
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "bookworm", tar], check=True)
        peer.run("docker", "import", str(tar), "debian:bookworm-slim")
        tar.unlink()


@contextlib.contextmanager
def _firewall_as_it_was() -> Iterator[None]:
    """What dockerd adds to iptables, it leaves there when it ends."""
    before = {name: _rules(name) for name in FIREWALLS}
    tables = _tables()
    try:
        yield
    finally:
        for name, rules in before.items():
            subprocess.run([f"{name}-restore"], input=rules, text=True, check=True)
        for table in _tables() - tables:
            if table.split()[1] in ("filter", "nat", "mangle", "raw"):
                subprocess.run(["nft", "delete", "table", *table.split()], check=True)


def _rules(name: str) -> str:
    return subprocess.run([f"{name}-save"], check=True, capture_output=True, text=True).stdout


def _tables() -> set[str]:
    listed = subprocess.run(["nft", "list", "tables"], check=True, capture_output=True, text=True)
    return {line.removeprefix("table ") for line in listed.stdout.splitlines()}


@contextlib.contextmanager
def _links_as_they_were() -> Iterator[None]:
    if Path("/sys/class/net/docker0").exists():
        raise RuntimeError("docker0 exists: another Docker engine runs here, or left it behind")
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "delete", "docker0"], check=False, capture_output=True)


def main(argv: Sequence[str]) -> int:
    """The peer around one command."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.bench.docker_peer")
    parser.add_argument("--directory", type=Path, default=cache_directory().parent / "peer")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args(argv)
    with docker_peer(args.directory.resolve()) as peer:
        command = args.command or [os.environ.get("SHELL", "/bin/sh")]
        return subprocess.run(command, env=peer.environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
