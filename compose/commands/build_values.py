"""Values of the options of builds, as Docker writes them."""

from __future__ import annotations

import csv
import os
import re
from typing import TYPE_CHECKING

from compose.commands.parsing import UsageProblem
from compose.model.build import ENTITLEMENTS
from compose.source.values import parse_size
from engine import BuildSecret

if TYPE_CHECKING:
    from collections.abc import Iterable

OUTPUTS = ("image", "registry", "docker", "oci", "tar", "local")
_UNWRITTEN = ("image", "registry")
_ANNOTATION = re.compile(  # of what, for which platform
    r"(?:(?P<of>[a-z-]+)(?:\[[\w/-]+\])?:)?(?P<key>[^\s=]+)=(?P<value>.*)", re.DOTALL
)


def parse_secrets(entries: Iterable[str]) -> dict[str, BuildSecret]:
    """`id=NAME[,src=PATH]`, `id=NAME,env=VARIABLE`: without a source, the variable or the file of
    that name. Raises UsageProblem."""
    return dict(_secret(entry) for entry in entries)


def _secret(entry: str) -> tuple[str, BuildSecret]:
    fields = _fields(entry, "--secret", "id type src source env")
    name = fields.get("id")
    source = fields.get("src") or fields.get("source")
    kind = fields.get("type", "env" if "env" in fields else "")
    if not name or kind not in ("", "file", "env"):
        raise UsageProblem(f"--secret {entry}: it is id=NAME with src=PATH or env=VARIABLE")
    variable = fields.get("env") or source or name
    if kind == "env" or (not kind and not source and variable in os.environ):
        if variable not in os.environ:
            raise UsageProblem(f"--secret {entry}: the variable {variable} is not set")
        return name, BuildSecret(text=os.environ[variable])
    path = os.path.abspath(source or name)  # noqa: PTH100 - pathlib costs 17 ms
    if not os.path.isfile(path):  # noqa: PTH113
        raise UsageProblem(f"--secret {entry}: there is no file {path}")
    return name, BuildSecret(file=path)


def parse_ssh(entries: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """`default`, or `ID=SOCKET` or `ID=KEY[,KEY]`. Raises UsageProblem."""
    found: dict[str, tuple[str, ...]] = {}
    for entry in entries:
        name, equals, paths = entry.partition("=")
        if not name or (name != "default" and not paths):
            raise UsageProblem(f"--ssh {entry}: it is `default`, or an id with `=PATH`")
        listed = paths.split(",") if equals else []
        found[name] = tuple(os.path.abspath(path) for path in listed)  # noqa: PTH100
    return found


def parse_ulimits(entries: Iterable[str]) -> dict[str, tuple[int, int]]:
    """`nofile=SOFT[:HARD]`. Raises UsageProblem."""
    limits = {}
    for entry in entries:
        name, _, numbers = entry.partition("=")
        soft, _, hard = numbers.partition(":")
        try:
            limits[name] = (int(soft), int(hard or soft))
        except ValueError:
            raise UsageProblem(f"--ulimit {entry}: it is NAME=SOFT[:HARD]") from None
    return limits


def parse_hosts(entries: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """`NAME=ADDRESS` or `NAME:ADDRESS`. Raises UsageProblem."""
    hosts = []
    for entry in entries:
        sign = "=" if "=" in entry else ":"
        name, _, address = entry.partition(sign)
        if not name or not address:
            raise UsageProblem(f"--add-host {entry}: it is NAME:ADDRESS")
        hosts.append((name, address.strip("[]")))
    return tuple(hosts)


def parse_contexts(entries: Iterable[str]) -> dict[str, str]:
    """`NAME=PLACE`. Raises UsageProblem."""
    contexts = {}
    for entry in entries:
        name, _, place = entry.partition("=")
        if not name or not place:
            raise UsageProblem(f"--build-context {entry}: it is NAME=PLACE")
        contexts[name] = place
    return contexts


def parse_shm_size(text: str) -> int:
    """Bytes. Raises UsageProblem."""
    try:
        return parse_size(text)
    except ValueError as error:
        raise UsageProblem(f"--shm-size: {error}") from None


def check_entitlements(names: Iterable[str]) -> None:
    """Raise UsageProblem for one that there is not."""
    unknown = next((name for name in names if name not in ENTITLEMENTS), None)
    if unknown is not None:
        known = " and ".join(ENTITLEMENTS)
        raise UsageProblem(f"--allow {unknown}: there is no such entitlement: {known} are")


def parse_output(entry: str) -> tuple[str, str, tuple[str, ...]]:
    """(type, destination, names of the image) of `DIRECTORY`, `-` for a tar on standard output, or
    `type=TYPE,dest=PATH,name=NAME`; an image that is pushed is of type `registry`. Raises
    UsageProblem."""
    if entry == "-":
        return "tar", "-", ()
    if "=" not in entry:
        return "local", entry, ()
    fields = _fields(entry, "--output", "type dest name push")
    kind, destination = fields.get("type", ""), fields.get("dest", "")
    if kind not in OUTPUTS:
        raise UsageProblem(f"--output {entry}: there is no type `{kind}`: {', '.join(OUTPUTS)} are")
    if kind == "local" and destination in ("", "-"):
        raise UsageProblem(f"--output {entry}: dest=DIRECTORY is missing")
    if kind in _UNWRITTEN and destination:
        raise UsageProblem(f"--output {entry}: an image has no dest: type=docker and oci have one")
    if fields.get("push", "false") != "false":
        if kind not in _UNWRITTEN:
            raise UsageProblem(f"--output {entry}: it is images that are pushed: type=image")
        kind = "registry"
    names = tuple(filter(None, fields.get("name", "").split(",")))
    return kind, destination if kind in (*_UNWRITTEN, "docker") else destination or "-", names


def parse_annotations(entries: Iterable[str]) -> dict[str, str]:
    """`KEY=VALUE`, or `manifest:KEY=VALUE`. Raises UsageProblem, also for those of an index, which
    there is none of here."""
    annotations = {}
    for entry in entries:
        match = _ANNOTATION.fullmatch(entry)
        if match is None:
            raise UsageProblem(f"--annotation {entry}: it is KEY=VALUE")
        if match["of"] not in (None, "manifest"):
            raise UsageProblem(f"--annotation {entry}: only the manifest can have annotations")
        annotations[match["key"]] = match["value"]
    return annotations


def _fields(entry: str, option: str, known: str) -> dict[str, str]:
    fields = dict(part.partition("=")[::2] for part in next(csv.reader([entry]), []))
    unknown = sorted(fields.keys() - set(known.split()))
    if unknown:
        raise UsageProblem(f"{option} {entry}: there is no `{unknown[0]}`")
    return fields
