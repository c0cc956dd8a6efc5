"""How the image of a service is built."""

from __future__ import annotations

from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Build(Record):
    """How the image of a service is built (Compose: services.build).

    context     absolute directory
    dockerfile  relative to the context, or absolute; not used when `dockerfile_inline` is given
    args        a variable without a value that the project's environment does not know is left out
    tags        further references for the result, beside the service's image
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
