"""What a Dockerfile says, one frozen record per instruction (engine.md D6.6).

Texts are as written: variables are expanded when the step is run, with the values from before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.kernel.record import Record

if TYPE_CHECKING:
    from engine.build.lines import Heredoc, Line


class Instruction(Record):
    """What all have: the line it is on, in which file."""

    line: Line
    file: str

    @property
    def where(self) -> str:
        """`Dockerfile:7:1`: the start of the instruction."""
        return self.locate(0)

    @property
    def text(self) -> str:
        """The whole instruction in one line, for display."""
        return " ".join(self.line.text.split())

    def locate(self, offset: int) -> str:
        """`Dockerfile:7:12`: one character of the instruction's text."""
        number, column = self.line.position(offset)
        return f"{self.file}:{number}:{column}"

    def locate_word(self, word: str) -> str:
        """Where a word of the instruction stands; the instruction itself if it cannot be found."""
        return self.locate(max(self.line.text.find(word), 0))


class Command(Record):
    """What is to be run. `shell`: `words` is one text for the shell; else an argv."""

    words: tuple[str, ...]
    shell: bool


class From(Instruction):
    """The start of a stage."""

    image: str
    alias: str | None
    platform: str | None


class Arg(Instruction):
    """Build arguments: (name, default or None)."""

    pairs: tuple[tuple[str, str | None], ...]


class Run(Instruction):
    """A command run in the stage; `mounts` as in --mount=...

    network     default, none or host
    privileged  --security=insecure
    """

    command: Command
    heredocs: tuple[Heredoc, ...]
    mounts: tuple[str, ...]
    network: str
    privileged: bool


class Copy(Instruction):
    """COPY and ADD.

    link      into a layer of its own, which knows nothing of what is below
    parents   with the directories that a source is in, from its `/./` on
    unpack    archives: None as the instruction does, that is local ones by ADD
    checksum  ADD: of the one source, as `sha256:...` or as a commit
    """

    kind: str  # COPY or ADD
    sources: tuple[str, ...]
    heredocs: tuple[Heredoc, ...]
    target: str
    json: bool  # written as a JSON list: words are not split again
    source_stage: str | None
    chown: str | None
    chmod: str | None
    excludes: tuple[str, ...]
    link: bool = False
    parents: bool = False
    unpack: bool | None = None
    checksum: str | None = None
    keep_git_dir: bool | None = None


class Env(Instruction):
    """Variables for the steps after it and for the containers of the image."""

    pairs: tuple[tuple[str, str], ...]


class Label(Instruction):
    """Labels of the image."""

    pairs: tuple[tuple[str, str], ...]


class Expose(Instruction):
    """Ports, as `80`, `80/udp`, `8000-8010`."""

    ports: tuple[str, ...]


class Volume(Instruction):
    """Paths that get an anonymous volume in each container."""

    paths: tuple[str, ...]
    json: bool


class Setting(Instruction):
    """USER, WORKDIR, STOPSIGNAL, MAINTAINER: one value."""

    kind: str
    value: str


class Start(Instruction):
    """CMD and ENTRYPOINT."""

    kind: str
    command: Command


class Shell(Instruction):
    """The program that runs shell-form commands, with its arguments."""

    argv: tuple[str, ...]


class Healthcheck(Instruction):
    """`test` as the image config has it; seconds, None where not given."""

    test: tuple[str, ...]
    interval_s: float | None = None
    timeout_s: float | None = None
    start_period_s: float | None = None
    start_interval_s: float | None = None
    retries: int | None = None


class OnBuild(Instruction):
    """An instruction for those who build FROM this image, as text."""

    trigger: str


class StageSource(Record):
    """One stage as written: its FROM and what follows."""

    number: int
    start: From
    instructions: tuple[Instruction, ...]

    @property
    def name(self) -> str:
        """Its alias, or else its number."""
        return self.start.alias or str(self.number)


class Dockerfile(Record):
    """A whole file. `arguments` are the ARGs before the first FROM, `check` is that directive."""

    name: str
    escape: str
    arguments: tuple[Arg, ...]
    stages: tuple[StageSource, ...]
    warnings: tuple[str, ...]
    check: str = ""
