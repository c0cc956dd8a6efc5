"""A project: everything that one set of Compose files asks for."""

from __future__ import annotations

from compose.model.dependencies import Dependencies
from compose.model.positions import Positions
from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from compose.model.files import FileSource
    from compose.model.models import LanguageModel
    from compose.model.network import Network
    from compose.model.service import Service
    from compose.model.volume import Volume

LABEL = "com.docker.compose."


class Notice(Record):
    """Something a user should hear about that stops nothing."""

    code: str
    what: str
    where: str | None = None


class Limitation(Record):
    """Something that the files ask for and that cannot be had: what Buoy cannot do yet, a file that
    is not there. What needs it is refused, nothing else. `path` leads to the node, as
    ("services", "web", "runtime")."""

    path: tuple[str | int, ...]
    what: str
    where: str | None = None
    hint: str | None = None
    code: str = "not-built-yet"


class Inputs(Record):
    """Everything outside the program that decided how the project reads.

    files         absolute path -> contents; None: was looked for and is not there
    environment   process variables -> value; None: not set
    links         paths whose symbolic links were followed -> where to
    secret_variables   those of `environment` that secrets are made of
    """

    files: Mapping[str, str | None] = {}
    environment: Mapping[str, str | None] = {}
    links: Mapping[str, str] = {}
    secret_variables: tuple[str, ...] = ()


class Project(Record):
    """One project, loaded, resolved and checked.

    directory           absolute; relative paths of the files were resolved against it
    files               absolute paths, in order of merging; `-` is standard input
    environment_files   the .env files that were read
    environment         their variables; the process environment goes above them
    services            the enabled ones; those that no active profile enables are in `disabled`
    networks, volumes   by key; `default` is among them when a service uses it
    all_resources       those are wanted, too, that no service uses
    not_built           whatever cannot be carried out, of all services and resources
    dependencies        computed by `compose.graph`
    """

    name: str
    directory: str
    files: tuple[str, ...] = ()
    environment_files: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    profiles: tuple[str, ...] = ()
    services: Mapping[str, Service] = {}
    disabled: Mapping[str, Service] = {}
    networks: Mapping[str, Network] = {}
    volumes: Mapping[str, Volume] = {}
    configs: Mapping[str, FileSource] = {}
    secrets: Mapping[str, FileSource] = {}
    models: Mapping[str, LanguageModel] = {}
    all_resources: bool = False
    extensions: Mapping[str, Any] = {}
    dependencies: Dependencies = Dependencies()
    positions: Positions = Positions()
    warnings: tuple[Notice, ...] = ()
    not_built: tuple[Limitation, ...] = ()
    inputs: Inputs = Inputs()

    def where(self, path: str) -> str | None:
        """`file:line:column` of a node, as of `services.web.depends_on.db`."""
        return self.positions.find(path)

    @property
    def labels(self) -> dict[str, str]:
        """The labels of every container that say which project it belongs to."""
        labels = {
            f"{LABEL}project": self.name,
            f"{LABEL}project.working_dir": self.directory,
            f"{LABEL}project.config_files": ",".join(self.files),
        }
        if self.environment_files:
            labels[f"{LABEL}project.environment_file"] = ",".join(self.environment_files)
        return labels
