"""Instructions that change the image's config and no file (engine.md D6.6, D6.8)."""

from __future__ import annotations

import json
import re
import signal
from typing import TYPE_CHECKING

from engine.build import instructions as ins
from engine.errors import BuildProblem
from engine.images.config import HealthcheckConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from engine.build.expander import Expander
    from engine.build.state import StageState

_REAL_TIME = re.compile(r"RTM(?:IN(?:\+\d+)?|AX(?:-\d+)?)")
_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?", re.IGNORECASE)


class Scope:
    """Where ARG takes its values from: `given` (--build-arg) wins over the default written there,
    which wins over `outside` (ARGs before the first FROM, automatic ones)."""

    __slots__ = ("given", "outside")

    def __init__(self, given: Mapping[str, str], outside: Mapping[str, str]) -> None:
        self.given, self.outside = given, outside

    def value(self, name: str, default: str | None) -> str | None:
        """None: the ARG stays without a value."""
        if name in self.given:
            return self.given[name]
        return self.outside.get(name) if default is None else default


def apply_setting(
    instruction: ins.Instruction, state: StageState, expander: Expander, scope: Scope
) -> StageState:
    """The state after an instruction that makes no layer. Raises BuildProblem."""
    if isinstance(instruction, ins.Arg):
        return _arg(instruction, state, expander, scope)
    return _SETTERS[type(instruction)](instruction, state, expander)


def _arg(instruction: ins.Arg, state: StageState, expander: Expander, scope: Scope) -> StageState:
    values = {}
    shown = ["ARG"]
    for name, default in instruction.pairs:
        value = scope.value(name, None if default is None else expander.word(default))
        shown.append(name if value is None else f"{name}={value}")
        if value is not None:
            values[name] = value
    return state.with_config(" ".join(shown)).replace(
        arguments={**state.arguments, **values},
        variables={**state.variables, **values},
    )


def _env(instruction: ins.Env, state: StageState, expander: Expander) -> StageState:
    pairs = {expander.word(name): expander.word(value) for name, value in instruction.pairs}
    shown = " ".join(f"{name}={value}" for name, value in pairs.items())
    env = tuple(f"{name}={value}" for name, value in {**state.environment, **pairs}.items())
    changed = state.with_config(f"ENV {shown}", env=env)
    return changed.replace(variables={**state.variables, **pairs})


def _label(instruction: ins.Label, state: StageState, expander: Expander) -> StageState:
    pairs = {expander.word(name): expander.word(value) for name, value in instruction.pairs}
    shown = " ".join(f"{name}={value}" for name, value in pairs.items())
    return state.with_config(f"LABEL {shown}", labels={**state.config.labels, **pairs})


def _expose(instruction: ins.Expose, state: StageState, expander: Expander) -> StageState:
    ports = [
        port
        for written in instruction.ports
        for word in expander.words(written)
        for port in _ports(word, instruction)
    ]
    merged = tuple(sorted({*state.config.exposed_ports, *ports}))
    return state.with_config(f"EXPOSE [{' '.join(ports)}]", exposed_ports=merged)


def _ports(word: str, instruction: ins.Expose) -> list[str]:
    match = _PORT.fullmatch(word)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if match is None or not 0 < first <= last <= 65535:
        where = instruction.locate_word(word)
        raise BuildProblem(f"invalid port: `{word}`", where=where, code="invalid-port")
    protocol = (match[3] or "tcp").lower()
    return [f"{port}/{protocol}" for port in range(first, last + 1)]


def _volume(instruction: ins.Volume, state: StageState, expander: Expander) -> StageState:
    paths = []
    for written in instruction.paths:
        paths += [expander.word(written)] if instruction.json else expander.words(written)
    if not all(path.strip() for path in paths):
        where = instruction.where
        raise BuildProblem("VOLUME specified can not be an empty string", where=where)
    merged = tuple(sorted({*state.config.volumes, *paths}))
    return state.with_config(f"VOLUME [{' '.join(paths)}]", volumes=merged)


def _setting(instruction: ins.Setting, state: StageState, expander: Expander) -> StageState:
    if instruction.kind == "MAINTAINER":
        shown = state.with_config(instruction.text)
        return shown.replace(author=instruction.value)
    value = expander.word(instruction.value)
    if instruction.kind == "STOPSIGNAL":
        _check_signal(value, instruction)
    field = {"USER": "user", "STOPSIGNAL": "stop_signal"}[instruction.kind]
    return state.with_config(f"{instruction.kind} {value}", **{field: value})


def _check_signal(value: str, instruction: ins.Setting) -> None:
    name = value.upper().removeprefix("SIG")
    known = f"SIG{name}" in signal.Signals.__members__ or _REAL_TIME.fullmatch(name)
    if not known and not (name.isdecimal() and 0 < int(name) <= signal.SIGRTMAX):
        where = instruction.locate_word(instruction.value)
        raise BuildProblem(f"invalid signal: `{value}`", where=where, code="invalid-signal")


def _start(instruction: ins.Start, state: StageState, expander: Expander) -> StageState:
    command = instruction.command
    argv = (*state.shell, *command.words) if command.shell and command.words else command.words
    shown = f"{instruction.kind} [{' '.join(map(json.dumps, argv))}]"
    if instruction.kind == "CMD":
        return state.with_config(shown, cmd=argv).replace(command_is_own=True)
    inherited = {} if state.command_is_own else {"cmd": None}
    return state.with_config(shown, entrypoint=argv, **inherited)


def _shell(instruction: ins.Shell, state: StageState, expander: Expander) -> StageState:
    return state.with_config(f"SHELL [{' '.join(instruction.argv)}]", shell=instruction.argv)


def _healthcheck(instruction: ins.Healthcheck, state: StageState, expander: Expander) -> StageState:
    check = HealthcheckConfig(
        test=instruction.test,
        interval_s=instruction.interval_s,
        timeout_s=instruction.timeout_s,
        start_period_s=instruction.start_period_s,
        start_interval_s=instruction.start_interval_s,
        retries=instruction.retries,
    )
    return state.with_config(instruction.text, healthcheck=check)


def _on_build(instruction: ins.OnBuild, state: StageState, expander: Expander) -> StageState:
    """Docker's history has no line for it."""
    triggers = (*state.config.on_build, instruction.trigger)
    return state.replace(config=state.config.replace(on_build=triggers))


_SETTERS: dict[type[ins.Instruction], Callable[[Any, StageState, Expander], StageState]] = {
    ins.Env: _env,
    ins.Label: _label,
    ins.Expose: _expose,
    ins.Volume: _volume,
    ins.Setting: _setting,
    ins.Start: _start,
    ins.Shell: _shell,
    ins.Healthcheck: _healthcheck,
    ins.OnBuild: _on_build,
}
