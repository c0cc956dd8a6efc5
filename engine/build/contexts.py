"""Contexts that are no directory yet: repositories, URLs and archives (engine.md D6.11).

What is fetched for a build stays until it ends.
"""

from __future__ import annotations

import asyncio
import os
import re
from typing import TYPE_CHECKING

from engine.build.context import open_context
from engine.build.copying import CopyFailed, perform, scratch
from engine.build.git import check_out, parse_git
from engine.errors import BuildProblem
from engine.images.cancelling import in_thread
from engine.images.image import silent

if TYPE_CHECKING:
    import contextlib

    from engine.build.context import Context
    from engine.build.spec import BuildSpec
    from engine.state.paths import Roots

DIGESTS = "context-files"  # below the cache: digests of contexts' files
KEEP_GIT = "BUILDKIT_CONTEXT_KEEP_GIT_DIR"
_URL = re.compile(r"https?://", re.IGNORECASE)


class Contexts:
    """Those of one build. `held` ends with it."""

    def __init__(self, roots: Roots, spec: BuildSpec, held: contextlib.AsyncExitStack) -> None:
        self._roots, self._spec, self._held = roots, spec, held
        self._found: dict[str, asyncio.Task[tuple[str, bool]]] = {}

    async def main(self) -> BuildSpec:
        """What is to be built, once its context is a directory; the Dockerfile that a URL or a file
        is in place of a context becomes `dockerfile_inline`. Raises BuildProblem."""
        spec = self._spec
        if not is_elsewhere(spec.context):
            return spec
        directory, is_context = await self._directory(spec.context)
        if is_context:
            _check_inside(directory, spec)
            return spec.replace(context=directory)
        return spec.replace(context=directory, dockerfile_inline=_read(f"{directory}/Dockerfile"))

    def name(self, dockerfile: str) -> str:
        """What the build is called when it is compared with the one before it."""
        return f"{self._spec.context}#{dockerfile or 'inline'}"

    def open(self, directory: str, dockerfile: str) -> Context:
        """The main one, its Dockerfile being that (or "")."""
        hidden = self._hidden(self._spec.context)
        return open_context(directory, dockerfile, self._digests(directory), hidden)

    async def named(self, name: str, place: str) -> Context:
        """One of the additional ones that is no image. Raises BuildProblem."""
        path = place if ":" in place else os.path.join(self._spec.context, place)
        if not is_elsewhere(path):
            path = os.path.join(self._spec.context, path)
            return open_context(path, "", self._digests(path))
        directory, is_context = await self._directory(path)
        if not is_context:
            raise BuildProblem(
                f"the additional context `{name}`, {place}, is neither a directory nor an archive",
                code="no-build-context",
            )
        return open_context(directory, "", self._digests(directory), self._hidden(place))

    def _digests(self, directory: str) -> str:
        """Where those of its files are remembered: not for longer than it is there."""
        temporary = directory.startswith(f"{self._roots.temporary}/")
        return os.path.dirname(directory) if temporary else f"{self._roots.cache}/{DIGESTS}"

    def _hidden(self, place: str) -> tuple[str, ...]:
        """Patterns of what git keeps, where that is not asked for."""
        keeps = self._spec.args.get(KEEP_GIT, "0").lower() in ("1", "true")
        return () if keeps or parse_git(place) is None else ("**/.git",)

    async def _directory(self, place: str) -> tuple[str, bool]:
        """Where it is now, and whether it is a context; else a directory with a Dockerfile. Stages
        that ask for the same wait for the one that fetches it."""
        if place not in self._found:
            self._found[place] = asyncio.create_task(self._fetch(place))
        return await asyncio.shield(self._found[place])

    async def _fetch(self, place: str) -> tuple[str, bool]:
        try:
            source = parse_git(place)
        except ValueError as error:
            raise BuildProblem(f"{place}: {error}", code="invalid-git-url") from None
        if source is not None:
            return await check_out(source, f"{self._roots.cache}/git"), True
        if not _URL.match(place):
            return await self._unpacked(place)
        from engine.build.download import download

        cache = f"{self._roots.cache}/downloads"
        found = await in_thread(lambda tell: download(place, cache, None, tell), silent)
        return await self._unpacked(f"{found.directory}/{found.name}")

    async def _unpacked(self, path: str) -> tuple[str, bool]:
        place = self._held.enter_context(scratch(self._roots.temporary, ()))
        request = {"do": "unpack", "target": place.layers(), "archive": path, "to": "/"}
        try:
            is_archive = await perform(request)
        except CopyFailed as error:
            raise BuildProblem(f"{path}: {error}", code="no-build-context") from None
        return place.upper, bool(is_archive)


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def is_elsewhere(place: str) -> bool:
    """Whether a context is no directory yet."""
    try:
        return bool(_URL.match(place)) or parse_git(place) is not None or os.path.isfile(place)
    except ValueError:
        return True


def _check_inside(directory: str, spec: BuildSpec) -> None:
    """A link in what was fetched may not make a Dockerfile of a file of this machine."""
    paths = [f"{spec.dockerfile}.dockerignore", ".dockerignore"]
    if spec.dockerfile_inline is None:
        paths.append(spec.dockerfile)
    root = os.path.realpath(directory)
    for path in paths:
        if not os.path.realpath(os.path.join(root, path)).startswith(f"{root}/"):
            raise BuildProblem(
                f"{path} leads out of the context {spec.context}", code="no-dockerfile"
            )
