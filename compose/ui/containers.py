"""A container in words, as `docker ps` and `docker compose ps` have them (cli.md 3)."""

from __future__ import annotations

from compose.ui.tables import format_age

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from engine import Container, Plugged, PublishedPort

COMMAND_WIDTH = 20
SHORT_ID = 12
LABEL = "com.docker.compose."


def format_command(container: Container, *, full: bool = False) -> str:
    """The command in quotes, cut at 20 characters."""
    text = " ".join(container.command)
    if not full and len(text) > COMMAND_WIDTH:
        text = text[: COMMAND_WIDTH - 1] + "…"
    return f'"{text}"'


def format_created(container: Container, now_s: float) -> str:
    """`2 hours ago`."""
    return f"{format_age(now_s - container.created_at)} ago"


def format_status(container: Container, now_s: float) -> str:
    """`Up 3 minutes (healthy)`, `Exited (137) 2 hours ago`, `Created`."""
    status = container.status
    up = format_age(now_s - (container.started_at or now_s))
    since = format_age(now_s - (container.finished_at or now_s))
    if status == "running":
        health = {None: "", "starting": " (health: starting)"}
        return f"Up {up}" + health.get(container.health, f" ({container.health})")
    if status == "paused":
        return f"Up {up} (Paused)"
    if status == "restarting":
        return f"Restarting ({container.exit_code or 0}) {since} ago"
    if status == "exited":
        return f"Exited ({container.exit_code or 0}) {since} ago"
    return "Removal In Progress" if status == "removing" else status.capitalize()


def format_host_port(port: PublishedPort) -> str:
    """`0.0.0.0:8080`."""
    host = f"[{port.host_ip}]" if ":" in port.host_ip else port.host_ip
    return f"{host}:{port.published}"


def format_ports(container: Container) -> str:
    """`0.0.0.0:8080->80/tcp`; neighbours as a range: `0.0.0.0:8000-8002->8000-8002/tcp`.

    Then what is exposed and not published: `443/tcp`.
    """
    runs: list[list[PublishedPort]] = []
    for port in sorted(container.ports, key=_port_order):
        if runs and _follows(runs[-1][-1], port):
            runs[-1].append(port)
        else:
            runs.append([port])
    return ", ".join((*map(_format_run, runs), *_unpublished_runs(container)))


def plugged_fields(plugged: Plugged) -> dict[str, Any]:
    """Of an interface that was plugged in by hand, for programs."""
    return {
        "Interface": plugged.interface,
        "Device": plugged.device,
        "Addresses": list(plugged.addresses),
        "Gateways": list(plugged.gateways),
        "MacAddress": plugged.mac_address or "",
        "DHCP": plugged.dhcp,
    }


def _unpublished(container: Container) -> list[tuple[int, str]]:
    published = {(port.target, port.protocol) for port in container.ports}
    return [entry for entry in container.exposed if entry not in published]


def _unpublished_runs(container: Container) -> Iterable[str]:
    runs: list[list[tuple[int, str]]] = []
    for port, protocol in sorted(_unpublished(container), key=lambda one: (one[1], one[0])):
        if runs and runs[-1][-1] == (port - 1, protocol):
            runs[-1].append((port, protocol))
        else:
            runs.append([(port, protocol)])
    for (first, protocol), *more in runs:
        yield f"{first}-{more[-1][0]}/{protocol}" if more else f"{first}/{protocol}"


def _port_order(port: PublishedPort) -> tuple[str, str, int, int]:
    return port.protocol, port.host_ip, port.target, port.published


def _follows(before: PublishedPort, port: PublishedPort) -> bool:
    return (
        (before.protocol, before.host_ip) == (port.protocol, port.host_ip)
        and port.target == before.target + 1
        and port.published == before.published + 1
    )


def _format_run(run: list[PublishedPort]) -> str:
    first, last = run[0], run[-1]
    host, target = format_host_port(first), str(first.target)
    if first is not last:
        host, target = f"{host}-{last.published}", f"{target}-{last.target}"
    return f"{host}->{target}/{first.protocol}"


def fields(container: Container, now_s: float, *, full: bool) -> dict[str, Any]:
    """The container for programs, with the keys of `docker compose ps --format json`."""
    labels = container.labels
    volumes = [mount for mount in container.mounts if mount.type == "volume"]
    return {
        "ID": container.id if full else container.id[:SHORT_ID],
        "Name": container.name,
        "Names": container.name,
        "Project": labels.get(f"{LABEL}project", ""),
        "Service": labels.get(f"{LABEL}service", ""),
        "Image": container.reference,
        "Command": format_command(container, full=full),
        "CreatedAt": _format_time(container.created_at),
        "RunningFor": format_created(container, now_s),
        "State": container.status,
        "Status": format_status(container, now_s),
        "Health": container.health or "",
        "ExitCode": container.exit_code or 0,
        "Publishers": list(_publishers(container)),
        "Ports": format_ports(container),
        "Labels": ",".join(f"{key}={value}" for key, value in labels.items()),
        "Mounts": ",".join(mount.source or mount.target for mount in container.mounts),
        "LocalVolumes": str(len(volumes)),
        "Networks": ",".join(one.network for one in container.attachments),
        "Size": "0B",
    }


def _publishers(container: Container) -> Iterable[dict[str, Any]]:
    """What is exposed alone has no URL, and 0 for a port."""
    published = [(one.host_ip, one.target, one.published, one.protocol) for one in container.ports]
    exposed = [("", target, 0, protocol) for target, protocol in _unpublished(container)]
    keys = ("URL", "TargetPort", "PublishedPort", "Protocol")
    return (dict(zip(keys, values, strict=True)) for values in (*published, *exposed))


def _format_time(seconds: float) -> str:
    import time

    return time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(seconds))
