"""`buoy network plug` and `unplug`: interfaces beside those of networks, as pipework gives them."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from compose.commands.parsing import UsageProblem

if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context
    from engine import PlugSpec

_HIGHEST_VLAN = 4094
PLUG = """Give a container an interface of the host's networks: a port of a bridge, which is made
where there is none, or a link on top of an interface (macvlan).

It has it from now on, after a stop and a start, too, until it is unplugged, removed or
recreated."""
UNPLUG = "Take away what was plugged in; who had the default route before has it again."


def add_arguments(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The two verbs."""
    parser = verbs.add_parser("plug", description=PLUG, prog="buoy network plug")
    add = parser.add_argument
    add("container", metavar="CONTAINER")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--bridge", default="", metavar="NAME", help="be a port of that bridge")
    place.add_argument("--parent", default="", metavar="NAME", help="a link on top of that one")
    add("--ipvlan", action="store_true", help="with the MAC address of the parent")
    add("--vlan", type=int, metavar="N", help="in a VLAN of the parent")
    add("--address", action="append", default=[], metavar="ADDRESS/LENGTH[@GATEWAY]",
        help="repeatable; a gateway takes the default route")  # fmt: skip
    add("--dhcp", action="store_true", help="an address from a DHCP server, kept up")
    add("--mac", metavar="ADDRESS")
    add("--name", default="", metavar="INTERFACE", help="in the container (default: eth1 ...)")
    removal = verbs.add_parser("unplug", description=UNPLUG, prog="buoy network unplug")
    removal.add_argument("container", metavar="CONTAINER")
    removal.add_argument("interface", nargs="?", default="", metavar="INTERFACE")


async def plug(args: argparse.Namespace, context: Context) -> int:
    """0 with the interface and its addresses on stdout."""
    plugged = await context.engine.containers.plug(args.container, _wish(args))
    context.console.out(" ".join((plugged.interface, *plugged.addresses)))
    return 0


async def unplug(args: argparse.Namespace, context: Context) -> int:
    """0 once it is gone."""
    await context.engine.containers.unplug(args.container, args.interface)
    return 0


def _wish(args: argparse.Namespace) -> PlugSpec:
    from engine import PlugSpec

    problems = _objections(args)
    pairs = [text.partition("@") for text in args.address]
    for address, _, gateway in pairs:
        problems += _address_objections(address, gateway)
    if problems:
        raise UsageProblem("; ".join(problems))
    return PlugSpec(
        interface=args.name,
        bridge=args.bridge,
        parent=args.parent,
        driver="ipvlan" if args.ipvlan else "macvlan",
        vlan=args.vlan,
        addresses=tuple(str(ipaddress.ip_interface(address)) for address, _, _ in pairs),
        gateways=tuple(str(ipaddress.ip_address(gateway)) for _, _, gateway in pairs if gateway),
        mac_address=args.mac,
        dhcp=args.dhcp,
    )


def _objections(args: argparse.Namespace) -> list[str]:
    """What does not go together, or is not of its kind."""
    from engine import is_interface_name, is_mac_address

    rules = {
        "--ipvlan is for a --parent": args.ipvlan and args.bridge,
        "--vlan is for a --parent": args.vlan is not None and args.bridge,
        "an ipvlan has the MAC of its parent, so no --mac and no --dhcp": args.ipvlan
        and (args.mac or args.dhcp),
        f"--vlan is from 1 to {_HIGHEST_VLAN}": args.vlan is not None
        and not 0 < args.vlan <= _HIGHEST_VLAN,
        "nothing leads on from lo": args.parent == "lo",
        f"`{args.mac}` is not a MAC address of one machine": args.mac
        and not is_mac_address(args.mac),
    }
    device = f"{args.parent}.{args.vlan}" if args.parent and args.vlan is not None else args.parent
    names = filter(None, (args.name, args.bridge, device))
    wrong = [name for name in names if not is_interface_name(name)]
    found = [f"`{name}` cannot be the name of an interface" for name in wrong]
    return found + [what for what, broken in rules.items() if broken]


def _address_objections(address: str, gateway: str) -> list[str]:
    try:
        found = ipaddress.ip_interface(address.replace("%", "%%"))  # no scope
    except ValueError:
        return [f"`{address}` is not an address with a prefix length, as 10.1.2.3/24"]
    if "/" not in address:
        return [f"`{address}` has no prefix length, as {address}/24"]
    if found.ip.is_multicast or found.ip.is_loopback or found.ip.is_unspecified:
        return [f"`{address}` cannot be the address of an interface"]
    if not gateway:
        return []
    try:
        inside = ipaddress.ip_address(gateway.replace("%", "%%")) in found.network
    except ValueError:
        return [f"`{gateway}` is not an address"]
    if not inside:
        return [f"the gateway {gateway} is not in {found.network}"]
    return [f"{gateway} cannot be its own gateway"] if gateway == str(found.ip) else []
