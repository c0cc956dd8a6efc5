"""Containers in the network of another one (engine.md A8.7, B7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.containers.modes import donor_name
from engine.containers.program import hostname_of
from engine.errors import ContainerProblem

if TYPE_CHECKING:
    from engine.containers.containers import Containers
    from engine.containers.spec import ContainerSpec


def network_owner(containers: Containers, container_id: str, spec: ContainerSpec) -> str:
    """Id of the container that has made the network: this one, or whom it shares that of.

    Raises ContainerProblem for what only the owner of a network can have.
    """
    if not donor_name(spec.network):
        return container_id
    for given, key in (
        (spec.ports, "ports"),
        (spec.hostname or spec.domainname, "hostname"),
        (spec.dns or spec.dns_search or spec.dns_options, "dns"),
        (spec.extra_hosts, "extra_hosts"),
    ):
        if given:
            raise ContainerProblem(
                f"container {spec.name}: `{key}` is not for one in the network of another",
                hint=f"give it to {donor_name(spec.network)}",
                code="network-conflict",
            )
    owner, passed = container_id, {container_id}
    while name := donor_name(spec.network):
        donor = containers.find(name)
        if donor is None or donor.id in passed:
            break
        owner, spec = donor.id, containers.spec(donor.id)
        passed.add(owner)
    return owner


def with_owners_name(containers: Containers, owner: str, spec: ContainerSpec) -> ContainerSpec:
    """Host and domain name are those of the owner of the network (engine.md A8.2)."""
    if spec.uts_mode == "host":
        return spec
    theirs = containers.spec(owner)
    hostname = hostname_of(owner, theirs)
    return spec.replace(hostname=hostname, domainname=theirs.domainname)
