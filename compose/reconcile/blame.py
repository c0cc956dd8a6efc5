"""The place in the file that asked for what the engine could not do."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from compose.model import Project
    from compose.reconcile.step import Step

# The engine's problem code -> the key of the service that it is about; of several, the first that
# the service has.
_KEYS = {
    "bind-source-missing": "volumes",
    "capability-not-available": "cap_add",
    "command-not-found": "command",
    "cdi-specification": "devices",
    "hostname-conflict": "uts",
    "invalid-device": "devices",
    "invalid-device-rule": "device_cgroup_rules",
    "unknown-device": "devices gpus deploy",
    "ipc-not-shareable": "ipc",
    "mount": "volumes tmpfs",
    "mount-recursive": "volumes",
    "mount-target": "volumes tmpfs",
    "propagation": "volumes",
    "network-conflict": "network_mode",
    "apparmor": "security_opt",
    "seccomp-profile": "security_opt",
    "security-option": "security_opt",
    "userns-remap": "userns_mode",
    "writable-cgroups": "security_opt",
    "subpath": "volumes",
    "tmpfs-option": "tmpfs",
    "no-command": "image",
    "no-such-image": "image",
    "not-built-yet": "security_opt",
    "not-executable": "command",
    "port-taken": "ports",
    "sysctl": "sysctls",
    "sysctl-not-allowed": "sysctls",
    "ulimit": "ulimits",
    "unknown-capability": "cap_add",
    "unknown-signal": "stop_signal",
    "unknown-ulimit": "ulimits",
    "unknown-group": "group_add user",
    "unknown-user": "user",
    "working-directory": "working_dir",
}
_NETWORK_KEYS = {
    "address-invalid": "ipam",
    "aux-invalid": "ipam",
    "device-exists": "driver_opts",
    "driver-unknown": "driver",
    "driver-unsupported": "driver",
    "gateway-invalid": "ipam",
    "option-invalid": "driver_opts",
    "parent-missing": "driver_opts",
    "subnet-invalid": "ipam",
    "subnet-taken": "ipam",
}
_OF_KIND = {"image": "image", "network": "networks", "volume": "volumes"}


def place_of(project: Project, step: Step, code: str, setting: str = "") -> str | None:
    """`file:line:column` of the key behind a failed step, or of what is around it.

    setting  the limit it is about, as in the OCI runtime specification; "": none
    """
    if step.kind == "network" and step.name:
        return _place_of_network(project, step.name, code)
    if not step.service:
        return None
    if setting:
        from compose.reconcile.limits import keys_of_setting

        keys = keys_of_setting(setting)
    else:
        keys = tuple((_KEYS.get(code) or _OF_KIND.get(step.kind, "")).split())
    service = f"services.{step.service}"
    given = project.positions.paths()
    key = next((key for key in keys if f"{service}.{key}" in given), keys[0] if keys else "")
    return project.where(f"{service}.{key}".rstrip("."))


def _place_of_network(project: Project, name: str, code: str) -> str | None:
    """`name`: the engine's name of the network."""
    found = next((one for one in project.networks.values() if one.name == name), None)
    if found is None:
        return None
    return project.where(f"networks.{found.key}.{_NETWORK_KEYS.get(code, '')}".rstrip("."))
