"""`--change` of commit and import: single instructions, which change the config of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.build import instructions as ins
from engine.build.dockerfile import parse_text
from engine.build.document import config_document
from engine.build.expander import Expander
from engine.build.settings import Scope, apply_setting
from engine.build.state import StageState
from engine.errors import BuildProblem
from engine.images.config import ImageConfig

if TYPE_CHECKING:
    from collections.abc import Iterable

_ESCAPE = "\\"
_SETTINGS = (
    *(ins.Env, ins.Label, ins.Expose, ins.Volume, ins.Start, ins.Healthcheck),
    *(ins.OnBuild, ins.Setting),
)
_HINT = (
    "CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR"
)


def apply_changes(config: ImageConfig, changes: Iterable[str]) -> ImageConfig:
    """The config after instructions such as `CMD ["sh"]`. Raises BuildProblem."""
    state = StageState(config=config)
    for text in changes:
        for instruction in parse_text(text, "--change", _ESCAPE):
            if not isinstance(instruction, _SETTINGS):
                raise BuildProblem(
                    f"`{text}` is no change of a config",
                    where=instruction.where,
                    hint=_HINT,
                    code="invalid-change",
                )
            state = _after(instruction, state)
    return state.config


def changed_config(changes: Iterable[str]) -> dict[str, object]:
    """The `config` object of an image config that is made of such instructions alone."""
    return config_document(apply_changes(ImageConfig(), changes))


def _after(instruction: ins.Instruction, state: StageState) -> StageState:
    expander = Expander(instruction, state.environment, _ESCAPE)
    if isinstance(instruction, ins.Setting) and instruction.kind == "WORKDIR":
        directory = state.resolve(expander.word(instruction.value))
        return state.with_config("WORKDIR", working_dir=directory)
    return apply_setting(instruction, state, expander, Scope({}, {}))
