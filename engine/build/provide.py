"""What the mounts of a RUN are while it runs (engine.md D6.12, E14)."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from engine.build.cache_mounts import claimed, ensure_directory, ensure_seeded
from engine.build.copying import SourceMissing, copy_request, perform, scratch
from engine.build.mounts import SSH_SOCKET, parse_mount
from engine.build.origin import find_origin
from engine.build.patterns import has_wildcard
from engine.build.ssh import forwarded
from engine.containers.spec import FileSpec, Mount
from engine.errors import BuildProblem
from engine.kernel.record import Record

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Mapping

    from engine.build.expander import Expander
    from engine.build.instructions import Run
    from engine.build.job import Job
    from engine.build.mounts import RunMount
    from engine.build.origin import Origin

_LARGEST_SECRET_BYTES = 500 * 1024  # BuildKit's, too


class Provided(Record):
    """For the container of a RUN.

    environment  variables that are no secret
    secrets      variables that are
    """

    mounts: tuple[Mount, ...] = ()
    files: tuple[FileSpec, ...] = ()
    environment: Mapping[str, str] = {}
    secrets: Mapping[str, str] = {}

    @property
    def targets(self) -> list[str]:
        """What is mounted on."""
        return [*(mount.target for mount in self.mounts), *(file.target for file in self.files)]


class RunMounts:
    """The mounts that one RUN asks for, with what they take their content from."""

    def __init__(
        self, job: Job, instruction: Run, mounts: tuple[tuple[RunMount, Origin | None], ...]
    ) -> None:
        self._job, self._instruction, self._mounts = job, instruction, mounts

    @classmethod
    async def of(
        cls, job: Job, run: Run, expander: Expander, directory: str, stage_number: int
    ) -> RunMounts:
        """Those of an instruction. Raises BuildProblem.

        directory  WORKDIR
        """
        mounts, agents = [], 0
        for text in run.mounts:
            mount = parse_mount(text, run, expander, directory)
            if mount.target == SSH_SOCKET:
                mount = mount.replace(target=f"{SSH_SOCKET}.{agents}")
            agents += mount.type == "ssh"
            origin = None
            if mount.type == "bind" or mount.seeded:
                origin = await find_origin(job, mount.origin or None, run, stage_number)
            mounts.append((mount, origin))
        return cls(job, run, tuple(mounts))

    async def record(self) -> list[dict[str, object]]:
        """What of them the result depends on: the content of what is bound, of the others where
        they are and what they are called."""
        return [await self._record(*pair) for pair in self._mounts]

    async def _record(self, mount: RunMount, origin: Origin | None) -> dict[str, object]:
        record: dict[str, object] = {"type": mount.type, "target": mount.target}
        if mount.type != "bind":
            return {**record, "id": mount.id, "env": mount.env}
        assert origin is not None  # `of` has found it
        try:
            measured = await origin.measure(self._job, [mount.source], tops=True)
        except SourceMissing as error:
            raise self._missing(error) from None
        return {**record, "content": measured["content"]}

    async def provide(self, held: contextlib.AsyncExitStack) -> Provided:
        """All of them, until `held` is closed. Raises BuildProblem."""
        provided = Provided()
        for mount, origin in self._mounts:
            if mount.type == "secret":
                provided = self._with_secret(provided, mount)
            elif mount.type == "ssh":
                provided = await self._with_agent(provided, mount, held)
            else:
                one = await self._mounted(mount, origin, held)
                provided = provided.replace(mounts=(*provided.mounts, one))
        return provided

    def _with_secret(self, provided: Provided, mount: RunMount) -> Provided:
        given = self._job.spec.secrets.get(mount.id)
        if given is None:
            self._check_required(mount, "secret", "`build.secrets`, or --secret")
            return provided
        text = given.text if given.text is not None else self._read(mount, given.file or "")
        if mount.env:
            provided = provided.replace(secrets={**provided.secrets, mount.env: text})
        if not mount.target:
            return provided
        file = FileSpec(
            target=mount.target,
            content=text,
            uid=mount.uid,
            gid=mount.gid,
            mode=mount.mode,
            secret=True,
        )
        return provided.replace(files=(*provided.files, file))

    def _read(self, mount: RunMount, path: str) -> str:
        try:
            with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
                text = file.read(_LARGEST_SECRET_BYTES + 1)
        except OSError as error:
            raise self._problem(
                f"the secret `{mount.id}` cannot be read: {path}: {error.strerror}", "no-secret"
            ) from None
        if len(text) > _LARGEST_SECRET_BYTES:
            raise self._problem(f"the secret `{mount.id}` is larger than 500 KiB", "no-secret")
        return text

    async def _with_agent(
        self, provided: Provided, mount: RunMount, held: contextlib.AsyncExitStack
    ) -> Provided:
        job = self._job
        if mount.id not in job.spec.ssh:
            self._check_required(mount, "SSH agent", "`build.ssh`, or --ssh")
            return provided
        paths = job.spec.ssh[mount.id]
        try:
            path = await held.enter_async_context(
                forwarded(mount, paths, job.engine.roots.run_root)
            )
        except BuildProblem as problem:
            problem.where = problem.where or self._instruction.where
            raise
        bound = Mount(type="bind", target=mount.target, source=path, create_host_path=False)
        return provided.replace(
            mounts=(*provided.mounts, bound),
            environment={"SSH_AUTH_SOCK": mount.target, **provided.environment},
        )

    def _check_required(self, mount: RunMount, what: str, ways: str) -> None:
        if mount.required:
            raise self._problem(
                f"the {what} `{mount.id}` is required, and is not given",
                f"no-{mount.type}",
                hint=f"{ways} gives it",
            )

    async def _mounted(
        self, mount: RunMount, origin: Origin | None, held: contextlib.AsyncExitStack
    ) -> Mount:
        if mount.type == "tmpfs":
            return Mount(type="tmpfs", target=mount.target, size_bytes=mount.size_bytes)
        if origin is not None and _is_fixed(mount, origin):
            subpath = mount.source.strip("/") or None
            return Mount(type="image", target=mount.target, lowers=origin.lowers, subpath=subpath)
        if mount.type == "cache":
            source = await self._cache(mount, origin, held)
        else:
            assert origin is not None  # `of` has found it
            source = await self._copied(mount, origin, held)
        return Mount(
            type="bind",
            target=mount.target,
            source=source,
            read_only=mount.read_only,
            create_host_path=False,
        )

    async def _cache(
        self, mount: RunMount, origin: Origin | None, held: contextlib.AsyncExitStack
    ) -> str:
        directory = f"{self._job.engine.roots.cache}/build-mounts"
        namespace = self._job.spec.args.get("BUILDKIT_CACHE_MOUNT_NS", "")
        manager = claimed(directory, mount, namespace)
        path = await asyncio.to_thread(held.enter_context, manager)
        if origin is not None and not _is_there(path):
            ensure_seeded(path, await self._copied(mount, origin, held))
        ensure_directory(path, mount)
        return path

    async def _copied(
        self, mount: RunMount, origin: Origin, held: contextlib.AsyncExitStack
    ) -> str:
        """A copy of what is to be bound: what RUN does to it is lost, and nothing else sees it."""
        temporary = self._job.scratch_root
        target = held.enter_context(scratch(temporary, ())).layers()
        source: object = origin.context.directory if origin.context else None
        if source is None:
            source = held.enter_context(scratch(temporary, origin.lowers)).layers()
        owner = "0:0" if origin.context else None
        ignore = origin.ignore.patterns
        request = copy_request(target, source, [mount.source], "/content", owner, ignore=ignore)
        try:
            await perform(request)
        except SourceMissing as error:
            raise self._missing(error) from None
        return f"{target['upper']}/content"

    def _missing(self, error: SourceMissing) -> BuildProblem:
        return BuildProblem(
            f'the source of a mount, "/{error.source}", is not there',
            where=self._instruction.locate_word(error.source),
            code="copy-source",
        )

    def _problem(self, what: str, code: str, *, hint: str | None = None) -> BuildProblem:
        return BuildProblem(what, where=self._instruction.where, hint=hint, code=code)


def _is_fixed(mount: RunMount, origin: Origin) -> bool:
    """Whether it can be shown in place: neither the RUN writes there nor, as in a context, whoever
    else is at work in it."""
    reads = mount.type == "bind" and mount.read_only
    return reads and bool(origin.identity) and not has_wildcard(mount.source)


def _is_there(path: str) -> bool:
    return os.path.exists(path)
