"""`x-buoy-probe`: how a container is found ready without running anything in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from compose.errors import InvalidValue

if TYPE_CHECKING:
    from compose.model.fields import Fields

PROBE = "x-buoy-probe"
_HINT = "tcp://:5432, http://:8080/health, file:/run/ready, or `log:` with an expression"
_SOCKET = re.compile(
    r"(?P<kind>tcp|http)://(?P<address>\[[0-9a-fA-F:.]+\]|[0-9.]+|localhost|)"
    r"(:(?P<port>[0-9]{1,5}))?(?P<path>/[!-~]*)?"
)
_HTTP_PORT = "80"
_LAST_PORT = 65535


def read_probe(fields: Fields) -> tuple[str, ...] | None:
    """("TCP", address, port), ("HTTP", address, port, path), ("FILE", path) or ("LOG", expression);
    None where the service has no probe."""
    if PROBE not in fields:
        return None
    mapping = fields.given(PROBE)
    if mapping is not None:
        return _read_log(mapping)
    probe: tuple[str, ...] | None
    text = fields.text(PROBE) or ""
    kind, _, rest = text.partition(":")
    if kind == "file":
        path = re.sub(r"^//(?=/)", "", rest)
        probe = ("FILE", path) if path.startswith("/") else None
    else:
        found = _SOCKET.fullmatch(text)
        probe = _read_socket(found) if found else None
    if probe is None:
        what = f"{fields.name(PROBE)}: `{text}` is not a probe"
        fields.note(InvalidValue, what, PROBE, hint=_HINT)
    return probe


def _read_socket(found: re.Match[str]) -> tuple[str, ...] | None:
    """Addresses are numbers: the monitor looks no names up."""
    address = found["address"].strip("[]")
    if address in ("", "localhost"):
        address = "127.0.0.1"
    port = found["port"] or (_HTTP_PORT if found["kind"] == "http" else "0")
    known = _is_address(address) and 0 < int(port) <= _LAST_PORT
    if not known or (found["kind"] == "tcp" and found["path"]):
        return None
    if found["kind"] == "tcp":
        return "TCP", address, port
    return "HTTP", address, port, found["path"] or "/"


def _is_address(text: str) -> bool:
    import socket

    try:
        socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except OSError:
        return False
    return True


def _read_log(mapping: Fields) -> tuple[str, ...] | None:
    """`log`: a regular expression that a line is to contain; most texts are one for themselves."""
    wanted = mapping.text("log")
    if not wanted:
        return None
    try:
        re.compile(wanted)
    except re.error as error:
        mapping.note(InvalidValue, f"{mapping.name('log')}: {error}", "log")
        return None
    return "LOG", wanted
