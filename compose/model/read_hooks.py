"""The hooks of a service, and what is watched of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from compose.errors import InvalidValue, MissingKey
from compose.model.hooks import Hook, WatchRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compose.model.fields import Fields
    from compose.source.discover import Environment

_WITHOUT_TARGET = ("rebuild", "restart")


def read_hooks(fields: Fields, key: str, environment: Environment) -> tuple[Hook, ...]:
    """The commands of `pre_start`, `post_start` or `pre_stop`."""
    return tuple(_hook(hook, environment) for hook in fields.each(key))


def _hook(fields: Fields, environment: Environment) -> Hook:
    if fields.flag("per_replica"):  # docker compose 5.3 refuses it, too
        fields.not_built("a hook for each replica", "per_replica")
    return Hook(
        command=fields.texts("command"),
        user=fields.text("user"),
        privileged=fields.flag("privileged"),
        working_dir=fields.text("working_dir"),
        environment={
            name: environment.find(name) if value is None else value
            for name, value in fields.pairs("environment").items()
        },
        image=fields.text("image"),
        per_replica=fields.flag("per_replica"),
    )


def read_watch(fields: Fields, environment: Environment) -> Iterator[WatchRule]:
    """The rules of `develop.watch`."""
    for rule in fields.inside("develop").each("watch"):
        path, action = rule.text("path") or "", rule.text("action") or "sync"
        target, command = rule.text("target"), rule.given("exec")
        if not path.strip():
            rule.note(InvalidValue, f"{rule.name('path')} is empty", "path")
        if target is None and action not in _WITHOUT_TARGET:
            rule.note(MissingKey, f"{rule.name()}: `{action}` needs a `target`")
        yield WatchRule(
            path=path,
            action=cast(
                'Literal["rebuild", "restart", "sync", "sync+restart", "sync+exec"]', action
            ),
            target=target,
            ignore=rule.texts("ignore"),
            include=rule.texts("include"),
            exec=None if command is None else _hook(command, environment),
            initial_sync=rule.flag("initial_sync"),
        )
