"""What a kind of network must be able to do, and where the kinds are found.

A driver is a module: one file, which needs the standard library and `engine` alone, since it is
loaded again by the short process that makes a container's network (`python -SI`, without the
directories of installed packages). One of your own is announced in the package that brings it:

    [project.entry-points."buoy.network_drivers"]
    wireguard = "buoy_wireguard.driver"
"""

from __future__ import annotations

import importlib
import importlib.util

from engine.errors import NetworkProblem

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.metadata import EntryPoint
    from typing import Any, Protocol

    from engine.kernel.rtnetlink import RouteSocket
    from engine.network.spec import Network, NetworkSpec

    class Driver(Protocol):
        """The functions of the module. `host` is rtnetlink of the host's namespace."""

        ROUTED: bool
        """Whether the host routes its traffic: then we translate ports and addresses for it."""

        def validate(self, spec: NetworkSpec) -> None:
            """Raises NetworkProblem for options that it does not have. Changes nothing."""

        def is_internal(self, spec: NetworkSpec) -> bool:
            """Whether nothing can leave the network: its containers get no default route by it."""

        def device_of(self, network_id: str, spec: NetworkSpec) -> str:
            """The name of its device in the host's namespace."""

        def create(self, host: RouteSocket, network: Network) -> None:
            """What containers are plugged into; may be repeated, and completes what is there."""

        def find_faults(self, host: RouteSocket, network: Network) -> list[str]:
            """What of that is not there or not complete, in plain words. Changes nothing."""

        def plug(self, host: RouteSocket, netns_fd: int, endpoint: Mapping[str, Any]) -> str:
            """Make `endpoint["interface"]` in a container's namespace, down and without address.

            endpoint   of the launch record

            Returns the name of its end in the host's namespace; "" where there is none.
            """

        def find_link_fault(self, host: RouteSocket, link: str, network: Network) -> str:
            """What of that end is not as `plug` has left it; "" where all is well."""

        def replug(self, host: RouteSocket, link: str, network: Network) -> None:
            """Put that end back where it is not as `plug` has left it; accepts absence."""

        def unplug(self, host: RouteSocket, link: str) -> None:
            """Take a link away from a container that goes on; accepts absence."""

        def remove(self, host: RouteSocket, network: Network) -> None:
            """Take away what `create` has made; accepts absence, and what is not ours."""


BUILT_IN = ("bridge", "ipvlan", "macvlan")
ENTRY_POINTS = "buoy.network_drivers"


class DeviceMissing(OSError):
    """What a network plugs its containers into is not there: somebody deleted it."""

    code = "device-missing"

    def __init__(self, network: str, device: str) -> None:
        super().__init__(f"network {network}: its device {device} is not there")
        self.hint = f"somebody deleted it: `buoy network repair {network}` makes it again"


def get_driver(name: str) -> Driver:
    """The driver of that name. Raises NetworkProblem `driver-unknown`."""
    driver: Driver
    if name in BUILT_IN:
        module: Any = importlib.import_module(f"engine.network.drivers.{name}")
    else:
        module = _installed(name).load()
    driver = module
    return driver


def file_of(name: str) -> str | None:
    """The file of a driver that came with another package; None for one of ours."""
    if name in BUILT_IN:
        return None
    module: Any = _installed(name).load()
    return str(module.__file__)


def load_driver(endpoint: Mapping[str, Any]) -> Driver:
    """The driver of an endpoint of the launch record, where nothing but `engine` is on the path."""
    path = endpoint["driver_file"]
    if path is None:
        return get_driver(endpoint["driver"])
    spec = importlib.util.spec_from_file_location(f"buoy_driver_{endpoint['driver']}", path)
    if spec is None or spec.loader is None:
        raise OSError(f"network driver {endpoint['driver']}: {path} is no Python module")
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    driver: Driver = module
    return driver


def _installed(name: str) -> EntryPoint:
    from importlib.metadata import entry_points  # 40 ms: for the drivers of others alone

    found = {one.name: one for one in entry_points(group=ENTRY_POINTS)}
    if name not in found:
        raise NetworkProblem(
            f"there is no network driver `{name}`",
            hint=f"there are {', '.join(sorted({*BUILT_IN, *found}))}",
            code="driver-unknown",
        )
    return found[name]
