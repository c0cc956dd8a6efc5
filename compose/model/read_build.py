"""A service's `build` as a Build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.errors import Conflict
from compose.model.build import Build

if TYPE_CHECKING:
    from compose.model.fields import Fields
    from compose.source.discover import Environment


def read_build(fields: Fields, directory: str, environment: Environment) -> Build:
    """The build of a service.

    directory     of the project
    environment   where arguments without a value get one
    """
    context = fields.text("context") or "."
    inline = fields.text("dockerfile_inline")
    if inline is not None and "dockerfile" in fields:
        what = f"{fields.name()}: `dockerfile` and `dockerfile_inline` exclude each other"
        fields.note(Conflict, what, "dockerfile_inline")
    if "://" in context or context.startswith(("git@", "github.com/")):
        fields.not_built("a context that is not a directory", "context")
    network = fields.text("network")
    if network not in (None, "default", "none", "host"):
        fields.not_built(f"`{network}`", "network", hint="`default`, `none` and `host` are")
    arguments = {
        name: environment.find(name) if value is None else value
        for name, value in fields.pairs("args").items()
    }
    return Build(
        context=environment.surroundings.within(directory, context),
        dockerfile=fields.text("dockerfile") or "Dockerfile",
        dockerfile_inline=inline,
        args={name: value for name, value in arguments.items() if value is not None},
        target=fields.text("target"),
        labels=fields.labels(),
        tags=fields.texts("tags"),
        no_cache=fields.flag("no_cache"),
        pull=fields.flag("pull"),
        network=network,
    )
