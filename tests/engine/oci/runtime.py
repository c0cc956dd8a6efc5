"""An OCI runtime as its callers use it: a command, bundles, and a root of its own."""

from __future__ import annotations

import contextlib
import copy
import itertools
import json
import os
import select
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.oci.spec import example

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_START = "from engine.oci.__main__ import run_oci; raise SystemExit(run_oci())"
OURS = (sys.executable, "-c", _START)
LIMIT_S = 60


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    code: int
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[str]:
        return self.stdout.splitlines()


@dataclass
class Runtime:
    """command  of the runtime, `runc` or ours; root: where it keeps its state"""

    command: tuple[str, ...]
    root: Path
    rootfs: Path
    ids: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def __call__(self, *words: str, stdin: str = "", **options: Any) -> Done:
        """Run a verb; what it starts gets files, so that nothing waits for the container."""
        out, err = self.root.parent / "out", self.root.parent / "err"
        with out.open("w") as stdout, err.open("w") as stderr:
            done = subprocess.run(
                [*self.command, "--root", str(self.root), *words],
                input=stdin,
                stdout=stdout,
                stderr=stderr,
                text=True,
                check=False,
                timeout=LIMIT_S,
                **options,
            )
        return Done(done.returncode, out.read_text(), err.read_text())

    def ok(self, *words: str, **options: Any) -> Done:
        """The same; it has to succeed."""
        done = self(*words, **options)
        assert done.code == 0, done
        return done

    def new_id(self) -> str:
        self.ids.append(f"t{next(self._numbers)}-{self.root.parent.name}")
        return self.ids[-1]

    def bundle(self, config: dict[str, Any]) -> Path:
        """A directory with `config`, which names the shared root filesystem."""
        directory = self.root.parent / f"bundle{next(self._numbers)}"
        directory.mkdir()
        (directory / "config.json").write_text(json.dumps(config))
        return directory

    def create(self, config: dict[str, Any], *options: str) -> str:
        """The id of a created container."""
        container_id = self.new_id()
        self.ok("create", "--bundle", str(self.bundle(config)), *options, container_id)
        return container_id

    def start(self, config: dict[str, Any]) -> str:
        """The id of one that runs."""
        container_id = self.create(config)
        self.ok("start", container_id)
        return container_id

    def run(self, config: dict[str, Any], *options: str, **more: Any) -> Done:
        """`run` in the foreground, to its end."""
        bundle = str(self.bundle(config))
        return self("run", "--bundle", bundle, *options, self.new_id(), **more)

    def state(self, container_id: str) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.ok("state", container_id).stdout)
        return state

    def wait(self, container_id: str) -> None:
        """Until its first process has ended."""
        pid = self.state(container_id)["pid"]
        with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
            if pid:
                pidfd = os.pidfd_open(pid)
                assert select.select([pidfd], [], [], LIMIT_S)[0]
                os.close(pidfd)

    def config(self, *args: str, **process: Any) -> dict[str, Any]:
        """That of `spec`, without a terminal, for a program of busybox."""
        config = copy.deepcopy(example())
        config["root"] = {"path": str(self.rootfs), "readonly": True}
        config["process"] |= {"terminal": False, "args": list(args), **process}
        return config

    def sh(self, script: str, **process: Any) -> dict[str, Any]:
        return self.config("sh", "-c", script, **process)

    def close(self) -> None:
        for container_id in self.ids:
            self("delete", "--force", container_id)
