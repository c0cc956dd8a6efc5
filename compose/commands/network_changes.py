"""`buoy network create`, `connect`, `disconnect`, `rm` and `prune`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.commands.parsing import UsageProblem, add_switch
from compose.ui.asking import agreed
from engine.errors import NetworkProblem, Problem

if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context
    from engine import Network, PoolSpec


def add_arguments(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verbs that change something."""
    _add_create(verbs)
    _add_connect(verbs)
    text = "Take a container off a network, running or not."
    leaving = verbs.add_parser("disconnect", description=text, prog="buoy network disconnect")
    leaving.add_argument("network", metavar="NETWORK")
    leaving.add_argument("container", metavar="CONTAINER")
    leaving.add_argument("-f", "--force", action="store_true", help="absence is no problem")
    removal = verbs.add_parser("rm", description="Remove networks.", prog="buoy network rm")
    removal.add_argument("names", nargs="+", metavar="NETWORK")
    removal.add_argument("-f", "--force", action="store_true", help="absence is no problem")
    text = "Remove the networks that no container is on."
    pruning = verbs.add_parser("prune", description=text, prog="buoy network prune")
    pruning.add_argument("-f", "--force", action="store_true", help="do not ask")
    pruning.add_argument(
        "--filter", action="append", default=[], metavar="label=KEY[=VALUE]", help="of these alone"
    )


