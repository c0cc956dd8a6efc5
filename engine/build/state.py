"""A stage between two instructions: its layers and the config of the image it will be."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from engine.images.config import ImageConfig
from engine.kernel.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_SHELL = ("/bin/sh", "-c")


class HistoryEntry(Record):
    """One line of `docker history`. `created`: RFC 3339; None until the image is made."""

    created_by: str
    created: str | None
    empty_layer: bool


class StageState(Record):
    """Everything that the next instruction starts from.

    chain_ids       layers, lowest first
    config          of the image as far as it is known
    arguments       ARGs in scope, with their values
    variables       what `$name` means, and what RUN finds in its environment: ARG and ENV, of one
                    name the later
    base_history    of the image it is built on, as that image has it
    history         of the instructions so far
    command_is_own  CMD was set in this stage: ENTRYPOINT does not clear it
    created         when the newest layer was made, RFC 3339
    author          MAINTAINER
    """

    chain_ids: tuple[str, ...] = ()
    config: ImageConfig = ImageConfig()
    arguments: Mapping[str, str] = {}
    variables: Mapping[str, str] = {}
    base_history: tuple[Mapping[str, object], ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    command_is_own: bool = False
    created: str | None = None
    author: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """ENV so far."""
        pairs = (entry.partition("=") for entry in self.config.env)
        return {name: value for name, _, value in pairs}

    @property
    def shell(self) -> tuple[str, ...]:
        """What runs shell-form commands."""
        return self.config.shell or DEFAULT_SHELL

    @property
    def directory(self) -> str:
        """WORKDIR, absolute."""
        return self.config.working_dir or "/"

    def resolve(self, path: str) -> str:
        """Where a path leads from WORKDIR: absolute and clean."""
        return "/" + posixpath.normpath(posixpath.join(self.directory, path)).lstrip("/")

    @property
    def top(self) -> str:
        """The chain id of the topmost layer, which stands for all of them; "" with none."""
        return self.chain_ids[-1] if self.chain_ids else ""

    def with_config(self, created_by: str, **changes: object) -> StageState:
        """After an instruction that only changes the config."""
        entry = HistoryEntry(created_by=created_by, created=None, empty_layer=True)
        return self.replace(
            config=self.config.replace(**changes),
            history=(*self.history, entry),
        )

    def with_layer(self, chain_id: str | None, created_by: str, created: str) -> StageState:
        """After an instruction that made a layer, or None where it changed nothing."""
        entry = HistoryEntry(created_by=created_by, created=created, empty_layer=chain_id is None)
        return self.replace(
            chain_ids=(*self.chain_ids, chain_id) if chain_id else self.chain_ids,
            history=(*self.history, entry),
            created=created,
        )
