"""Networks and volumes of a project, and a service's place on a network."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from compose.errors import Conflict, InvalidValue, MissingKey, nearest
from compose.model.network import Network, ServiceNetwork, Subnet
from compose.model.volume import Volume

if TYPE_CHECKING:
    from compose.model.fields import Fields

_CIDR = "as `172.28.0.0/16`"
_PLACE = ("device", "o", "type")


def read_network(key: str, fields: Fields, project: str) -> Network:
    """One of the networks; `project` is the name of the project."""
    external, name = fields.external()
    driver = fields.text("driver") or "bridge"
    ipam = fields.inside("ipam")
    return Network(
        key=key,
        name=fields.text("name") or name or (key if external else f"{project}_{key}"),
        external=external,
        internal=fields.flag("internal"),
        driver="bridge" if driver == "default" else driver,
        driver_opts=fields.labels("driver_opts"),
        subnets=_subnets(ipam),
        ipam_driver=ipam.text("driver"),
        ipam_options=ipam.labels("options"),
        attachable=fields.flag("attachable"),
        enable_ipv4=fields.flag("enable_ipv4", default=True),
        enable_ipv6=fields.flag("enable_ipv6"),
        labels=fields.labels(),
        extensions=fields.extensions(),
    )


def _subnets(ipam: Fields) -> tuple[Subnet, ...]:
    """The subnets of a network."""
    if ipam.text("driver") not in (None, "default"):
        ipam.not_built(f"IPAM driver `{ipam.text('driver')}`", "driver")
    versions: list[int] = []
    return tuple(_subnet(config, versions) for config in ipam.each("config"))


def _subnet(config: Fields, versions: list[int]) -> Subnet:
    """`versions`: those of the subnets before it."""
    subnet = _network_of(config, "subnet")
    _network_of(config, "ip_range")
    if subnet is not None:
        if subnet.version in versions:
            config.not_built(f"a second IPv{subnet.version} subnet", "subnet")
        versions.append(subnet.version)
    gateway = config.text("gateway")
    if gateway is not None:
        _check_address(config, "gateway", gateway)
        if "subnet" not in config:
            config.note(Conflict, f"{config.name()}: `gateway` needs a `subnet`", "gateway")
        elif subnet and _is_address(gateway) and ipaddress.ip_address(gateway) not in subnet:
            what = f"{config.name('gateway')}: {gateway} is not in {subnet}"
            config.note(InvalidValue, what, "gateway")
    return Subnet(
        subnet=config.text("subnet"),
        gateway=gateway,
        ip_range=config.text("ip_range"),
        aux_addresses=config.labels("aux_addresses"),
    )


def _network_of(config: Fields, key: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    text = config.text(key)
    if text is None:
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        what = f"{config.name(key)}: `{text}` is not a subnet"
        config.note(InvalidValue, what, key, hint=_CIDR)
        return None


def _is_address(text: str) -> bool:
    """Without a scope (`%eth0`)."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def _check_address(fields: Fields, key: str, text: str) -> None:
    if not _is_address(text):
        fields.note(InvalidValue, f"{fields.name(key)}: `{text}` is not an IP address", key)


def check_mac_address(fields: Fields) -> None:
    """That of a service, or of one of its places: of one card, and no group's."""
    from engine import is_mac_address

    text = fields.text("mac_address")
    if text and not is_mac_address(text):
        what = f"{fields.name('mac_address')}: `{text}` is not the MAC address of one card"
        hint = "as 02:42:ac:11:00:02: the first byte is even"
        fields.note(InvalidValue, what, "mac_address", hint=hint)


def _check_interface_name(fields: Fields) -> None:
    from engine import is_interface_name

    text = fields.text("interface_name")
    if text and not is_interface_name(text):
        what = f"{fields.name('interface_name')}: `{text}` cannot be the name of an interface"
        hint = "up to 15 bytes, no blank, none of `/:%`"
        fields.note(InvalidValue, what, "interface_name", hint=hint)


def read_service_network(fields: Fields) -> ServiceNetwork:
    """A service's place on one network."""
    for key in ("ipv4_address", "ipv6_address"):
        address = fields.text(key)
        if address is not None:
            _check_address(fields, key, address)
    for index, address in enumerate(fields.texts("link_local_ips")):
        if not _is_address(address) or not ipaddress.ip_address(address).is_link_local:
            what = f"{fields.name('link_local_ips')}: `{address}` is no link-local address"
            hint = "in 169.254.0.0/16 or fe80::/10"
            fields.note(InvalidValue, what, "link_local_ips", index, hint=hint)
    check_mac_address(fields)
    _check_interface_name(fields)
    return ServiceNetwork(
        aliases=fields.texts("aliases"),
        ipv4_address=fields.text("ipv4_address"),
        ipv6_address=fields.text("ipv6_address"),
        link_local_ips=fields.texts("link_local_ips"),
        mac_address=fields.text("mac_address"),
        interface_name=fields.text("interface_name"),
        driver_opts=fields.labels("driver_opts"),
        priority=fields.integer("priority") or 0,
        gw_priority=fields.integer("gw_priority") or 0,
    )


def read_volume(key: str, fields: Fields, project: str) -> Volume:
    """One of the volumes; `project` is the name of the project."""
    external, name = fields.external()
    driver = fields.text("driver") or "local"
    others = sorted({"driver", "driver_opts", "labels"} & set(fields.tree))
    if external and others:
        what = f"{fields.name()}: `external` and `{others[0]}` exclude each other"
        fields.note(Conflict, what, others[0])
    elif driver not in ("local", "default"):
        fields.not_built(f"driver `{driver}`", "driver", hint="`local` is")
    else:
        _check_place(fields.inside("driver_opts"))
    return Volume(
        key=key,
        name=fields.text("name") or name or (key if external else f"{project}_{key}"),
        external=external,
        driver="local" if driver == "default" else driver,
        driver_opts=fields.labels("driver_opts"),
        labels=fields.labels(),
        extensions=fields.extensions(),
    )


def _check_place(options: Fields) -> None:
    """The options of a local volume: where its content is, as mount(8) takes it."""
    for key in sorted(options.tree):
        if key == "size":
            options.not_built("a limit of its size", key)
        elif key not in _PLACE:
            what = f"{options.name(key)}: a local volume has no option `{key}`"
            options.note(InvalidValue, what, key, hint=nearest(key, _PLACE))
    for key in ("device", "type"):
        if options.tree and key not in options:
            what = f"{options.name()}: there is no `{key}`"
            options.note(MissingKey, what, hint="as `type: none`, `device: /srv/data`, `o: bind`")
