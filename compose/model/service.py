"""A service: the definition from which its containers are made."""

from __future__ import annotations

from compose.model.record import Record
from compose.model.resources import Logging, Resources, RestartPolicy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from compose.model.build import Build
    from compose.model.dependencies import Dependency
    from compose.model.deploy import Deploy
    from compose.model.devices import BlockIO, Device, DeviceRequest
    from compose.model.files import FileReference
    from compose.model.healthcheck import Healthcheck
    from compose.model.hooks import Hook, WatchRule
    from compose.model.models import ModelBinding, Provider
    from compose.model.mounts import Mount
    from compose.model.network import ServiceNetwork
    from compose.model.ports import Port


DEFAULT_GRACE_S = 10.0


class EnvFile(Record):
    """A file of variables (Compose: services.env_file). The path is absolute."""

    path: str
    required: bool = True
    format: str | None = None


class Link(Record):
    """A further name, known to one service alone, of another (Compose: services.links)."""

    service: str
    alias: str


class Service(Record):
    """One service, all forms resolved (Compose: services.<name>). Seconds and bytes.

    image            as written; None: only built
    image_name       the reference its containers use: `image`, else `<project>-<name>`
    command, entrypoint   None: the image's; () clears it
    environment      env_file below environment; None takes the variable out of the image's
    env_files        those that were left unread; the others are in `environment`
    networks         by key of `Project.networks`; empty when `network_mode` is given
    depends_on       by service name, with those implied by links and namespaces
    probe            in place of the test of `healthcheck`: `read_probe` (x-buoy-probe)
    loopback         its ports are published for this host alone (x-buoy, `read_publish`)
    scale            number of containers
    namespaces       ipc, pid, uts, cgroup and userns: `host`, `private`, `service:NAME` ...
    reserved_devices   of `deploy`; `gpus` are beside them
    deploy           as written; what of it counts is in scale, resources and restart
    others           keys that change nothing here, as written, kept for `config`
    extensions       its `x-` keys and those inside, kept for `config` (source/extensions.py)
    digest           of all that decides how its containers are made (`compose.model.digest`)
    """

    name: str
    image_name: str
    image: str | None = None
    build: Build | None = None
    pull_policy: str | None = None
    platform: str | None = None
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: Mapping[str, str | None] = {}
    env_files: tuple[EnvFile, ...] = ()
    working_dir: str | None = None
    user: str | None = None
    group_add: tuple[str, ...] = ()
    hostname: str | None = None
    domainname: str | None = None
    container_name: str | None = None
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    ports: tuple[Port, ...] = ()
    loopback: bool = False
    expose: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    tmpfs: tuple[Mount, ...] = ()
    networks: Mapping[str, ServiceNetwork] = {}
    network_mode: str | None = None
    links: tuple[Link, ...] = ()
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_opt: tuple[str, ...] = ()
    extra_hosts: tuple[tuple[str, str], ...] = ()  # (name, address), in order
    depends_on: Mapping[str, Dependency] = {}
    healthcheck: Healthcheck | None = None
    probe: tuple[str, ...] | None = None
    restart: RestartPolicy = RestartPolicy()
    stop_signal: str | None = None
    stop_grace_period_s: float = DEFAULT_GRACE_S
    init: bool = False
    tty: bool = False
    stdin_open: bool = False
    attach: bool = True
    privileged: bool = False
    read_only: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    sysctls: Mapping[str, str] = {}
    ulimits: Mapping[str, tuple[int, int]] = {}  # soft, hard
    resources: Resources = Resources()
    shm_size_bytes: int | None = None
    oom_score_adj: int = 0
    namespaces: Mapping[str, str] = {}
    cgroup_parent: str | None = None
    runtime: str | None = None
    devices: tuple[Device, ...] = ()
    device_cgroup_rules: tuple[str, ...] = ()
    gpus: tuple[DeviceRequest, ...] = ()
    reserved_devices: tuple[DeviceRequest, ...] = ()
    block_io: BlockIO | None = None
    storage_opt: Mapping[str, str] = {}
    mac_address: str | None = None
    volumes_from: tuple[str, ...] = ()
    external_links: tuple[str, ...] = ()
    configs: tuple[FileReference, ...] = ()
    secrets: tuple[FileReference, ...] = ()
    pre_start: tuple[Hook, ...] = ()
    post_start: tuple[Hook, ...] = ()
    pre_stop: tuple[Hook, ...] = ()
    watch: tuple[WatchRule, ...] = ()
    models: Mapping[str, ModelBinding | None] = {}
    provider: Provider | None = None
    use_api_socket: bool = False
    deploy: Deploy | None = None
    logging: Logging = Logging()
    profiles: tuple[str, ...] = ()
    scale: int = 1
    others: Mapping[str, Any] = {}
    extensions: Mapping[str, Any] = {}
    digest: str = ""

    @property
    def hook_images(self) -> tuple[str, ...]:
        """Other images than its own that containers of `pre_start` are made of."""
        named = dict.fromkeys(hook.image for hook in self.pre_start if hook.image)
        return tuple(name for name in named if name != self.image_name)
