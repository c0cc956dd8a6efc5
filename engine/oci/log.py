"""Errors and warnings, as callers of OCI runtimes read them.

One line each: a JSON object with `level`, `msg` and `time`, or the same as text. Without --log
they go to stderr; with it an error goes there as well, as plain text.
"""

from __future__ import annotations

import json
import os
import sys
import time

from engine.oci.errors import OciProblem


class Log:
    """path: of the file, opened at the first line; empty: stderr. form: "text" or "json"."""

    def __init__(self, path: str, form: str) -> None:
        if form not in ("", "text", "json"):
            raise OciProblem(f"invalid log-format {form!r}: text or json", code="usage")
        self._path, self._form = path, form or "text"

    def write_error(self, message: str) -> None:
        """What ends this command."""
        self._write("error", message)
        if self._path:
            sys.stderr.write(f"{message}\n")

    def write_warning(self, message: str) -> None:
        """What does not."""
        self._write("warning", message)

    def _write(self, level: str, message: str) -> None:
        line = self._line(level, message).encode()
        if not self._path:
            os.write(2, line)
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            fd = os.open(self._path, flags, 0o644)
        except OSError as error:  # what was to be logged counts for more
            sys.stderr.write(f"--log {self._path}: {error.strerror}\n")
            return
        os.write(fd, line)
        os.close(fd)

    def _line(self, level: str, message: str) -> str:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if self._form == "json":
            return json.dumps({"level": level, "msg": message, "time": now}) + "\n"
        return f'time="{now}" level={level} msg={json.dumps(message)}\n'
