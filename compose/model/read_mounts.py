"""Ports and mounts of a service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from compose.errors import InvalidValue, MissingKey
from compose.model.mounts import Mount
from compose.model.ports import Port
from compose.source.shorthand import clean, parse_address, parse_port_range

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compose.model.fields import Fields
    from compose.source.surroundings import Surroundings

_NOT_BUILT = ("image", "npipe", "cluster")


def read_ports(fields: Fields) -> Iterator[Port]:
    """The published ports of a service."""
    for port in fields.each("ports"):
        try:
            yield _port(port)
        except ValueError as error:
            port.note(InvalidValue, f"{port.name()}: {error}")


def _port(fields: Fields) -> Port:
    target = fields.integer("target") or 0
    if not 0 < target < 65_536:
        raise ValueError(f"`{target}` is not a port, which is between 1 and 65535")
    written = fields.text("published")
    published = parse_port_range(written) if written else range(0, 1)
    host_ip = fields.text("host_ip")
    any_free = published == range(0, 1)
    protocol = cast('Literal["tcp", "udp", "sctp"]', fields.text("protocol") or "tcp")
    if protocol == "sctp":
        fields.not_built("protocol `sctp`", hint="`tcp` and `udp` are")
    return Port(
        target=target,
        published=None if any_free else (published.start, published.stop - 1),
        protocol=protocol,
        host_ip=parse_address(host_ip) if host_ip else None,
        mode=fields.text("mode") or "ingress",
        name=fields.text("name"),
        app_protocol=fields.text("app_protocol"),
    )


def read_mounts(fields: Fields, directory: str, surroundings: Surroundings) -> Iterator[Mount]:
    """The mounts of `volumes`; paths of the host are resolved against `directory`."""
    for mount in fields.each("volumes"):
        kind = mount.text("type") or "volume"
        if kind in _NOT_BUILT:
            mount.not_built(f"a mount of type `{kind}`", "type")
            continue
        source = mount.text("source") or ""
        if kind == "bind":
            if not source:
                mount.note(MissingKey, f"{mount.name()}: a bind mount needs a `source`")
            source = surroundings.within(directory, source)
        try:
            yield _mount(mount, kind, source)
        except ValueError as error:
            mount.note(InvalidValue, f"{mount.name()}: {error}")


def _mount(fields: Fields, kind: str, source: str) -> Mount:
    bind, tmpfs = fields.inside("bind"), fields.inside("tmpfs")
    recursive = bind.text("recursive") or "enabled"
    if recursive in ("writable", "readonly"):
        bind.not_built(f"`{recursive}`", "recursive")
    return Mount(
        type=cast('Literal["bind", "volume", "tmpfs"]', kind),
        target=fields.text("target") or "",
        source="" if kind == "tmpfs" else source,
        read_only=fields.flag("read_only"),
        create_host_path=bind.flag("create_host_path", default=True),
        propagation=bind.text("propagation") or "rprivate",
        recursive=recursive != "disabled",
        selinux=bind.text("selinux"),
        nocopy=fields.inside("volume").flag("nocopy"),
        size_bytes=tmpfs.size("size") or None,
        mode=_mode(tmpfs),
    )


def _mode(fields: Fields) -> int | None:
    """Permissions: a number as it is, a string in octal."""
    written = fields.tree.get("mode")
    if not isinstance(written, str):
        return fields.integer("mode")
    try:
        return int(written, 8)
    except ValueError:
        raise ValueError(f"mode `{written}` is not octal, as `0755`") from None


def read_tmpfs(fields: Fields) -> Iterator[Mount]:
    """The mounts of `tmpfs`, `PATH[:OPTIONS]`."""
    for index, text in enumerate(fields.texts("tmpfs")):
        target, _, options = text.partition(":")
        if not target.startswith("/"):
            what = f"{fields.name('tmpfs', index)}: `{target}` is not an absolute path"
            fields.note(InvalidValue, what, "tmpfs", index)
            continue
        yield Mount(
            type="tmpfs",
            target=clean(target),
            options=tuple(option for option in options.split(",") if option),
        )
