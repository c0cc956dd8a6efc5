"""config.json of a bundle, read and checked, as a launch record of the engine.

What the engine goes by is there afterwards, defaults included; what it cannot do is refused by
name. Source: runtime-spec 1.2, config.md and config-linux.md.
"""

from __future__ import annotations

import os

from engine.containers.namespaces import FLAGS
from engine.kernel.mounts import PROPAGATION
from engine.kernel.process import PERSONAS
from engine.oci import fields
from engine.oci.errors import OciProblem, Unsupported
from engine.oci.process import read_process
from engine.oci.section import read_section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.oci.section import Section

HOOKS = (
    *("prestart", "createRuntime", "createContainer"),
    *("startContainer", "poststart", "poststop"),
)


def read_bundle(bundle: str) -> Section:
    """config.json of the bundle. Raises OciProblem."""
    path = os.path.join(bundle, "config.json")
    try:
        return read_section(path)
    except FileNotFoundError:
        raise OciProblem(f"JSON specification file {path} not found") from None


def launch_record(given: Section, bundle: str, container_id: str) -> dict[str, Any]:
    """The launch record that `given` comes to, without what the command line adds.

    Raises OciProblem.
    """
    version = given.text("ociVersion")
    if version.partition(".")[0] != "1":
        raise OciProblem(f"config.json: ociVersion {version} is not 1.x", code="invalid-config")
    for name in ("vm", "windows", "solaris", "zos", "freebsd"):
        if name in given:
            raise Unsupported(name)
    linux = _linux(given.section("linux"))
    record: dict[str, Any] = {
        "ociVersion": version,
        "process": read_process(given.section("process")),
        "root": _root(given.section("root"), bundle),
        "mounts": [fields.mount(entry, bundle) for entry in given.sections("mounts")],
        "linux": linux,
        "hooks": _hooks(given.section("hooks")),
        "annotations": given.plain("annotations", dict, {}),
        "buoy": {"id": container_id, "overlay": None, "init": False, "seccomp": None},
    }
    kinds = {entry["type"] for entry in linux["namespaces"]}
    for name in ("hostname", "domainname"):
        if given.text(name, ""):
            if "uts" not in kinds:
                raise OciProblem(f"config.json: {name} needs a UTS namespace of its own")
            record[name] = given.text(name)
    record["process"]["personality"] = _personality(given.section("linux").section("personality"))
    record["buoy"]["own_dev"] = any(
        entry["destination"].rstrip("/") == "/dev" and entry["type"] == "bind"
        for entry in record["mounts"]
    )
    return record


def _root(root: Section, bundle: str) -> dict[str, Any]:
    path = os.path.realpath(os.path.join(bundle, root.text("path")))
    if not os.path.isdir(path):
        raise OciProblem(f"config.json: root.path: {path} is not a directory")
    return {"path": path, "readonly": root.flag("readonly")}


def _linux(linux: Section) -> dict[str, Any]:
    for name in ("intelRdt", "netDevices", "memoryPolicy"):
        if name in linux:
            raise Unsupported(linux.path(name))
    if linux.section("personality").texts("flags"):
        raise Unsupported("linux.personality.flags")
    if linux.text("mountLabel", ""):
        raise Unsupported(linux.path("mountLabel"), "SELinux is not supported")
    namespaces = _namespaces(linux)
    propagation = linux.text("rootfsPropagation", "") or None
    if propagation is not None and propagation not in PROPAGATION:
        raise Unsupported(linux.path("rootfsPropagation"), f"unknown: {propagation}")
    return {
        "namespaces": namespaces,
        "uidMappings": fields.mappings(linux, "uidMappings"),
        "gidMappings": fields.mappings(linux, "gidMappings"),
        "timeOffsets": linux.plain("timeOffsets", dict, {}),
        "cgroupsPath": linux.text("cgroupsPath", ""),
        "resources": fields.resources(linux.section("resources")),
        "devices": [fields.device(entry) for entry in linux.sections("devices")],
        "sysctl": fields.sysctls(linux, {entry["type"] for entry in namespaces}),
        "maskedPaths": linux.texts("maskedPaths"),
        "readonlyPaths": linux.texts("readonlyPaths"),
        "rootfsPropagation": propagation,
        "seccomp": fields.seccomp(linux),
    }


def _personality(given: Section) -> int | None:
    """None where the container has that of who starts it."""
    domain = given.text("domain", "")
    if domain and domain not in PERSONAS:
        raise Unsupported(given.path("domain"), f"there is no {domain}")
    return PERSONAS.get(domain)


def _namespaces(linux: Section) -> list[dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for entry in linux.sections("namespaces"):
        kind, path = entry.text("type"), entry.text("path", "")
        if kind not in FLAGS:
            raise Unsupported(entry.path("type"), f"there is no namespace {kind!r}")
        if kind in found:
            raise OciProblem(f"config.json: {entry.path('type')}: {kind} is there twice")
        if path and not path.startswith("/"):
            raise OciProblem(f"config.json: {entry.path('path')} is not absolute")
        found[kind] = {"type": kind, "path": path} if path else {"type": kind}
    if found.get("mount", {"path": ""}).get("path") is not None:
        raise Unsupported("linux.namespaces", "a mount namespace of its own is needed")
    if "user" in found and not found["user"].get("path"):
        for name in ("uidMappings", "gidMappings"):
            if name not in linux:
                raise OciProblem(f"config.json: {linux.path(name)}: a user namespace needs them")
    return list(found.values())


def _hooks(hooks: Section) -> dict[str, list[dict[str, Any]]]:
    return {moment: [fields.hook(hook) for hook in hooks.sections(moment)] for moment in HOOKS}
