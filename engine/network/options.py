"""Options of bridge networks, in Docker's words (engine.md B1.5)."""

from __future__ import annotations

from engine.errors import NetworkProblem
from engine.kernel.record import Record

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_BRIDGE = "com.docker.network.bridge."
NAME = f"{_BRIDGE}name"
ICC = f"{_BRIDGE}enable_icc"
MASQUERADE = f"{_BRIDGE}enable_ip_masquerade"
HOST_BINDING = f"{_BRIDGE}host_binding_ipv4"
INHIBIT_IPV4 = f"{_BRIDGE}inhibit_ipv4"
TRUSTED = f"{_BRIDGE}trusted_host_interfaces"
GATEWAY_MODES = {4: f"{_BRIDGE}gateway_mode_ipv4", 6: f"{_BRIDGE}gateway_mode_ipv6"}
HOST_ADDRESSES = {4: "com.docker.network.host_ipv4", 6: "com.docker.network.host_ipv6"}
ENDPOINT_SYSCTLS = "com.docker.network.endpoint.sysctls"
ENDPOINT_INTERFACE = "com.docker.network.endpoint.ifname"
INTERFACE_PREFIX = "com.docker.network.container_iface_prefix"
MTU = "com.docker.network.driver.mtu"

_OF_DRIVERS = {
    "bridge": (),
    "macvlan": ("parent", "macvlan_mode"),
    "ipvlan": ("parent", "ipvlan_mode", "ipvlan_flag"),
}
NAT, UNPROTECTED, ROUTED, ISOLATED = "nat", "nat-unprotected", "routed", "isolated"
DEFAULT_MTU = 1500
_LONGEST_NAME = 15
_NAMED = f"the name of an interface: up to {_LONGEST_NAME} bytes, no blank, none of `/:%`"
_LONGEST_PREFIX = 12  # with the number after it, within an interface name
_LEAST_MTU, _LEAST_MTU6, _LARGEST_MTU = 68, 1280, 65_535  # RFC 791, RFC 8200
_HEX_DIGITS = set("0123456789abcdefABCDEF")
_TRUE, _FALSE = ("1", "t", "true"), ("0", "f", "false")


class BridgeOptions(Record):
    """What can be chosen of a bridge network.

    icc           containers see each other
    masquerade    by IP version: they appear outside under an address of the host
    host_binding  where ports are published that name no address; None: everywhere
    inhibited     IP versions in which the bridge has no gateway address
    modes         by IP version: nat, nat-unprotected (its addresses are open to whoever has a
                  route), routed (published ports are, and nothing is translated), isolated
    trusted       interfaces of the host whose traffic is let in unasked
    host_address  by IP version: the address of the host that containers appear under
    """

    name: str | None
    mtu: int
    icc: bool
    masquerade: Mapping[int, bool]
    host_binding: str | None
    inhibited: tuple[int, ...]
    modes: Mapping[int, str]
    trusted: tuple[str, ...]
    host_address: Mapping[int, str]
    interface_prefix: str


class EndpointOptions(Record):
    """What can be chosen of one container's place on a network.

    sysctls  of its interface alone, whose name stands as IFNAME in theirs
    """

    interface: str | None
    sysctls: Mapping[str, str]


class _Reader:
    def __init__(self, network: str, options: Mapping[str, str]) -> None:
        self._network, self._options = network, options

    def flag(self, key: str, *, default: bool) -> bool:
        text = self._options.get(key, str(default)).lower()
        if text not in (*_TRUE, *_FALSE):
            raise self.wrong(key, "true or false")
        return text in _TRUE

    def one_of(self, key: str, known: Iterable[str], default: str) -> str:
        value = self._options.get(key, default)
        if value not in known:
            raise self.wrong(key, ", ".join(known))
        return value

    def address(self, key: str, version: int) -> str | None:
        text = self._options.get(key)
        if not text:
            return None
        import ipaddress  # 5 ms, of use to few

        try:
            found = ipaddress.ip_address(text)
        except ValueError:
            found = None
        if found is None or found.version != version:
            raise self.wrong(key, f"an IPv{version} address of the host")
        return text

    def checked(self, key: str, check: Callable[[str], bool], wanted: str) -> str | None:
        text = self._options.get(key)
        if text is not None and not check(text):
            raise self.wrong(key, wanted)
        return text

    def wrong(self, key: str, wanted: str) -> NetworkProblem:
        return NetworkProblem(
            f"network {self._network}: {key} cannot be `{self._options.get(key, '')}`",
            hint=f"it is {wanted}",
            code="option-invalid",
        )


