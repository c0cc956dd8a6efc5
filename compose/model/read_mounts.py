"""Ports and mounts of a service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from compose.errors import InvalidValue, MissingKey
from compose.model.mounts import Mount
from compose.model.ports import Port
from compose.source.shorthand import PROTOCOLS, clean, parse_address, parse_port_range

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compose.model.fields import Fields

_NOT_BUILT = ("npipe", "cluster")
_READ_ONLY_BELOW = {"writable": False, "readonly": True}


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
    named = (fields.text("protocol") or "tcp").lower()
    if named not in PROTOCOLS:
        raise ValueError(f"`{named}` is not one of {', '.join(PROTOCOLS)}")
    protocol = cast('Literal["tcp", "udp", "sctp"]', named)
    return Port(
        target=target,
        published=None if any_free else (published.start, published.stop - 1),
        protocol=protocol,
        host_ip=parse_address(host_ip) if host_ip else None,
        mode=fields.text("mode") or "ingress",
        name=fields.text("name"),
        app_protocol=fields.text("app_protocol"),
    )


def read_mounts(fields: Fields) -> Iterator[Mount]:
    """The mounts of `volumes`."""
    for mount in fields.each("volumes"):
        kind, source = mount.text("type") or "volume", mount.text("source") or ""
        if kind in _NOT_BUILT:
            mount.not_built(f"a mount of type `{kind}`", "type")
        if kind == "bind" and not source:
            mount.note(MissingKey, f"{mount.name()}: a bind mount needs a `source`")
        elif kind == "bind" and not source.startswith("/"):
            mount.not_built(f"`{source}`, a path of Windows", "source")
        elif kind == "image" and not source:
            mount.note(MissingKey, f"{mount.name()}: a mount of an image needs its `source`")
        yield _mount(mount, kind, source)


def _mount(fields: Fields, kind: str, source: str) -> Mount:
    bind, volume, tmpfs = fields.inside("bind"), fields.inside("volume"), fields.inside("tmpfs")
    recursive = bind.text("recursive") or "enabled"
    known = cast('Literal["bind", "volume", "tmpfs", "image", "npipe", "cluster"]', kind)
    return Mount(
        type=known,
        target=fields.text("target") or "",
        source="" if kind == "tmpfs" else source,
        read_only=fields.flag("read_only"),
        create_host_path=bind.flag("create_host_path", default=True),
        propagation=bind.text("propagation") or "rprivate",
        recursive=recursive != "disabled",
        read_only_below=_READ_ONLY_BELOW.get(recursive),
        selinux=bind.text("selinux"),
        nocopy=volume.flag("nocopy"),
        subpath=_subpath(volume) or _subpath(fields.inside("image")),
        labels=volume.labels(),
        size_bytes=tmpfs.size("size") or None,
        mode=tmpfs.mode("mode"),
        consistency=fields.text("consistency"),
    )


def _subpath(fields: Fields) -> str | None:
    subpath = fields.text("subpath") or None
    if subpath and (subpath.startswith("/") or ".." in subpath.split("/")):
        what = f"{fields.name('subpath')}: `{subpath}` is not a relative path without `..`"
        fields.note(InvalidValue, what, "subpath")
    return subpath


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
