"""Files with a given text that a container is to see, as its secrets are.

They lie in its volatile directory, which is memory: a text that is secret is written nowhere else,
and is gone when the machine restarts.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from engine.errors import ContainerProblem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.containers.spec import ContainerSpec, FileSpec
    from engine.state.paths import Roots


def place_files(roots: Roots, container_id: str, files: Iterable[FileSpec]) -> None:
    """Write the files whose text is known to where they are mounted from. May be repeated: what is
    mounted already shows the new text."""
    directory = _directory(roots, container_id)
    for index, file in enumerate(files):
        if file.content is None:
            continue
        os.makedirs(f"{roots.run_root}/containers", mode=0o711, exist_ok=True)
        os.makedirs(roots.container_run(container_id), mode=0o710, exist_ok=True)
        os.makedirs(directory, mode=0o700, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        descriptor = os.open(f"{directory}/{index}", flags, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as out:
            out.write(file.content)
            os.fchown(out.fileno(), file.uid, file.gid)
            os.fchmod(out.fileno(), file.mode)


def require_files(roots: Roots, container_id: str, spec: ContainerSpec) -> None:
    """Raise ContainerProblem where a secret text has gone with the volatile directory."""
    directory = _directory(roots, container_id)
    for index, file in enumerate(spec.files):
        if not os.path.exists(f"{directory}/{index}"):
            raise ContainerProblem(
                f"container {spec.name}: {file.target} is not there any more: secrets are kept in"
                " memory alone, and the machine has restarted",
                hint="`buoy up` gives it back",
                code="secret-lost",
            )


def file_mounts(roots: Roots, container_id: str, files: Iterable[FileSpec]) -> list[dict[str, Any]]:
    """The entries of a launch record that show the files, read-only."""
    directory = _directory(roots, container_id)
    return [
        {
            "destination": os.path.normpath(file.target),
            "type": "bind",
            "source": f"{directory}/{index}",
            "options": ["bind", "rprivate", "ro"],
            "own": True,
        }
        for index, file in enumerate(files)
    ]


def without_secrets(described: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Descriptions of files as they may be stored."""
    return [{**file, "content": None} if file["secret"] else file for file in described]


def _directory(roots: Roots, container_id: str) -> str:
    return f"{roots.container_run(container_id)}/files"
