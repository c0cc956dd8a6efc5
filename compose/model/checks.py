"""Whether the parts of a project fit together (compose-file.md 20.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.errors import (
    Conflict,
    DependencyDisabled,
    NoImage,
    ProjectProblem,
    TargetTwice,
    UnknownConfig,
    UnknownModel,
    UnknownNetwork,
    UnknownSecret,
    UnknownService,
    UnknownVolume,
    nearest,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Set

    from compose.model.files import FileReference
    from compose.model.project import Project
    from compose.model.service import Service


def check(
    project: Project, declared: Mapping[str, Set[str]], broken: Set[str]
) -> Iterator[ProjectProblem]:
    """The problems of the enabled services of a project, one check a rule.

    declared   names by section, as `services`, that the files define, usable or not
    broken     services of which a part was left out because of another problem
    """
    yield from _container_names(project)
    for service in project.services.values():
        if service.name not in broken and not (service.image or service.build or service.provider):
            yield _no_image(project, service)
        yield from _dependencies(project, service, declared.get("services", set()))
        yield from _networks(project, service, declared.get("networks", set()))
        yield from _volumes(project, service, declared.get("volumes", set()))
        yield from _references(project, service, declared)
        yield from _contexts(project, service, declared.get("services", set()))
        yield from _targets(project, service)


def _container_names(project: Project) -> Iterator[ProjectProblem]:
    taken: dict[str, str] = {}
    for service in project.services.values():
        name = service.container_name
        if name is not None and name in taken:
            yield Conflict(
                f"services `{taken[name]}` and `{service.name}` have one container_name, `{name}`",
                where=project.where(f"services.{service.name}.container_name"),
            )
        elif name is not None:
            taken[name] = service.name


def _no_image(project: Project, service: Service) -> ProjectProblem:
    return NoImage(
        f"service `{service.name}` has neither `image` nor `build`",
        where=project.where(f"services.{service.name}"),
        hint="name the image it runs, as `image: debian:bookworm`",
    )


def _dependencies(
    project: Project, service: Service, declared: Set[str]
) -> Iterator[ProjectProblem]:
    for name, dependency in service.depends_on.items():
        if name in project.services:
            continue
        key = dependency.implied_by or "depends_on"
        where = project.where(f"services.{service.name}.{key}.{name}")
        if name not in declared:
            verb = f"depends on `{name}`" if key == "depends_on" else f"names `{name}` in `{key}`"
            what = f"service `{service.name}` {verb}, which is not defined"
            hint = nearest(name, declared - {service.name})
            yield UnknownService(what, where=where, hint=hint)
        elif name in project.disabled and dependency.required:
            yield disabled(project, service.name, name, where)


def disabled(project: Project, needing: str, needed: str, where: str | None) -> ProjectProblem:
    """A service that runs needs one that no active profile enables."""
    profiles = project.disabled[needed].profiles
    return DependencyDisabled(
        f"service `{needing}` depends on `{needed}`, which no active profile enables",
        where=where,
        hint=f"add --profile {profiles[0]}, or `required: false` to the dependency",
    )


def _networks(project: Project, service: Service, declared: Set[str]) -> Iterator[ProjectProblem]:
    for key in sorted(service.networks.keys() - declared - {"default"}):
        yield UnknownNetwork(
            f"service `{service.name}` is on network `{key}`, which is not defined",
            where=project.where(f"services.{service.name}.networks.{key}"),
            hint=nearest(key, declared) or f"add `{key}:` below `networks:` at the top level",
        )


def _volumes(project: Project, service: Service, declared: Set[str]) -> Iterator[ProjectProblem]:
    for index, mount in enumerate(service.mounts):
        if mount.type != "volume" or not mount.source or mount.source in declared:
            continue
        hint = nearest(mount.source, declared)
        if "/" in mount.source:
            hint = f"a path begins with `./`: `./{mount.source}`"
        yield UnknownVolume(
            f"service `{service.name}` mounts volume `{mount.source}`, which is not defined",
            where=project.where(f"services.{service.name}.volumes[{index}]"),
            hint=hint or f"add `{mount.source}:` below `volumes:` at the top level",
        )


def _references(
    project: Project, service: Service, declared: Mapping[str, Set[str]]
) -> Iterator[ProjectProblem]:
    """Configs, secrets and models that are used and not defined."""
    own = f"services.{service.name}"
    used: list[tuple[type[ProjectProblem], str, str, str]] = [
        (UnknownModel, "model", key, f"{own}.models.{key}") for key in service.models
    ]
    for error, kind, path, references in (
        (UnknownConfig, "config", f"{own}.configs", service.configs),
        (UnknownSecret, "secret", f"{own}.secrets", service.secrets),
        (UnknownSecret, "secret", f"{own}.build.secrets", _build_secrets(service)),
    ):
        for index, reference in enumerate(references):
            used.append((error, kind, reference.source, f"{path}[{index}]"))
    for problem, kind, key, path in used:
        known = declared.get(f"{kind}s", set())
        if key not in known:
            yield problem(
                f"service `{service.name}` uses {kind} `{key}`, which is not defined",
                where=project.where(path),
                hint=nearest(key, known) or f"add `{key}:` below `{kind}s:` at the top level",
            )


def _build_secrets(service: Service) -> tuple[FileReference, ...]:
    return service.build.secrets if service.build else ()


def _contexts(project: Project, service: Service, declared: Set[str]) -> Iterator[ProjectProblem]:
    """Images of other services that a build starts from: those must be built."""
    contexts = service.build.additional_contexts if service.build else {}
    for name, place in contexts.items():
        kind, _, needed = place.partition(":")
        if kind != "service":
            continue
        where = project.where(f"services.{service.name}.build.additional_contexts.{name}")
        other = project.services.get(needed)
        if needed not in declared:
            what = f"service `{service.name}` is built from `{needed}`, which is not defined"
            yield UnknownService(what, where=where, hint=nearest(needed, declared))
        elif needed in project.disabled:
            yield disabled(project, service.name, needed, where)
        elif other is not None and other.build is None:
            what = f"service `{service.name}` is built from `{needed}`, which has no `build`"
            hint = f"`docker-image://{other.image_name}` takes an image that exists"
            yield Conflict(what, where=where, hint=hint)


def _targets(project: Project, service: Service) -> Iterator[ProjectProblem]:
    mounted = [(mount.target, "volumes", index) for index, mount in enumerate(service.mounts)]
    mounted += [(mount.target, "tmpfs", index) for index, mount in enumerate(service.tmpfs)]
    seen: set[str] = set()
    for target, key, index in mounted:
        if target in seen:
            yield TargetTwice(
                f"service `{service.name}` mounts two things on `{target}`",
                where=project.where(f"services.{service.name}.{key}[{index}]"),
            )
        seen.add(target)
