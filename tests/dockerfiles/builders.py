"""The builders: Docker's old one, the BuildKit in its daemon, and ours."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.dockerfiles.comparison import REFUSED
from tests.dockerfiles.facts import facts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.state.paths import Roots
    from tests.peer import DockerPeer

FILES = Path(__file__).with_name("files")
OPTIONS = "# build: "


@dataclass(frozen=True)
class Case:
    """One Dockerfile, with the options that its `# build:` line gives."""

    name: str

    @property
    def path(self) -> Path:
        return FILES / f"{self.name}.Dockerfile"

    def options(self, context: Path) -> list[str]:
        lines = self.path.read_text().splitlines()
        given = next((line for line in lines if line.startswith(OPTIONS)), OPTIONS)
        secret = str(context.parent / "secret")
        return given.removeprefix(OPTIONS).replace("SECRET", secret).split()


def cases() -> list[Case]:
    """All of them."""
    return [Case(path.stem) for path in sorted(FILES.glob("*.Dockerfile"))]


def build_docker(
    peer: DockerPeer, case: Case, context: Path, variables: Mapping[str, str], *, buildkit: bool
) -> dict[str, str]:
    """The facts of what `docker build` makes."""
    environment = {**peer.environment, **variables, "DOCKER_BUILDKIT": str(int(buildkit))}
    name = f"case-{case.name}:{'new' if buildkit else 'old'}"
    words = ["docker", "build", "-q", "-t", name, *_common(case, context)]
    if _run(words, environment) is not None:
        return REFUSED
    return _saved(["docker", "save", "-o"], [name], environment, context)


def build_ours(
    roots: Roots, case: Case, context: Path, variables: Mapping[str, str]
) -> dict[str, str]:
    """The facts of what `buoy image build` makes."""
    environment = {
        **os.environ,
        **variables,
        "BUOY_ROOT": roots.root,
        "BUOY_RUN_ROOT": roots.run_root,
    }
    buoy = str(Path(sys.executable).with_name("buoy"))
    name = f"case-{case.name}:ours"
    if _run([buoy, "image", "build", "-q", "-t", name, *_common(case, context)], environment):
        return REFUSED
    return _saved([buoy, "image", "save", "-o"], [name], environment, context)


def _common(case: Case, context: Path) -> list[str]:
    network = ["--network", "none"]  # the daemon that it is compared with has no other
    return [*network, *case.options(context), "-f", str(case.path), str(context)]


def _run(words: list[str], environment: Mapping[str, str]) -> str | None:
    """What a command complains of, where it fails."""
    done = subprocess.run(words, env=environment, check=False, capture_output=True, text=True)
    return None if done.returncode == 0 else done.stderr or "without a word"


def _saved(
    command: list[str], names: list[str], environment: Mapping[str, str], context: Path
) -> dict[str, str]:
    archive = context.parent / "saved.tar"
    subprocess.run([*command, str(archive), *names], env=environment, check=True)
    try:
        return facts(archive)
    finally:
        archive.unlink()
