"""Debian's docker-registry on loopback, filled by skopeo."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_S = 60.0
_LISTENING = re.compile(r"listening on (127\.0\.0\.1:[0-9]+)")


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
    config = directory / "registry.yml"
    config.write_text(
        "version: 0.1\nlog: {accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {directory}/registry}}}}\n"
        f"http: {{addr: '127.0.0.1:0'{', ' + http if http else ''}}}\n{more}\n"
    )
    log = directory / "registry.log"
    with log.open("wb") as file:
        server = subprocess.Popen(["docker-registry", "serve", config], stdout=file, stderr=file)
    try:
        yield DockerRegistry(_await_host(log), server.pid, directory)
    finally:
        server.terminate()
        server.wait()


def _await_host(log: Path) -> str:
    """Where it listens: it takes a port that is free, and says which."""
    deadline = time.monotonic() + START_S
    while not (said := _LISTENING.search(log.read_text())):
        if time.monotonic() > deadline:
            raise RuntimeError(f"docker-registry did not start: {log.read_text()}")
        time.sleep(0.02)
    return said[1]
