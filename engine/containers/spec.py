"""What a container is asked to be (ContainerSpec); what it is found to be is in `observed`.

Engine-neutral: no Compose words. Sizes in bytes, times in seconds, None where the image or the
engine decides.
"""

from __future__ import annotations

import json

from engine.kernel.record import Record

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Literal


class Mount(Record):
    """One mount of a container, in the words of the overlay and OCI specifications.

    type       bind (a host path), volume (a named or, without source, an anonymous one), tmpfs,
               image (its content, to read)
    source     absolute host path, volume name, or reference of an image that is here; empty for
               tmpfs and anonymous volumes
    target     absolute path inside
    recursive  what is mounted below the source comes along
    read_only_below  whether that is read-only as well; None: as the mount itself
    subpath    volume, image: what of it is mounted
    """

    type: Literal["bind", "volume", "tmpfs", "image"]
    target: str
    source: str = ""
    read_only: bool = False
    create_host_path: bool = True  # bind: make a missing source a directory
    propagation: str = "rprivate"
    recursive: bool = True
    read_only_below: bool | None = None
    subpath: str | None = None
    nocopy: bool = False  # volume: do not fill an empty one from the image
    options: tuple[str, ...] = ()  # tmpfs: mount options, as `size=64m`, `mode=1770`
    size_bytes: int | None = None  # tmpfs
    mode: int | None = None  # tmpfs
    lowers: tuple[str, ...] = ()  # image: its layers, top first, in place of `source`


class DeviceSpec(Record):
    """A device of the host.

    source       its path there, or a directory, for all that are in it; or the name of a device
                 that a CDI specification describes, as `vendor.com/class=name`
    target       path inside; None: the same
    permissions  of `rwm`: read, write, make the node
    """

    source: str
    target: str | None = None
    permissions: str = "rwm"


class FileSpec(Record):
    """A file that is made for the container and shown to it read-only.

    target   absolute path inside
    content  its text; None in what is stored of a secret one
    secret   the text is kept in memory alone
    digest   of the text of a secret one: tells whether another is the same
    """

    target: str
    content: str | None
    uid: int = 0
    gid: int = 0
    mode: int = 0o444
    secret: bool = False
    digest: str | None = None


class EndpointSpec(Record):
    """The wish to be on one network."""

    network: str  # name of the network
    aliases: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()  # (alias, container name), seen by this one alone
    ipv4_address: str | None = None
    ipv6_address: str | None = None
    mac_address: str | None = None
    interface: str | None = None  # None: ethN, the first N that is free
    link_local: tuple[str, ...] = ()  # addresses beside those of the network
    options: Mapping[str, str] = {}  # of the driver: its interface's name and sysctls
    priority: int = 0  # connect order
    gw_priority: int = 0  # who gives the default route


class PlugSpec(Record):
    """The wish for an interface beside those of networks: a port of a bridge of the host's, or a
    link on top of one of its interfaces.

    bridge, parent   one of them; a bridge that is not there is made
    driver     of a link on a parent: macvlan, ipvlan
    interface  its name in the container
    addresses  with prefix length: 10.1.2.3/24
    gateways   one of an IP version takes the default route
    dhcp       an IPv4 address and gateway from a server, kept for the life of the container
    """

    interface: str
    bridge: str = ""
    parent: str = ""
    driver: Literal["macvlan", "ipvlan"] = "macvlan"
    vlan: int | None = None
    addresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    mac_address: str | None = None
    dhcp: bool = False

    @property
    def device(self) -> str:
        """Of the host: the bridge, or what the link sits on: `eth1`, `eth1.50` for a VLAN."""
        if self.bridge:
            return self.bridge
        return f"{self.parent}.{self.vlan}" if self.vlan else self.parent


class PortSpec(Record):
    """One published port.

    host_ip    address of the host; None: all of both IP versions
    published  None: an ephemeral one; (8080, 8080): that one; (8000, 8010): the first that is free
    loopback   for this host alone: the loopback addresses take the place of others
    """

    target: int
    published: tuple[int, int] | None = None
    protocol: Literal["tcp", "udp", "sctp"] = "tcp"
    host_ip: str | None = None
    loopback: bool = False


class RestartPolicy(Record):
    """When a container that ended is started again (engine.md C5)."""

    name: Literal["no", "always", "on-failure", "unless-stopped"] = "no"
    max_attempts: int = 0  # on-failure: 0 is without end


class HealthcheckSpec(Record):
    """How a container is found healthy (engine.md C6). None and 0: the image's, then the default.

    test  ("CMD", ...), ("CMD-SHELL", script), ("NONE",), () for the image's; or, made by the
          monitor itself, ("TCP", address, port), ("HTTP", address, port, path), ("FILE", path)
          or ("LOG", regular expression)
    """

    test: tuple[str, ...] = ()
    interval_s: float | None = None
    timeout_s: float | None = None
    start_period_s: float | None = None
    start_interval_s: float | None = None
    retries: int | None = None


class Resources(Record):
    """Limits by cgroup (engine.md A15). None, or an empty tuple: no limit.

    cpus                   CPUs, fractions allowed: short for a quota in a period of 100 ms
    cpu_shares             weight relative to other containers, 1024 where it is not said
    cpu_quota_us           CPU time in each `cpu_period_us`; below zero: without limit
    cpu_rt_*_us            the same for real-time processes
    cpuset, cpuset_mems    CPUs and memory nodes, as `0-3,5`
    swappiness             0 to 100
    pids                   0 and below: any number
    io_weight              10 to 1000, relative to other containers
    io_*_device            (path of a block device, weight, bytes or operations per second)
    """

    memory_bytes: int | None = None
    memory_reservation_bytes: int | None = None
    memory_swap_bytes: int | None = None  # memory and swap together; -1 unlimited
    swappiness: int | None = None
    oom_kill_disable: bool | None = None
    cpus: float | None = None
    cpu_shares: int | None = None
    cpu_period_us: int | None = None
    cpu_quota_us: int | None = None
    cpu_rt_period_us: int | None = None
    cpu_rt_runtime_us: int | None = None
    cpuset: str | None = None
    cpuset_mems: str | None = None
    pids: int | None = None
    io_weight: int | None = None
    io_weight_device: tuple[tuple[str, int], ...] = ()
    io_read_bps_device: tuple[tuple[str, int], ...] = ()
    io_write_bps_device: tuple[tuple[str, int], ...] = ()
    io_read_iops_device: tuple[tuple[str, int], ...] = ()
    io_write_iops_device: tuple[tuple[str, int], ...] = ()


