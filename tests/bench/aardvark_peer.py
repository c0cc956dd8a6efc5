"""aardvark-dns, Podman's name server, for a network with names on it; and dnsperf, to ask with.

Debian's packages, unpacked and not installed: aardvark-dns 1.14 of trixie with the C library that
it wants, dnsperf of the release that runs here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import TYPE_CHECKING

from engine.kernel import namespaces
from tests.bench.docker_peer import download, download_newer
from tests.engine.network.world import private_host, run
from tests.images import cache_directory, locked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

GATEWAY, CLIENT = "10.89.0.1", "10.89.0.2"
PACKAGES = ("dnsperf",)
NEWER = ("aardvark-dns", "trixie", "libc6", "libgcc-s1")


def unpacked() -> Path:
    """The directory with the programs, below `root` and `newer`."""
    directory = cache_directory().parent / "dns"
    directory.mkdir(parents=True, exist_ok=True)
    with locked(directory.with_suffix(".lock")):
        if not (directory / "ready").exists():
            for package in (*download(directory, PACKAGES), *download_newer(directory, *NEWER)):
                root = directory / ("newer" if package.parent.name == "newer" else "root")
                subprocess.run(["dpkg-deb", "-x", package, root], check=True)
            (directory / "ready").touch()
    return directory


@contextlib.contextmanager
def aardvark(configuration: Path, names: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    """Serve `names` (name -> address) at GATEWAY:53: its pid, and the namespace of a client.

    configuration   an empty directory
    """
    lines = [
        f"{number:064x} {address}  {name}" for number, (name, address) in enumerate(names.items())
    ]
    (configuration / "bench").write_text("\n".join([GATEWAY, *lines]) + "\n")
    with private_host(), _client() as client:
        run(
            *_command(), "--config", str(configuration), "--port", "53", "run"
        )  # it detaches itself
        pid = int((configuration / "aardvark.pid").read_text())
        try:
            yield pid, client
        finally:
            os.kill(pid, signal.SIGTERM)


def _command() -> list[str]:
    (libraries,) = (unpacked() / "newer/usr/lib").glob("*-linux-gnu")
    (loader,) = libraries.glob("ld-linux*.so.*")
    program = unpacked() / "newer/usr/lib/podman/aardvark-dns"
    return [str(loader), "--library-path", str(libraries), str(program)]


@contextlib.contextmanager
def _client() -> Iterator[int]:
    """A namespace at the other end of a bridge, as a container is."""
    fd = namespaces.new_network()
    try:
        run("ip", "link", "add", "br0", "type", "bridge")
        run("ip", "address", "add", f"{GATEWAY}/16", "dev", "br0")
        run("ip", "link", "add", "near", "type", "veth", "peer", "name", "eth0")
        run("ip", "link", "set", "eth0", "netns", f"/proc/{os.getpid()}/fd/{fd}")
        run("ip", "link", "set", "near", "master", "br0", "up")
        run("ip", "link", "set", "br0", "up")
        with namespaces.joined_network(fd):
            run("ip", "address", "add", f"{CLIENT}/16", "dev", "eth0")
            run("ip", "link", "set", "eth0", "up")
        yield fd
    finally:
        os.close(fd)
