"""What a container can look up: the running endpoints of its networks, and its links.

Read from the networks' names tables, and read anew when one of them has changed.
"""

from __future__ import annotations

import socket

from engine.network import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_REVERSE, _REVERSE6 = b".in-addr.arpa", b".ip6.arpa"


class _Member:
    """One network as this container sees it."""

    __slots__ = ("addresses", "directory", "links", "name", "reverse", "version")

    def __init__(self, name: str, directory: str, links: Iterable[Sequence[str]]) -> None:
        self.name = name
        self.directory = directory
        self.links = {alias.lower().encode(): target.lower().encode() for alias, target in links}
        self.version: names.Version | None = None
        self.addresses: dict[bytes, list[bytes]] = {}
        self.reverse: dict[bytes, str] = {}

    def load(self) -> None:
        self.version = names.version(self.directory)
        self.addresses, self.reverse = {}, {}
        for entry in names.read(self.directory):
            packed = [_pack(address) for address in entry.addresses]
            for name in entry.names:
                self.addresses.setdefault(name.lower().encode(), []).extend(packed)
            if entry.names:
                self.reverse |= dict.fromkeys(packed, f"{entry.names[0]}.{self.name}")

    def find(self, name: bytes) -> list[bytes] | None:
        """Links of this container go before the names that all see (engine.md B6.3)."""
        target = self.links.get(name)
        if target is not None and target in self.addresses:
            return self.addresses[target]
        return self.addresses.get(name)


class Zone:
    """The networks of one container, in the order in which they are asked.

    endpoints   of the launch record: `network`, `directory`, `links`, `rank`
    """

    __slots__ = ("_members",)

    def __init__(self, endpoints: Iterable[Mapping[str, object]]) -> None:
        ordered = sorted(endpoints, key=lambda endpoint: int(str(endpoint["rank"])))
        self._members = [
            _Member(str(e["network"]), str(e["directory"]), e["links"])  # type: ignore[arg-type]
            for e in ordered
        ]

    def refresh(self) -> bool:
        """Read the tables that have changed; whether any had. One stat each when none has."""
        changed = False
        for member in self._members:
            if member.version != names.version(member.directory):
                member.load()
                changed = True
        return changed

    def find(self, name: bytes) -> list[bytes] | None:
        """Packed addresses of a name (lower case, no final dot), of both IP versions; None when
        nobody has it.

        `a.b.c` is looked for in every network, then `a.b` in network `c`, then `a` in `b.c`.
        The first network that knows it wins: addresses of several are not merged.
        """
        for member in self._members:
            found = member.find(name)
            if found is not None:
                return found
        labels = name.split(b".")
        for cut in range(len(labels) - 1, 0, -1):
            network = b".".join(labels[cut:])
            for member in self._members:
                if member.name.lower().encode() == network:
                    found = member.find(b".".join(labels[:cut]))
                    if found is not None:
                        return found
        return None

    def find_reverse(self, name: bytes) -> str | None:
        """The name behind `4.0.18.172.in-addr.arpa`; None when it is nobody's here."""
        packed = _read_reverse(name)
        if packed is None:
            return None
        return next((m.reverse[packed] for m in self._members if packed in m.reverse), None)


def _pack(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def _read_reverse(name: bytes) -> bytes | None:
    """The packed address that a name under in-addr.arpa or ip6.arpa stands for."""
    try:
        if name.endswith(_REVERSE):
            octets = name[: -len(_REVERSE)].decode("ascii").split(".")
            return socket.inet_pton(socket.AF_INET, ".".join(reversed(octets)))
        if name.endswith(_REVERSE6):
            digits = name[: -len(_REVERSE6)].decode("ascii").split(".")
            packed = bytes.fromhex("".join(reversed(digits)))
            return packed if len(digits) == 32 and len(packed) == 16 else None
    except (OSError, ValueError):
        return None
    return None
