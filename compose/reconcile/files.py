"""Secrets and configs of a service, as what its containers mount."""

from __future__ import annotations

import os

from compose.errors import FileMissing, RequiredVariable
from compose.model.text_digest import text_digest
from engine import FileSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from compose.model import FileReference, FileSource, Project, Service

    Used = tuple[FileReference, FileSource, bool]


def used_files(project: Project, service: Service) -> Iterator[Used]:
    """What the containers of a service use, where that comes from, and whether it is secret."""
    for reference in service.secrets:
        if reference.source in project.secrets:
            yield reference, project.secrets[reference.source], True
    for reference in service.configs:
        if reference.source in project.configs:
            yield reference, project.configs[reference.source], False


def build_files(project: Project, service: Service) -> Iterator[Used]:
    """The same of its build."""
    for reference in service.build.secrets if service.build else ():
        if reference.source in project.secrets:
            yield reference, project.secrets[reference.source], True


def unset_variables(project: Project, used: Iterable[Used]) -> Iterator[RequiredVariable]:
    """A problem for each variable that something is to be made of, and that has no value."""
    for _, source, secret in used:
        if source.environment is not None and source.content is None:
            path = f"{'secrets' if secret else 'configs'}.{source.key}.environment"
            what = f"{path}: required variable `{source.environment}` is not set"
            hint = f"set {source.environment}, or take a `file`"
            yield RequiredVariable(what, where=project.where(path), hint=hint)


def missing_files(
    project: Project, service: Service, used: Iterable[Used]
) -> Iterator[FileMissing]:
    """A problem for each secret or config that is a file of the host, and is not there."""
    for _, source, secret in used:
        if source.file is not None and not os.path.exists(source.file):  # noqa: PTH110 - slow
            kind = "secret" if secret else "config"
            path = f"{kind}s.{source.key}.file"
            what = f"{kind} `{source.key}` of `{service.name}`: {source.file} does not exist"
            yield FileMissing(what, where=project.where(path), hint=f"make it, or mend `{path}`")


def file_specs(project: Project, service: Service) -> tuple[FileSpec, ...]:
    """Those that are made for each container: of a variable, or of text in the project file."""
    return tuple(
        FileSpec(
            target=reference.target,
            content=source.content,
            uid=reference.uid or 0,
            gid=reference.gid or 0,
            mode=0o444 if reference.mode is None else reference.mode,
            secret=secret,
            digest=text_digest(source.content) if secret and source.content is not None else None,
        )
        for reference, source, secret in used_files(project, service)
        if source.file is None
    )
