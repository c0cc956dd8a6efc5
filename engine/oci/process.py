"""`process` of config.json, of the container and of each exec."""

from __future__ import annotations

import resource

from engine.kernel import capabilities
from engine.kernel.process import apparmor_is_enabled
from engine.kernel.scheduling import IO_CLASSES, POLICIES, SCHEDULER_FLAGS
from engine.kernel.seccomp import SPEC_ALLOW
from engine.oci.errors import OciProblem, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from engine.oci.section import Section

_SETS = ("bounding", "effective", "permitted", "inheritable", "ambient")


def read_process(process: Section) -> dict[str, Any]:
    """With its defaults. Raises OciProblem."""
    if process.text("selinuxLabel", ""):
        raise Unsupported(process.path("selinuxLabel"), "SELinux is not supported")
    profile = process.text("apparmorProfile", "")
    if profile and not apparmor_is_enabled():
        raise Unsupported(process.path("apparmorProfile"), "AppArmor is not enabled here")
    args, cwd = process.texts("args"), process.text("cwd")
    if not args:
        raise OciProblem("config.json: process.args is empty", code="invalid-config")
    if not cwd.startswith("/"):
        raise OciProblem(f"config.json: process.cwd {cwd} is not absolute", code="invalid-config")
    return {
        "terminal": process.flag("terminal"),
        "consoleSize": process.plain("consoleSize", dict, {}),
        "user": _user(process.section("user")),
        "args": args,
        "env": [entry for entry in process.texts("env") if "=" in entry],
        "cwd": cwd,
        "capabilities": _capabilities(process.section("capabilities")),
        "rlimits": [_rlimit(entry) for entry in process.sections("rlimits")],
        "noNewPrivileges": process.flag("noNewPrivileges"),
        "apparmorProfile": profile,
        "scheduler": _scheduler(process.section("scheduler")),
        "ioPriority": _io_priority(process.section("ioPriority")),
        "execCPUAffinity": process.plain("execCPUAffinity", dict, {}),
        "filter_flags": SPEC_ALLOW,
        "oomScoreAdj": process.number("oomScoreAdj") if "oomScoreAdj" in process else None,
    }


def unavailable(process: dict[str, Any]) -> list[str]:
    """Take out the capabilities that are not to be had; their names.

    The runtime specification wants a warning of them and no failure.
    """
    available = {f"CAP_{name}" for name in capabilities.bounding()}
    missing: list[str] = []
    for kind, names in process["capabilities"].items():
        missing += [name for name in names if name not in available and name not in missing]
        process["capabilities"][kind] = [name for name in names if name in available]
    return missing


def _user(user: Section) -> dict[str, Any]:
    """By number: names are for who writes config.json to look up."""
    described: dict[str, Any] = {
        "uid": user.number("uid", 0),
        "gid": user.number("gid", 0),
        "additionalGids": user.numbers("additionalGids"),
    }
    if "umask" in user:
        described["umask"] = user.number("umask")
    return described


def _capabilities(sets: Section) -> dict[str, list[str]]:
    """Without ambient ones that cannot be: they have to be inheritable and permitted, too."""
    found = {kind: [name.upper() for name in sets.texts(kind)] for kind in _SETS}
    possible = {*found["inheritable"]} & {*found["permitted"]}
    return found | {"ambient": [name for name in found["ambient"] if name in possible]}


def _scheduler(given: Section) -> dict[str, Any]:
    if "policy" not in given:
        return {}
    numbers = ("nice", "priority", "runtime", "deadline", "period")
    described: dict[str, Any] = {key: given.number(key, 0) for key in numbers}
    return described | {
        "policy": _one_of(given, "policy", given.text("policy"), POLICIES),
        "flags": [_one_of(given, "flags", flag, SCHEDULER_FLAGS) for flag in given.texts("flags")],
    }


def _io_priority(given: Section) -> dict[str, Any]:
    if "class" not in given:
        return {}
    kind = _one_of(given, "class", given.text("class"), IO_CLASSES)
    return {"class": kind, "priority": given.number("priority", 0)}


def _one_of(section: Section, name: str, word: str, known: Iterable[str]) -> str:
    if word not in known:
        raise Unsupported(section.path(name), f"there is no {word}")
    return word


def _rlimit(entry: Section) -> dict[str, Any]:
    kind = entry.text("type")
    if not hasattr(resource, kind) or not kind.startswith("RLIMIT_"):
        raise OciProblem(f"config.json: {entry.path('type')}: there is no {kind}")
    soft, hard = entry.number("soft"), entry.number("hard")
    return {"type": kind, "soft": soft, "hard": hard}
