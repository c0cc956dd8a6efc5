"""Projects written into a directory for a test, and what loading them comes to."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from compose.graph.load import load_ordered
from compose.model.options import LoadOptions
from engine.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from compose.model import Project


class Files:
    """A project directory called `shop`, an environment, and loads of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "shop"
        self.directory.mkdir()
        self.environment: dict[str, str] = {"HOME": "/home/me"}

    def write(self, text: str, name: str = "compose.yaml") -> Path:
        """A file, its text without common indentation."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"))
        return path

    def options(self, environment: Mapping[str, str] = {}, **options: object) -> LoadOptions:
        """Options for a load in the directory."""
        given: dict[str, object] = {
            "working_directory": str(self.directory),
            "environment": {**self.environment, **environment},
            **options,
        }
        return LoadOptions(**given)  # type: ignore[arg-type]

    def load(
        self, text: str | None = None, environment: Mapping[str, str] = {}, **options: object
    ) -> Project:
        """The project of the directory; with `text`, that is its compose.yaml."""
        if text is not None:
            self.write(text)
        return load_ordered(self.options(environment, **options))

    def problems(
        self, text: str | None = None, environment: Mapping[str, str] = {}, **options: object
    ) -> list[Problem]:
        """What loading complains about."""
        with pytest.raises((Problem, ExceptionGroup)) as caught:
            self.load(text, environment, **options)
        error: object = caught.value
        if isinstance(error, Problem):
            return [error]
        assert isinstance(error, ExceptionGroup)
        found = [one for one in error.exceptions if isinstance(one, Problem)]
        assert len(found) == len(error.exceptions)
        return found

    def problem(
        self, text: str | None = None, environment: Mapping[str, str] = {}, **options: object
    ) -> Problem:
        """The one thing that loading complains about."""
        (problem,) = self.problems(text, environment, **options)
        return problem
