"""RUN --mount=type=ssh: an agent's socket inside, and what it is connected with (D6.12)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import tempfile
from typing import TYPE_CHECKING

from engine.errors import BuildProblem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence

    from engine.build.mounts import RunMount

_PIECE_BYTES = 1 << 16


@contextlib.asynccontextmanager
async def forwarded(mount: RunMount, paths: Sequence[str], run_root: str) -> AsyncIterator[str]:
    """The path of a socket whose connections go on to the agent: one that root of the container,
    or whom the mount names, may use.

    paths  an agent's socket, or private keys; (): the agent of SSH_AUTH_SOCK

    Raises BuildProblem where there is no agent, and for a key that cannot be used.
    """
    os.makedirs(run_root, mode=0o711, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=run_root, prefix="ssh-") as directory:
        async with contextlib.AsyncExitStack() as held:
            agent = _socket_of(paths)
            if agent is None:
                agent = f"{directory}/agent"
                await held.enter_async_context(_agent_with(paths, agent))
            ours = f"{directory}/socket"
            with _listening(ours) as listener:
                os.chown(ours, mount.uid, mount.gid)
                os.chmod(ours, mount.mode)
                async with await asyncio.start_unix_server(_connector(agent), sock=listener):
                    yield ours


def _socket_of(paths: Sequence[str]) -> str | None:
    """The agent's socket; None where keys are given instead."""
    chosen = paths or (os.environ.get("SSH_AUTH_SOCK", ""),)
    if not chosen[0]:
        raise BuildProblem(
            "there is no SSH agent: SSH_AUTH_SOCK is not set",
            hint="start one, or name a key: `id=PATH`",
            code="no-ssh-agent",
        )
    for path in chosen:
        if not os.path.exists(path):
            raise BuildProblem(f"there is no SSH key or socket {path}", code="no-ssh-agent")
    return chosen[0] if stat.S_ISSOCK(os.stat(chosen[0]).st_mode) else None


@contextlib.contextmanager
def _listening(path: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listener, _short(path) as name:
        listener.bind(name)
        listener.listen()
        yield listener


@contextlib.contextmanager
def _short(path: str) -> Iterator[str]:
    """Another name of a path, for the 107 bytes that a socket's may have."""
    directory = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{os.path.basename(path)}"
    finally:
        os.close(directory)


def _connector(agent: str) -> Callable[..., Awaitable[None]]:
    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError), _short(agent) as name:
            theirs, to_agent = await asyncio.open_unix_connection(name)
            await asyncio.gather(_relay(reader, to_agent), _relay(theirs, writer))
        writer.close()

    return connect


async def _relay(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while piece := await source.read(_PIECE_BYTES):
            target.write(piece)
            await target.drain()
    finally:
        target.close()


@contextlib.asynccontextmanager
async def _agent_with(keys: Sequence[str], path: str) -> AsyncIterator[None]:
    """An agent of our own that has these keys."""
    child = await _start("ssh-agent", "-D", "-a", path)
    try:
        line = await child.stdout.readline() if child.stdout else b""
        if not line:
            raise BuildProblem("ssh-agent does not start", code="no-ssh-agent")
        environment = {**os.environ, "SSH_AUTH_SOCK": path, "SSH_ASKPASS_REQUIRE": "never"}
        adding = await _start("ssh-add", "-q", "--", *keys, environment=environment)
        _, errors = await adding.communicate()
        if adding.returncode != 0:
            said = errors.decode(errors="replace").strip()
            raise BuildProblem(
                f"the key {' '.join(keys)} cannot be used: {said}",
                hint="one with a passphrase is used from an agent that has it",
                code="ssh-key",
            )
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):  # it has ended
            child.terminate()
        await child.communicate()


async def _start(
    *command: str, environment: Mapping[str, str] | None = None
) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise BuildProblem(
            f"keys are used by `{command[0]}`, which is not installed",
            hint="apt install openssh-client",
            code="no-ssh-agent",
        ) from None
