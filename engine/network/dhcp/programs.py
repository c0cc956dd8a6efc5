"""Which DHCP client the host has, and how each is run."""

from __future__ import annotations

import os

from engine.errors import NetworkProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PLACES = ("/usr/sbin", "/sbin")  # beside those of PATH
_HINT = "install one of the packages udhcpc, busybox or isc-dhcp-client"
_NEVER_FOUND = ("-A", "5")  # seconds from one round of questions to the next, without an answer


def find_client(directory: str, hostname: str) -> dict[str, Any]:
    """The `dhcp` of a plug in the launch record: `client`, `program`, `directory`, `hostname`.

    directory  where its script and what it knows of its lease are

    Raises NetworkProblem `dhcp-client-missing`.
    """
    for client, program in (("udhcpc", "udhcpc"), ("udhcpc", "busybox"), ("dhclient", "dhclient")):
        path = _find(program)
        if path is not None and (program != "busybox" or _has_applet(path)):
            return {
                "client": client,
                "program": path,
                "directory": directory,
                "hostname": hostname,
            }
    raise NetworkProblem(
        "--dhcp needs a DHCP client on the host, and there is none",
        hint=_HINT,
        code="dhcp-client-missing",
    )


def command_line(dhcp: dict[str, Any], interface: str, script: str) -> list[str]:
    """It stays in the foreground and calls `script` for every change.

    What a udhcpc is asked to end it gives its lease back before.
    """
    program, directory = dhcp["program"], dhcp["directory"]
    if dhcp["client"] == "dhclient":
        files = ("-lf", f"{directory}/leases", "-pf", f"{directory}/pid")
        settings = ("-cf", f"{directory}/settings")
        return [program, "-4", "-d", "-q", *files, *settings, "-sf", script, interface]
    applet = ["udhcpc"] if os.path.basename(program) == "busybox" else []
    name = f"hostname:{dhcp['hostname']}"
    return [
        *(program, *applet, "-f", "-R", "-i", interface, "-s", script, "-x", name),
        *("-t", "3", "-T", "2", *_NEVER_FOUND),
    ]


def settings_of(dhcp: dict[str, Any]) -> str:
    """The configuration file of dhclient."""
    quoted = dhcp["hostname"].replace("\\", "").replace('"', "")
    return f'send host-name "{quoted}";\nrequest subnet-mask, routers;\n'


def _find(program: str) -> str | None:
    places = [*os.environ.get("PATH", "").split(":"), *PLACES]
    found = (f"{place}/{program}" for place in places if place.startswith("/"))
    return next((path for path in found if os.access(path, os.X_OK)), None)


def _has_applet(busybox: str) -> bool:
    import subprocess

    listed = subprocess.run([busybox, "--list"], capture_output=True, check=False, text=True)
    return "udhcpc" in listed.stdout.split()
