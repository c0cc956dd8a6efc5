"""The devices of a service, those that it asks a driver for included, as the engine's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine import DeviceSpec, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compose.model import DeviceRequest, Project, Service

# Driver -> kind of its devices in the Container Device Interface, as Docker takes them.
_GPUS = {"": "nvidia.com/gpu", "nvidia": "nvidia.com/gpu", "amd": "amd.com/gpu"}


def device_specs(project: Project, service: Service) -> tuple[DeviceSpec, ...]:
    """Raises Problem for a request that no driver here can meet."""
    given = [
        DeviceSpec(source=one.source, target=one.target, permissions=one.permissions)
        for one in service.devices
    ]
    own = f"services.{service.name}"
    reserved = f"{own}.deploy.resources.reservations.devices"
    for request in service.gpus:
        given += _names(request, "gpu", project.where(f"{own}.gpus"))
    for request in service.reserved_devices:
        given += _names(request, "", project.where(reserved))
    return tuple(given)


def _names(request: DeviceRequest, implied: str, where: str | None) -> Iterator[DeviceSpec]:
    driver = request.driver or ""
    if driver == "cdi":
        yield from (DeviceSpec(source=name) for name in request.device_ids)
        return
    kind = _GPUS.get(driver)
    if kind is None or "gpu" not in (*request.capabilities, implied):
        wanted = ", ".join(request.capabilities) or "none"
        raise Problem(
            f"no driver `{driver}` gives devices of the capabilities {wanted}",
            where=where,
            hint="there are `nvidia` and `amd` with capability `gpu`, and `cdi`",
            code="device-driver",
        )
    names = request.device_ids
    if not names:
        names = ("all",) if request.count in (None, -1) else tuple(map(str, range(request.count)))
    yield from (DeviceSpec(source=f"{kind}={name}") for name in names)
