"""What the sources of a COPY or ADD are: files of the context or a stage, URLs, repositories
(engine.md D6.10)."""

from __future__ import annotations

import contextlib
import itertools
import re
from typing import TYPE_CHECKING

from engine.build.context import Context
from engine.build.contexts import DIGESTS
from engine.build.git import check_out, parse_git
from engine.build.ignore import Ignore
from engine.build.origin import Origin, find_origin
from engine.errors import BuildProblem
from engine.images.cancelling import in_thread
from engine.images.image import silent
from engine.kernel.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.build.expander import Expander
    from engine.build.instructions import Copy
    from engine.build.job import Job

_URL = re.compile(r"https?://", re.IGNORECASE)
_WITHOUT_GIT = Ignore([("**/.git", 0)])


class Part(Record):
    """Sources that are found in one place. `unpack`: those that are archives are unpacked."""

    origin: Origin
    sources: tuple[str, ...]
    unpack: bool


async def find_parts(
    job: Job, instruction: Copy, expander: Expander, stage_number: int
) -> list[Part]:
    """The sources as they are written, in order; what is elsewhere is fetched. Raises
    BuildProblem."""
    words = _expanded(instruction, expander)
    if not words and not instruction.heredocs:
        raise BuildProblem(
            f"{instruction.kind} has no source: its variables are empty",
            where=instruction.where,
            code="copy-source",
        )
    instruction = _with_checksum(instruction, expander)
    _check_checksum(instruction, words)
    parts = []
    for kind, group in itertools.groupby(words, key=lambda pair: _kind(pair[1], instruction)):
        pairs = list(group)
        if kind == "local":
            parts.append(await _local(job, instruction, pairs, stage_number))
        else:
            fetch = _repository if kind == "git" else _download
            parts += [await fetch(job, instruction, *pair) for pair in pairs]
    return parts


def _expanded(instruction: Copy, expander: Expander) -> list[tuple[str, str]]:
    """Each source, after the word that it is written as."""
    pairs = []
    for written in instruction.sources:
        words = [expander.word(written)] if instruction.json else expander.words(written)
        pairs += [(written, word) for word in words]
    return pairs


def _kind(word: str, instruction: Copy) -> str:
    if instruction.source_stage is not None:
        return "local"
    kind = "git" if _is_git(word, instruction) else "url" if _URL.match(word) else "local"
    if kind != "local" and instruction.kind == "COPY":
        raise BuildProblem(
            f"source can't be a {'git repository' if kind == 'git' else 'URL'} for COPY",
            where=instruction.locate_word(word),
            hint="ADD takes both URLs and git repositories",
            code="copy-source",
        )
    return kind


def _is_git(word: str, instruction: Copy) -> bool:
    try:
        return not word.startswith("github.com/") and parse_git(word) is not None
    except ValueError as error:
        where = instruction.locate_word(word)
        raise BuildProblem(f"{word}: {error}", where=where, code="invalid-git-url") from None


def _with_checksum(instruction: Copy, expander: Expander) -> Copy:
    if instruction.checksum is None:
        return instruction
    return instruction.replace(checksum=expander.word(instruction.checksum) or None)


def _check_checksum(instruction: Copy, words: list[tuple[str, str]]) -> None:
    if instruction.checksum is None:
        return
    where = instruction.locate_word("--checksum")
    if len(words) != 1 or instruction.heredocs:
        what = "--checksum is of one source, and there are several"
    elif _kind(words[0][1], instruction) == "local":
        what = "--checksum is of URLs and git repositories"
    else:
        return
    raise BuildProblem(what, where=where, code="invalid-checksum")


async def _local(
    job: Job, instruction: Copy, pairs: list[tuple[str, str]], stage_number: int
) -> Part:
    origin = await find_origin(job, instruction.source_stage, instruction, stage_number)
    unpack = instruction.kind == "ADD" if instruction.unpack is None else instruction.unpack
    return Part(origin=origin, sources=tuple(word for _, word in pairs), unpack=unpack)


async def _download(job: Job, instruction: Copy, written: str, url: str) -> Part:
    from engine.build.download import download  # urllib3 takes 60 ms

    cache = f"{job.engine.roots.cache}/downloads"
    with _located(instruction, written):
        found = await in_thread(
            lambda tell: download(url, cache, instruction.checksum, tell), silent
        )
    origin = Origin(context=_fetched(job, found.directory, Ignore(())))
    return Part(origin=origin, sources=(found.name,), unpack=bool(instruction.unpack))


async def _repository(job: Job, instruction: Copy, written: str, url: str) -> Part:
    source = parse_git(url)
    assert source is not None  # its kind was found so
    keeps = source.keep_git_dir if instruction.keep_git_dir is None else instruction.keep_git_dir
    with _located(instruction, written):
        cache = f"{job.engine.roots.cache}/git"
        directory = await check_out(source, cache, instruction.checksum)
    context = _fetched(job, directory, Ignore(()) if keeps else _WITHOUT_GIT)
    return Part(origin=Origin(context=context), sources=(".",), unpack=False)


def _fetched(job: Job, directory: str, ignore: Ignore) -> Context:
    return Context(directory, ignore, "", f"{job.engine.roots.cache}/{DIGESTS}")


@contextlib.contextmanager
def _located(instruction: Copy, word: str) -> Iterator[None]:
    try:
        yield
    except BuildProblem as problem:
        problem.where = problem.where or instruction.locate_word(word)
        raise
