"""Networks and volumes of a project, and a service's place on a network."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from compose.errors import Conflict, InvalidValue
from compose.model.network import Network, ServiceNetwork
from compose.model.volume import Volume

if TYPE_CHECKING:
    from compose.model.fields import Fields

_CIDR = "as `172.28.0.0/16`"


def read_network(key: str, fields: Fields, project: str) -> Network:
    """One of the networks; `project` is the name of the project."""
    external, name = _external(fields)
    driver = fields.text("driver") or "bridge"
    if driver not in ("bridge", "default") and not external:
        fields.not_built(f"driver `{driver}`", "driver", hint="`bridge` is")
    if fields.flag("enable_ipv6"):
        fields.not_built("IPv6", "enable_ipv6")
    if not fields.flag("enable_ipv4", default=True):
        fields.not_built("a network without IPv4", "enable_ipv4")
    subnet, gateway, ip_range = _addresses(fields.inside("ipam"))
    return Network(
        key=key,
        name=fields.text("name") or name or (key if external else f"{project}_{key}"),
        external=external,
        internal=fields.flag("internal"),
        driver="bridge" if driver == "default" else driver,
        driver_opts=fields.labels("driver_opts"),
        subnet=subnet,
        gateway=gateway,
        ip_range=ip_range,
        attachable=fields.flag("attachable"),
        labels=fields.labels(),
    )


def _external(fields: Fields) -> tuple[bool, str | None]:
    """Whether it is external, and the name that the old form gives."""
    old = fields.given("external")
    if old is None:
        return fields.flag("external"), None
    name = old.text("name")
    if name and "name" in fields and fields.text("name") != name:
        what = f"{fields.name()}: `name` and `external.name` differ"
        fields.note(Conflict, what, "external", "name")
    return True, name


def _addresses(ipam: Fields) -> tuple[str | None, str | None, str | None]:
    """Subnet, gateway and range of a network."""
    if ipam.text("driver") not in (None, "default"):
        ipam.not_built(f"IPAM driver `{ipam.text('driver')}`", "driver")
    configs = list(ipam.each("config"))
    if len(configs) > 1:
        ipam.not_built("a network of several subnets", "config", 1)
    if not configs:
        return None, None, None
    config = configs[0]
    subnet = _network_of(config, "subnet")
    _network_of(config, "ip_range")
    gateway = config.text("gateway")
    if gateway is not None:
        _check_address(config, "gateway", gateway)
        if subnet is None:
            config.note(Conflict, f"{config.name()}: `gateway` needs a `subnet`", "gateway")
        elif _is_address(gateway) and ipaddress.ip_address(gateway) not in subnet:
            what = f"{config.name('gateway')}: {gateway} is not in {subnet}"
            config.note(InvalidValue, what, "gateway")
    return config.text("subnet"), gateway, config.text("ip_range")


def _network_of(config: Fields, key: str) -> ipaddress.IPv4Network | None:
    text = config.text(key)
    if text is None:
        return None
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        what = f"{config.name(key)}: `{text}` is not a subnet"
        config.note(InvalidValue, what, key, hint=_CIDR)
        return None
    if isinstance(network, ipaddress.IPv6Network):
        config.not_built("an IPv6 subnet", key)
        return None
    return network


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _check_address(fields: Fields, key: str, text: str) -> None:
    if not _is_address(text):
        fields.note(InvalidValue, f"{fields.name(key)}: `{text}` is not an IP address", key)


def read_service_network(fields: Fields) -> ServiceNetwork:
    """A service's place on one network."""
    address = fields.text("ipv4_address")
    if address is not None:
        _check_address(fields, "ipv4_address", address)
    return ServiceNetwork(
        aliases=fields.texts("aliases"),
        ipv4_address=address,
        mac_address=fields.text("mac_address"),
        priority=fields.integer("priority") or 0,
        gw_priority=fields.integer("gw_priority") or 0,
    )


def read_volume(key: str, fields: Fields, project: str) -> Volume:
    """One of the volumes; `project` is the name of the project."""
    external, name = _external(fields)
    driver = fields.text("driver") or "local"
    others = sorted({"driver", "driver_opts", "labels"} & set(fields.tree))
    if external and others:
        what = f"{fields.name()}: `external` and `{others[0]}` exclude each other"
        fields.note(Conflict, what, others[0])
    elif driver not in ("local", "default"):
        fields.not_built(f"driver `{driver}`", "driver", hint="`local` is")
    elif fields.pairs("driver_opts"):
        hint = "a directory of the host can be mounted by its path"
        fields.not_built("an option of the driver", "driver_opts", hint=hint)
    return Volume(
        key=key,
        name=fields.text("name") or name or (key if external else f"{project}_{key}"),
        external=external,
        driver="local" if driver == "default" else driver,
        driver_opts=fields.labels("driver_opts"),
        labels=fields.labels(),
    )
