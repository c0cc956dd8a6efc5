"""A build context in a directory of its own, and what came of building it."""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine import BuildSpec, Engine, build_image
from engine.state.paths import Roots
from tests.conftest import empty
from tests.engine.build.archives import archive
from tests.engine.build.servers import DATA, serving_files, serving_repositories
from tests.images import busybox_archive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine import BuildEvent, Image
    from tests.engine.build.servers import Repository, Server


@dataclass
class Workshop:
    """Builds what is in `context`; `events` are those of the last build."""

    engine: Engine
    context: Path
    events: list[BuildEvent] = field(default_factory=list)

    def write(self, files: dict[str, str]) -> None:
        """Files of the context, by path."""
        for name, text in files.items():
            path = self.context / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o644)

    def build(self, dockerfile: str, **asked: Any) -> Image:
        """The image of a Dockerfile."""
        self.events = []
        spec = BuildSpec(context=str(self.context), dockerfile_inline=dockerfile, **asked)
        return asyncio.run(self._build(spec))

    async def _build(self, spec: BuildSpec) -> Image:
        try:
            return await build_image(self.engine, spec, self.events.append)
        finally:
            self.engine.containers.close()  # its stage belongs to this event loop

    def steps(self, kind: str) -> list[str]:
        """The instructions whose step had an event of that kind."""
        return [e.step.partition("] ")[2] for e in self.events if e.kind == kind]

    def cached(self) -> list[str]:
        """The first words of the steps that were not run."""
        return [step.partition(" ")[0] for step in self.steps("cached")]

    def notes(self) -> list[str]:
        """What was said of steps that were run again."""
        marks = "run again: "
        return [e.text.removeprefix(marks) for e in self.events if e.text.startswith(marks)]

    def output(self) -> list[str]:
        """What the steps wrote."""
        return [event.text for event in self.events if event.kind == "output"]


@pytest.fixture
def workshop(engine: Engine, tmp_path: Path) -> Workshop:
    return Workshop(engine=engine, context=tmp_path)


@pytest.fixture
def elsewhere(workshop: Workshop, engine: Engine) -> Iterator[Workshop]:
    """The same context, and an engine of another root, which has the base image alone."""
    roots = Roots(f"{engine.roots.root}/other", f"{engine.roots.run_root}/other")
    other = Engine(roots)
    other.images.load(str(busybox_archive()))
    yield Workshop(engine=other, context=workshop.context)
    asyncio.run(empty(other))


@pytest.fixture
def server() -> Iterator[Server]:
    files = {"/file.txt": DATA, "/": DATA, "/a.tar.gz": archive({"f": "f"}, "w:gz")}
    with serving_files(files) as server:
        yield server


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    with serving_repositories(tmp_path_factory.mktemp("repositories")) as repository:
        yield repository


def layer_tree(image: Image) -> dict[str, str]:
    """What the topmost layer holds: path -> content, `-> target` or `/` for a directory."""
    top = Path(image.lowers[0])
    return {f"/{path.relative_to(top)}": _shown(path) for path in top.rglob("*")}


def find_in(image: Image, path: str) -> os.stat_result | None:
    """Attributes of a path in the image; None where the topmost layer with it has a whiteout."""
    for lower in image.lowers:
        try:
            found = os.lstat(lower + path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        return None if stat.S_ISCHR(found.st_mode) and found.st_rdev == 0 else found
    return None


def _shown(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    return "/" if path.is_dir() else path.read_text(errors="replace")
