"""The rules that `buoy cp` is tested by (tests/scenarios/test_cp.py) are Docker's: its own client
and daemon follow them, both ways."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root
from tests.peer import DockerPeer, NoPeer, docker_peer
from tests.scenarios.test_cp import FROM, REFUSALS, RULES, SHOW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [needs_root, pytest.mark.peer, pytest.mark.timeout(180)]

CONTAINER = "copied"
DIFFERENT = {"mkfifo to/pipe"}  # Docker puts a file in place of a pipe or device; here it stays


@pytest.fixture
def peer() -> Iterator[DockerPeer]:
    try:
        with docker_peer() as peer:
            peer.docker("run", "-d", "--network", "none", "--name", CONTAINER, "busybox", "top")
            yield peer
    except NoPeer as why:
        pytest.skip(str(why))


def test_docker_follows_the_rules(peer: DockerPeer, tmp_path: Path) -> None:
    befores = [*(rule[0] for rule in RULES), *(refusal[0] for refusal in REFUSALS)]
    script = "".join(
        f"mkdir -p $0/{number}; cd $0/{number}; {FROM} {before or ':'}\n"
        for number, before in enumerate(befores)
    )
    peer.docker("exec", CONTAINER, "sh", "-c", script, "/rules")
    subprocess.run(["busybox", "sh", "-c", script, tmp_path], check=True)
    for number, (_, source, target, options, after) in enumerate(RULES):
        for out in (False, True):
            done = _copy(
                peer, tmp_path, out, f"{number}/from/{source}", f"{number}/to/{target}", options
            )
            assert (done.returncode, _shown(peer, tmp_path, out, number)) == (0, after), (
                out,
                source,
            )
    for number, (before, source, target, _) in enumerate(REFUSALS, len(RULES)):
        for out in (False, True):
            done = _copy(peer, tmp_path, out, f"{number}/from/{source}", f"{number}/to/{target}")
            assert (done.returncode == 0) == (before in DIFFERENT), (out, before, source)


def _copy(
    peer: DockerPeer, place: Path, out: bool, source: str, target: str, options: str = ""
) -> subprocess.CompletedProcess[bytes]:
    left, right = (f"{CONTAINER}:/rules", place) if out else (place, f"{CONTAINER}:/rules")
    words = ["docker", "cp", *options.split(), f"{left}/{source}", f"{right}/{target}"]
    return subprocess.run(words, env=peer.environment, check=False, capture_output=True)


def _shown(peer: DockerPeer, place: Path, out: bool, number: int) -> list[str]:
    if not out:
        script = f"cd /rules/{number}; {SHOW}"
        return peer.docker("exec", CONTAINER, "sh", "-c", script).splitlines()
    look = ["busybox", "sh", "-c", f"cd {place}/{number}; {SHOW}"]
    return subprocess.run(look, check=True, capture_output=True, text=True).stdout.splitlines()
