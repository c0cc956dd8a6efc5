"""A container of ours beside one of Docker's: what can be seen from inside, fact by fact.

Each container runs the same probe (inside/), with the host's Python mounted into busybox. What
differs is written in differences.toml, with its reason; anything else is a failure, and so is an
entry of that list which has become untrue.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine import Mount
from tests.comparison import allowed, differences, lines
from tests.fingerprint.normal import normalised
from tests.fingerprint.variants import VARIANTS, Variant
from tests.marks import needs_root
from tests.peer import DockerPeer, NoPeer, docker_peer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.images.image import Image
    from tests.engine.containers.dock import Dock

LIST = Path(__file__).with_name("differences.toml")
PYTHON = Path(sys.executable).resolve()
CALL = "import sys; sys.path.insert(0, '/probe'); from tests.fingerprint.inside import gather"
PROBE = (str(PYTHON), "-IBc", f"{CALL}; gather.main()")

pytestmark = [
    needs_root,
    pytest.mark.peer,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not PYTHON.is_relative_to("/usr"), reason="Python is not below /usr"),
]


@pytest.fixture(scope="module")
def peer() -> Iterator[DockerPeer]:
    try:
        with docker_peer() as peer:
            yield peer
    except NoPeer as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def mounts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Mount, ...]:
    """The host's Python, and the probe where it can read it as any user."""
    here = Path(__file__).parent
    probe = tmp_path_factory.mktemp("probe")
    package = probe / "tests/fingerprint"
    shutil.copytree(here / "inside", package / "inside")
    for directory in (package, package.parent):
        (directory / "__init__.py").touch()
    subprocess.run(["chmod", "-R", "go=rX", probe], check=True)
    sources = {"/usr": "/usr", "/usr/lib": "/lib", "/usr/lib64": "/lib64", str(probe): "/probe"}
    return tuple(
        Mount(type="bind", source=source, target=target, read_only=True)
        for source, target in sources.items()
        if Path(source).exists()
    )


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_a_container_is_as_dockers_but_for_what_is_written(
    dock: Dock, busybox: Image, peer: DockerPeer, mounts: tuple[Mount, ...], variant: Variant
) -> None:
    dock.image = busybox.id
    found = differences(_dockers(peer, variant, mounts), _ours(dock, variant, mounts))
    entries = allowed(LIST, variant.name)
    unexplained = [each for each in found if not any(entry.explains(each) for entry in entries)]
    assert unexplained == [], lines(unexplained)
    untrue = [entry for entry in entries if not any(entry.explains(each) for each in found)]
    assert untrue == [], lines(untrue)


def _dockers(peer: DockerPeer, variant: Variant, mounts: tuple[Mount, ...]) -> dict[str, str]:
    volumes = [word for m in mounts for word in ("--volume", f"{m.source}:{m.target}:ro")]
    options = ["--network", "none", *volumes, *variant.docker]
    image = "busybox:latest"
    command = ["sleep", "1000"] if variant.joined else PROBE
    created = peer.docker("create", *options, image, *command).strip()
    if variant.joined:
        peer.docker("start", created)
        text = peer.docker("exec", created, *PROBE)
    else:
        text = peer.docker("start", "--attach", created)
    peer.docker("rm", "--force", created)
    names = {created: "ID", created[:12]: "ID", peer.cgroup: "PARENT", str(peer.directory): "ROOT"}
    return normalised(json.loads(text.splitlines()[-1]), names)


def _ours(dock: Dock, variant: Variant, mounts: tuple[Mount, ...]) -> dict[str, str]:
    if variant.joined:
        container = dock.idle(mounts=mounts, **variant.buoy)
        text = dock.exec(container, *PROBE).stdout.decode()
    else:
        ended = dock.end_of(dock.start(*PROBE, mounts=mounts, **variant.buoy))
        container, text = ended.container, ended.stdout
        assert ended.code == 0, ended.stderr
    roots = dock.engine.roots
    names = {
        **{container.id: "ID", container.id[:12]: "ID"},
        **{roots.kernel_name: "PARENT", roots.root: "ROOT"},
    }
    return normalised(json.loads(text.splitlines()[-1]), names)
