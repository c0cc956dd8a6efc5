"""From options to a checked Project, without its graph (`compose.graph` adds that)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from compose.errors import Limit, raise_all
from compose.model.checks import check
from compose.model.digest import network_with_digest, volume_with_digest, with_digest
from compose.model.fields import Fields
from compose.model.network import Network
from compose.model.origins import positions_of
from compose.model.project import Inputs, Limitation, Notice, Project
from compose.model.read_files import read_source
from compose.model.read_models import read_model
from compose.model.read_network import read_network, read_volume
from compose.model.read_publish import LOOPBACK, loopback_notices, read_publish
from compose.model.read_service import host_platform, is_of_host, read_service
from compose.model.seccomp import profile_file
from compose.source.discover import Environment, Found, discover
from compose.source.load import load
from compose.source.names import checked_name
from compose.source.surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from compose.model.files import FileSource
    from compose.model.options import LoadOptions
    from compose.model.positions import Positions
    from compose.model.service import Service
    from compose.model.volume import Volume
    from compose.source.loaded import Loaded
    from engine.errors import Problem


def load_project(options: LoadOptions) -> Project:
    """The project that the options speak of.

    Raises a ProjectProblem, or an ExceptionGroup of all that can be found at once.
    """
    surroundings = Surroundings(options.working_directory, options.environment)
    found = discover(surroundings, options.files, options.project_directory, options.env_files)
    loaded = load(found, _given_name(options, found.environment))
    reading = _Reading(options, found, loaded)
    project = reading.project()
    problems = [one for one in loaded.problems if not _is_limit(one)]
    if options.consistency:
        problems += check(project, loaded.declared, loaded.broken)
    raise_all(problems)
    return project


def load_tree(options: LoadOptions, *, variables: bool = True, paths: bool = True) -> Loaded:
    """The files of a project merged and in long forms.

    variables, paths   False: they are left as they are written

    Raises as `load_project`, for what can be known without the values.
    """
    surroundings = Surroundings(options.working_directory, options.environment)
    found = discover(surroundings, options.files, options.project_directory, options.env_files)
    loaded = load(found, _given_name(options, found.environment), variables=variables, paths=paths)
    raise_all([one for one in loaded.problems if not _is_limit(one)])
    return loaded


def _is_limit(problem: Problem) -> bool:
    """Whether the project can be loaded all the same: what needs it is refused later."""
    return isinstance(problem, Limit) and bool(problem.path)


def _given_name(options: LoadOptions, environment: Environment) -> str | None:
    if options.project_name:
        return checked_name(options.project_name, "-p")
    variable = environment.find("COMPOSE_PROJECT_NAME")
    return checked_name(variable, "COMPOSE_PROJECT_NAME") if variable else None


class _Reading:
    """One load: turns the tree into the parts of a Project."""

    def __init__(self, options: LoadOptions, found: Found, loaded: Loaded) -> None:
        self._options, self._found, self._loaded = options, found, loaded
        self._environment = found.environment
        self._fields = Fields(loaded.tree, (), loaded.problems, loaded.tree)

    def project(self) -> Project:
        profiles = self._profiles()
        sources = {section: self._sources(section) for section in ("secrets", "configs")}
        services = self._services(profiles, sources)
        positions = self._positions()
        enabled = {name: one for name, one in services.items() if _enabled(one.profiles, profiles)}
        disabled = {name: one for name, one in services.items() if name not in enabled}
        return Project(
            name=self._loaded.name,
            directory=self._found.directory,
            files=self._found.files,
            environment_files=tuple(self._environment.files),
            environment=dict(sorted(self._environment.values.items())),
            profiles=profiles,
            services={name: _without(disabled, one) for name, one in enabled.items()},
            disabled=disabled,
            networks=self._networks(services.values()),
            volumes=self._volumes(),
            configs=sources["configs"],
            secrets=sources["secrets"],
            models={key: read_model(key, one) for key, one in self._fields.named("models")},
            all_resources=self._options.all_resources,
            extensions=self._extensions(),
            positions=positions,
            warnings=(
                *self._warnings(),
                *_ports_without_network(enabled.values(), positions),
                *loopback_notices(enabled.values(), positions),
                *_owners_without_effect(enabled.values(), sources, positions),
            ),
            not_built=self._limitations(),
            inputs=self._inputs(sources["secrets"].values()),
        )

    def _extensions(self) -> dict[str, Any]:
        """Those of the top level; services and resources have their own."""
        found = self._fields.extensions()
        return {key: value for key, value in found.items() if key.startswith("x-")}

    def _profiles(self) -> tuple[str, ...]:
        """Active profiles: those asked for, and those of services that were named."""
        listed = (self._environment.find("COMPOSE_PROFILES") or "").split(",")
        asked = self._options.profiles or [name.strip() for name in listed if name.strip()]
        named = [
            profile
            for name, fields in self._fields.named("services")
            if name in self._options.services
            for profile in fields.texts("profiles")
        ]
        return tuple(dict.fromkeys([*asked, *named]))

    def _services(
        self, profiles: Collection[str], sources: Mapping[str, Mapping[str, FileSource]]
    ) -> dict[str, Service]:
        everywhere = read_publish(self._fields)
        services = {
            name: read_service(
                name,
                fields,
                self._loaded.name,
                self._found.directory,
                self._environment,
                enabled=_enabled(fields.texts("profiles"), profiles),
                read_files=self._options.read_env_files,
            ).replace(loopback=self._is_loopback(fields, everywhere))
            for name, fields in self._fields.named("services")
        }
        return {
            name: with_digest(
                one,
                sources,
                services,
                self._seccomp_profiles(one) if _enabled(one.profiles, profiles) else {},
            )
            for name, one in services.items()
        }

    def _is_loopback(self, service: Fields, everywhere: str | None) -> bool:
        """What a service says goes before what the project says; the command line before both."""
        said = read_publish(service) or everywhere
        return self._options.loopback or said == LOOPBACK

    def _seccomp_profiles(self, service: Service) -> dict[str, str]:
        """Text by name as written. One that cannot be read is complained of when it is used."""
        surroundings = self._environment.surroundings
        names = filter(None, map(profile_file, service.security_opt))
        texts = {
            name: surroundings.read(os.path.join(self._found.directory, name))  # noqa: PTH118
            for name in names
        }
        return {name: text for name, text in texts.items() if text is not None}

    def _networks(self, services: Collection[Service]) -> dict[str, Network]:
        networks = {
            key: read_network(key, fields, self._loaded.name)
            for key, fields in self._fields.named("networks")
        }
        if any("default" in service.networks for service in services):
            own = Network(key="default", name=f"{self._loaded.name}_default")
            networks.setdefault("default", own)
        return {key: network_with_digest(one) for key, one in sorted(networks.items())}

    def _volumes(self) -> dict[str, Volume]:
        return {
            key: volume_with_digest(read_volume(key, fields, self._loaded.name))
            for key, fields in self._fields.named("volumes")
        }

    def _sources(self, section: str) -> dict[str, FileSource]:
        return {
            key: read_source(key, fields, self._loaded.name, self._loaded.values)
            for key, fields in self._fields.named(section)
        }

    def _limitations(self) -> tuple[Limitation, ...]:
        """All that was found to be missing, now that everything has been read."""
        return tuple(
            Limitation(path=one.path, what=one.what, where=one.where, hint=one.hint, code=one.code)
            for one in self._loaded.problems
            if isinstance(one, Limit) and one.path
        )

    def _positions(self) -> Positions:
        return positions_of(self._loaded.tree, self._environment.services)

    def _warnings(self) -> tuple[Notice, ...]:
        notices = [
            Notice(code=code, what=what, where=where) for code, what, where in self._loaded.notices
        ]
        notices += [
            Notice(
                code="variable-not-set",
                what=f"variable `{name}` is not set: nothing is put in its place",
                where=where,
            )
            for name, where in self._environment.unset.items()
        ]
        notices += [
            Notice(code="env-file", what=what, where=where)
            for where, what in self._environment.notices.items()
        ]
        default_platform = self._environment.find("DOCKER_DEFAULT_PLATFORM")
        if default_platform and not is_of_host(default_platform):
            what = f"DOCKER_DEFAULT_PLATFORM={default_platform} has no effect"
            what = f"{what}: images are those for this host, {host_platform()}"
            notices.append(Notice(code="no-effect", what=what))
        if self._found.ambiguous:
            shown = [self._environment.surroundings.shown(path) for path in self._found.ambiguous]
            used = self._environment.surroundings.shown(self._found.files[0])
            what = f"{', '.join(shown)} beside {used} is not read"
            notices.append(Notice(code="several-project-files", what=what))
        return tuple(notices)

    def _inputs(self, secrets: Iterable[FileSource]) -> Inputs:
        surroundings = self._environment.surroundings
        return Inputs(
            files=dict(surroundings.files),
            environment=dict(surroundings.variables),
            links=dict(surroundings.links),
            secret_variables=tuple(one.environment for one in secrets if one.environment),
        )


def _ports_without_network(services: Iterable[Service], positions: Positions) -> Iterator[Notice]:
    for service in services:
        if service.ports and service.network_mode in ("host", "none"):
            what = (
                f"`ports` of `{service.name}`: published ports are discarded when using "
                f"{service.network_mode} network mode"
            )
            where = positions.find(f"services.{service.name}.ports")
            yield Notice(code="no-effect", what=what, where=where)


def _owners_without_effect(
    services: Iterable[Service],
    sources: Mapping[str, Mapping[str, FileSource]],
    positions: Positions,
) -> Iterator[Notice]:
    """Secrets and configs that are files of the host keep their owners and permissions."""
    for service in services:
        for section, references in (("secrets", service.secrets), ("configs", service.configs)):
            for index, one in enumerate(references):
                source = sources[section].get(one.source)
                changed = (one.uid, one.gid, one.mode) != (None, None, None)
                if source is not None and source.file is not None and changed:
                    path = f"services.{service.name}.{section}[{index}]"
                    what = f"`{path}`: owner and mode have no effect, `{one.source}` is a file"
                    yield Notice(code="no-effect", what=what, where=positions.find(path))


def _without(disabled: Collection[str], service: Service) -> Service:
    """A service without the dependencies that are disabled, and not required."""
    kept = {
        name: one
        for name, one in service.depends_on.items()
        if one.required or name not in disabled
    }
    return service.replace(depends_on=kept)


def _enabled(profiles: Collection[str], active: Collection[str]) -> bool:
    return not profiles or "" in profiles or "*" in active or not set(active).isdisjoint(profiles)
