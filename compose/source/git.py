"""Project files in git repositories: `REPOSITORY[#[REF][:PATH]]` (compose-file.md 2.1).

The git command does the work, with the user's own settings and credentials; it asks for nothing at
a terminal. A commit is checked out once, below the cache, and never changed.

The builder reads such references by a grammar of its own (engine.build.git): a Dockerfile may be
anybody's, so that it names no repository of this machine (`file://`), and its queries say how to
check out: submodules, a checksum, whether .git stays.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from compose.errors import InvalidValue, RemoteUnavailable
from compose.source.whole import made_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TIME_LIMIT_S = 300
LARGEST_FILE_BYTES = 512 * 1024 * 1024  # of the repository; the kernel stops git there
_SCHEMES = ("http", "https", "ssh", "git", "file")
_AT_HOST = re.compile(r"[\w.-]+@[\w.-]+:(?!//)[^#]+", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_OF_ANOTHER = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_CONFIG")
_QUERIES = {  # what they set, and what their value is below
    "ref": ("ref", ""),
    "branch": ("ref", "refs/heads/"),
    "tag": ("ref", "refs/tags/"),
    "commit": ("ref", ""),
    "subdir": ("path", ""),
}


class GitReference(NamedTuple):
    """A repository, a branch, tag or commit of it (empty: its default branch), and a path in it."""

    repository: str
    ref: str
    path: str


def parse_git(text: str) -> GitReference | None:
    """What a text says of a repository; None where it speaks of none.

    `https://HOST/PATH.git`, `ssh://`, `git://` and `file://` URLs, `USER@HOST:PATH` and
    `github.com/PATH`, each with `#REF:PATH` or `?ref=REF&subdir=PATH`. Raises ValueError.
    """
    place, _, fragment = text.partition("#")
    if place.startswith("github.com/"):
        place = f"https://{place}"
    elif _AT_HOST.fullmatch(place):
        return GitReference(place, *_fragment(fragment))
    url = urlsplit(place)
    if url.scheme not in _SCHEMES:
        return None
    if url.scheme in ("http", "https", "file") and not url.path.endswith(".git"):
        return None if not text.startswith("github.com/") else _with_query(place, fragment)
    return _with_query(place, fragment)


def _with_query(place: str, fragment: str) -> GitReference:
    repository, _, query = place.partition("?")
    found = dict(zip(("ref", "path"), _fragment(fragment), strict=True))
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _QUERIES:
            raise ValueError(f"`{name}` means nothing here: {', '.join(_QUERIES)} do")
        target, above = _QUERIES[name]
        found[target] = f"{above}{value}"
    return GitReference(repository, found["ref"], found["path"])


def _fragment(text: str) -> tuple[str, str]:
    ref, _, path = text.partition(":")
    return ref, path


def is_pinned(reference: GitReference) -> bool:
    """Whether it names a commit, and so means the same for ever."""
    return bool(_COMMIT.fullmatch(reference.ref))


def check_out(
    reference: GitReference, cache: str, variables: Mapping[str, str], where: str
) -> tuple[str, str]:
    """The directory that has the commit of a reference, and the path asked for in it.

    Asks the repository, unless the reference is pinned and the commit is here. Raises
    RemoteUnavailable; InvalidValue for a path that leads out of the repository.
    """
    git = _Git(variables, where)
    commit = reference.ref if is_pinned(reference) else git.commit_of(reference)
    directory = f"{cache}/{commit}"
    if not os.path.isdir(directory):  # noqa: PTH112 - pathlib costs 17 ms
        git.fetch(reference.repository, commit, directory)
    path = os.path.realpath(f"{directory}/{reference.path}")
    root = os.path.realpath(directory)
    if path != root and not path.startswith(f"{root}/"):
        what = f"`{reference.path}` leads out of {reference.repository}"
        raise InvalidValue(what, where=where)
    return directory, os.path.normpath(f"{directory}/{reference.path}")


class _Git:
    def __init__(self, variables: Mapping[str, str], where: str) -> None:
        self._where = where
        quiet = {"GIT_TERMINAL_PROMPT": "0"}
        if "GIT_SSH" not in variables:
            quiet["GIT_SSH_COMMAND"] = "ssh -o ControlMaster=no -o BatchMode=yes"
        given = {name: value for name, value in variables.items() if name not in _OF_ANOTHER}
        self._variables = {**quiet, **given}

    def commit_of(self, reference: GitReference) -> str:
        """The commit that a branch or tag means now."""
        ref = reference.ref or "HEAD"
        out = self._run(["ls-remote", "--", reference.repository, ref, f"{ref}^{{}}"])
        found: dict[str, str] = {}
        for line in out.splitlines():
            commit, _, name = line.partition("\t")
            found[name] = commit
        below = [prefix + ref for prefix in ("", "refs/", "refs/tags/", "refs/heads/")]
        names = [name for one in below for name in (f"{one}^{{}}", one)]
        commit = next((found[name] for name in names if name in found), "")
        if _COMMIT.fullmatch(commit):
            return commit
        what = f"{reference.repository} has no branch or tag `{ref}`"
        raise RemoteUnavailable(what, where=self._where)

    def fetch(self, repository: str, commit: str, directory: str) -> None:
        """Check a commit out into a directory that appears whole or not at all."""
        with made_whole(directory) as new:
            self._run(["init", "--quiet", "--template=", new])
            here = ["-C", new, "-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false"]
            self._run([*here, "fetch", "--quiet", "--depth=1", "--", repository, commit])
            self._run([*here, "checkout", "--quiet", commit])

    def _run(self, args: Sequence[str]) -> str:
        import resource
        import subprocess

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE_BYTES, LARGEST_FILE_BYTES))

        try:
            done = subprocess.run(
                ["git", *args],
                env=self._variables,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TIME_LIMIT_S,
                preexec_fn=limit,
                check=False,
            )
        except FileNotFoundError:
            what = "a project file is in a git repository, and there is no `git` command"
            raise RemoteUnavailable(what, where=self._where, hint="apt install git") from None
        except subprocess.TimeoutExpired:
            what = f"git took more than {TIME_LIMIT_S} s"
            raise RemoteUnavailable(what, where=self._where) from None
        if done.returncode != 0:
            said = done.stderr.strip().splitlines() or [f"git exits with {done.returncode}"]
            raise RemoteUnavailable(said[-1], where=self._where, hint=_hint(done.stderr))
        return done.stdout


def _hint(said: str) -> str | None:
    if "Permission denied" in said or "Authentication failed" in said or "terminal" in said:
        return "git asks nobody here: give it the credentials beforehand (an agent, a helper)"
    return None