def _add_create(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "Create a network, and print its id."
    making = verbs.add_parser("create", description=text, prog="buoy network create")
    making.add_argument("name", metavar="NETWORK")
    making.add_argument("-d", "--driver", default="bridge", help="bridge, macvlan, ipvlan")
    making.add_argument("--subnet", action="append", default=[], metavar="CIDR")
    making.add_argument("--gateway", action="append", default=[], metavar="ADDRESS")
    making.add_argument("--ip-range", action="append", default=[], metavar="CIDR")
    making.add_argument("--aux-address", action="append", default=[], metavar="NAME=ADDRESS")
    making.add_argument("--internal", action="store_true", help="nothing enters or leaves it")
    for name, default in (("--ipv4", True), ("--ipv6", False)):
        add_switch(making, name, default=default)
    making.add_argument("--attachable", action="store_true", help="as every network here")
    making.add_argument("--scope", default="local", choices=("local",), help="of this host")
    making.add_argument("--ipam-driver", default="default", choices=("default",))
    making.add_argument("--label", action="append", default=[], metavar="KEY=VALUE")
    making.add_argument("-o", "--opt", action="append", default=[], metavar="KEY=VALUE")


def _add_connect(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "Put a container on a network, running or not."
    joining = verbs.add_parser("connect", description=text, prog="buoy network connect")
    joining.add_argument("network", metavar="NETWORK")
    joining.add_argument("container", metavar="CONTAINER")
    joining.add_argument("--alias", action="append", default=[], metavar="NAME")
    joining.add_argument("--ip", metavar="ADDRESS", help="its IPv4 address")
    joining.add_argument("--ip6", metavar="ADDRESS", help="its IPv6 address")
    joining.add_argument(
        "--link", action="append", default=[], metavar="CONTAINER[:ALIAS]", help="seen by it alone"
    )
    joining.add_argument("--link-local-ip", action="append", default=[], metavar="ADDRESS")
    joining.add_argument("--driver-opt", action="append", default=[], metavar="KEY=VALUE")
    joining.add_argument(
        "--gw-priority", type=int, default=0, metavar="N", help="the highest has the default route"
    )


def create(args: argparse.Namespace, context: Context) -> int:
    """0 with the id on stdout."""
    from engine import NetworkSpec

    network = context.engine.networks.create(
        NetworkSpec(
            name=args.name,
            driver=args.driver,
            internal=args.internal,
            attachable=args.attachable,
            ipv4=args.ipv4,
            ipv6=args.ipv6,
            pools=_pools(args),
            labels=_pairs(args.label),
            options=_pairs(args.opt),
        )
    )
    context.show_notices()
    context.console.out(network.id)
    return 0


async def connect(args: argparse.Namespace, context: Context) -> int:
    """0 once the container has its place on the network."""
    from engine import EndpointSpec

    for text in args.link_local_ip:
        if not _is_link_local(text):
            raise UsageProblem(f"`{text}` is no link-local address", hint="as 169.254.8.9, fe80::9")
    links = [(text.partition(":")[2] or text, text.partition(":")[0]) for text in args.link]
    wish = EndpointSpec(
        network=args.network,
        aliases=tuple(args.alias),
        links=tuple(links),
        ipv4_address=args.ip,
        ipv6_address=args.ip6,
        link_local=tuple(args.link_local_ip),
        options=_pairs(args.driver_opt),
        gw_priority=args.gw_priority,
    )
    await context.engine.containers.connect(args.container, wish)
    return 0


async def disconnect(args: argparse.Namespace, context: Context) -> int:
    """0 once the container is off the network."""
    try:
        await context.engine.containers.disconnect(args.container, args.network)
    except Problem as problem:
        if not args.force or problem.code not in ("not-connected", "no-such-container"):
            raise
    return 0


def remove(args: argparse.Namespace, context: Context) -> int:
    """0; the networks that could not be removed are told together."""
    _remove_all(context, args.names, must_exist=not args.force)
    return 0


def prune(args: argparse.Namespace, context: Context) -> int:
    """0 with the names of those that were removed on stdout."""
    labels = [_label_of(text) for text in args.filter]
    if not args.force and not agreed("This removes all networks that no container is on."):
        return 1
    unused = [
        one.name for one in unused_networks(context) if all(_has(one, label) for label in labels)
    ]
    if unused:
        context.console.out("Deleted Networks:")
    _remove_all(context, unused, must_exist=False)
    return 0


def _remove_all(context: Context, names: list[str], *, must_exist: bool) -> None:
    """Remove networks and print their names. Raises an ExceptionGroup of what is still there."""
    problems: list[Problem] = []
    for name in names:
        try:
            context.engine.networks.remove(name, must_exist=must_exist)
            context.console.out(name)
        except Problem as problem:
            problems.append(problem)
    if problems:
        raise ExceptionGroup("networks that are still there", problems)


def unused_networks(context: Context) -> list[Network]:
    """Networks that no container has; one that is stopped needs its, too."""
    engine = context.engine
    needed = set()
    for _, spec in engine.containers.list_with_specs():
        for endpoint in spec.endpoints:
            found = engine.networks.find(endpoint.network)
            needed.add(found.id if found else "")
    return [one for one in engine.networks.list() if one.id not in needed]


def _label_of(text: str) -> str:
    kind, _, label = text.partition("=")
    if kind != "label":
        raise UsageProblem(f"there is no filter `{kind}`", hint="label=KEY[=VALUE]")
    return label


def _has(network: Network, label: str) -> bool:
    key, equals, value = label.partition("=")
    return key in network.labels and (not equals or network.labels[key] == value)


def _pools(args: argparse.Namespace) -> tuple[PoolSpec, ...]:
    """Gateways, ranges and reserved addresses belong to the subnet that they are in."""
    from engine import PoolSpec

    reserved = _pairs(args.aux_address)
    if "" in reserved.values():
        raise UsageProblem("--aux-address needs a name and an address", hint="as nas=10.1.2.3")
    pools = tuple(
        PoolSpec(
            subnet=subnet,
            gateway=_within(subnet, args.gateway),
            ip_range=_within(subnet, args.ip_range),
            reserved={name: text for name, text in reserved.items() if _is_in(text, subnet)},
        )
        for subnet in args.subnet
    )
    used = {*(p.gateway for p in pools), *(p.ip_range for p in pools)}
    used |= {text for pool in pools for text in pool.reserved.values()}
    lost = [one for one in (*args.gateway, *args.ip_range, *reserved.values()) if one not in used]
    if lost:
        raise NetworkProblem(
            f"network {args.name}: {lost[0]} is in none of its subnets",
            hint="give the subnet that it belongs to with --subnet",
            code="subnet-invalid",
        )
    return pools


def _within(subnet: str, texts: list[str]) -> str | None:
    return next((text for text in texts if _is_in(text, subnet)), None)


def _is_in(text: str, subnet: str) -> bool:
    import ipaddress

    try:
        inner = ipaddress.ip_network(text, strict=False)
        outer = ipaddress.ip_network(subnet, strict=False)
    except ValueError:
        return False
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def _is_link_local(text: str) -> bool:
    import ipaddress

    try:
        return "%" not in text and ipaddress.ip_address(text).is_link_local
    except ValueError:
        return False


def _pairs(texts: list[str]) -> dict[str, str]:
    return {key: value for key, _, value in (text.partition("=") for text in texts)}
