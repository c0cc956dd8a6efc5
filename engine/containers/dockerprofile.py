"""A seccomp profile in Docker's form, for one container: as the runtime specification has it.

Docker's has conditions for its groups of calls: capabilities, architecture, version of the kernel.
Source: moby/profiles, seccomp/seccomp.go and seccomp_linux.go.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from engine.containers.profile import ARCHITECTURES, ProfileError

if TYPE_CHECKING:
    from collections.abc import Collection

_GO_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}


def oci_profile(text: str, granted: Collection[str]) -> dict[str, Any]:
    """`linux.seccomp` of the OCI runtime specification.

    text     JSON
    granted  capabilities of the container's bounding set, without CAP_

    Raises ProfileError for what is no profile.
    """
    try:
        profile = json.loads(text)
    except ValueError as error:
        raise ProfileError(f"not JSON: {error}") from None
    if not isinstance(profile, dict) or not isinstance(profile.get("defaultAction"), str):
        raise ProfileError("there is no `defaultAction`")
    _check_types(profile)
    groups = [group for group in profile.get("syscalls") or () if _applies(group, granted)]
    found = {
        "defaultAction": profile["defaultAction"],
        "defaultErrnoRet": profile.get("defaultErrnoRet"),
        "architectures": _architectures(profile),
        "syscalls": [_group(group) for group in groups],
        "flags": profile.get("flags"),
    }
    return {key: value for key, value in found.items() if value is not None}


def _check_types(profile: dict[str, Any]) -> None:
    if profile.get("listenerPath"):
        raise ProfileError("`listenerPath`: nobody listens there")
    if profile.get("architectures") and profile.get("archMap"):
        raise ProfileError("`architectures` and `archMap` exclude each other")
    groups = [] if profile.get("syscalls") is None else profile["syscalls"]
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        raise ProfileError("`syscalls` is not a list of objects")
    for group in groups:
        if group.get("name") and group.get("names"):
            raise ProfileError(f"`name` ({group['name']}) and `names` exclude each other")
        if not isinstance(group.get("action"), str):
            raise ProfileError("a group of `syscalls` has no `action`")


def _architectures(profile: dict[str, Any]) -> list[str]:
    """The machine's own with its subarchitectures, by `archMap`; else as they are listed."""
    for entry in profile.get("archMap") or ():
        if ARCHITECTURES.get(entry.get("architecture", "")) == os.uname().machine:
            return [entry["architecture"], *(entry.get("subArchitectures") or ())]
    return list(profile.get("architectures") or ())


def _group(group: dict[str, Any]) -> dict[str, Any]:
    names = group.get("names") or [group["name"]] if group.get("name") else group.get("names")
    found = {
        "names": names or [],
        "action": group["action"],
        "errnoRet": group.get("errnoRet"),
        "args": group.get("args"),
    }
    return {key: value for key, value in found.items() if value is not None}


def _applies(group: dict[str, Any], granted: Collection[str]) -> bool:
    """Whether none of what excludes the group holds, and all of what includes it."""
    excludes, includes = group.get("excludes") or {}, group.get("includes") or {}
    machine = _GO_NAMES.get(os.uname().machine, os.uname().machine)
    if machine in (excludes.get("arches") or ()):
        return False
    if any(_is_granted(name, granted) for name in excludes.get("caps") or ()):
        return False
    if excludes.get("minKernel") and _kernel_is(excludes["minKernel"]):
        return False
    if includes.get("arches") and machine not in includes["arches"]:
        return False
    if not all(_is_granted(name, granted) for name in includes.get("caps") or ()):
        return False
    return not includes.get("minKernel") or _kernel_is(includes["minKernel"])


def _is_granted(name: str, granted: Collection[str]) -> bool:
    return name.removeprefix("CAP_") in granted


def _kernel_is(least: str) -> bool:
    """Whether this kernel is of version `least`, as "4.8", or a later one."""
    try:
        major, minor = (int(word) for word in least.split("."))
    except ValueError:
        raise ProfileError(f"minKernel `{least}` is not of the form 4.8") from None
    own = os.uname().release.split("-")[0].split(".")
    return (int(own[0]), int(own[1])) >= (major, minor)
