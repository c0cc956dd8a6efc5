"""How the image of a service is built."""

from __future__ import annotations

from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from compose.model.files import FileReference

ENTITLEMENTS = ("network.host", "security.insecure")


class Build(Record):
    """How the image of a service is built (Compose: services.build).

    context     absolute directory, or a URL
    dockerfile  relative to the context, or absolute; not used when `dockerfile_inline` is given
    args        a variable without a value that the project's environment does not know is left out
    tags        further references for the result, beside the service's image
    additional_contexts   name -> absolute directory, URL, or `service:NAME`
    ssh         id -> path of a key or socket; empty: the agent's
    network     default, none, host, or the name of a network
    privileged, entitlements   what RUN may ask for
    others      cache_from and cache_to, and keys that change nothing here, as they are written
    """

    context: str
    dockerfile: str = "Dockerfile"
    dockerfile_inline: str | None = None
    args: Mapping[str, str] = {}
    target: str | None = None
    labels: Mapping[str, str] = {}
    tags: tuple[str, ...] = ()
    no_cache: bool = False
    pull: bool = False
    network: str | None = None
    additional_contexts: Mapping[str, str] = {}
    extra_hosts: tuple[tuple[str, str], ...] = ()
    shm_size_bytes: int | None = None
    ulimits: Mapping[str, tuple[int, int]] = {}  # soft, hard
    no_cache_filter: tuple[str, ...] = ()
    secrets: tuple[FileReference, ...] = ()
    ssh: Mapping[str, str] = {}
    platforms: tuple[str, ...] = ()
    privileged: bool = False
    entitlements: tuple[str, ...] = ()
    others: Mapping[str, Any] = {}

    @property
    def bases(self) -> tuple[str, ...]:
        """The services whose images it starts from: contexts that are `service:NAME`."""
        pairs = (place.partition(":") for place in self.additional_contexts.values())
        return tuple(dict.fromkeys(name for kind, _, name in pairs if kind == "service"))