def read_bridge_options(
    network: str, options: Mapping[str, str], *, internal: bool = False, ipv6: bool = False
) -> BridgeOptions:
    """The options of a network. Raises NetworkProblem `option-invalid`."""
    read = _Reader(network, options)
    masquerade = read.flag(MASQUERADE, default=True)
    modes = {family: _mode(read, key, internal=internal) for family, key in GATEWAY_MODES.items()}
    inhibited = {family for family, mode in modes.items() if mode == ISOLATED}
    if read.flag(INHIBIT_IPV4, default=False):
        inhibited.add(4)
    addresses = {family: read.address(key, family) for family, key in HOST_ADDRESSES.items()}
    return BridgeOptions(
        name=read.checked(NAME, is_interface_name, _NAMED),
        mtu=_mtu(read, _LEAST_MTU6 if ipv6 else _LEAST_MTU),
        icc=read.flag(ICC, default=True),
        masquerade={family: masquerade and mode != ROUTED for family, mode in modes.items()},
        host_binding=read.address(HOST_BINDING, 4),
        inhibited=tuple(sorted(inhibited)),
        modes=modes,
        trusted=_trusted(read, options.get(TRUSTED, "")),
        host_address={family: text for family, text in addresses.items() if text is not None},
        interface_prefix=read.checked(INTERFACE_PREFIX, _is_prefix, "letters, as `eth`") or "eth",
    )


def read_endpoint_options(network: str, options: Mapping[str, str]) -> EndpointOptions:
    """The options of an endpoint. Raises NetworkProblem `option-invalid`.

    Sysctls are separated by commas: `net.ipv4.conf.IFNAME.forwarding=1`.
    """
    read = _Reader(network, options)
    interface = read.checked(ENDPOINT_INTERFACE, is_interface_name, _NAMED)
    sysctls = {}
    for setting in filter(None, options.get(ENDPOINT_SYSCTLS, "").split(",")):
        name, equals, value = setting.strip().partition("=")
        if not equals or not _is_sysctl(name):
            raise read.wrong(ENDPOINT_SYSCTLS, "as `net.ipv4.conf.IFNAME.forwarding=1`")
        sysctls[name] = value
    return EndpointOptions(interface=interface, sysctls=sysctls)


def unknown_options(driver: str, options: Iterable[str]) -> list[str]:
    """Those that mean nothing; to a driver that another package brings, of Docker's words alone."""
    fixed = {NAME, ICC, MASQUERADE, HOST_BINDING, INHIBIT_IPV4, TRUSTED, INTERFACE_PREFIX, MTU}
    known = {*fixed, *GATEWAY_MODES.values(), *HOST_ADDRESSES.values()}
    own = _OF_DRIVERS.get(driver)
    return sorted(
        key
        for key in options
        if key not in known and (key.startswith("com.docker.") if own is None else key not in own)
    )


def _mode(read: _Reader, key: str, *, internal: bool) -> str:
    mode = read.one_of(key, (NAT, UNPROTECTED, ROUTED, ISOLATED), NAT)
    if mode == ISOLATED and not internal:
        raise read.wrong(key, "for networks with `internal: true` alone")
    return mode


def is_interface_name(text: str) -> bool:
    """Whether the kernel gives a link that name. It counts for a `%d`, and the settings of all
    links are where those of one called `all` would be."""
    if not text.isprintable() or text in ("", ".", "..", "all", "default"):
        return False
    return len(text.encode()) <= _LONGEST_NAME and not set(text) & set(" /:%")


def is_mac_address(text: str) -> bool:
    """Whether it can be that of one link: `02:42:ac:11:00:02`, also with `-`; no group's, nor
    zero."""
    words = text.replace("-", ":").split(":")
    if len(words) != 6 or not all(len(one) == 2 and set(one) <= _HEX_DIGITS for one in words):
        return False
    return int(words[0], 16) % 2 == 0 and any(int(one, 16) for one in words)


def _trusted(read: _Reader, text: str) -> tuple[str, ...]:
    names = tuple(filter(None, text.split(":")))
    if not all(map(is_interface_name, names)):
        raise read.wrong(TRUSTED, "names of interfaces, with `:` between them")
    return names


def _is_prefix(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_PREFIX and text.isalnum() and not text[-1].isdigit()


def _mtu(read: _Reader, least: int) -> int:
    def is_mtu(text: str) -> bool:
        return text.isdecimal() and least <= int(text) <= _LARGEST_MTU

    return int(read.checked(MTU, is_mtu, f"from {least} to {_LARGEST_MTU}") or DEFAULT_MTU)


def _is_sysctl(name: str) -> bool:
    net, version, table, interface, setting = (*name.split("."), *[""] * 5)[:5]
    place = net == "net" and version in ("ipv4", "ipv6", "mpls") and table in ("conf", "neigh")
    return place and interface == "IFNAME" and setting.isidentifier() and name.count(".") == 4
