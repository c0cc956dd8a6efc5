"""`buoy network`: list and show; other verbs are in the `network_` modules beside."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from compose.commands import (
    network_changes,
    network_graph,
    network_plugs,
    network_repair,
    network_trace,
)
from compose.ui.containers import plugged_fields
from compose.ui.tables import format_table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Coroutine

    from compose.commands.context import Context
    from engine import Engine, Network

_OF_HOST = "host:"
HELP = "Networks of all projects: list, show, draw, create, connect, disconnect, remove."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verbs of `buoy network`."""
    metavar = (
        "ls | inspect | graph | trace | create | connect | disconnect | plug | unplug | repair"
        " | rm | prune"
    )
    verbs = parser.add_subparsers(dest="action", required=True, metavar=metavar)
    listing = verbs.add_parser("ls", description="List networks.", prog="buoy network ls")
    listing.add_argument("-q", "--quiet", action="store_true", help="ids alone")
    listing.add_argument("--no-trunc", action="store_true", help="whole ids")
    listing.add_argument("--format", choices=("table", "json"), default="table")
    text = "Show networks as JSON: what is recorded, who is on them, and the bridge as it is."
    text += f" {_OF_HOST}DEVICE: what was plugged into a device of the host by hand."
    showing = verbs.add_parser("inspect", description=text, prog="buoy network inspect")
    showing.add_argument("names", nargs="+", metavar="NETWORK")
    network_graph.add_arguments(verbs)
    network_trace.add_arguments(verbs)
    network_changes.add_arguments(verbs)
    network_repair.add_arguments(verbs)
    network_plugs.add_arguments(verbs)


def run(args: argparse.Namespace, context: Context) -> int | Coroutine[None, None, int]:
    """0; 1 when one is not there or could not be changed."""
    verbs: dict[str, Callable[..., int | Coroutine[None, None, int]]] = {
        "ls": _list,
        "inspect": _inspect,
        "graph": network_graph.graph,
        "trace": network_trace.trace,
        "create": network_changes.create,
        "connect": network_changes.connect,
        "disconnect": network_changes.disconnect,
        "repair": network_repair.repair,
        "plug": network_plugs.plug,
        "unplug": network_plugs.unplug,
        "rm": network_changes.remove,
        "prune": network_changes.prune,
    }
    return verbs[args.action](args, context)


def _list(args: argparse.Namespace, context: Context) -> int:
    networks = context.engine.networks.list_all()
    ids = {n.id: n.id if args.no_trunc else n.id[:12] for n in networks}
    if args.quiet:
        lines = [ids[network.id] for network in networks]
    elif args.format == "json":
        lines = [json.dumps(_fields(network, ids[network.id])) for network in networks]
    else:
        rows = [(ids[n.id], n.name, n.driver, "local") for n in networks]
        lines = [format_table(("NETWORK ID", "NAME", "DRIVER", "SCOPE"), rows)]
    for line in lines:
        context.console.out(line)
    return 0


def _fields(network: Network, shown_id: str) -> dict[str, str]:
    return {
        "ID": shown_id,
        "Name": network.name,
        "Driver": network.driver,
        "Scope": "local",
        "IPv4": str(network.pool(4) is not None).lower(),
        "IPv6": str(network.pool(6) is not None).lower(),
        "Internal": str(network.internal).lower(),
        "Labels": ",".join(f"{key}={value}" for key, value in network.labels.items()),
        "CreatedAt": _stamp(network.created_at),
    }


def _inspect(args: argparse.Namespace, context: Context) -> int:
    engine = context.engine
    known = {network.name: network for network in engine.networks.list_all()}
    shown = [
        _of_host(engine, name) or _details(engine, known.get(name) or engine.networks.get(name))
        for name in args.names
    ]
    context.console.out(json.dumps(shown, indent=4))
    return 0


def _of_host(engine: Engine, name: str) -> dict[str, Any] | None:
    """What the graph shows as `host:DEVICE`; None where nothing is plugged into that."""
    device = name.removeprefix(_OF_HOST)
    plugged = _plugged(engine, device) if device != name else []
    return {"Name": name, "Device": device, "Plugged": plugged} if plugged else None


def _details(engine: Engine, network: Network) -> dict[str, Any]:
    """In Docker's words; `Plugged`, `Observed` and `Faults` are ours: interfaces that were plugged
    into its device by hand, the bridge as the kernel has it, and what is not as it is on record."""
    return {
        "Name": network.name,
        "Id": network.id,
        "Created": _stamp(network.created_at),
        "Scope": "local",
        "Driver": network.driver,
        "EnableIPv4": network.pool(4) is not None,
        "EnableIPv6": network.pool(6) is not None,
        "IPAM": {"Driver": "default", "Options": {}, "Config": _ipam_config(network)},
        "Internal": network.internal,
        "Attachable": network.attachable,
        "Ingress": False,
        "Containers": _containers(engine, network),
        "Plugged": _plugged(engine, network.device),
        "Options": dict(network.options),
        "Labels": dict(network.labels),
        "Observed": _observed(engine, network),
        "Faults": _faults(engine, network),
    }


def _ipam_config(network: Network) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for pool in network.pools:
        config: dict[str, Any] = {"Subnet": str(pool.subnet), "Gateway": str(pool.gateway)}
        if pool.ip_range is not None:
            config["IPRange"] = str(pool.ip_range)
        if pool.reserved:
            config["AuxiliaryAddresses"] = {k: str(v) for k, v in pool.reserved.items()}
        found.append(config)
    return found


def _containers(engine: Engine, network: Network) -> dict[str, Any]:
    found = {}
    for entry in engine.networks.endpoints(network):
        container = engine.containers.find(entry.container_id)
        places = engine.networks.attachments(entry.container_id)
        place = next((p for p in places if p.network_id == network.id), None)
        addresses = place.addresses if place else ()
        found[entry.container_id] = {
            "Name": container.name if container else "",
            "EndpointID": entry.link,
            "MacAddress": place.mac_address if place else "",
            "IPv4Address": next((one for one in addresses if ":" not in one), ""),
            "IPv6Address": next((one for one in addresses if ":" in one), ""),
            "Names": list(entry.names),
            "Published": list(entry.published),
        }
    return found


def _plugged(engine: Engine, device: str) -> list[dict[str, Any]]:
    return [
        {"Container": container.id, "Name": container.name} | plugged_fields(one)
        for container in engine.containers.list()
        for one in container.plugged
        if device and one.device == device
    ]


def _observed(engine: Engine, network: Network) -> dict[str, Any] | None:
    bridge = engine.networks.observe(network)
    if bridge is None:
        return None
    return {
        "Bridge": bridge.name,
        "Up": bridge.up,
        "MTU": bridge.mtu,
        "MacAddress": bridge.mac_address,
        "Addresses": list(bridge.addresses),
        "Ports": [{"Link": p.link, "Up": p.up, "Hairpin": p.hairpin} for p in bridge.ports],
    }


def _faults(engine: Engine, network: Network) -> list[str]:
    if engine.networks.find(network.name) is None:  # host and none, and bridge before it is made
        return []
    return list(map(str, engine.networks.find_faults([network])))


def _stamp(at_s: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
