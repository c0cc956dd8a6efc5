"""The program of a container: command, environment, user, what it may."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from engine.containers import confinement
from engine.errors import ContainerProblem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.containers.security import Security
    from engine.containers.spec import ContainerSpec
    from engine.images.config import ImageConfig

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def hostname_of(container_id: str, spec: ContainerSpec) -> str:
    """With the host's network, or names, the host's (engine.md A8.2)."""
    if spec.network == "host" or spec.uts_mode == "host":
        return spec.hostname or os.uname().nodename
    return spec.hostname or container_id[:12]


def command(spec: ContainerSpec, config: ImageConfig) -> list[str]:
    """argv: a given entrypoint replaces the image's and drops its command."""
    entrypoint, arguments = config.entrypoint or (), config.cmd or ()
    if spec.entrypoint is not None:
        entrypoint, arguments = spec.entrypoint, ()
    if spec.command is not None:
        arguments = spec.command
    argv = [*entrypoint, *arguments]
    if not argv:
        raise ContainerProblem(
            f"container {spec.name}: no command specified",
            hint="the image has none either: give one",
            code="no-command",
        )
    return argv


def describe_program(
    container_id: str,
    spec: ContainerSpec,
    config: ImageConfig,
    granted: list[str],
    security: Security,
    given: Sequence[str],
) -> dict[str, Any]:
    """`process` of the launch record.

    granted  capabilities
    given    `KEY=value` that its devices bring

    Raises ContainerProblem where there is no command.
    """
    user = config.user if spec.user is None else spec.user
    names = [f"CAP_{name}" for name in granted]
    return {
        "terminal": spec.tty,
        "user": {"uid": 0, "gid": 0, "username": user, "groups": list(spec.group_add)},
        "args": [_whole(spec, word) for word in command(spec, config)],
        "env": [*environment_of(container_id, spec, config), *given],
        "cwd": _whole(spec, os.path.join("/", spec.working_dir or config.working_dir or "/")),
        "capabilities": {
            "bounding": names,
            "effective": names,
            "permitted": names,
            "inheritable": [],
            "ambient": [],
        },
        "rlimits": confinement.rlimits(spec.ulimits),
        "noNewPrivileges": security.no_new_privileges,
        "apparmorProfile": security.apparmor or "",
        "oomScoreAdj": spec.oom_score_adj,
    }


def environment_of(container_id: str, spec: ContainerSpec, config: ImageConfig) -> list[str]:
    """In this order: ours, the image's, the user's; a later one replaces in place."""
    environment: dict[str, str | None] = {
        "PATH": DEFAULT_PATH,
        "HOSTNAME": hostname_of(container_id, spec),
    }
    if spec.tty:
        environment["TERM"] = "xterm"
    for entry in config.env:
        key, _, value = entry.partition("=")
        environment[key] = value
    environment |= spec.environment
    if "" in environment:
        raise ContainerProblem(
            f"container {spec.name}: a variable of the environment has no name",
            hint="in `=value` of the image or of what is asked for",
            code="invalid-environment",
        )
    entries = [f"{key}={value}" for key, value in environment.items() if value is not None]
    return [_whole(spec, entry) for entry in entries]


def _whole(spec: ContainerSpec, text: str) -> str:
    """For execve(2), where a zero byte ends a text."""
    if "\0" in text:
        raise ContainerProblem(
            f"container {spec.name}: {text!r} has a zero byte in it", code="zero-byte"
        )
    return text
