"""`security_opt`: what a container is confined by, and what not (engine.md A6.4, A12.8, A13)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.cgroups.hierarchy import Hierarchies
from engine.errors import ContainerProblem
from engine.kernel.process import apparmor_is_enabled
from engine.kernel.record import Record

if TYPE_CHECKING:
    from engine.containers.spec import ContainerSpec

_FLAGS = {"true": True, "false": False}
_KEYS = "no-new-privileges, seccomp, apparmor, label, systempaths and writable-cgroups"


class Security(Record):
    """The options of a container, read.

    seccomp    "builtin", "unconfined", or a profile: JSON in the form of Docker's
    apparmor   name of a profile; None: none
    """

    no_new_privileges: bool = False
    seccomp: str = "builtin"
    apparmor: str | None = None
    unconfined_paths: bool = False
    writable_cgroups: bool = False


def security_of(spec: ContainerSpec) -> Security:
    """Raises ContainerProblem for what is no option, or would be without effect here."""
    found = Security()
    if spec.privileged:
        found = Security(seccomp="unconfined", unconfined_paths=True, writable_cgroups=True)
    for option in spec.security_options:
        found = _with(spec, found, option)
    return found


def _with(spec: ContainerSpec, found: Security, option: str) -> Security:
    key, separator, value = option.partition("=")
    if not separator or ":" in key:  # the older form; a profile has colons of its own
        key, _, value = option.partition(":")
    match key, value:
        case "no-new-privileges", "":
            return found.replace(no_new_privileges=True)
        case "no-new-privileges", _ if value in _FLAGS:
            return found.replace(no_new_privileges=_FLAGS[value])
        case "seccomp", _ if value:
            return found.replace(seccomp=value)
        case "systempaths", "unconfined":
            return found.replace(unconfined_paths=True)
        case "apparmor", _ if value:
            return found.replace(apparmor=_apparmor(spec, value))
        case "label", _ if value:
            _check_label(spec, value)
            return found
        case "disable", "":  # as `label=disable`
            return found
        case "writable-cgroups", _ if value in ("", *_FLAGS):
            return found.replace(writable_cgroups=_writable(spec, value))
    raise ContainerProblem(
        f"container {spec.name}: `{option}` is no security option",
        hint=f"there are {_KEYS}",
        code="security-option",
    )


def _apparmor(spec: ContainerSpec, profile: str) -> str | None:
    if profile == "unconfined":
        return None
    if not apparmor_is_enabled():
        raise ContainerProblem(
            f"container {spec.name}: `apparmor={profile}`: this kernel runs without AppArmor",
            hint="leave it out, or `apparmor=unconfined`",
            code="apparmor",
        )
    return profile


def _check_label(spec: ContainerSpec, value: str) -> None:
    """SELinux: containers get no label of their own, so that to disable it is no change."""
    if value != "disable":
        raise ContainerProblem(
            f"container {spec.name}: label `{value}`: SELinux labels are not built yet",
            hint="leave it out, or `label=disable`",
            code="not-built-yet",
        )


def _writable(spec: ContainerSpec, value: str) -> bool:
    """On v1, who may write to a hierarchy may have the host run a program (CVE-2022-0492)."""
    wanted = _FLAGS[value or "true"]
    if wanted and not Hierarchies.detect().is_pure_v2:
        raise ContainerProblem(
            f"container {spec.name}: writable-cgroups is for version 2 of control groups alone",
            hint="leave it out: by those of version 1, the container could leave its confinement",
            code="writable-cgroups",
        )
    return wanted
