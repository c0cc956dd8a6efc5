"""Seccomp profiles in Docker's form: what of them holds for a container (engine.md A12.3)."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from engine.containers.dockerprofile import oci_profile
from engine.containers.profile import ProfileError, filter_of

MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]


def read(granted: tuple[str, ...] = (), **group: Any) -> list[str]:
    """The names that remain of a profile of one group."""
    group = {"names": ["mount"], "action": "SCMP_ACT_ALLOW", **group}
    profile = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [group]}
    found = oci_profile(json.dumps(profile), granted)
    assert filter_of(found)
    return [name for group in found["syscalls"] for name in group["names"]]


@pytest.mark.parametrize(
    ("granted", "group", "applies"),
    [
        ((), {}, True),
        ((), {"includes": {}, "excludes": {}}, True),
        ((), {"includes": {"caps": ["CAP_SYS_ADMIN"]}}, False),
        (("SYS_ADMIN",), {"includes": {"caps": ["CAP_SYS_ADMIN"]}}, True),
        (("SYS_ADMIN",), {"includes": {"caps": ["CAP_SYS_ADMIN", "CAP_BPF"]}}, False),
        (("SYS_ADMIN",), {"excludes": {"caps": ["CAP_BPF", "CAP_SYS_ADMIN"]}}, False),
        ((), {"excludes": {"caps": ["CAP_SYS_ADMIN"]}}, True),
        ((), {"includes": {"arches": [MACHINE, "s390x"]}}, True),
        ((), {"includes": {"arches": ["s390x"]}}, False),
        ((), {"excludes": {"arches": [MACHINE]}}, False),
        ((), {"includes": {"minKernel": "4.8"}}, True),
        ((), {"includes": {"minKernel": "999.0"}}, False),
        ((), {"excludes": {"minKernel": "4.8"}}, False),
        ((), {"excludes": {"minKernel": "999.0"}}, True),
    ],
)
def test_groups_hold_under_their_conditions(
    granted: tuple[str, ...], group: dict[str, Any], applies: bool
) -> None:
    assert read(granted, **group) == (["mount"] if applies else [])


def test_the_older_form_names_one_call() -> None:
    assert read(names=None, name="umount2") == ["umount2"]


def test_architectures_are_those_of_the_machine() -> None:
    entries = [
        {"architecture": "SCMP_ARCH_S390X", "subArchitectures": ["SCMP_ARCH_S390"]},
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
    ]
    found = oci_profile(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "archMap": entries}), ())
    own = {"amd64": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]}
    assert found["architectures"] == own.get(MACHINE, ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{", "not JSON"),
        ("[]", "defaultAction"),
        ("{}", "defaultAction"),
        ('{"defaultAction": "SCMP_ACT_MAYBE"}', "SCMP_ACT_MAYBE"),
        ('{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["a"], "archMap": [{}]}', "exclude"),
        ('{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/x"}', "listenerPath"),
        ('{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": {}}', "not a list"),
        ('{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["a"]}]}', "action"),
        (
            '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls":'
            ' [{"names": ["a"], "name": "b", "action": "SCMP_ACT_ALLOW"}]}',
            "exclude",
        ),
        (
            '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action":'
            ' "SCMP_ACT_ERRNO", "includes": {"minKernel": "new"}}]}',
            "minKernel",
        ),
    ],
)
def test_what_is_no_profile_is_said(text: str, what: str) -> None:
    with pytest.raises(ProfileError, match=what):
        filter_of(oci_profile(text, ()))
