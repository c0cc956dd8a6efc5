"""The part of a plan that makes networks, volumes and images."""

from __future__ import annotations

from compose.reconcile import names
from compose.reconcile.bases import bases_of, with_bases
from compose.reconcile.decide import UP
from engine.errors import NetworkProblem, VolumeProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from compose.model import Project, Service
    from compose.reconcile.observe import Observed
    from compose.reconcile.step import Action, StepList
    from engine import Container

    Stop = Callable[[Container, str], int]


class ResourceSteps:
    """Adds to `steps` what is missing, and remembers which step makes it.

    networks, volumes   key in the file -> step
    images              reference -> step
    build               False: never build an image
    stop                plans that a container is stopped, and says by which step
    """

    def __init__(
        self, steps: StepList, project: Project, observed: Observed, *, stop: Stop, build: bool
    ) -> None:
        self._steps, self._project, self._observed = steps, project, observed
        self._stop, self._build = stop, build
        self.networks: dict[str, int] = {}
        self.volumes: dict[str, int] = {}
        self.images: dict[str, int] = {}

    def plan(self, services: Mapping[str, Service], *, changing: Iterable[Service]) -> None:
        """Networks and volumes of `services`, or all; images of those that get new containers."""
        everything = self._project.all_resources
        networks = [key for service in services.values() for key in service.networks]
        for key in self._project.networks if everything else networks:
            self._network(key)
        volumes = [key for service in services.values() for key in _volume_keys(service)]
        for key in self._project.volumes if everything else volumes:
            self._volume(key)
        for service in changing:
            self._image(service)
            for reference in service.hook_images:
                self._hook_image(service, reference)
            for shown in self._shown(service):
                self._image(shown)

    def recreate_volumes(self, recreated: Iterable[str], removals: Iterable[int]) -> None:
        """Volumes (names) that are made anew, once `removals` have removed their users."""
        keys = {volume.name: key for key, volume in self._project.volumes.items()}
        for name in recreated:
            self.volumes[keys[name]] = self._steps.add(
                "recreate", "volume", name, "configuration changed", needs=removals
            )

    def needed_by(self, service: Service) -> list[int]:
        """The steps that make what a container of the service consists of."""
        made = [
            *(self.networks.get(key) for key in service.networks),
            *(self.volumes.get(key) for key in _volume_keys(service)),
            *(self.images.get(name) for name in (service.image_name, *service.hook_images)),
            *(self.images.get(shown.image_name) for shown in self._shown(service)),
        ]
        return [step for step in made if step is not None]

    def _network(self, key: str) -> None:
        network = self._project.networks[key]
        found = self._observed.networks.get(network.name)
        if key in self.networks:
            return
        if network.external:
            if found is None:
                raise NetworkProblem(
                    f"network `{network.name}` is external and does not exist",
                    where=self._project.where(f"networks.{key}"),
                    hint="create it first, or leave out `external`",
                    code="external-network-missing",
                )
            self._restore_network(key, network.name)
        elif found is None:
            self.networks[key] = self._steps.add("create", "network", network.name, "missing")
        elif found.labels.get(names.CONFIG_HASH, network.digest) != network.digest:
            self._recreate_network(key, network.name)
        else:
            self._restore_network(key, network.name)

    def _restore_network(self, key: str, name: str) -> None:
        faults = [str(one) for one in self._observed.faults if one.network == name and not one.hint]
        if faults:
            more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
            cause = f"{faults[0]}{more}"
            self.networks[key] = self._steps.add("restore", "network", name, cause)

    def _recreate_network(self, key: str, name: str) -> None:
        users = [
            container
            for container in self._observed.containers
            if container.status in UP
            and any(attachment.network == name for attachment in container.attachments)
        ]
        stops = [self._stop(container, f"network {key} changes") for container in users]
        self.networks[key] = self._steps.add(
            "recreate", "network", name, "configuration changed", needs=stops
        )

    def _volume(self, key: str) -> None:
        volume = self._project.volumes[key]
        if key in self.volumes or volume.name in self._observed.volumes:
            return
        if volume.external:
            raise VolumeProblem(
                f"volume `{volume.name}` is external and does not exist",
                where=self._project.where(f"volumes.{key}"),
                hint="create it first, or leave out `external`",
                code="external-volume-missing",
            )
        self.volumes[key] = self._steps.add("create", "volume", volume.name, "missing")

    def _image(self, service: Service) -> None:
        reference = service.image_name
        if reference not in self._observed.images and reference not in self.images:
            action, cause = self._way_to_image(service)
            needs = () if action == "pull" else self._bases(service)
            self.images[reference] = self._steps.add(
                action, "image", reference, cause, service=service.name, needs=needs
            )

    def _shown(self, service: Service) -> list[Service]:
        """Services whose images its containers mount."""
        sources = [mount.source for mount in service.mounts if mount.type == "image"]
        return [self._project.services[name] for name in sources if name in self._project.services]

    def _hook_image(self, service: Service, reference: str) -> None:
        """That of a hook: perhaps the image of another service."""
        services = self._project.services.values()
        owner = next((one for one in services if one.image_name == reference), None)
        if owner is not None:
            self._image(owner)
        elif reference not in self._observed.images and reference not in self.images:
            step = self._steps.add("pull", "image", reference, "missing", service=service.name)
            self.images[reference] = step

    def _bases(self, service: Service) -> tuple[int, ...]:
        """Steps that make the images that a build starts from."""
        bases = bases_of(self._project, service)
        for base in with_bases(self._project, bases):
            self._image(base)
        names = (base.image_name for base in bases)
        return tuple(self.images[name] for name in names if name in self.images)

    def _way_to_image(self, service: Service) -> tuple[Action, str]:
        """How a missing image is come by: what has a name of its own may be in a registry."""
        if not service.build or not self._build:
            return "pull", "missing"
        if service.image is None or service.pull_policy in ("build", "never"):
            return "build", "missing"
        return "fetch", "missing; built if it cannot be pulled"


def _volume_keys(service: Service) -> list[str]:
    return [mount.source for mount in service.mounts if mount.type == "volume" and mount.source]
