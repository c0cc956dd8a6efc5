"""`spec`: a config.json to start from, confined as our own containers are."""

from __future__ import annotations

import json
import os

from engine.kernel import capabilities
from engine.oci.errors import OciProblem
from engine.oci.version import SPECIFICATION
from engine.rootfs import masks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.oci.log import Log
    from engine.oci.options import Given

_KERNEL = ["nosuid", "noexec", "nodev"]
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NAMESPACES = ("pid", "network", "ipc", "uts", "mount", "cgroup")


def run(root: str, given: Given, log: Log) -> int:
    """The verb. Raises OciProblem where there is a config.json already."""
    path = os.path.join(given.text("bundle", "."), "config.json")
    config = rootless(example()) if given.flag("rootless") else example()
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(json.dumps(config, indent=2) + "\n")
    except FileExistsError:
        raise OciProblem(f"File {path} exists. Remove it first", code="exists") from None
    return 0


def example() -> dict[str, Any]:
    """A shell on a terminal, in the root filesystem `rootfs`."""
    granted = [f"CAP_{name}" for name in capabilities.DEFAULT]
    return {
        "ociVersion": SPECIFICATION,
        "process": {
            "terminal": True,
            "user": {"uid": 0, "gid": 0},
            "args": ["sh"],
            "env": [f"PATH={_PATH}", "TERM=xterm"],
            "cwd": "/",
            "capabilities": {"bounding": granted, "effective": granted, "permitted": granted},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "buoy",
        "mounts": _mounts(),
        "linux": {
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": [{"type": kind} for kind in _NAMESPACES],
            "maskedPaths": list(masks.MASKED),
            "readonlyPaths": list(masks.READ_ONLY),
        },
    }


def rootless(config: dict[str, Any]) -> dict[str, Any]:
    """The same in a user namespace whose root is who runs it: without what only root may."""
    linux = config["linux"]
    del linux["resources"]
    linux["namespaces"] = [e for e in linux["namespaces"] if e["type"] != "network"]
    linux["namespaces"].append({"type": "user"})
    for name, own in (("uidMappings", os.geteuid()), ("gidMappings", os.getegid())):
        linux[name] = [{"containerID": 0, "hostID": own, "size": 1}]
    for mount in config["mounts"]:
        mount["options"] = [o for o in mount.get("options", ()) if not o.startswith("gid=")]
        if mount["type"] == "sysfs":  # the network is the host's, and its sysfs with it
            mount |= {"type": "none", "source": "/sys", "options": ["rbind", *_KERNEL, "ro"]}
    config["mounts"] = [m for m in config["mounts"] if m["type"] != "cgroup"]
    return config


def _mounts() -> list[dict[str, Any]]:
    dev = ["nosuid", "strictatime", "mode=755", "size=65536k"]
    pts = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]
    shm = [*_KERNEL, "mode=1777", "size=65536k"]
    return [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": _KERNEL},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": dev},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": pts},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": shm},
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": _KERNEL},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": [*_KERNEL, "ro"]},
        {
            "destination": "/sys/fs/cgroup",
            "type": "cgroup",
            "source": "cgroup",
            "options": [*_KERNEL, "relatime", "ro"],
        },
    ]
