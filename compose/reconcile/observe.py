"""What exists of a project: read from the engine, changing nothing."""

from __future__ import annotations

from compose.model.record import Record
from compose.reconcile import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from compose.model import Project
    from engine import Container, ContainerSpec, Engine, Finding, Image, Network, Volume


class Origin(Record):
    """What a container was made from."""

    spec: ContainerSpec
    image: Image


class Observed(Record):
    """What exists of one project.

    containers  its containers in the order of their numbers, one-offs too
    networks    by name: those with the project's label, and those that the file names
    volumes     by name, likewise
    faults      what of its networks is not as it is on record
    images      references that services use -> id of the image, for those that are here, and for
                the platform that is asked for
    origins     id of a container -> what it was made from, for those whose service has changed
    """

    project: str
    containers: tuple[Container, ...] = ()
    networks: Mapping[str, Network] = {}
    volumes: Mapping[str, Volume] = {}
    faults: tuple[Finding, ...] = ()
    images: Mapping[str, str] = {}
    origins: Mapping[str, Origin] = {}

    def of_service(self, service: str) -> tuple[Container, ...]:
        """The service's containers, without one-offs."""
        return tuple(
            container
            for container in self.containers
            if container.labels.get(names.SERVICE) == service and not names.is_one_off(container)
        )

    def services(self) -> tuple[str, ...]:
        """Names of the services that have containers, each after those it needs."""
        needs = {
            container.labels.get(names.SERVICE, ""): names.parse_depends_on(container)
            for container in self.containers
        }
        placed: dict[str, None] = {}

        def place(name: str, above: tuple[str, ...]) -> None:
            if name in needs and name not in placed and name not in above:
                for need in needs[name]:
                    place(need, (*above, name))
                placed[name] = None

        for name in sorted(needs):
            place(name, ())
        return tuple(placed)


def observe_containers(engine: Engine, name: str) -> Observed:
    """The containers of the project `name`, by label, and nothing else."""
    containers = [
        container
        for container in engine.containers.list({names.PROJECT: name})
        if names.CONFIG_HASH in container.labels
    ]
    return Observed(
        project=name,
        containers=tuple(sorted(containers, key=lambda one: (names.number_of(one), one.name))),
    )


def observe(
    engine: Engine, name: str, project: Project | None = None, *, faults: bool = True
) -> Observed:
    """All that exists of the project `name`, by label; with `project` also what its file names.

    faults   look for those of its networks, 2 ms each
    """
    wanted = {network.name for network in project.networks.values()} if project else set()
    volumes = {volume.name for volume in project.volumes.values()} if project else set()
    networks = [
        network
        for network in engine.networks.list()
        if network.name in wanted or network.labels.get(names.PROJECT) == name
    ]
    observed = observe_containers(engine, name)
    return observed.replace(
        networks={network.name: network for network in networks},
        faults=tuple(engine.networks.find_faults(networks)) if faults else (),
        volumes={
            volume.name: volume
            for volume in engine.volumes.list()
            if volume.name in volumes or volume.labels.get(names.PROJECT) == name
        },
        images=_observe_images(engine, project) if project else {},
        origins=_observe_origins(engine, project, observed) if project else {},
    )


def _observe_images(engine: Engine, project: Project) -> dict[str, str]:
    services = project.services.values()
    platforms: dict[str, str | None] = {name: None for one in services for name in one.hook_images}
    platforms |= {one.image_name: None if one.build else one.platform for one in services}
    found: dict[str, str] = {}
    for reference, platform in platforms.items():
        image = engine.images.find(reference)
        if image is not None and (platform is None or image.is_for(platform)):
            found[reference] = image.id
    return found


def _observe_origins(engine: Engine, project: Project, observed: Observed) -> dict[str, Origin]:
    origins = {}
    for service in project.services.values():
        for container in observed.of_service(service.name):
            if container.labels.get(names.CONFIG_HASH) != service.digest:
                spec = engine.containers.spec(container.id)
                image = engine.images.find(spec.image)
                if image is not None:
                    origins[container.id] = Origin(spec=spec, image=image)
    return origins
