"""The directory that a build takes its files from (engine.md D6.15)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from engine.build.hashes import FileDigests
from engine.build.ignore import Ignore, IgnoreError, parse_ignore
from engine.build.measure import measure
from engine.build.tree import Selection
from engine.errors import BuildProblem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.build.spec import BuildSpec


class Context:
    """A directory, less what its .dockerignore excludes. It is read in place."""

    def __init__(self, directory: str, ignore: Ignore, ignore_name: str, cache: str) -> None:
        self.directory, self.ignore, self.ignore_name = directory, ignore, ignore_name
        self._digests = FileDigests(cache, directory)

    def measure(
        self, sources: Sequence[str], exclude: Ignore, *, parents: bool = False
    ) -> dict[str, str]:
        """Fingerprints of what the sources name: path -> fingerprint. Raises NotFoundInRoot;
        BuildProblem for what cannot be read."""
        root = os.open(self.directory, os.O_PATH | os.O_DIRECTORY)
        try:
            selection = Selection(self.ignore, exclude)
            return measure(
                root,
                sources,
                selection,
                owners=False,
                file_digest=self._digests,
                parents=parents,
            )
        except OSError as error:
            name = f" {error.filename}" if error.filename else ""
            raise BuildProblem(
                f"the build context {self.directory} cannot be read:{name} {error.strerror}",
                code="context-unreadable",
            ) from None
        finally:
            os.close(root)
            self._digests.save()


def open_context(
    directory: str, dockerfile: str, cache: str, hidden: Sequence[str] = ()
) -> Context:
    """The context with its ignore file: `<Dockerfile>.dockerignore`, else `.dockerignore`.

    dockerfile  path of the Dockerfile; "" for one that is no file
    cache       where digests are remembered
    hidden      patterns that come before those of the file

    Raises BuildProblem where the directory is none, or a pattern is wrong.
    """
    if not os.path.isdir(directory):
        raise BuildProblem(
            f"the build context {directory} is not a directory", code="no-build-context"
        )
    own = f"{dockerfile}.dockerignore"
    path = own if dockerfile and os.path.exists(own) else f"{directory}/.dockerignore"
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
    except FileNotFoundError:
        path, text = "", ""
    except OSError as error:
        raise BuildProblem(
            f"{path} cannot be read: {error.strerror}", code="invalid-ignore-file"
        ) from None
    try:
        ignore = Ignore([*((pattern, 0) for pattern in hidden), *parse_ignore(text).patterns])
        return Context(directory, ignore, os.path.basename(path), cache)
    except IgnoreError as error:
        where = f"{os.path.basename(path)}:{error.number}:1"
        raise BuildProblem(str(error), where=where, code="invalid-pattern") from None


def read_dockerfile(spec: BuildSpec) -> tuple[str, str, str]:
    """(text, name for messages, path or ""). Raises BuildProblem where there is none."""
    if spec.dockerfile_inline is not None:
        return spec.dockerfile_inline, "dockerfile_inline", ""
    path = os.path.join(spec.context, spec.dockerfile)
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(), spec.dockerfile, path
    except UnicodeDecodeError:
        raise BuildProblem(f"{path} is not UTF-8 text", code="dockerfile-syntax") from None
    except OSError as error:
        raise BuildProblem(
            f"failed to read the Dockerfile {path}: {error.strerror}",
            hint=_nearby(path),
            code="no-dockerfile",
        ) from None


def _nearby(path: str) -> str | None:
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        return f"there is no directory {directory}"
    found = sorted(n for n in os.listdir(directory) if "dockerfile" in n.lower())
    return f"in that directory: {', '.join(found[:5])}" if found else None
