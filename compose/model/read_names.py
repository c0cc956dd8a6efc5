"""Names and addresses that go into the container's hosts, hostname and resolv.conf (engine.md A8).

They are words there: a blank or the end of a line in one would make it something else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.errors import InvalidValue
from compose.source.shorthand import parse_address

if TYPE_CHECKING:
    from compose.model.fields import Fields

HOST_GATEWAY = "host-gateway"
_HOSTNAME_BYTES = 64  # __NEW_UTS_LEN of the kernel


def read_name(fields: Fields, key: str) -> str | None:
    """`hostname` or `domainname`."""
    name = fields.text(key)
    if name is None or not _is_word(fields, name, key):
        return None
    if key == "hostname" and len(name.encode(errors="replace")) > _HOSTNAME_BYTES:
        what = f"{fields.name(key)}: a hostname has {_HOSTNAME_BYTES} bytes at most"
        fields.note(InvalidValue, what, key)
    return name


def read_words(fields: Fields, key: str) -> tuple[str, ...]:
    """`dns_search` or `dns_opt`."""
    texts = enumerate(fields.texts(key))
    return tuple(text for index, text in texts if _is_word(fields, text, key, index))


def read_name_servers(fields: Fields) -> tuple[str, ...]:
    """The addresses of `dns`."""
    texts = enumerate(fields.texts("dns"))
    return tuple(text for index, text in texts if _is_address(fields, text, "dns", index))


def read_hosts(fields: Fields) -> tuple[tuple[str, str], ...]:
    """`extra_hosts` as (name, address)."""
    found = []
    for index, text in enumerate(fields.texts("extra_hosts")):
        name, _, address = text.partition("=")
        place = ("extra_hosts", index)
        if _is_word(fields, name, *place) and (
            address == HOST_GATEWAY or _is_address(fields, address, *place)
        ):
            found.append((name, address))
    return tuple(found)


def _is_word(fields: Fields, text: str, *place: str | int) -> bool:
    is_word = text.isprintable() and not any(map(str.isspace, text))
    if not is_word:
        what = f"{fields.name(*place)}: {text!r} has a blank or a control character in it"
        fields.note(InvalidValue, what, *place)
    return is_word


def _is_address(fields: Fields, text: str, *place: str | int) -> bool:
    try:
        parse_address(text)
    except ValueError as error:
        fields.note(InvalidValue, f"{fields.name(*place)}: {error}", *place)
        return False
    return _is_word(fields, text, *place)
