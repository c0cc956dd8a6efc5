"""What a caller can put right, in the words that podman, conmon and containerd look for."""

from __future__ import annotations

from engine.errors import Problem

# Of a process that could not be started: `code` of engine.containers.process.StartError -> the
# words of runc, which callers turn into exit codes (126, 127).
_WORDS = {
    "command-not-found": "executable file not found in $PATH",
    "not-executable": "permission denied",
}


class OciProblem(Problem):
    """Printed as one line, or logged as one JSON object."""

    code = "oci"


class NotFound(OciProblem):
    """No container of that id."""

    code = "no-such-container"

    def __init__(self) -> None:
        super().__init__("container does not exist")


class Unsupported(OciProblem):
    """A field of config.json that is not supported here. field: its path, `linux.intelRdt`."""

    code = "unsupported-field"

    def __init__(self, field: str, why: str = "it is not supported") -> None:
        super().__init__(f"config.json: {field}: {why}")


def start_failed(error: dict[str, str], name: str) -> OciProblem:
    """A StartError as it came over a link. name: argv[0] of the process"""
    what, code = error["what"], error["code"]
    if code == "command-not-found" and "/" in name:
        what = f'exec: "{name}": {what.partition(": ")[2]}: no such file or directory'
    elif code in _WORDS:
        what = f'exec: "{name}": {_WORDS[code]}'
    return OciProblem(f"unable to start container process: {what}", code=code)
