"""`buoy-oci`, an OCI runtime: bundles in, containers out; nothing stays but the containers.

It is a program of its own: podman starts it several times for each container, and what becomes a
container's first process is a fork of it.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":  # python -SI: nothing but what is beside this file
    sys.path[:] = [
        *sys.path,
        os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
    ]

from engine.errors import Problem
from engine.oci import options
from engine.oci.log import Log
from engine.oci.version import SPECIFICATION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.oci.options import Given

    Run = Callable[[str, Given, Log], int]

# verb -> module of engine.oci, function
_HOME = {
    "create": ("create", "run"),
    "start": ("start", "run"),
    "state": ("state", "run"),
    "list": ("state", "run_list"),
    "kill": ("kill", "run"),
    "pause": ("kill", "run_pause"),
    "resume": ("kill", "run_resume"),
    "delete": ("delete", "run"),
    "run": ("run", "run"),
    "exec": ("exec", "run"),
    "ps": ("ps", "run"),
    "update": ("update", "run"),
    "features": ("features", "run"),
    "spec": ("spec", "run"),
}
_INTO_CONTAINERS = ("create", "run", "exec")


def run_oci(argv: Sequence[str] | None = None) -> int:
    """Run one command line (default: this process's) and return its exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    log = Log("", "text")
    verb = ""
    try:
        given = options.parse(options.GLOBAL, words)
        log = Log(given.text("log"), given.text("log-format"))
        verb = given.arguments[0] if given.arguments else ""
        return _dispatch(given, verb, words, log)
    except (Problem, OSError) as error:
        log.write_error(_message(error, verb))
    return 255 if verb == "exec" else 1


def _dispatch(given: Given, verb: str, words: Sequence[str], log: Log) -> int:
    if given.flag("version"):
        return _print(f"buoy-oci version 0.1.0\nspec: {SPECIFICATION}\n")
    if not verb or given.flag("help"):
        return _print(options.overview())
    if verb not in options.VERBS:
        raise Problem(f"no such command: {verb}", code="usage")
    usage, table, _ = options.VERBS[verb]
    asked = options.parse(table, given.arguments[1:])
    if asked.flag("help"):
        return _print(options.usage(verb))
    least, most = _arguments(usage)
    if not least <= len(asked.arguments) <= most:
        raise Problem(f'"buoy-oci {verb}" takes {usage or "no argument"}', code="usage")
    if verb in _INTO_CONTAINERS and __name__ != "__main__":
        from engine.oci.again import execute_again

        execute_again(words)
    root = given.text("root") or _default_root()
    return _run_of(verb)(os.path.abspath(root), asked, log)


def _run_of(verb: str) -> Run:
    import importlib

    module, function = _HOME[verb]
    run: Run = getattr(importlib.import_module(f"engine.oci.{module}"), function)
    return run


def _default_root() -> str:
    from engine.oci.store import default_root

    return default_root()


def _arguments(usage: str) -> tuple[int, int]:
    """How many there are at least and at most, by the usage: "ID [SIGNAL]" -> (1, 2)."""
    words = usage.split()
    least = sum(not word.startswith("[") for word in words)
    return least, 1 << 30 if "..." in usage else len(words)


def _message(error: Problem | OSError, verb: str) -> str:
    """As runc puts it."""
    what = error.what if isinstance(error, Problem) else str(error)
    if verb not in _INTO_CONTAINERS or getattr(error, "code", "") == "usage":
        return what
    return f"{'' if verb == 'exec' else 'buoy-oci '}{verb} failed: {what}"


def _print(text: str) -> int:
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(run_oci())
