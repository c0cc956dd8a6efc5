"""`exec`: a further process in a running container, its input and output relayed to ours."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.containers.process import StartError
from engine.kernel.capabilities import bounding
from engine.kernel.terminal import set_window_size, window_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from engine.containers.launch import Stage

    Output = Callable[[bytes], None]

_CHUNK_BYTES = 65536
_DRAIN_S = 2.0
_KILLED = 128 + signal.SIGKILL


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecSpec:
    """What to run. None: as the container itself has it.

    interactive  our stdin goes to the process
    tty          it gets a terminal, as wide as ours
    detach       do not wait for it
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    working_dir: str | None = None
    tty: bool = False
    interactive: bool = True
    privileged: bool = False
    detach: bool = False


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
        _copy_in_thread(0, input_fd)
    takers = [_taker(n + 1, output) for n in range(2)]
    outputs = [asyncio.ensure_future(_relay_pipe(pipes[n][0], takers[n])) for n in range(2)]
    try:
        with session:
            code = await _outcome(session)
        # a process left behind in the container may hold the pipes for ever
        await asyncio.wait(outputs, timeout=_DRAIN_S)
    finally:
        for relay in outputs:
            relay.cancel()
        await asyncio.wait(outputs)
    return code


async def _run_on_terminal(session: socket.socket, spec: ExecSpec) -> int:
    loop = asyncio.get_running_loop()
    session.setblocking(False)
    with session:
        message, fds = await _receive(session)
        if not fds:
            return _code_of(message)
        master_fd = fds[0]
        with _closing(master_fd), _raw_terminal(spec), _resizing(loop, master_fd):
            if spec.interactive:
                _copy_in_thread(0, os.dup(master_fd))
            relay = asyncio.ensure_future(_relay(master_fd, _taker(1, None)))
            code = await _outcome(session)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(relay, timeout=_DRAIN_S)
            return code


@contextlib.contextmanager
def _closing(*fds: int) -> Iterator[None]:
    try:
        yield
    finally:
        for fd in fds:
            os.close(fd)


async def _outcome(session: socket.socket, *, detach: bool = False) -> int:
    """The exit code; with `detach`, 0 as soon as the process has not failed to start."""
    session.setblocking(False)
    try:
        async with asyncio.timeout(0.2 if detach else None):
            return _code_of((await _receive(session))[0])
    except TimeoutError:
        return 0


async def _receive(session: socket.socket) -> tuple[bytes, list[int]]:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(session.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(session.fileno())
    message, fds, _, _ = socket.recv_fds(session, _CHUNK_BYTES, 1)
    return message, list(fds)


def _code_of(message: bytes) -> int:
    if not message:  # killed with the container, whose cgroup it is in
        return _KILLED
    outcome = json.loads(message)
    if "ended" in outcome:
        return int(outcome["ended"])
    raise StartError(outcome["code"], outcome["what"], outcome["exit_code"])


def _taker(fd: int, output: Output | None) -> Callable[[bytes], bool]:
    """What takes a chunk of the process's stream `fd`; False when there will be no more use."""
    if output is None:
        return lambda chunk: _write(fd, chunk)

    def take(chunk: bytes) -> bool:
        output(chunk)
        return True

    return take


async def _relay_pipe(source_fd: int, take: Callable[[bytes], bool]) -> None:
    """The same, and close the source: who writes to it hears that nobody takes it any more."""
    try:
        await _relay(source_fd, take)
    finally:
        os.close(source_fd)


async def _relay(source_fd: int, take: Callable[[bytes], bool]) -> None:
    """Copy until the end of `source_fd`, or until nobody takes what comes."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    os.set_blocking(source_fd, False)

    def copy() -> None:
        try:
            chunk = os.read(source_fd, _CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:  # EIO: the last process has let go of the terminal
            chunk = b""
        if not chunk or not take(chunk):
            loop.remove_reader(source_fd)
            if not done.done():
                done.set_result(None)

    loop.add_reader(source_fd, copy)
    try:
        await done
    finally:
        loop.remove_reader(source_fd)


def _write(fd: int, data: bytes) -> bool:
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:
            continue
        except OSError:
            return False
    return True


def _copy_in_thread(source_fd: int, target_fd: int) -> None:
    """Copy until either end closes. A thread, since stdin may be a file, which no loop watches."""

    def copy() -> None:
        with contextlib.suppress(OSError):
            while (chunk := os.read(source_fd, _CHUNK_BYTES)) and _write(target_fd, chunk):
                pass
        with contextlib.suppress(OSError):
            os.close(target_fd)

    threading.Thread(target=copy, daemon=True).start()


@contextlib.contextmanager
def _raw_terminal(spec: ExecSpec) -> Iterator[None]:
    """Our terminal hands every key over, Ctrl-C too; put back at the end."""
    import termios
    import tty

    if not (spec.interactive and sys.stdin.isatty()):
        yield
        return
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _resizing(loop: asyncio.AbstractEventLoop, master_fd: int) -> Iterator[None]:
    """The process's terminal is as large as ours, now and whenever ours changes."""
    resize = _resizer(master_fd)
    resize()
    if not sys.stdout.isatty():
        yield
        return
    loop.add_signal_handler(signal.SIGWINCH, resize)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)


def _resizer(master_fd: int) -> Callable[[], None]:
    def resize() -> None:
        with contextlib.suppress(OSError):
            set_window_size(master_fd, *window_size(1))

    return resize
