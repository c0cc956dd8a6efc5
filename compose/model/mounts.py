"""Mounts of a service."""

from __future__ import annotations

from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal


class Mount(Record):
    """One mount (Compose: services.volumes and services.tmpfs). Sizes in bytes.

    type        bind: a host path; volume: a named one or, without source, an anonymous one; tmpfs
    source      bind: absolute path; volume: key in `Project.volumes`, empty for an anonymous one
    target      absolute path inside
    options     tmpfs only: mount options as written, as `uid=1000`
    selinux     bind: `z` or `Z`, kept for `config`
    """

    type: Literal["bind", "volume", "tmpfs"]
    target: str
    source: str = ""
    read_only: bool = False
    create_host_path: bool = True  # bind: make a missing source a directory
    propagation: str = "rprivate"
    recursive: bool = True
    selinux: str | None = None
    nocopy: bool = False  # volume: do not fill an empty one from the image
    subpath: str | None = None
    labels: Mapping[str, str] = {}
    size_bytes: int | None = None
    mode: int | None = None
    options: tuple[str, ...] = ()
