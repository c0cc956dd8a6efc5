"""`exec`: a further process in a running container, its input and output relayed to ours."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.containers.link import TERMINAL
from engine.containers.process import StartError
from engine.containers.streams.keyboard import raw_terminal, same_size, type_into
from engine.containers.streams.keys import DEFAULT, parse_keys
from engine.containers.streams.relay import (
    CHUNK_BYTES,
    DRAIN_S,
    close_quietly,
    copy_in_thread,
    relay,
    write,
)
from engine.kernel.capabilities import bounding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from engine.containers.launch import Stage

    Output = Callable[[bytes], None]

_KILLED = 128 + signal.SIGKILL


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecSpec:
    """What to run. None: as the container itself has it.

    interactive  our stdin goes to the process
    tty          it gets a terminal, as wide as ours
    detach       do not wait for it
    keys         on a terminal: leave it alone, and let it run on
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    working_dir: str | None = None
    tty: bool = False
    interactive: bool = True
    privileged: bool = False
    detach: bool = False
    keys: str = DEFAULT


def describe(spec: ExecSpec, config: dict[str, Any]) -> dict[str, Any]:
    """`process` for an exec, from that of the container's config.json."""
    base = config["process"]
    user = base["user"] if spec.user is None else {**base["user"], "username": spec.user}
    environment = dict(entry.split("=", 1) for entry in base["env"]) | dict(spec.environment)
    if spec.tty:
        environment.setdefault("TERM", "xterm")
    return {
        **base,
        "args": list(spec.argv),
        "terminal": spec.tty,
        "user": user,
        "cwd": spec.working_dir or base["cwd"],
        "env": [f"{key}={value}" for key, value in environment.items()],
        "capabilities": _all_capabilities() if spec.privileged else base["capabilities"],
    }


def _all_capabilities() -> dict[str, list[str]]:
    names = [f"CAP_{name}" for name in bounding()]
    all_of = dict.fromkeys(("bounding", "effective", "permitted"), names)
    return {**all_of, "inheritable": [], "ambient": []}


async def run(
    stage: Stage,
    target: dict[str, Any],
    process: dict[str, Any],
    spec: ExecSpec,
    output: Output | None = None,
) -> int:
    """Run it and return its exit code. Raises StartError where it could not be started.

    output  gets what it writes, where that does not go to our own stdout and stderr; for processes
            without a terminal
    """
    if spec.privileged:
        target = {**target, "filter": None}
    if spec.tty:
        session = stage.exec(target, process, [])
        return await _run_on_terminal(session, spec)
    return await _run_on_pipes(stage, target, process, spec, output)


async def _run_on_pipes(
    stage: Stage,
    target: dict[str, Any],
    process: dict[str, Any],
    spec: ExecSpec,
    output: Output | None,
) -> int:
    null_fd = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    if spec.detach:
        with stage.exec(target, process, [null_fd] * 3) as session:
            os.close(null_fd)
            return await _outcome(session, detach=True)
    stdin_fd, input_fd = os.pipe2(os.O_CLOEXEC) if spec.interactive else (null_fd, -1)
    pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(2)]
    session = stage.exec(target, process, [stdin_fd, pipes[0][1], pipes[1][1]])
    for fd in {null_fd, stdin_fd, pipes[0][1], pipes[1][1]}:
        os.close(fd)
    if spec.interactive:
        copy_in_thread(0, lambda chunk: write(input_fd, chunk), lambda: close_quietly(input_fd))
    takers = [_taker(n + 1, output) for n in range(2)]
    outputs = [asyncio.ensure_future(_relay_pipe(pipes[n][0], takers[n])) for n in range(2)]
    try:
        with session:
            code = await _outcome(session)
        # a process left behind in the container may hold the pipes for ever
        await asyncio.wait(outputs, timeout=DRAIN_S)
    finally:
        for task in outputs:
            task.cancel()
        await asyncio.wait(outputs)
    return code


async def _run_on_terminal(session: socket.socket, spec: ExecSpec) -> int:
    keys = parse_keys(spec.keys)
    session.setblocking(False)
    with session:
        message, fds = await _receive(session)
        if not fds:
            return _code_of(message) or 0
        master_fd = fds[0]
        if spec.detach:
            code = await _outcome(session, detach=True)
            return _leave(session, master_fd) or code
        detached = asyncio.Event()
        with _closing(master_fd), _typing(spec, master_fd, keys, detached.set):
            relaying = asyncio.ensure_future(relay(master_fd, _taker(1, None)))
            outcome = asyncio.ensure_future(_outcome(session))
            leaving = asyncio.ensure_future(detached.wait())
            await asyncio.wait((outcome, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not outcome.done():
                outcome.cancel()
                relaying.cancel()
                return _leave(session, os.dup(master_fd))
            leaving.cancel()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(relaying, timeout=DRAIN_S)
            return outcome.result()


def _leave(session: socket.socket, master_fd: int) -> int:
    """The process runs on: who waits for it takes the terminal, which would hang up without us."""
    with _closing(master_fd):
        socket.send_fds(session, [TERMINAL], [master_fd])
    return 0


@contextlib.contextmanager
def _typing(
    spec: ExecSpec, master_fd: int, keys: bytes, detach: Callable[[], object]
) -> Iterator[None]:
    """Our keys go to the process, whose terminal is as large as ours."""
    with same_size(master_fd):
        if not spec.interactive:
            yield
            return
        with raw_terminal():
            type_into(master_fd, keys, detach)
            yield


@contextlib.contextmanager
def _closing(*fds: int) -> Iterator[None]:
    try:
        yield
    finally:
        for fd in fds:
            os.close(fd)


async def _outcome(session: socket.socket, *, detach: bool = False) -> int:
    """The exit code; with `detach`, 0 once the process has been started."""
    session.setblocking(False)
    while True:
        message = (await _receive(session))[0]
        code = _code_of(message)
        if code is not None:
            return code
        if detach:
            return 0


async def _receive(session: socket.socket) -> tuple[bytes, list[int]]:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(session.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(session.fileno())
    message, fds, _, _ = socket.recv_fds(session, CHUNK_BYTES, 1)
    return message, list(fds)


def _code_of(message: bytes) -> int | None:
    """None: it has been started. Raises StartError."""
    if not message:  # killed with the container, whose cgroup it is in
        return _KILLED
    outcome = json.loads(message)
    if "ended" in outcome:
        return int(outcome["ended"])
    if "started" in outcome:
        return None
    raise StartError(outcome["code"], outcome["what"], outcome["exit_code"])


def _taker(fd: int, output: Output | None) -> Callable[[bytes], bool]:
    """What takes a chunk of the process's stream `fd`; False when there will be no more use."""
    if output is None:
        return lambda chunk: write(fd, chunk)

    def take(chunk: bytes) -> bool:
        output(chunk)
        return True

    return take


async def _relay_pipe(source_fd: int, take: Callable[[bytes], bool]) -> None:
    """Relay, and close the source: who writes to it hears that nobody takes it any more."""
    try:
        await relay(source_fd, take)
    finally:
        os.close(source_fd)
