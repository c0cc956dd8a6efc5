"""Secrets that are variables of the process: what of them a stored project holds.

Their values are in memory alone. Stored is a digest, by which a later command knows whether its own
environment has the same ones.
"""

from __future__ import annotations

from compose.model.text_digest import text_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from compose.model.project import Project

Withheld = dict[str, str]  # variable -> digest of its value


def withhold(project: Project) -> tuple[Project, Withheld]:
    """The project without the values of such variables, and their digests."""
    inputs = project.inputs
    values = {name: inputs.environment.get(name) for name in inputs.secret_variables}
    digests = {name: text_digest(value) for name, value in values.items() if value is not None}
    kept = {name: one for name, one in inputs.environment.items() if name not in digests}
    secrets = {
        key: one.replace(content=None) if one.environment in digests else one
        for key, one in project.secrets.items()
    }
    return project.replace(inputs=inputs.replace(environment=kept), secrets=secrets), digests


def give_back(
    project: Project, withheld: Withheld, environment: Mapping[str, str]
) -> Project | None:
    """The project with the values that the environment has; None where those are others."""
    given: dict[str, str] = {}
    for name, digest in withheld.items():
        value = environment.get(name)
        if value is None or text_digest(value) != digest:
            return None
        given[name] = value
    inputs = project.inputs
    secrets = {
        key: one.replace(content=given[one.environment]) if one.environment in given else one
        for key, one in project.secrets.items()
    }
    complete = inputs.replace(environment={**inputs.environment, **given})
    return project.replace(inputs=complete, secrets=secrets)
