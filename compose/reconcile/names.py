"""Names and labels of what a project makes: Docker Compose's own, which other tools read.

Source: spec/cli.md 7.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from compose.model import Project, Service
    from engine import Container

PREFIX = "com.docker.compose."
PROJECT = PREFIX + "project"
SERVICE = PREFIX + "service"
NUMBER = PREFIX + "container-number"
ONE_OFF = PREFIX + "oneoff"
CONFIG_HASH = PREFIX + "config-hash"
DEPENDS_ON = PREFIX + "depends_on"
IMAGE = PREFIX + "image"
HOOK = PREFIX + "hook"
REPLACE = PREFIX + "replace"
SLUG = PREFIX + "slug"
VERSION = PREFIX + "version"
NETWORK = PREFIX + "network"
VOLUME = PREFIX + "volume"
CONFIG_FILES = PREFIX + "project.config_files"


def container_name(project: Project, service: Service, number: int) -> str:
    """`shop-web-1`, or the service's `container_name` as it is."""
    return service.container_name or f"{project.name}-{service.name}-{number}"


def short_name(name: str, project: str) -> str:
    """A container's name as the user sees it: `web-1` for `shop-web-1`."""
    return name.removeprefix(f"{project}-")


def hook_name(project: Project, service: Service, number: int) -> str:
    """Name of the container of a service's hook `number` of `pre_start`."""
    return f"{project.name}-{service.name}-pre_start-{number}"


def number_of(container: Container) -> int:
    """The replica's number; 0 for a one-off container."""
    text = container.labels.get(NUMBER, "")
    return int(text) if text.isdecimal() else 0


def is_one_off(container: Container) -> bool:
    """Whether it was made by `run`."""
    return container.labels.get(ONE_OFF) == "True"


def is_hook(container: Container) -> bool:
    """Whether it is of a hook of its service, which failed or is under way."""
    return HOOK in container.labels


def format_depends_on(service: Service) -> str:
    """The label that lets `down` and `stop` order things without a file: `db:condition:restart`."""
    return ",".join(
        f"{name}:{dependency.condition}:{str(dependency.restart).lower()}"
        for name, dependency in service.depends_on.items()
    )


def parse_depends_on(container: Container) -> dict[str, bool]:
    """Service names that the container's service needs -> whether it restarts with them."""
    text = container.labels.get(DEPENDS_ON, "")
    needed = (entry.split(":") for entry in text.split(",") if entry)
    return {name: rest[-1:] == ["true"] for name, *rest in needed}
