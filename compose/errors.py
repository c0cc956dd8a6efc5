"""What can be wrong with a project, each with a code that people can search for.

ProjectProblem
+-- NoProjectFile, FileMissing, InvalidProjectName,
|   RemoteUnavailable, RemoteDisabled                   finding the project
+-- YamlSyntax, DuplicateKey, KeyNotString              the text
+-- EnvFileSyntax, BadVariable, RequiredVariable        variables
+-- UnknownKey, MissingKey, InvalidValue, NotBuilt      the format
+-- UnknownService, UnknownNetwork, UnknownVolume,
|   UnknownConfig, UnknownSecret, UnknownModel          names that lead nowhere
+-- NoImage, Conflict, TargetTwice                      keys that do not go together
+-- ExtendsCycle, IncludeCycle                          files and services made from others
+-- DependencyCycle, DependencyDisabled                 the graph

Several at once are raised as one ExceptionGroup.
"""

from __future__ import annotations

from engine.errors import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class ProjectProblem(Problem):
    """Something in the files, the environment or the command line that describe a project."""

    code = "project"


class NoProjectFile(ProjectProblem):
    """There is no Compose file here or further up."""

    code = "no-project-file"


class Limit(ProjectProblem):
    """What stops only those who need the node at `path` of the project's tree; with () it stops
    everything."""

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        path: tuple[str | int, ...] = (),
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.path = path


class FileMissing(Limit):
    """A file that was asked for by name is not there, or cannot be read."""

    code = "file-not-found"


class RemoteUnavailable(ProjectProblem):
    """A project file is elsewhere, and cannot be had from there."""

    code = "remote-unavailable"


class RemoteDisabled(ProjectProblem):
    """A project file is elsewhere, and a variable says that nothing is fetched."""

    code = "remote-disabled"


class InvalidProjectName(ProjectProblem):
    """A project name may consist of a-z, 0-9, `-` and `_` only."""

    code = "invalid-project-name"


class YamlSyntax(ProjectProblem):
    """The text is not YAML."""

    code = "yaml-syntax"


class DuplicateKey(ProjectProblem):
    """One key twice in the same mapping."""

    code = "duplicate-key"


class KeyNotString(ProjectProblem):
    """A mapping key that is a number, a boolean or null."""

    code = "key-not-a-string"


class EnvFileSyntax(ProjectProblem):
    """A line of an environment file cannot be understood."""

    code = "env-file-syntax"


class BadVariable(ProjectProblem):
    """A `${...}` that is not well formed."""

    code = "bad-variable"


class RequiredVariable(ProjectProblem):
    """A `${NAME:?...}` without a value."""

    code = "required-variable"


class UnknownKey(ProjectProblem):
    """A key that the format does not have."""

    code = "unknown-key"


class MissingKey(ProjectProblem):
    """A key that must be there."""

    code = "missing-key"


class InvalidValue(ProjectProblem):
    """A value of the wrong type, or outside what its key allows."""

    code = "invalid-value"


class NotBuilt(Limit):
    """What Compose has and Buoy does not have yet: refused rather than ignored."""

    code = "not-built-yet"


class NotInKernel(ProjectProblem):
    """What this kernel has nothing for."""

    code = "not-in-kernel"


class UnknownService(ProjectProblem):
    """A service is named that is not defined."""

    code = "unknown-service"


class UnknownNetwork(ProjectProblem):
    """A service is on a network that is not defined."""

    code = "unknown-network"


class UnknownVolume(ProjectProblem):
    """A service mounts a named volume that is not defined."""

    code = "unknown-volume"


class UnknownConfig(ProjectProblem):
    """A service uses a config that is not defined."""

    code = "unknown-config"


class UnknownSecret(ProjectProblem):
    """A service or build uses a secret that is not defined."""

    code = "unknown-secret"


class UnknownModel(ProjectProblem):
    """A service uses a language model that is not defined."""

    code = "unknown-model"


class NoImage(ProjectProblem):
    """A service with neither `image` nor `build`."""

    code = "no-image"


class Conflict(ProjectProblem):
    """Keys that exclude or contradict each other."""

    code = "conflicting-keys"


class TargetTwice(ProjectProblem):
    """Two mounts of one service on the same target."""

    code = "mount-target-twice"


class ExtendsCycle(ProjectProblem):
    """Services that extend each other in a circle."""

    code = "extends-cycle"


class IncludeCycle(ProjectProblem):
    """Files that include each other in a circle."""

    code = "include-cycle"


class DependencyCycle(ProjectProblem):
    """Services that need each other in a circle."""

    code = "dependency-cycle"


class DependencyDisabled(ProjectProblem):
    """A service needs one that no active profile enables."""

    code = "dependency-disabled"


def raise_all(problems: Sequence[Problem]) -> None:
    """Raise nothing for none, the one for one, an ExceptionGroup for several."""
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise ExceptionGroup("problems in the project", list(problems))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """A hint that names the known word nearest to `name`; else, when they are few, all of them."""
    import difflib

    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    if 0 < len(names) <= 8:
        return "known: " + ", ".join(f"`{known}`" for known in names)
    return None
