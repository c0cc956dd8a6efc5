"""Images unpacked by others, to compare with: Docker's daemon, and umoci."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.trees import merged_tree, tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.peer import DockerPeer
    from tests.trees import Tree


class RefusedThere(Exception):
    """The other one does not take the image. The message is its own."""


def docker_load(peer: DockerPeer, archive: Path) -> DockerPeer:
    """The daemon, with the images of an archive. Raises RefusedThere."""
    _run(["docker", "load", "--quiet", "--input", str(archive)], env=peer.environment)
    return peer


def docker_tree(peer: DockerPeer, directory: Path, name: str) -> Tree:
    """An image as dockerd's containers see it."""
    (said,) = json.loads(peer.docker("image", "inspect", name))
    data = said["GraphDriver"]["Data"]
    lowers = [data["UpperDir"], *data.get("LowerDir", "").split(":")]
    return merged_tree([lower for lower in lowers if lower], directory)


def umoci_tree(directory: Path, archive: Path, name: str) -> Tree:
    """What umoci unpacks of an image, converted by skopeo. Raises RefusedThere."""
    with tempfile.TemporaryDirectory(dir=directory) as at:
        policy = Path(at, "policy.json")
        policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        copy = ["skopeo", "--policy", str(policy), "copy", "-q"]
        _run([*copy, f"docker-archive:{archive}:{name}", f"oci:{at}/layout:it"])
        _run(["umoci", "unpack", "--image", f"{at}/layout:it", f"{at}/bundle"])
        return tree(Path(at, "bundle/rootfs"))


def _run(command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(command, env=env, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise RefusedThere(done.stderr.strip())
