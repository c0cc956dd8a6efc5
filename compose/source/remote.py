"""Project files that are in a git repository or a registry (compose-file.md 2.1, 15).

What is fetched lies below the user's cache, by commit or digest; what is there and pinned is used
without asking anybody.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from compose.errors import FileMissing, InvalidValue, RemoteDisabled

if TYPE_CHECKING:
    from compose.source.discover import Environment
    from compose.source.git import GitReference

GIT_SWITCH = "COMPOSE_EXPERIMENTAL_GIT_REMOTE"
OCI_SWITCH = "COMPOSE_EXPERIMENTAL_OCI_REMOTE"
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*://|[\w.-]+@[\w.-]+:|github\.com/", re.IGNORECASE)


def is_remote(text: str) -> bool:
    """Whether a text names a file that is not one of this machine."""
    return bool(_ELSEWHERE.match(text))


def fetch(text: str, environment: Environment, where: str) -> str:
    """The path, on this machine, of the project file that a remote reference means.

    where   what asked for it

    Raises RemoteUnavailable, RemoteDisabled, FileMissing, InvalidValue.
    """
    known = environment.surroundings.fetched
    if text not in known:
        known[text] = _fetch(text, environment, where)
    return known[text]


def _fetch(text: str, environment: Environment, where: str) -> str:
    from compose.source import artifact
    from compose.source.git import parse_git

    if text.startswith(artifact.PREFIX):
        _check_switch(OCI_SWITCH, text, environment, where)
        name = text.removeprefix(artifact.PREFIX)
        path = artifact.unpack(name, _cache(environment, "oci"), where)
        _note(text, path, environment, pinned=artifact.is_pinned(name))
        return path
    try:
        reference = parse_git(text)
    except ValueError as error:
        raise InvalidValue(f"`{text}`: {error}", where=where) from None
    if reference is None:
        hint = "`https://HOST/PATH.git#REF:PATH` or `oci://REGISTRY/NAME:TAG`"
        raise InvalidValue(
            f"`{text}` is neither a repository nor an artifact", where=where, hint=hint
        )
    _check_switch(GIT_SWITCH, text, environment, where)
    return _from_git(text, reference, environment, where)


def _from_git(text: str, reference: GitReference, environment: Environment, where: str) -> str:
    from compose.source.git import check_out, is_pinned

    variables = environment.surroundings.process()
    directory, path = check_out(reference, _cache(environment, "git"), variables, where)
    _note(text, directory, environment, pinned=is_pinned(reference))
    found = _project_file(path)
    if found is None:
        shown = reference.path or "the repository"
        what = f"there is no project file in `{text}`: {shown} has none"
        raise FileMissing(what, where=where)
    _check_inside(found, directory, text, where)
    return found


def _check_inside(path: str, directory: str, text: str, where: str) -> None:
    """A link in a repository may not make a project file of one of this machine's."""
    if not os.path.realpath(path).startswith(f"{os.path.realpath(directory)}/"):
        raise InvalidValue(f"`{text}` leads out of its repository", where=where)


def _project_file(path: str) -> str | None:
    from compose.source.discover import NAMES

    candidates = [f"{path}/{name}" for name in NAMES] if os.path.isdir(path) else [path]  # noqa: PTH112
    return next((one for one in candidates if os.path.isfile(one)), None)  # noqa: PTH113


def _note(text: str, found: str, environment: Environment, *, pinned: bool) -> None:
    """Of what is not pinned, remember it as a file that nobody can read again: a project with it
    is loaded anew each time, because it may have moved."""
    if not pinned:
        environment.surroundings.files[text] = found


def _check_switch(name: str, text: str, environment: Environment, where: str) -> None:
    if not environment.is_on(name, default=True):
        raise RemoteDisabled(f"`{text}` is not fetched: {name} switches that off", where=where)


def _cache(environment: Environment, kind: str) -> str:
    surroundings = environment.surroundings
    home = surroundings.variable("HOME") or "/"
    base = surroundings.variable("XDG_CACHE_HOME") or f"{home}/.cache"
    return f"{base}/buoy/{kind}"