class LogSpec(Record):
    """Where output goes and how much of it is kept (engine.md C3, C4). None: the driver's default.

    max_size_bytes  of one file; 0: without end
    attributes      the options labels, labels-regex, env, env-regex and tag of json-file
    """

    driver: Literal["cri", "json-file", "local", "none"] = "cri"
    max_size_bytes: int | None = None
    max_files: int | None = None
    compress: bool | None = None
    attributes: Mapping[str, str] = {}


class ContainerSpec(Record):
    """All that is asked of one container.

    image      id of an image that is here (`sha256:...`), or a `rootfs:` reference
    reference  the image as the user wrote it, for display
    lowers     overlay lower directories, top first, in place of those of `image` (build steps)
    command    None: the image's; () clears it
    network    "networks": those in `endpoints`; "none": loopback alone; "host": the host's;
               "container:NAME": that of another container, with its hosts and resolv.conf
    pid_mode, uts_mode, cgroup_mode, ipc_mode   whose namespace: "private": its own; "host";
               "container:NAME" (pid, ipc); ipc also "shareable": its own, which others may join,
               and "none": its own without /dev/shm
    address_owner   sticky key of its addresses; None: they go with the container
    notes      texts that whoever makes it wants to find again; they mean nothing here
    """

    name: str
    image: str
    reference: str = ""
    lowers: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    environment: Mapping[str, str | None] = {}  # None removes
    working_dir: str | None = None
    user: str | None = None
    group_add: tuple[str, ...] = ()
    hostname: str | None = None
    domainname: str | None = None
    labels: Mapping[str, str] = {}
    notes: Mapping[str, str] = {}
    mounts: tuple[Mount, ...] = ()
    files: tuple[FileSpec, ...] = ()
    network: str = "networks"
    userns: str = ""  # whose ids: "": as the engine is asked for; "host"; or UIDS:GIDS:SIZE
    pid_mode: str = "private"
    ipc_mode: str = "private"
    uts_mode: str = "private"
    cgroup_mode: str = "private"
    endpoints: tuple[EndpointSpec, ...] = ()
    plugs: tuple[PlugSpec, ...] = ()
    address_owner: str | None = None
    ports: tuple[PortSpec, ...] = ()
    expose: tuple[str, ...] = ()  # "3306", "8000-8010/udp": said of it, beside what the image says
    extra_hosts: tuple[tuple[str, str], ...] = ()
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    restart: RestartPolicy = RestartPolicy()
    healthcheck: HealthcheckSpec | None = None  # None: the image's
    stop_signal: str | None = None
    stop_grace_s: float = 10.0
    init: bool = False
    tty: bool = False
    stdin_open: bool = False
    stdin_once: bool = False  # closed when the first client that writes to it has ended
    privileged: bool = False
    devices: tuple[DeviceSpec, ...] = ()
    device_rules: tuple[str, ...] = ()  # what more may be opened: "c 13:* rwm"
    read_only: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_options: tuple[str, ...] = ()  # no-new-privileges, seccomp=unconfined
    ulimits: Mapping[str, tuple[int, int]] = {}  # soft, hard
    sysctls: Mapping[str, str] = {}
    resources: Resources = Resources()
    cgroup_parent: str = ""  # its cgroup's parent, from the top of each hierarchy; "": ours
    shm_size_bytes: int = 64 * 1024 * 1024
    oom_score_adj: int = 0
    log: LogSpec = LogSpec()


def load_spec(text: str, *, name: str) -> ContainerSpec:
    """A ContainerSpec from the JSON of its record; the name may have been changed since."""
    found: dict[str, Any] = json.loads(text)
    found["name"] = name
    for key, kind in (
        ("restart", RestartPolicy),
        ("resources", Resources),
        ("log", LogSpec),
    ):
        found[key] = kind(**_tuples(found[key]))
    if found["healthcheck"]:
        check = found["healthcheck"]
        found["healthcheck"] = HealthcheckSpec(**{**check, "test": tuple(check["test"])})
    found["mounts"] = tuple(Mount(**_tuples(mount)) for mount in found["mounts"])
    found["devices"] = tuple(DeviceSpec(**one) for one in found.get("devices", ()))
    found["files"] = tuple(FileSpec(**file) for file in found.get("files", ()))
    found["endpoints"] = tuple(EndpointSpec(**_tuples(one)) for one in found["endpoints"])
    found["plugs"] = tuple(PlugSpec(**_tuples(one)) for one in found.get("plugs", ()))
    found["ports"] = tuple(PortSpec(**_tuples(port)) for port in found["ports"])
    found["ulimits"] = {key: (soft, hard) for key, (soft, hard) in found["ulimits"].items()}
    return ContainerSpec(**_tuples(found))


def _tuples(found: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has lists only; pairs within them become tuples too."""
    return {key: _tuple(value) for key, value in found.items()}


def _tuple(value: Any) -> Any:
    return tuple(_tuple(item) for item in value) if isinstance(value, list) else value
