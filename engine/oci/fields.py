"""Parts of config.json by themselves: mounts, devices, hooks, limits, profiles, sysctls."""

from __future__ import annotations

import os

from engine.kernel.mountoptions import MountOptions
from engine.oci.errors import OciProblem, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.oci.section import Section

_KINDS = ("b", "c", "u", "p")
_LISTS = ("devices", "hugepageLimits")  # of `linux.resources`; all else there are objects
_IPC_SYSCTLS = ("kernel.msg", "kernel.sem", "kernel.shm", "fs.mqueue.")


def mount(entry: Section, bundle: str) -> dict[str, Any]:
    """An entry of `mounts`, with type and options; a relative source is in the bundle."""
    destination = entry.text("destination")
    for name in ("uidMappings", "gidMappings"):
        if name in entry:
            raise Unsupported(entry.path(name))
    options = entry.texts("options")
    fstype = entry.text("type", "none")
    source = entry.text("source", fstype)
    if fstype == "bind" and not {"bind", "rbind"} & set(options):
        options = ["bind", *options]
    if MountOptions(options).is_bind:
        fstype = "bind"
        source = os.path.join(bundle, source)
    return {
        "destination": os.path.join("/", destination),
        "type": fstype,
        "source": source,
        "options": options,
    }


def device(entry: Section) -> dict[str, Any]:
    """An entry of `linux.devices`, with mode and owner."""
    path, kind = entry.text("path"), entry.text("type")
    if kind not in _KINDS:
        raise OciProblem(f"config.json: {entry.path('type')}: {kind!r} is none of b, c, u, p")
    if not path.startswith("/"):
        raise OciProblem(f"config.json: {entry.path('path')} is not absolute")
    numbered = kind != "p"
    return {
        "path": os.path.normpath(path),
        "type": kind,
        "major": entry.number("major", None if numbered else 0),
        "minor": entry.number("minor", None if numbered else 0),
        "fileMode": entry.number("fileMode", 0o666),
        "uid": entry.number("uid", 0),
        "gid": entry.number("gid", 0),
    }


def hook(entry: Section) -> dict[str, Any]:
    """A hook with an absolute path, and a timeout in seconds where it has one."""
    path = entry.text("path")
    if not path.startswith("/"):
        raise OciProblem(f"config.json: {entry.path('path')} is not absolute")
    described: dict[str, Any] = {
        "path": path,
        "args": entry.texts("args"),
        "env": entry.texts("env"),
    }
    if "timeout" in entry:
        described["timeout"] = entry.number("timeout")
        if described["timeout"] <= 0:
            raise OciProblem(f"config.json: {entry.path('timeout')} is not above 0")
    return described


def mappings(linux: Section, name: str) -> list[dict[str, int]]:
    """`uidMappings` or `gidMappings`."""
    keys = ("containerID", "hostID", "size")
    return [{key: entry.number(key) for key in keys} for entry in linux.sections(name)]


def resources(given: Section) -> dict[str, Any]:
    """`linux.resources`: the values are for the kernel to judge, their shape is not."""
    for each in given.sections("devices"):
        each.plain("allow", bool, None)
    for each in given.sections("hugepageLimits"):
        each.text("pageSize")
        each.number("limit")
    return {name: given.plain(name, list if name in _LISTS else dict, None) for name in given}


def seccomp(linux: Section) -> dict[str, Any]:
    """`linux.seccomp`, with what `profile.filter_of` counts on; {} where there is none."""
    if "seccomp" not in linux:
        return {}
    given = linux.section("seccomp")
    given.text("defaultAction")
    given.text("listenerPath", "")
    for name in ("architectures", "flags"):
        given.texts(name)
    for rule in given.sections("syscalls"):
        rule.text("action")
        rule.texts("names")
        for test in rule.sections("args"):
            test.text("op")
            for name in ("index", "value"):
                test.number(name)
    profile: dict[str, Any] = linux.plain("seccomp", dict, {})
    return profile


def sysctls(linux: Section, namespaces: set[str]) -> dict[str, str]:
    """Those that are the container's own: all others would be set for the host."""
    own = {"ipc": _IPC_SYSCTLS, "network": ("net.",), "uts": ("kernel.domainname",)}
    allowed = tuple(prefix for kind in own if kind in namespaces for prefix in own[kind])
    found = {}
    for name, value in linux.plain("sysctl", dict, {}).items():
        dotted = name
        if "/" in name and "." not in name.partition("/")[0]:
            dotted = name.translate(str.maketrans("./", "/."))
        if not dotted.startswith(allowed) or ".." in dotted:
            raise OciProblem(
                f"config.json: linux.sysctl: {name!r} is not in a separate kernel namespace"
            )
        found[dotted] = str(value)
    return found
