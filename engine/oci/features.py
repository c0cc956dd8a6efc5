"""`features`: what this runtime can do, for callers to ask. Source: runtime-spec features.md."""

from __future__ import annotations

import json
import os
import sys

from engine.containers.namespaces import FLAGS as NAMESPACES
from engine.containers.profile import ACTIONS, ARCHITECTURES, OPERATORS
from engine.kernel.capabilities import NAMES as CAPABILITIES
from engine.kernel.mountoptions import FLAGS as MOUNT_OPTIONS
from engine.kernel.mountoptions import attribute_flags
from engine.kernel.mounts import PROPAGATION
from engine.kernel.process import apparmor_is_enabled
from engine.kernel.seccomp import AUDIT_ARCH, FILTER_FLAGS
from engine.oci.config import HOOKS
from engine.oci.version import SPECIFICATION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.oci.log import Log
    from engine.oci.options import Given


def run(root: str, given: Given, log: Log) -> int:
    """The verb."""
    sys.stdout.write(json.dumps(features(), indent=2) + "\n")
    return 0


def features() -> dict[str, Any]:
    """As the schema of the runtime specification has it."""
    recursive = [f"r{name}" for name in MOUNT_OPTIONS if attribute_flags(name)]
    return {
        "ociVersionMin": "1.0.0",
        "ociVersionMax": SPECIFICATION,
        "hooks": list(HOOKS),
        "mountOptions": sorted({*MOUNT_OPTIONS, *PROPAGATION, *recursive, "tmpcopyup"}),
        "linux": {
            "namespaces": sorted(NAMESPACES),
            "capabilities": [f"CAP_{name}" for name in CAPABILITIES],
            "cgroup": {
                "v1": True,
                "v2": True,
                "systemd": False,
                "systemdUser": False,
                "rdma": False,
            },
            "seccomp": _seccomp(),
            "apparmor": {"enabled": apparmor_is_enabled()},
            "selinux": {"enabled": False},
            "intelRdt": {"enabled": False},
            "mountExtensions": {"idmap": {"enabled": False}},
            "netDevices": {"enabled": False},
        },
    }


def _seccomp() -> dict[str, Any]:
    flags = [f"SECCOMP_FILTER_FLAG_{name}" for name in FILTER_FLAGS]
    return {
        "enabled": os.uname().machine in AUDIT_ARCH,
        "actions": list(ACTIONS),
        "operators": list(OPERATORS),
        "archs": list(ARCHITECTURES),
        "knownFlags": flags,
        "supportedFlags": flags,
    }
