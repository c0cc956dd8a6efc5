"""A command on a real terminal, the test at the other end."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from typing import TYPE_CHECKING

from engine.kernel.terminal import set_window_size
from tests.waiting import LIMIT_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class Terminal:
    """Runs `command`, on a terminal of 33 rows and 111 columns that is its session's."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.fd, peer = pty.openpty()
        set_window_size(peer, 33, 111)
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *command],
            stdin=peer,
            stdout=peer,
            stderr=peer,
            cwd=cwd,
            env=environment,
        )
        os.close(peer)
        self.seen = b""

    def expect(self, text: bytes) -> None:
        """Read until `text` has been written, since the last such text."""
        deadline = time.monotonic() + LIMIT_S
        while text not in self.seen:
            left = deadline - time.monotonic()
            assert left > 0, self.seen
            assert select.select([self.fd], [], [], left)[0], self.seen
            try:
                self.seen += os.read(self.fd, 4096)
            except OSError:  # nobody has it open any more
                break
        assert text in self.seen, self.seen
        self.seen = self.seen.partition(text)[2]

    def send(self, text: bytes) -> None:
        """Type."""
        os.write(self.fd, text)

    def resize(self, rows: int, columns: int) -> None:
        """Change the size of the window."""
        set_window_size(self.fd, rows, columns)

    def end(self) -> int:
        """The exit code; what is written up to then goes to `seen`."""
        deadline = time.monotonic() + LIMIT_S
        while True:
            has_ended = self.process.poll() is not None  # before what it wrote is looked for
            assert time.monotonic() < deadline, self.seen
            if not select.select([self.fd], [], [], 0.05)[0]:
                if has_ended:
                    break
                continue
            try:
                self.seen += os.read(self.fd, 4096)
            except OSError:  # nobody has it open any more
                break
        code = self.process.wait(timeout=LIMIT_S)
        os.close(self.fd)
        return code
