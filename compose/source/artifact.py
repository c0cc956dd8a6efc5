"""Project files in registries: `oci://REFERENCE`, as `docker compose publish` puts them there.

An artifact has the project's files as documents to be merged, files that those extend, and
environment files; each is a layer with a type and, in annotations, its name.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from compose.errors import InvalidValue, RemoteUnavailable
from compose.source.whole import made_whole

if TYPE_CHECKING:
    from engine import Artifact

PREFIX = "oci://"
LIMIT_BYTES = 16 * 1024 * 1024
COMPOSE_FILE = "application/vnd.docker.compose.file+yaml"
ENV_FILE = "application/vnd.docker.compose.envfile"
TYPES = (
    "application/vnd.docker.compose.project",
    "application/vnd.docker.compose.config.empty.v1+json",
)
_FILE, _EXTENDED = "com.docker.compose.file", "com.docker.compose.extends"
_ENV_FILE = "com.docker.compose.envfile"
_MAIN = "compose.yaml"


def is_pinned(text: str) -> bool:
    """Whether a reference names a digest, and so means the same for ever."""
    return "@" in text


def unpack(text: str, cache: str, where: str) -> str:
    """The project file of the artifact that `text`, without its prefix, refers to.

    Asks the registry, unless the reference is pinned and the artifact is here. Raises
    RemoteUnavailable, and InvalidValue for what is no project.
    """
    from engine import ImageProblem, fetch_artifact, pin_reference

    try:
        pinned = pin_reference(text)
        directory = f"{cache}/{pinned.rpartition(':')[2]}"
        if not os.path.isdir(directory):  # noqa: PTH112 - pathlib costs 17 ms
            _write(_contents(fetch_artifact(pinned, LIMIT_BYTES), where), directory)
    except ImageProblem as problem:
        hint = problem.hint
        raise RemoteUnavailable(problem.what, where=where, hint=hint) from None
    return f"{directory}/{_MAIN}"


def _contents(artifact: Artifact, where: str) -> dict[str, bytes]:
    """The files of an artifact by name."""
    if artifact.type not in TYPES:
        what = f"this is no Compose project: its type is {artifact.type}"
        raise InvalidValue(what, where=where)
    found: dict[str, bytes] = {}
    for one in artifact.files:
        if one.media_type == ENV_FILE:
            found[_name(one.annotations.get(_ENV_FILE, ""), where)] = one.data
        elif one.media_type == COMPOSE_FILE and _EXTENDED in one.annotations:
            found[_name(one.annotations.get(_FILE, ""), where)] = one.data
        elif one.media_type == COMPOSE_FILE:
            before = found[_MAIN] + b"\n---\n" if _MAIN in found else b""
            found[_MAIN] = before + one.data
    if _MAIN not in found:
        raise InvalidValue("this Compose project has no project file", where=where)
    return found


def _name(name: str, where: str) -> str:
    """A name in one directory. Raises InvalidValue for one that leads elsewhere."""
    if not name or "/" in name or "\\" in name or "\0" in name or name in (".", "..", _MAIN):
        raise InvalidValue(f"a file of this project cannot be called `{name}`", where=where)
    return name


def _write(contents: dict[str, bytes], directory: str) -> None:
    with made_whole(directory) as new:
        for name, data in contents.items():
            with open(f"{new}/{name}", "wb") as file:  # noqa: PTH123
                file.write(data)
