"""Secrets and configs: files that a project gives to its containers."""

from __future__ import annotations

from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class FileSource(Record):
    """One secret or config (Compose: secrets.<key>, configs.<key>).

    key           its name in the file
    name          `<project>_<key>` unless the file says another
    file          absolute path of what is in it
    environment   name of the variable whose value is in it
    content       the text that is in it: as written, or the variable's value; of a secret it is
                  never printed, stored or made part of a digest as it is
    """

    key: str
    name: str
    file: str | None = None
    environment: str | None = None
    content: str | None = None
    external: bool = False
    driver: str | None = None
    driver_opts: Mapping[str, str] = {}
    template_driver: str | None = None
    labels: Mapping[str, str] = {}
    extensions: Mapping[str, Any] = {}


class FileReference(Record):
    """A secret or config in a container (Compose: services.secrets, .configs) or in a build.

    source      key in `Project.secrets` or `Project.configs`
    target      absolute path inside; of a build the id that RUN --mount names
    uid, gid    of the file; without effect where it is a file of the host
    mode        permissions; None: 0444
    """

    source: str
    target: str
    uid: int | None = None
    gid: int | None = None
    mode: int | None = None
