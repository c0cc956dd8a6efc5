"""A service's `build` as a Build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.errors import Conflict, InvalidValue
from compose.model.build import ENTITLEMENTS, Build
from compose.model.read_deploy import read_others
from compose.model.read_files import read_references
from compose.model.read_limits import read_ulimits
from compose.model.read_names import read_hosts
from compose.source.tree import find

if TYPE_CHECKING:
    from compose.model.fields import Fields
    from compose.source.discover import Environment

_OTHERS = ("cache_from", "cache_to", "isolation", "provenance", "sbom")


def read_build(fields: Fields, directory: str, environment: Environment) -> Build:
    """The build of a service.

    directory     of the project: the context of a build that names none
    environment   where arguments without a value get one
    """
    _check(fields)
    arguments = {
        name: environment.find(name) if value is None else value
        for name, value in fields.pairs("args").items()
    }
    return Build(
        context=fields.text("context") or directory,
        dockerfile=fields.text("dockerfile") or "Dockerfile",
        dockerfile_inline=fields.text("dockerfile_inline"),
        args={name: value for name, value in arguments.items() if value is not None},
        target=fields.text("target"),
        labels=fields.labels(),
        tags=fields.texts("tags"),
        no_cache=fields.flag("no_cache"),
        pull=fields.flag("pull"),
        network=fields.text("network"),
        additional_contexts=_contexts(fields),
        extra_hosts=read_hosts(fields),
        shm_size_bytes=fields.size("shm_size"),
        ulimits=read_ulimits(fields),
        no_cache_filter=fields.texts("no_cache_filter"),
        secrets=tuple(read_references(fields, "secrets", "")),
        ssh=_ssh(fields),
        platforms=fields.texts("platforms"),
        privileged=fields.flag("privileged"),
        entitlements=fields.texts("entitlements"),
        others=read_others(fields, _OTHERS),
    )


def _check(fields: Fields) -> None:
    if "dockerfile_inline" in fields and "dockerfile" in fields:
        what = f"{fields.name()}: `dockerfile` and `dockerfile_inline` exclude each other"
        fields.note(Conflict, what, "dockerfile_inline")
    network = fields.text("network") or ""
    if network.startswith(("container:", "service:")):
        fields.not_built(f"`{network}`", "network", hint="`default`, `none`, `host`, or a network")
    unknown = sorted(set(fields.texts("entitlements")) - set(ENTITLEMENTS))
    if unknown:
        what = f"{fields.name('entitlements')}: there is no `{unknown[0]}`"
        fields.note(InvalidValue, what, "entitlements", hint=f"{' and '.join(ENTITLEMENTS)} are")
    platform = find(fields.root, (*fields.path[:-1], "platform"))
    platforms = fields.texts("platforms")
    if platform and platforms and platform not in platforms:
        what = f"{fields.name('platforms')} lacks `{platform}`, the platform of the service"
        fields.note(Conflict, what, "platforms")


def _contexts(fields: Fields) -> dict[str, str]:
    """Further contexts by name."""
    found = {}
    for name, place in fields.pairs("additional_contexts").items():
        if place is None:
            what = f"{fields.name('additional_contexts')}: `{name}` lacks a value"
            hint = f"as `{name}=./PATH`"
            fields.note(InvalidValue, what, "additional_contexts", name, hint=hint)
        found[name] = place or ""
    return found


def _ssh(fields: Fields) -> dict[str, str]:
    """Keys and agents by id."""
    found = fields.pairs("ssh")
    for name, path in found.items():
        if path is None and name != "default":
            what = f"{fields.name('ssh')}: `{name}` lacks the path of its key"
            fields.note(InvalidValue, what, "ssh", name, hint=f"as `{name}=./PATH`")
    return {name: path or "" for name, path in found.items()}
