"""Git repositories as sources of a build: `https://HOST/PATH.git#REF:SUBDIR` (engine.md D6.10).

The git command does the work, with the user's own settings and credentials; it asks for nothing at
a terminal. A commit is checked out once, below the cache, and never changed.
Source: moby/buildkit docs, "Adding Git repositories"; "URL queries".
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import tempfile
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from engine.errors import BuildProblem
from engine.kernel.openat2 import open_in_root
from engine.kernel.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

_AT_HOST = re.compile(r"[\w.-]+@[\w.-]+:(?!//)[^#]+", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TRUTHS = {"": True, "1": True, "true": True, "0": False, "false": False}
_QUERY = ("ref", "branch", "tag", "subdir", "checksum", "commit", "keep-git-dir", "submodules")
# Of another repository, or of one that a hook of it runs us in.
_OF_ANOTHER = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_CONFIG")
_PROTOCOLS = "http:https:git:ssh"  # no submodule may name a file of this machine or a command


class GitSource(Record):
    """A repository, a branch, tag or commit of it ("": the default branch), and a directory.

    checksum  how the id of the commit must begin
    """

    repository: str
    ref: str = ""
    subdir: str = ""
    checksum: str | None = None
    keep_git_dir: bool = False
    submodules: bool = True


def parse_git(text: str) -> GitSource | None:
    """What a text says of a repository; None where it speaks of none.

    `https://HOST/PATH.git`, `ssh://` and `git://` URLs, `USER@HOST:PATH` and `github.com/PATH`,
    each with `#REF:SUBDIR` or a query. Raises ValueError.
    """
    place, _, fragment = text.partition("#")
    ref, _, subdir = fragment.partition(":")
    if _AT_HOST.fullmatch(place):
        return GitSource(repository=place, ref=ref, subdir=subdir)
    short = place.startswith("github.com/")
    url = urlsplit(f"https://{place}" if short else place)
    web = url.scheme in ("http", "https") and (url.path.endswith(".git") or short)
    if not web and url.scheme not in ("git", "ssh"):
        return None
    query = _query(url.query)
    return GitSource(
        repository=url._replace(query="").geturl(),
        ref=_ref(ref, query),
        subdir=_one("subdir", subdir, query.get("subdir", "")),
        checksum=query.get("checksum") or query.get("commit"),
        keep_git_dir=_truth("keep-git-dir", query, default=False),
        submodules=_truth("submodules", query, default=True),
    )


def _query(text: str) -> dict[str, str]:
    found = {}
    for name, values in parse_qs(text, keep_blank_values=True).items():
        if name not in _QUERY:
            raise ValueError(f"unexpected query `{name}`: {', '.join(_QUERY)} mean something")
        if len(values) > 1:
            raise ValueError(f"the query `{name}` has several values")
        found[name] = values[0]
    return found


def _ref(ref: str, query: Mapping[str, str]) -> str:
    named = [
        f"{prefix}{query[name].removeprefix(prefix)}"
        for name, prefix in (("ref", ""), ("tag", "refs/tags/"), ("branch", "refs/heads/"))
        if query.get(name)
    ]
    for other in named:
        ref = _one("ref", ref, other)
    return ref or query.get("checksum") or query.get("commit") or ""


def _one(what: str, first: str, second: str) -> str:
    if first and second and first != second:
        raise ValueError(f"`{first}` and `{second}` are two values of {what}")
    return first or second


def _truth(name: str, query: Mapping[str, str], *, default: bool) -> bool:
    if name not in query:
        return default
    if query[name].lower() not in _TRUTHS:
        raise ValueError(f"`{name}` is true or false, not `{query[name]}`")
    return _TRUTHS[query[name].lower()]


async def check_out(source: GitSource, cache: str, checksum: str | None = None) -> str:
    """The directory, in the cache, with what is asked for. Asks the repository, unless it is a
    commit that is here. Raises BuildProblem."""
    if checksum and source.checksum and checksum != source.checksum:
        raise BuildProblem(
            f"two checksums are given: {checksum} and {source.checksum}", code="invalid-checksum"
        )
    git = _Git(source)
    commit = source.ref if _COMMIT.fullmatch(source.ref) else await git.commit()
    wanted = checksum or source.checksum or ""
    if not commit.startswith(wanted):
        raise BuildProblem(
            f"{source.repository} has the commit {commit}, not {wanted}", code="wrong-checksum"
        )
    name = hashlib.sha256(f"{source.repository} {source.submodules}".encode()).hexdigest()[:16]
    directory = f"{cache}/{name}-{commit}"
    if not _is_there(directory):
        await git.fetch(commit, directory)
    os.utime(directory)  # pruning goes by it
    return _inside(directory, source)


def _inside(directory: str, source: GitSource) -> str:
    """The subdirectory: links of a repository do not lead out of it."""
    root = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        subdir = os.fsencode(source.subdir.strip("/") or ".")
        fd = open_in_root(root, subdir, os.O_PATH | os.O_DIRECTORY)
        found = os.readlink(f"/proc/self/fd/{fd}")
        os.close(fd)
        return found
    except OSError as error:
        raise BuildProblem(
            f"{source.repository} has no directory `{source.subdir}`: {error.strerror}",
            code="no-such-directory",
        ) from None
    finally:
        os.close(root)


def _is_there(path: str) -> bool:
    return os.path.exists(path)


class _Git:
    def __init__(self, source: GitSource) -> None:
        self._source = source
        quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": _PROTOCOLS}
        if "GIT_SSH" not in os.environ:
            quiet["GIT_SSH_COMMAND"] = "ssh -o ControlMaster=no -o BatchMode=yes"
        given = {name: text for name, text in os.environ.items() if name not in _OF_ANOTHER}
        self._variables = {**quiet, **given}

    async def commit(self) -> str:
        """The commit that the branch or tag means now."""
        ref = self._source.ref or "HEAD"
        out = await self._run("ls-remote", "--", self._source.repository, ref, f"{ref}^{{}}")
        found = {name: commit for commit, _, name in (x.partition("\t") for x in out.splitlines())}
        tag = f"refs/tags/{ref}"
        names = (f"{ref}^{{}}", ref, f"refs/{ref}", f"{tag}^{{}}", tag, f"refs/heads/{ref}")
        commit = next((found[name] for name in names if name in found), None)
        if commit is None:
            raise BuildProblem(
                f"{self._source.repository} has no branch or tag `{ref}`", code="no-such-ref"
            )
        return commit

    async def fetch(self, commit: str, directory: str) -> None:
        """Check a commit out into a directory that appears whole or not at all."""
        os.makedirs(os.path.dirname(directory), mode=0o700, exist_ok=True)
        new = tempfile.mkdtemp(dir=os.path.dirname(directory))
        os.chmod(new, 0o755)
        here = ("-C", new, "-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false")
        try:
            await self._run("init", "--quiet", "--template=", new)
            await self._run(*here, "remote", "add", "origin", self._source.repository)
            await self._fetch_commit(here, commit)
            await self._run(*here, "checkout", "--quiet", commit)
            if self._source.submodules and _is_there(f"{new}/.gitmodules"):
                await self._run(
                    *here, "submodule", "--quiet", "update", "--init", "--recursive", "--depth=1"
                )
            os.rename(new, directory)
        except OSError:
            if not _is_there(directory):  # else somebody was quicker
                raise
        finally:
            shutil.rmtree(new, ignore_errors=True)

    async def _fetch_commit(self, here: tuple[str, ...], commit: str) -> None:
        """That commit alone, where the server gives single ones; else all there is."""
        try:
            await self._run(*here, "fetch", "--quiet", "--depth=1", "origin", commit)
        except BuildProblem:
            await self._run(*here, "fetch", "--quiet", "--tags", "origin")

    async def _run(self, *arguments: str) -> str:
        try:
            child = await asyncio.create_subprocess_exec(
                "git",
                *arguments,
                env=self._variables,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                umask=0o022,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise BuildProblem(
                "a source is in a git repository, and there is no `git` command",
                hint="apt install git",
                code="no-git",
            ) from None
        try:
            output, errors = await child.communicate()
        except asyncio.CancelledError:
            child.kill()
            await child.wait()
            raise
        if child.returncode != 0:
            said = errors.decode(errors="replace").strip().splitlines()
            why = said[-1] if said else f"git exits with {child.returncode}"
            raise BuildProblem(f"{self._source.repository}: {why}", code="git-failed")
        return output.decode(errors="surrogateescape")
