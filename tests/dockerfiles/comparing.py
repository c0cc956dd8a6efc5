"""All of the Dockerfiles, built by each builder in the same surroundings."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from engine.state.paths import Roots
from tests.comparison import allowed
from tests.dockerfiles.builders import build_docker, build_ours, cases
from tests.dockerfiles.comparison import compared
from tests.dockerfiles.context import archive, make_context
from tests.engine.build.servers import DATA, serving_files, serving_repositories
from tests.images import busybox_archive
from tests.peer import docker_peer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.comparison import Allowed, Difference

LIST = Path(__file__).with_name("differences.toml")
BUILDERS = ("legacy", "buildkit")  # what Docker 20.10 has; ours is compared with each


def comparisons(
    only: Sequence[str] = (),
) -> Iterator[tuple[str, list[tuple[Difference, Allowed | None]]]]:
    """("builder: case", what differs from it and the entry that explains that), as they come.

    Raises NoPeer.
    """
    with contextlib.ExitStack() as held:
        directory = Path(held.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp")))
        variables = held.enter_context(_sources(directory))
        context = directory / "context"
        make_context(context)
        (directory / "secret").write_text("a secret")
        peer = held.enter_context(docker_peer())
        roots = Roots(str(directory / "root"), str(directory / "run"))
        held.callback(_remove_network, roots)
        _load(roots)
        for case in cases():
            if only and case.name not in only:
                continue
            ours = build_ours(roots, case, context, variables)
            for builder in BUILDERS:
                buildkit = builder == "buildkit"
                docker = build_docker(peer, case, context, variables, buildkit=buildkit)
                variant = f"{builder}: {case.name}"
                entries = allowed(LIST, variant)
                yield variant, [(one, _why(entries, one)) for one in compared(docker, ours)]


def _why(entries: Sequence[Allowed], difference: Difference) -> Allowed | None:
    return next((entry for entry in entries if entry.explains(difference)), None)


@contextlib.contextmanager
def _sources(directory: Path) -> Iterator[Mapping[str, str]]:
    """Where ADD fetches from, as variables of the command line."""
    files = {"/file.txt": DATA, "/a.tar.gz": archive()}
    repositories = directory / "repositories"
    repositories.mkdir()
    with serving_files(files) as server, serving_repositories(repositories) as repository:
        yield {"SERVER": server.url, "REPOSITORY": repository.url("outer.git")}


def _load(roots: Roots) -> None:
    _buoy(roots, "image", "load", "-q", "-i", str(busybox_archive()))


def _remove_network(roots: Roots) -> None:
    """What builds may have made on the host."""
    _buoy(roots, "network", "prune", "-f")


def _buoy(roots: Roots, *words: str) -> None:
    environment = {**os.environ, "BUOY_ROOT": roots.root, "BUOY_RUN_ROOT": roots.run_root}
    command = [str(Path(sys.executable).with_name("buoy")), *words]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
