"""Why a variable of a service has the value that it has."""

from __future__ import annotations

from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from compose.model.project import Project
    from compose.model.service import Service

IMAGE, NOWHERE = "image", "nowhere"


class Source(Record):
    """A value and where it comes from.

    value     None: the variable is taken out
    where     `file:line:column`, or `shell`, `image`, `nowhere`
    passed    the place in a project file that passes the variable on, without a value of its own
    """

    value: str | None
    where: str
    passed: str | None = None


class Explained(Record):
    """A variable, what sets it, and what that overrode, the strongest first."""

    name: str
    source: Source
    instead_of: tuple[Source, ...] = ()


def explain_variables(
    project: Project, service: Service, image: Mapping[str, str]
) -> list[Explained]:
    """The variables of a service's containers, by name.

    image   those of its image
    """
    prefix = f"services.{service.name}.environment"
    known, passed = project.positions.exact(), project.positions.passed_from()
    former = project.positions.overridden()
    explained = []
    for name in sorted({*service.environment, *image}):
        path = f"{prefix}.{name}"
        below = [Source(value=image[name], where=IMAGE)] if name in image else []
        if name not in service.environment:
            explained.append(Explained(name=name, source=below[0]))
            continue
        weaker = [Source(value=_text(one.value), where=one.where) for one in former.get(path, ())]
        source = Source(value=service.environment[name], where=known[path])
        if path in passed:
            source = source.replace(where=passed[path], passed=known[path])
        elif source.value is None:
            source = source.replace(where=NOWHERE, passed=known[path])
        explained.append(Explained(name=name, source=source, instead_of=(*weaker, *below)))
    return explained


def _text(value: object) -> str | None:
    return value if isinstance(value, str | None) else str(value)
