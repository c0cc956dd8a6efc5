"""Commands that run in a container after it has started and before it is stopped."""

from __future__ import annotations

import json

from compose.model.hooks import Hook
from engine.errors import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

    from compose.model import Service
    from engine import Container, ContainerSpec, Engine

    Key = Literal["post_start", "pre_stop"]

_KEPT_BYTES = 64 * 1024  # of what a hook writes
SHOWN_LINES = 5  # of that, where a hook fails


class HookFailed(Problem):
    """A hook ended with another exit code than 0."""

    code = "hook-failed"


def describe_hooks(service: Service) -> dict[str, str]:
    """What a container remembers of them: for commands that have no project file, and to tell
    whether they have changed."""
    hooks = {key: getattr(service, key) for key in ("pre_start", "post_start", "pre_stop")}
    given = {key: [hook.given() for hook in found] for key, found in hooks.items()}
    return {key: json.dumps(found) for key, found in given.items() if found}


def remembered_hooks(spec: ContainerSpec, key: Key) -> tuple[Hook, ...]:
    """Those that a container was made with."""
    found = json.loads(spec.notes.get(key, "[]"))
    return tuple(Hook(**{**one, "command": tuple(one["command"])}) for one in found)


async def run_hooks(
    engine: Engine, container: Container, hooks: Iterable[Hook], *, key: Key, where: str | None
) -> None:
    """Run hooks one after another; what they write is shown where they fail.

    where   the place of `key` in the file

    Raises HookFailed, ContainerProblem where one cannot be executed.
    """
    for hook in hooks:
        written = bytearray()
        code = await _run(engine, container.id, hook, written)
        if code:
            raise HookFailed(
                f"{key} of container {container.name} ended with {code}: {' '.join(hook.command)}",
                where=where,
                hint=last_lines(written),
            )


def last_lines(written: bytes | bytearray) -> str | None:
    """The end of what a hook wrote, as a hint; None where that is nothing."""
    last = written.decode(errors="replace").strip().splitlines()[-SHOWN_LINES:]
    return f"it wrote: {' | '.join(last)}" if last else None


async def _run(engine: Engine, container_id: str, hook: Hook, written: bytearray) -> int:
    from engine import ExecSpec

    def keep(chunk: bytes) -> None:
        written.extend(chunk)
        del written[:-_KEPT_BYTES]

    spec = ExecSpec(
        argv=hook.command,
        environment={name: value for name, value in hook.environment.items() if value is not None},
        user=hook.user,
        working_dir=hook.working_dir,
        interactive=False,
        privileged=hook.privileged,
    )
    return await engine.containers.exec(container_id, spec, keep)
