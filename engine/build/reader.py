"""One instruction of a Dockerfile: its flags and arguments (engine.md D6.3 to D6.6)."""

from __future__ import annotations

import difflib
import json
import re
from typing import TYPE_CHECKING, NoReturn

from engine.build import instructions as ins
from engine.build.durations import parse_duration
from engine.build.flags import FlagError, read_flags
from engine.build.words import Lexer, WordError
from engine.errors import BuildProblem

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from engine.build.lines import Line

_STAGE_NAME = re.compile(r"[a-z][a-z0-9\-_.]*")
_RESERVED = ("context", "scratch")


def parse_instruction(line: Line, file: str, escape: str) -> ins.Instruction:
    """One logical line as its instruction. Raises BuildProblem, located in it."""
    return _Reader(line, file, escape).read()


class _Reader:
    """Reads one line. `_rest` is what follows the flags, `_offset` where it starts."""

    def __init__(self, line: Line, file: str, escape: str) -> None:
        self._line, self._file, self._escape = line, file, escape
        word = line.text.split(maxsplit=1)[0]
        self._name = word.upper()
        start = line.text.index(word)
        self._flags, self._offset = read_flags(line.text, start + len(word))
        self._rest = line.text[self._offset :].strip()

    def read(self) -> ins.Instruction:
        reader = _READERS.get(self._name)
        if reader is None:
            near = difflib.get_close_matches(self._name, _READERS, n=1)
            hint = f"did you mean {near[0]}?" if near else None
            self._fail(
                f"unknown instruction: {self._name}", 0, hint=hint, code="unknown-instruction"
            )
        if not self._rest and self._name not in ("CMD", "ENTRYPOINT", "SHELL"):
            self._fail(f"{self._name} requires arguments", 0)
        try:
            instruction = reader(self)
        except FlagError as error:
            self._fail(f"{self._name}: {error}", error.offset)
        self._check_flags()
        return instruction

    def _fail(
        self,
        what: str,
        offset: int | None = None,
        *,
        hint: str | None = None,
        code: str = "dockerfile-syntax",
    ) -> NoReturn:
        number, column = self._line.position(self._offset if offset is None else offset)
        raise BuildProblem(what, where=f"{self._file}:{number}:{column}", hint=hint, code=code)

    def _check_flags(self) -> None:
        """What no reader asked for is unknown here, or asked of Docker and not built yet."""
        for flag in self._flags.left():
            if flag.name in _LATER.get(self._name, ()):
                what = f"{self._name} --{flag.name} is not built yet"
                self._fail(what, flag.offset, code="not-built-yet")
            near = difflib.get_close_matches(flag.name, self._flags.known, n=1)
            hint = f"did you mean --{near[0]}?" if near else None
            self._fail(f"{self._name}: unknown flag: --{flag.name}", flag.offset, hint=hint)
        for flag in self._flags.repeated():
            self._fail(f"{self._name}: duplicate flag: --{flag.name}", flag.offset)

    def _json(self) -> tuple[str, ...] | None:
        """The words, where the whole text is a JSON list of strings; else it is shell form."""
        if not self._rest.startswith("["):
            return None
        try:
            value = json.loads(self._rest)
        except (ValueError, RecursionError):
            return None
        return tuple(value) if all(isinstance(item, str) for item in value) else None

    def _words(self) -> tuple[str, ...]:
        return tuple(self._rest.split())

    def _command(self) -> ins.Command:
        words = self._json()
        if words is not None:
            return ins.Command(words=words, shell=False)
        return ins.Command(words=(self._rest,) if self._rest else (), shell=True)

    def read_from(self) -> ins.Instruction:
        words = self._words()
        if len(words) not in (1, 3) or (len(words) == 3 and words[1].upper() != "AS"):
            self._fail("FROM requires `image` or `image AS name`")
        alias = words[2].lower() if len(words) == 3 else None
        if alias is not None and (alias in _RESERVED or not _STAGE_NAME.fullmatch(alias)):
            self._fail(f"invalid name for a build stage: `{words[2]}`")
        return ins.From(
            line=self._line,
            file=self._file,
            image=words[0],
            alias=alias,
            platform=self._flags.one("platform"),
        )

    def read_arg(self) -> ins.Instruction:
        pairs = []
        for word in self._raw_words():
            name, equals, value = word.partition("=")
            if not name:
                self._fail("ARG names cannot be blank")
            pairs.append((name, value if equals else None))
        return ins.Arg(line=self._line, file=self._file, pairs=tuple(pairs))

    def _raw_words(self) -> list[str]:
        """Split at blanks outside quotes; quotes and escapes stay for the expansion."""
        try:
            return Lexer({}, self._escape, raw=True).words(self._rest)
        except WordError as error:
            self._fail(str(error), self._offset + error.offset)

    def _pairs(self) -> tuple[tuple[str, str], ...]:
        words = self._raw_words()
        if "=" not in words[0]:  # `ENV name the rest of the line`
            parts = self._rest.split(maxsplit=1)
            if len(parts) < 2:
                self._fail(f"{self._name} must have two arguments")
            return ((parts[0], parts[1]),)
        pairs = []
        for word in words:
            name, equals, value = word.partition("=")
            if not equals:
                offset = self._offset + self._line.text[self._offset :].find(word)
                self._fail(f"can't find = in `{word}`", offset, hint="write it as name=value")
            if not name:
                self._fail(f"{self._name} names cannot be blank")
            pairs.append((name, value))
        return tuple(pairs)

    def read_pairs(self) -> ins.Instruction:
        kind = ins.Env if self._name == "ENV" else ins.Label
        return kind(line=self._line, file=self._file, pairs=self._pairs())

    def read_run(self) -> ins.Instruction:
        network = self._flags.one("network") or "default"
        if network not in ("default", "none", "host"):
            self._fail(f"unknown RUN --network: `{network}`", hint="one of default, none, host")
        security = self._flags.one("security") or "sandbox"
        if security not in ("sandbox", "insecure"):
            self._fail(f"unknown RUN --security: `{security}`", hint="one of sandbox, insecure")
        return ins.Run(
            line=self._line,
            file=self._file,
            command=self._command(),
            heredocs=self._line.heredocs,
            mounts=self._flags.several("mount"),
            network=network,
            privileged=security == "insecure",
        )

    def read_copy(self) -> ins.Instruction:
        listed = self._json()
        words = self._words() if listed is None else listed
        if len(words) < 2:
            self._fail(f"{self._name} requires at least one source and a destination")
        written = {
            "line": self._line,
            "file": self._file,
            "kind": self._name,
            "sources": tuple(
                word for word in words[:-1] if not (self._line.heredocs and word.startswith("<<"))
            ),
            "heredocs": self._line.heredocs,
            "target": words[-1],
            "json": listed is not None,
            "chown": self._flags.one("chown"),
            "chmod": self._flags.one("chmod"),
            "excludes": self._flags.several("exclude"),
            "link": bool(self._flags.switch("link")),
        }
        return self._copy(**written) if self._name == "COPY" else self._add(**written)

    def _copy(self, **written: Any) -> ins.Copy:
        return ins.Copy(
            **written,
            source_stage=self._flags.one("from") or None,
            parents=bool(self._flags.switch("parents")),
            unpack=False,
        )

    def _add(self, **written: Any) -> ins.Copy:
        return ins.Copy(
            **written,
            source_stage=None,
            unpack=self._flags.switch("unpack"),
            checksum=self._flags.one("checksum") or None,
            keep_git_dir=self._flags.switch("keep-git-dir"),
        )

    def read_expose(self) -> ins.Instruction:
        return ins.Expose(line=self._line, file=self._file, ports=self._words())

    def read_volume(self) -> ins.Instruction:
        listed = self._json()
        paths = self._words() if listed is None else listed
        return ins.Volume(line=self._line, file=self._file, paths=paths, json=listed is not None)

    def read_setting(self) -> ins.Instruction:
        return ins.Setting(line=self._line, file=self._file, kind=self._name, value=self._rest)

    def read_start(self) -> ins.Instruction:
        return ins.Start(line=self._line, file=self._file, kind=self._name, command=self._command())

    def read_shell(self) -> ins.Instruction:
        argv = self._json()
        if not argv:
            self._fail(
                "SHELL requires the arguments to be in JSON form", hint='SHELL ["/bin/sh", "-c"]'
            )
        return ins.Shell(line=self._line, file=self._file, argv=argv)

    def read_healthcheck(self) -> ins.Instruction:
        kind, _, rest = self._rest.partition(" ")
        if kind.upper() == "NONE":
            return ins.Healthcheck(line=self._line, file=self._file, test=("NONE",))
        if kind.upper() != "CMD":
            self._fail(f"unknown type `{kind}` in HEALTHCHECK", hint="one of NONE, CMD")
        self._rest = rest.strip()
        command = self._command()
        if not command.words:
            self._fail("missing command after HEALTHCHECK CMD")
        retries = self._flags.one("retries")
        if retries is not None and not (retries.isdecimal() and retries.isascii()):
            self._fail(f"HEALTHCHECK --retries must be a number, not `{retries}`")
        return ins.Healthcheck(
            line=self._line,
            file=self._file,
            test=("CMD-SHELL" if command.shell else "CMD", *command.words),
            interval_s=self._duration("interval"),
            timeout_s=self._duration("timeout"),
            start_period_s=self._duration("start-period"),
            start_interval_s=self._duration("start-interval"),
            retries=int(retries) if retries else None,
        )

    def _duration(self, flag: str) -> float | None:
        text = self._flags.one(flag)
        if text is None:
            return None
        try:
            seconds = parse_duration(text)
        except ValueError as error:
            self._fail(f"HEALTHCHECK --{flag}: {error}")
        if seconds and seconds < 0.001:
            self._fail(f"HEALTHCHECK --{flag} cannot be less than 1ms")
        return seconds

    def read_onbuild(self) -> ins.Instruction:
        word = self._rest.split(maxsplit=1)[0].upper()
        if word in ("ONBUILD", "FROM", "MAINTAINER"):
            self._fail(f"{word} isn't allowed as an ONBUILD trigger")
        bodies = "".join(f"\n{doc.body}{doc.terminator}" for doc in self._line.heredocs)
        return ins.OnBuild(line=self._line, file=self._file, trigger=self._rest + bodies)


_READERS: dict[str, Callable[[_Reader], ins.Instruction]] = {
    "ADD": _Reader.read_copy,
    "ARG": _Reader.read_arg,
    "CMD": _Reader.read_start,
    "COPY": _Reader.read_copy,
    "ENTRYPOINT": _Reader.read_start,
    "ENV": _Reader.read_pairs,
    "EXPOSE": _Reader.read_expose,
    "FROM": _Reader.read_from,
    "HEALTHCHECK": _Reader.read_healthcheck,
    "LABEL": _Reader.read_pairs,
    "MAINTAINER": _Reader.read_setting,
    "ONBUILD": _Reader.read_onbuild,
    "RUN": _Reader.read_run,
    "SHELL": _Reader.read_shell,
    "STOPSIGNAL": _Reader.read_setting,
    "USER": _Reader.read_setting,
    "VOLUME": _Reader.read_volume,
    "WORKDIR": _Reader.read_setting,
}

# Flags that Docker knows and we do not do yet: refused by name, never ignored.
_LATER = {"RUN": ("device",)}
