"""Mounts of a service."""

from __future__ import annotations

from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal


class Mount(Record):
    """One mount (Compose: services.volumes and services.tmpfs). Sizes in bytes.

    type        bind: a host path; volume: a named one or, without source, an anonymous one; tmpfs;
                image: the content of an image; npipe and cluster are of other systems
    source      bind: absolute path; volume: key in `Project.volumes`, empty for an anonymous one;
                image: a reference or a service
    recursive   bind: what is mounted below the source comes along
    read_only_below   bind: whether that is read-only too; None: as far as the kernel can
    target      absolute path inside
    options     tmpfs only: mount options as written, as `uid=1000`
    subpath     volume, image: the directory in it that is mounted
    selinux, consistency   kept for `config`
    """

    type: Literal["bind", "volume", "tmpfs", "image", "npipe", "cluster"]
    target: str
    source: str = ""
    read_only: bool = False
    create_host_path: bool = True  # bind: make a missing source a directory
    propagation: str = "rprivate"
    recursive: bool = True
    read_only_below: bool | None = None
    selinux: str | None = None
    nocopy: bool = False  # volume: do not fill an empty one from the image
    subpath: str | None = None
    labels: Mapping[str, str] = {}
    size_bytes: int | None = None
    mode: int | None = None
    options: tuple[str, ...] = ()
    consistency: str | None = None
