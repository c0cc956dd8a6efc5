"""`security_opt` of a service as the engine's: a seccomp profile is handed over as its text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from compose.model.seccomp import profile_file
from engine import Problem

if TYPE_CHECKING:
    from compose.model import Project, Service


def security_options(project: Project, service: Service) -> tuple[str, ...]:
    """Paths are relative to the project's directory. Raises Problem for what cannot be read."""
    return tuple(
        _option(project, f"services.{service.name}.security_opt[{index}]", option)
        for index, option in enumerate(service.security_opt)
    )


def _option(project: Project, path: str, option: str) -> str:
    file = profile_file(option)
    return option if file is None else f"seccomp={_text(project, path, file)}"


def _text(project: Project, path: str, name: str) -> str:
    try:
        return Path(project.directory, name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Problem(
            f"the seccomp profile {name} cannot be read: {reason}",
            where=project.where(path),
            hint="a path relative to the project's directory, `unconfined` or `builtin`",
            code="seccomp-profile",
        ) from None
