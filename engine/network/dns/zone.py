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
        self.links: dict[bytes, list[bytes]] = {}
        for alias, target in links:
            self.links.setdefault(_key(alias), []).append(_key(target))
        self.version: names.Version | None = None
        self.addresses: dict[bytes, list[bytes]] = {}
        self.reverse: dict[bytes, str] = {}

    def load(self) -> None:
        """On failure it stays as it was, out of date."""
        version = names.version(self.directory)
        addresses: dict[bytes, list[bytes]] = {}
        reverse: dict[bytes, str] = {}
        for entry in names.read(self.directory):
            packed = [_pack(address) for address in entry.addresses]
            for name in entry.names:
                addresses.setdefault(_key(name), []).extend(packed)
            if entry.names:
                reverse |= dict.fromkeys(packed, f"{entry.names[0]}.{self.name}")
        self.version, self.addresses, self.reverse = version, addresses, reverse

    def find(self, name: bytes) -> list[bytes] | None:
        """Links of this container go before the names that all see (engine.md B6.3)."""
        targets = self.links.get(name, ())  # several: replicas of the service that is linked
        linked = [one for target in targets for one in self.addresses.get(target, ())]
        return linked or self.addresses.get(name)


class Zone:
    """The networks of one container, in the order in which they are asked.

    endpoints   of the launch record: `network`, `directory`, `links`, `rank`
    hosts       name -> addresses, for what no network knows
    """

    __slots__ = ("_hosts", "_members")

    def __init__(
        self,
        endpoints: Iterable[Mapping[str, object]],
        hosts: Mapping[str, Iterable[str]] = {},
    ) -> None:
        self._hosts = {_key(name): list(map(_pack, found)) for name, found in hosts.items()}
        ordered = sorted(endpoints, key=lambda endpoint: int(str(endpoint["rank"])))
        self._members = [
            _Member(str(e["network"]), str(e["directory"]), e["links"])  # type: ignore[arg-type]
            for e in ordered
        ]

    def refresh(self) -> bool:
        """Read the tables that have changed; whether any had. One stat each when none has.

        Raises OSError and ValueError for one that cannot be read: it is tried again next time.
        """
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
        return self._hosts.get(name)

    def find_reverse(self, name: bytes) -> str | None:
        """The name behind `4.0.18.172.in-addr.arpa`; None when it is nobody's here."""
        packed = _read_reverse(name)
        if packed is None:
            return None
        return next((m.reverse[packed] for m in self._members if packed in m.reverse), None)


def _key(name: str) -> bytes:
    """As `wire.Question.name` has it."""
    return name.rstrip(".").encode().lower()


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
