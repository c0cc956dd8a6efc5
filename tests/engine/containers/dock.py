"""Containers of busybox for tests: made in a line, waited for, read back from the kernel."""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import ContainerSpec, Engine, ExecSpec
from engine.containers.statefile import STATE_NAME, lock_holder, read_json
from tests import leaks

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

    from engine import Container

LIMIT_S = 60  # for whatever is waited for: a test that hangs says where


@dataclass(frozen=True)
class Ended:
    """What a container left: its last state and what it wrote."""

    container: Container
    stdout: str
    stderr: str

    @property
    def code(self) -> int | None:
        return self.container.exit_code

    @property
    def lines(self) -> list[str]:
        return self.stdout.splitlines()


@dataclass(frozen=True)
class Executed:
    """What an exec came to."""

    code: int
    stdout: bytes
    stderr: bytes


@dataclass
class Dock:
    """One engine, one event loop, and the root filesystem that containers get by default."""

    engine: Engine
    runner: asyncio.Runner
    image: str
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def run(self, work: Any) -> Any:
        """The result of a coroutine, within LIMIT_S."""
        return self.runner.run(_limited(work))

    def spec(self, *command: str, **asked: Any) -> ContainerSpec:
        """What `create` makes: no network, no grace, unless it is asked for."""
        defaults: dict[str, Any] = {
            "name": f"c{next(self._numbers)}",
            "image": self.image,
            "network": "none",
            "stop_grace_s": 0.0,
            "command": command or None,
        }
        return ContainerSpec(**(defaults | asked))

    def create(self, *command: str, **asked: Any) -> Container:
        return self.engine.containers.create(self.spec(*command, **asked))

    def start(self, *command: str, **asked: Any) -> Container:
        """A new container, running."""
        return self.start_again(self.create(*command, **asked))

    def start_again(self, container: Container) -> Container:
        started: Container = self.run(self.engine.containers.start(container.id))
        return started

    def idle(self, **asked: Any) -> Container:
        """A container that does nothing, until it is stopped."""
        return self.start("sleep", "1000", **asked)

    def sh(self, script: str, **asked: Any) -> Ended:
        """What a script in a container of its own came to."""
        return self.end_of(self.start("sh", "-c", script, **asked))

    def end_of(self, container: Container) -> Ended:
        """The same of one that has been started."""
        ended = self.wait(container, lambda c: c.status == "exited")
        return Ended(ended, self.text(container, "stdout"), self.text(container, "stderr"))

    def wait(self, container: Container, until: Callable[[Container], bool]) -> Container:
        found: Container = self.run(self.engine.containers.wait(container.id, until))
        return found

    def wait_for_line(self, container: Container, line: str) -> None:
        """Until it has written `line`."""

        async def look() -> None:
            async for entry in self.engine.containers.follow(container.id):
                if entry.text == line.encode():
                    return
            raise AssertionError(f"{container.name} ended without saying {line!r}")

        self.run(look())

    def text(self, container: Container, stream: str = "stdout") -> str:
        """What it has written, lines put together again."""
        entries = self.engine.containers.logs(container.id)
        parts = [e.text + (b"" if e.partial else b"\n") for e in entries if e.stream == stream]
        return b"".join(parts).decode()

    def get(self, container: Container) -> Container:
        return self.engine.containers.get(container.id)

    def stop(self, container: Container, **asked: Any) -> Container:
        stopped: Container = self.run(self.engine.containers.stop(container.id, **asked))
        return stopped

    def kill(self, container: Container, signal: str = "SIGKILL") -> None:
        self.run(self.engine.containers.kill(container.id, signal))

    def exec(
        self, container: Container, *argv: str, stdin: bytes | None = None, **asked: Any
    ) -> Executed:
        """Run something inside, with `stdin` on our standard input."""
        spec = ExecSpec(argv=argv, interactive=stdin is not None, **asked)
        with standard_streams(stdin or b"") as (out, err):
            code = self.run(self.engine.containers.exec(container.id, spec))
            return Executed(code, Path(out).read_bytes(), Path(err).read_bytes())

    def monitor(self, container: Container) -> int | None:
        """Pid of its monitor."""
        return lock_holder(self.run_directory(container))

    def state(self, container: Container) -> dict[str, Any]:
        """What its monitor has written last."""
        return read_json(f"{self.run_directory(container)}/{STATE_NAME}") or {}

    def run_directory(self, container: Container) -> str:
        return self.engine.roots.container_run(container.id)

    def cgroups(self, container: Container) -> list[Path]:
        """Its control groups that exist, in all hierarchies."""
        return leaks.cgroups_at(f"{self.engine.roots.kernel_name}/{container.id}")


async def _limited(work: Any) -> Any:
    import asyncio

    async with asyncio.timeout(LIMIT_S):
        return await work


@contextlib.contextmanager
def standard_streams(stdin: bytes) -> Iterator[tuple[str, str]]:
    """Files in place of our descriptors 0, 1 and 2: the paths of the last two."""
    with tempfile.TemporaryDirectory() as directory:
        paths = [f"{directory}/{name}" for name in ("in", "out", "err")]
        Path(paths[0]).write_bytes(stdin)
        kept = [os.dup(number) for number in range(3)]
        try:
            for number, path in enumerate(paths):
                fd = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT)
                os.dup2(fd, number)
                os.close(fd)
            yield paths[1], paths[2]
        finally:
            for number, fd in enumerate(kept):
                os.dup2(fd, number)
                os.close(fd)


def status_of(text: str) -> dict[str, str]:
    """/proc/PID/status as a dictionary."""
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {key: value.strip() for key, value in pairs}
