"""Which files make up a project, its directory and its environment (compose-file.md 2.1, 12.1)."""

from __future__ import annotations

import os.path
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from compose.errors import FileMissing, NoProjectFile
from compose.source.dotenv import Setting, read_dotenv, values_of
from compose.source.remote import fetch, is_remote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from compose.source.surroundings import Surroundings
    from compose.source.tree import Mark

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)


@dataclass(slots=True, kw_only=True)
class Environment:
    """The variables of a project: the process's above those of environment files.

    settings   every line of the files that sets one
    services   by path of a service, all that sets a variable of it, the weakest first
    fixed   above both: the name of the project, once it is known
    unset   variables that were replaced by nothing, with where that was first
    notices   by place in an environment file, what is read otherwise than it may be meant
    passed  values of variables that services take from an environment, with their origins, by where
            that is said: an included file has an environment of its own
    """

    surroundings: Surroundings
    files: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    settings: list[Setting] = field(default_factory=list)
    services: dict[str, list[Setting]] = field(default_factory=dict)
    fixed: dict[str, str] = field(default_factory=dict)
    unset: dict[str, str] = field(default_factory=dict)
    notices: dict[str, str] = field(default_factory=dict)
    passed: dict[Mark, tuple[str | None, str | None]] = field(default_factory=dict)

    def find(self, name: str) -> str | None:
        """Value of a variable; None where it is not set."""
        if name in self.fixed:
            return self.fixed[name]
        value = self.surroundings.variable(name)
        return self.values.get(name) if value is None else value

    def is_on(self, name: str, *, default: bool = False) -> bool:
        """Whether a variable says yes: `1`, `true`, `yes`, `on` in any case."""
        value = self.find(name)
        return default if not value else value.lower() in ("1", "t", "true", "yes", "y", "on")

    def origin(self, name: str) -> str | None:
        """Where the value of a variable comes from: `shell`, `file:line:column`, or nowhere."""
        if self.surroundings.variable(name) is not None:
            return "shell"
        value = self.values.get(name)
        found = (one.where for one in self.settings if (one.name, one.value) == (name, value))
        return next(found, None)

    def pass_on(self, name: str, mark: Mark) -> tuple[str | None, str | None]:
        """Value and origin of a variable that is named at `mark` without a value; of several
        environments that were asked, the first one's."""
        return self.passed.setdefault(mark, (self.find(name), self.origin(name)))

    def missing(self, name: str, where: str) -> None:
        """Remember a variable that was replaced by nothing."""
        self.unset.setdefault(name, where)

    def notice(self, what: str, where: str) -> None:
        """Remember what is read otherwise than it may be meant."""
        self.notices[where] = what

    def inner(self) -> Environment:
        """That of an included project: this one's variables, to which `add` adds others."""
        return Environment(
            surroundings=self.surroundings,
            values=dict(self.values),
            settings=list(self.settings),
            fixed=self.fixed,
            unset=self.unset,
            notices=self.notices,
            passed=self.passed,
        )

    def add(self, paths: Sequence[str]) -> None:
        """Add the variables of environment files that exist, the later above the earlier ones,
        all below what is known already. Raises EnvFileSyntax."""
        added: dict[str, str] = {}
        for path in paths:
            added |= self.parse(path, self.surroundings.read(path) or "", added)
        self.values = {**added, **self.values}

    def parse(self, path: str, text: str, earlier: Mapping[str, str] = {}) -> dict[str, str]:
        """The variables of one more environment file. Raises EnvFileSyntax.

        earlier   those of files before it, which its own go above
        """
        shown = self.surroundings.shown(path)
        self.files.append(path)
        settings = read_dotenv(
            text, shown, self.find, lambda name: self.missing(name, shown), self.notice, earlier
        )
        self.settings += settings
        return values_of(settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The files of a project, absolute, in order of merging; `-` is standard input.

    fetched     those of the files that came from elsewhere
    ambiguous   other default names in the same directory, which are not read
    real_name   base name of the directory that `directory` leads to, where it is another one
    """

    files: tuple[str, ...]
    directory: str
    environment: Environment
    fetched: frozenset[str] = frozenset()
    ambiguous: tuple[str, ...] = ()
    real_name: str | None = None


def discover(
    surroundings: Surroundings,
    files: Sequence[str] = (),
    directory: str | None = None,
    env_files: Sequence[str] = (),
) -> Found:
    """Find a project's files, directory and environment.

    files, directory, env_files   as given by -f, --project-directory, --env-file

    Files from elsewhere are fetched. Raises NoProjectFile, FileMissing, EnvFileSyntax, and as
    `fetch`.
    """
    environment = Environment(surroundings=surroundings)
    given = None if directory is None else surroundings.absolute(directory)
    asked = [_located(path, surroundings) for path in files]
    explicit = _explicit_env_files(environment, env_files)
    if explicit is None:
        _read_default(environment, given or _directory_of(asked) or surroundings.directory)
    else:
        environment.add([_existing(path, surroundings) for path in explicit])
    asked = asked or _from_variable(environment)
    chosen, ambiguous = (asked, []) if asked else search(surroundings, given)
    project = given or _directory_of(chosen) or surroundings.directory
    if explicit is None:
        _read_default(environment, project)
    here = {path: fetch(path, environment, path) for path in chosen if is_remote(path)}
    chosen = [here.get(path, path) for path in chosen]
    _require(surroundings, chosen)
    return Found(
        files=tuple(chosen),
        fetched=frozenset(here.values()),
        directory=project,
        environment=environment,
        ambiguous=tuple(ambiguous),
        real_name=_real_name(surroundings, project),
    )


def _real_name(surroundings: Surroundings, directory: str) -> str | None:
    """Where a symbolic link leads to a directory of another name: that name."""
    real = os.path.basename(surroundings.followed(directory))  # noqa: PTH119
    return None if real == os.path.basename(directory) else real  # noqa: PTH119


def search(surroundings: Surroundings, start: str | None = None) -> tuple[list[str], list[str]]:
    """The default file with its override, found upward from `start` or the working directory.

    Returns the files, and other default names beside them. Raises NoProjectFile.
    """
    directory = start or surroundings.directory
    while True:
        present = _present(surroundings, directory, NAMES)
        if present:
            override = _present(surroundings, directory, OVERRIDES)[:1]
            return [present[0], *override], present[1:]
        parent = os.path.dirname(directory)  # noqa: PTH120
        if parent == directory:
            raise NoProjectFile(
                f"there is no {NAMES[0]} in {start or surroundings.directory} or above it",
                hint=f"name one with -f; {', '.join(NAMES)} are looked for",
            )
        directory = parent


def _present(surroundings: Surroundings, directory: str, names: Sequence[str]) -> list[str]:
    paths = [surroundings.within(directory, name) for name in names]
    return [path for path in paths if surroundings.read(path) is not None]


def _directory_of(files: Sequence[str]) -> str | None:
    """Directory of the first file that is one of this machine."""
    local = (path for path in files if path != "-" and not is_remote(path))
    return next((os.path.dirname(path) for path in local), None)  # noqa: PTH120


def _located(path: str, surroundings: Surroundings) -> str:
    """A file as it was given, absolute if it is one of this machine."""
    return path if path == "-" or is_remote(path) else surroundings.absolute(path)


def _from_variable(environment: Environment) -> list[str]:
    listed = environment.find("COMPOSE_FILE")
    if not listed:
        return []
    separator = environment.find("COMPOSE_PATH_SEPARATOR") or os.pathsep
    surroundings = environment.surroundings
    return [_located(path, surroundings) for path in listed.split(separator) if path]


def _require(surroundings: Surroundings, files: Sequence[str]) -> None:
    for path in files:
        if surroundings.read(path) is None:
            shown = surroundings.shown(path)
            what = f"project file {shown} {surroundings.failing(path)}"
            raise FileMissing(what, where=shown)


def _explicit_env_files(environment: Environment, given: Sequence[str]) -> list[str] | None:
    """Environment files asked for; [] where the default is switched off; None: the default."""
    if given:
        return list(given)
    if listed := environment.find("COMPOSE_ENV_FILES"):
        return [path.strip() for path in listed.split(",") if path.strip()]
    return [] if environment.is_on("COMPOSE_DISABLE_ENV_FILE") else None


def _existing(path: str, surroundings: Surroundings) -> str:
    """The absolute path of an environment file that was asked for."""
    absolute = surroundings.absolute(path)
    if surroundings.read(absolute) is None:
        what = f"environment file {path} {surroundings.failing(absolute)}"
        raise FileMissing(what, where=path)
    return absolute


def _read_default(environment: Environment, directory: str) -> None:
    """Add the variables of a directory's `.env` to those that are known already."""
    path = environment.surroundings.within(directory, ".env")
    text = environment.surroundings.read(path)
    if text is not None and path not in environment.files:
        environment.values = {**environment.parse(path, text), **environment.values}
