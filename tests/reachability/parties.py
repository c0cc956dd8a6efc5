"""Who brings the projects up: Buoy, and Docker's engine with its newest Compose."""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING

from engine import Engine
from tests.bench.docker_peer import unpacked
from tests.bench.parties import buoy
from tests.peer import docker_peer
from tests.reachability.scene import Party

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SERVICE = "com.docker.compose.service"


@contextlib.contextmanager
def ours() -> Iterator[Party]:
    """Buoy on roots of its own, in the caller's network namespace."""
    with buoy() as (party, roots):
        engine = Engine(roots)

        def init_of(service: str) -> int | None:
            listed = engine.containers.list()
            return next((one.pid for one in listed if one.labels[SERVICE] == service), None)

        def run(*words: str) -> None:
            _run([party.command, *words], party.environment)

        yield Party(run, run, init_of)
        engine.close()


@contextlib.contextmanager
def dockers() -> Iterator[Party]:
    """The same of Docker, with its firewall rules and its proxy. Raises NoPeer."""
    with docker_peer(networks=True) as peer:

        def init_of(service: str) -> int | None:
            found = peer.docker("ps", "--quiet", "--filter", f"label={SERVICE}={service}").split()
            shown = peer.docker("inspect", "--format", "{{.State.Pid}}", *found) if found else "0"
            return int(shown) or None

        def compose(*words: str) -> None:
            _run([str(unpacked() / "docker-compose-2"), *words], peer.environment)

        yield Party(compose, peer.docker, init_of)


def _run(command: list[str], environment: Mapping[str, str]) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.returncode}\n{done.stderr}")
