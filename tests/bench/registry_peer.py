"""Debian's docker-registry on loopback, filled by skopeo."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_S = 10.0


class DockerRegistry:
    """One that runs. `host` is what references begin with; its content is in `directory`."""

    def __init__(self, host: str, pid: int, directory: Path) -> None:
        self.host = host
        self.pid = pid
        self.directory = directory
        self._policy = directory / "policy.json"
        self._policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')

    def push(self, archive: Path, name: str, *options: str) -> str:
        """The only image of a docker-archive, compressed by gzip if `options` of skopeo do not
        say otherwise; its reference."""
        reference = f"{self.host}/{name}"
        command = ["skopeo", "--policy", str(self._policy), "copy", "-q", "--dest-tls-verify=false"]
        places = [f"docker-archive:{archive}", f"docker://{reference}"]
        subprocess.run([*command, *options, *places], check=True)
        return reference

    def clear(self) -> None:
        """Forget all that was pushed."""
        shutil.rmtree(self.directory / "registry", ignore_errors=True)


@contextlib.contextmanager
def docker_registry(directory: Path, *, http: str = "", more: str = "") -> Iterator[DockerRegistry]:
    """For the length of a with-block; its content and files are in `directory`.

    http, more  of its configuration: within `http`, and at the top, as lines of YAML
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    host = f"127.0.0.1:{port}"
    config = directory / "registry.yml"
    config.write_text(
        "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {directory}/registry}}}}\n"
        f"http: {{addr: '{host}'{', ' + http if http else ''}}}\n{more}\n"
    )
    with (directory / "registry.log").open("wb") as log:
        server = subprocess.Popen(["docker-registry", "serve", config], stdout=log, stderr=log)
    try:
        _await(port)
        yield DockerRegistry(host, server.pid, directory)
    finally:
        server.terminate()
        server.wait()


def _await(port: int) -> None:
    deadline = time.monotonic() + START_S
    while True:
        with contextlib.suppress(ConnectionRefusedError):
            return socket.create_connection(("127.0.0.1", port)).close()
        if time.monotonic() > deadline:
            raise RuntimeError("docker-registry did not start")
        time.sleep(0.02)
