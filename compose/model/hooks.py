"""Commands of a service's life, and what is watched while it is developed."""

from __future__ import annotations

from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal


class Hook(Record):
    """One command (Compose: services.pre_start, post_start, pre_stop, develop.watch.exec).

    image, per_replica   pre_start only: it runs in a container of its own
    """

    command: tuple[str, ...]
    user: str | None = None
    privileged: bool = False
    working_dir: str | None = None
    environment: Mapping[str, str | None] = {}
    image: str | None = None
    per_replica: bool = False


class WatchRule(Record):
    """What follows from a change below `path` (Compose: services.develop.watch).

    path             absolute, symbolic links resolved
    target           path in the container that is kept in step with it
    ignore, include  patterns relative to `path`, as in .dockerignore
    """

    path: str
    action: Literal["rebuild", "restart", "sync", "sync+restart", "sync+exec"]
    target: str | None = None
    ignore: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exec: Hook | None = None
    initial_sync: bool = False
