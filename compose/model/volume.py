"""Volumes of a project."""

from __future__ import annotations

from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Volume(Record):
    """One named volume (Compose: volumes.<key>).

    key       its name in the file
    name      its name in the engine: `<project>_<key>` unless the file says another
    external  made by somebody else: neither created nor removed
    """

    key: str
    name: str
    external: bool = False
    driver: str = "local"
    driver_opts: Mapping[str, str] = {}
    labels: Mapping[str, str] = {}
    extensions: Mapping[str, Any] = {}
    digest: str = ""
