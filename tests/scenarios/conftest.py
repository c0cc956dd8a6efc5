"""The `buoy` command as a user runs it: a real process, in a project directory of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.kernel.namespaces import joined_network, new_network
from tests.engine.network.world import private_host, run
from tests.terminals import Terminal

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Iterator, Mapping

    from engine import Engine
    from engine.state.paths import Roots

COMMAND = Path(sys.executable).with_name("buoy")
TIMEOUT_S = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command that has ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[str]:
        """Lines of the standard output."""
        return self.stdout.splitlines()


class Buoy:
    """The command with a project directory and roots of its own."""

    def __init__(self, directory: Path, roots: Roots) -> None:
        self.directory, self.roots = directory, roots
        self.environment = {
            **os.environ,
            "BUOY_ROOT": roots.root,
            "BUOY_RUN_ROOT": roots.run_root,
            "COLUMNS": "120",
        }
        for name in ("COMPOSE_FILE", "COMPOSE_PROJECT_NAME", "COMPOSE_PROFILES"):
            self.environment.pop(name, None)

    def write(self, name: str, text: str) -> Path:
        """A file of the project; directories above it are made."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run(
        self,
        *args: str,
        check: bool = True,
        input: str | None = None,  # noqa: A002 - as subprocess.run names it
        timeout: float = TIMEOUT_S,
        environment: Mapping[str, str] | None = None,
    ) -> Done:
        """`buoy ARGS...` to its end; with `check` an exit code other than 0 fails the test."""
        done = subprocess.run(
            [COMMAND, *args],
            cwd=self.directory,
            env={**self.environment, **(environment or {})},
            input=input if input is not None else "",
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode != 0:
            pytest.fail(f"buoy {' '.join(args)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return Done(exit_code=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def refused(self, keys: str) -> str:
        """What `up` says of a service `app` of busybox with `keys`, on line 4 of the file."""
        self.write("compose.yaml", f"services:\n  app:\n    image: busybox\n    {keys}\n")
        done = self.run("up", "-d", check=False)
        assert done.exit_code != 0
        return done.stderr

    def on_terminal(self, *args: str) -> Terminal:
        """`buoy ARGS...` on a terminal that the test types on."""
        return Terminal([COMMAND, *args], cwd=self.directory, environment=self.environment)

    def start(
        self, *args: str, stdin: int = subprocess.DEVNULL, stderr: int = subprocess.STDOUT
    ) -> subprocess.Popen[str]:
        """`buoy ARGS...` left running, for the test to signal, read from and wait for."""
        return subprocess.Popen(
            [COMMAND, *args],
            cwd=self.directory,
            env=self.environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )


class Lan:
    """A host of the test's own, and another machine on its LAN."""

    host, machine = "192.168.1.5", "192.168.1.9"

    def __init__(self, machine_fd: int) -> None:
        self._machine_fd = machine_fd

    def there(self) -> contextlib.AbstractContextManager[None]:
        """The calling thread on the other machine, for a with-block."""
        return joined_network(self._machine_fd)


@pytest.fixture
def lan() -> Iterator[Lan]:
    """The test, and the commands that it runs, on such a host, whose link is `uplink`."""
    with private_host():
        fd = new_network()
        run("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "eth0")
        run("ip", "link", "set", "eth0", "netns", f"/proc/{os.getpid()}/fd/{fd}")
        run("ip", "link", "set", "uplink", "addrgenmode", "none")
        run("ip", "address", "add", f"{Lan.host}/24", "dev", "uplink")
        run("ip", "link", "set", "uplink", "up")
        with joined_network(fd):
            run("ip", "address", "add", f"{Lan.machine}/24", "dev", "eth0")
            run("ip", "link", "set", "eth0", "up")
        yield Lan(fd)
        os.close(fd)


@pytest.fixture
def buoy(tmp_path: Path, roots: Roots, engine: Engine) -> Iterator[Buoy]:
    """The command in an empty project directory named `app`; whatever it made goes at the end.

    A test that needs an image asks for `busybox` too: it is loaded into the same roots.
    """
    directory = tmp_path / "app"
    directory.mkdir()
    buoy = Buoy(directory, roots)
    yield buoy
    if any(path.suffix in (".yaml", ".yml") for path in directory.iterdir()):
        buoy.run("down", "-v", "-t", "0", "--remove-orphans", check=False)
