"""Every key of the format is read, printed and read again (compose-file.md 6 to 10, 19)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from compose.model import (
    BlockIO,
    Deploy,
    DeployLimits,
    DeployReservations,
    DeployRestart,
    Device,
    DeviceRequest,
    Hook,
    LanguageModel,
    ModelBinding,
    Placement,
    Provider,
    RollOut,
    Subnet,
    WatchRule,
)
from compose.model.encoding import decode, encode
from compose.model.plain import escaped, plain_project
from compose.source.schema import validator
from compose.source.write import to_yaml
from compose.source.yaml import parse_documents

if TYPE_CHECKING:
    from compose.model import Project
    from tests.compose.projects import Files

SCHEMA: Any = validator().schema
GONE = {"extends", "label_file", "env_file"}  # taken into other keys, or written out
TEXT = """
services:
  web:
    image: x
    build:
      context: .
      dockerfile: D
      additional_contexts: {a: ./b, i: docker-image://y}
      args: [A=1, B]
      cache_from: [x, "type=local,src=a"]
      cache_to: ["type=local,dest=a"]
      entitlements: [network.host]
      extra_hosts: ["h=1.2.3.4"]
      isolation: default
      labels: {l: m}
      network: host
      no_cache: true
      no_cache_filter: one
      platforms: [linux/amd64]
      privileged: true
      provenance: mode=max
      pull: true
      sbom: true
      secrets: [sec, {source: sec, target: other}]
      shm_size: 1m
      ssh: [default, k=./key]
      tags: ["a:b"]
      target: t
      ulimits: {nofile: 5, nproc: {soft: 1, hard: 2}}
      x-bake: {a: b}
    annotations: {a: b}
    attach: false
    blkio_config:
      weight: 100
      weight_device: [{path: /dev/sda, weight: 200}]
      device_read_bps: [{path: /dev/sda, rate: 1m}]
      device_write_bps: [{path: /dev/sda, rate: 10}]
      device_read_iops: [{path: /dev/sda, rate: 20}]
      device_write_iops: [{path: /dev/sda, rate: 30}]
    cap_add: [NET_ADMIN]
    cap_drop: [ALL]
    cgroup: host
    cgroup_parent: m
    command: a b
    configs: [con, {source: inl, target: /i}]
    cpu_count: 2
    cpu_percent: 50
    cpu_period: 100000
    cpu_quota: 50000
    cpu_rt_period: 1000000
    cpu_rt_runtime: 950000
    cpu_shares: 5
    cpuset: 0-1
    credential_spec: {file: x.json}
    depends_on: [db]
    deploy:
      mode: replicated
      replicas: 2
      endpoint_mode: vip
      labels: {a: b}
      placement: {constraints: [a==b], preferences: [{spread: x}], max_replicas_per_node: 3}
      resources:
        limits: {cpus: "0.5", memory: 50m, pids: 10}
        reservations:
          cpus: 0.25
          memory: 20M
          generic_resources: [{discrete_resource_spec: {kind: gpu, value: 2}}]
          devices: [{capabilities: [gpu], driver: nvidia, count: 2, options: {o: 1}}]
      restart_policy: {condition: on-failure, delay: 5s, max_attempts: 3, window: 2m}
      update_config: {parallelism: 2, delay: 10s, failure_action: pause, monitor: 5s,
        max_failure_ratio: 0.1, order: start-first}
      rollback_config: {parallelism: 1}
    develop:
      watch:
        - {path: ./src, action: sync, target: /src, ignore: node_modules/, include: [a],
           initial_sync: true}
        - {path: p, action: sync+exec, target: /p, exec: {command: a b}}
    device_cgroup_rules: ["c 1:3 mr"]
    devices: [/dev/fuse, "/dev/a:/dev/b:r"]
    dns: 1.1.1.1
    dns_opt: [ndots:1]
    dns_search: a.test
    domainname: d
    entrypoint: [e]
    env_file: e.env
    environment: {A: 1}
    expose: [80]
    external_links: [ext]
    extra_hosts: {h: 1.2.3.4}
    gpus: all
    group_add: [g, 5]
    healthcheck: {test: t, interval: 1s, timeout: 2s, retries: 3, start_period: 4s,
      start_interval: 5s}
    hostname: h
    init: true
    ipc: host
    isolation: default
    label_file: l.env
    labels: {own: x}
    links: [db, "db:alias"]
    logging: {driver: json-file, options: {max-size: 1m}}
    mac_address: 02:42:ac:11:65:43
    mem_swappiness: 10
    memswap_limit: 1g
    models: {llm: {endpoint_var: E, model_var: M}}
    networks:
      n: {ipv4_address: 10.1.0.5, ipv6_address: "fd00::5", link_local_ips: [169.254.1.1],
          driver_opts: {a: 1}, interface_name: eth5, priority: 5, gw_priority: 2, aliases: [al]}
    oom_kill_disable: true
    oom_score_adj: 5
    pid: host
    platform: linux/amd64
    ports: [80]
    post_start: [{command: a b, user: u, privileged: true, working_dir: /w, environment: [A=1]}]
    pre_start: [{command: a, image: i, per_replica: true}]
    pre_stop: [{command: [a]}]
    privileged: true
    profiles: [p]
    pull_policy: always
    pull_refresh_after: 1h
    read_only: true
    runtime: runc
    secrets: [sec, {source: env, target: t, uid: "1", gid: "2", mode: 0440}]
    security_opt: [no-new-privileges]
    shm_size: 1m
    stdin_open: true
    stop_grace_period: 1s
    stop_signal: SIGINT
    storage_opt: {size: 1g}
    sysctls: {a: 1}
    tmpfs: /run
    tty: true
    ulimits: {nofile: 5}
    use_api_socket: true
    user: u
    userns_mode: host
    uts: host
    volumes:
      - {type: volume, source: v, target: /v, volume: {subpath: s, labels: {a: b}}}
      - {type: bind, source: ., target: /b, bind: {recursive: readonly}}
      - {type: image, source: y, target: /im, image: {subpath: z}}
      - {type: tmpfs, target: /tt, tmpfs: {size: 1m, mode: 0o1770}}
      - {type: bind, source: ., target: /c, consistency: cached}
    volumes_from: ["db:ro", "container:c"]
    working_dir: /w
    x-own: [1]
    x-buoy: {publish: written}
    x-buoy-probe: tcp://:80
  db:
    image: y
    gpus: [{count: all, capabilities: [x]}, {device_ids: ["0"], driver: d, options: {a: 1}}]
    mem_limit: 20m
    mem_reservation: 10m
    cpus: 0.5
    pids_limit: 5
    restart: always
    scale: 3
    models: [llm]
  single: {extends: {service: db}, scale: 0, container_name: single}
  shared: {image: z, network_mode: none}
  outside: {provider: {type: p, options: {a: b, c: [d, 1]}}}
networks:
  n:
    driver: bridge
    driver_opts: {a: 1}
    ipam:
      driver: default
      options: {o: p}
      config:
        - {subnet: 10.1.0.0/16, gateway: 10.1.0.1, ip_range: 10.1.2.0/24,
           aux_addresses: {h: 10.1.0.9}}
        - {subnet: "fd00::/64"}
    internal: true
    attachable: true
    enable_ipv4: false
    enable_ipv6: true
    labels: {a: b}
    x-n: 1
volumes:
  v: {driver: local, driver_opts: {o: bind, device: ./dev, type: none}, labels: [a=b], x-v: 1}
secrets:
  sec: {file: ./s.txt, labels: {a: b}, x-s: 1}
  env: {environment: HOME}
configs:
  con: {file: ./c.txt}
  inl: {content: "abc $$x"}
models:
  llm: {model: ai/x, context_size: 10, runtime_flags: [a]}
x-top: {a: [1, 2]}
"""


@pytest.fixture
def project(files: Files) -> Project:
    files.write("E=1", "e.env")
    files.write("from=file\nown=lost\nref=$from-$HOME\n", "l.env")
    return files.load(TEXT, profiles=("p",))


def test_no_key_of_a_service_or_build_is_left_out_here() -> None:
    (tree,) = parse_documents(TEXT, "x")
    services: Any = tree["services"]
    keys = {key for service in services.values() for key in service}
    assert keys - {"x-own"} == set(SCHEMA["$defs"]["service"]["properties"])
    known = set(SCHEMA["$defs"]["build"]["properties"]) - {"dockerfile_inline"}
    assert set(services["web"]["build"]) - {"x-bake"} == known
    assert set(services["web"]["deploy"]) == set(SCHEMA["$defs"]["deploy"]["properties"])


def test_every_key_is_printed(project: Project) -> None:
    (tree,) = parse_documents(TEXT, "x")
    plain = plain_project(project)
    assert not _missing(tree, plain, "")


def _missing(written: Any, printed: Any, path: str) -> list[str]:
    """Paths of keys that were written and are not printed."""
    if not isinstance(written, dict) or not isinstance(printed, dict):
        return []
    skipped = GONE | ({"driver"} if path.startswith((".networks", ".volumes")) else set())
    found = [f"{path}.{key}" for key in written if key not in printed and key not in skipped]
    for key in written.keys() & printed.keys():
        found += _missing(written[key], printed[key], f"{path}.{key}")
    return found


def test_what_is_printed_reads_back_as_the_same(files: Files, project: Project) -> None:
    plain = escaped(plain_project(project))
    files.write(to_yaml(plain), "again.yaml")
    again = files.load(files=("again.yaml",), profiles=("p",))
    assert escaped(plain_project(again)) == plain
    assert {name: one.digest for name, one in again.services.items()} == {
        name: one.digest for name, one in project.services.items()
    }


def test_it_can_be_kept_in_the_cache(project: Project) -> None:
    assert decode(encode(project)) == project


def test_deploy_is_kept_as_written_and_counts_in_the_service(project: Project) -> None:
    web = project.services["web"]
    devices = DeviceRequest(driver="nvidia", count=2, capabilities=("gpu",), options={"o": "1"})
    assert web.deploy == Deploy(
        mode="replicated",
        replicas=2,
        endpoint_mode="vip",
        labels={"a": "b"},
        limits=DeployLimits(cpus=0.5, memory_bytes=50 * 1024**2, pids=10),
        reservations=DeployReservations(
            cpus=0.25,
            memory_bytes=20 * 1024**2,
            generic_resources=(("gpu", 2),),
            devices=(devices,),
        ),
        restart_policy=DeployRestart(
            condition="on-failure", delay_s=5, max_attempts=3, window_s=120
        ),
        update_config=RollOut(
            parallelism=2,
            delay_s=10,
            failure_action="pause",
            monitor_s=5,
            max_failure_ratio=0.1,
            order="start-first",
        ),
        rollback_config=RollOut(parallelism=1),
        placement=Placement(constraints=("a==b",), preferences=("x",), max_replicas_per_node=3),
    )
    assert (web.scale, web.restart.name, web.restart.max_attempts) == (2, "on-failure", 3)
    assert (web.resources.cpus, web.resources.memory_bytes) == (0.5, 50 * 1024**2)


def test_devices_and_their_speed(project: Project) -> None:
    web, db = project.services["web"], project.services["db"]
    assert web.devices == (
        Device(source="/dev/fuse", target="/dev/fuse"),
        Device(source="/dev/a", target="/dev/b", permissions="r"),
    )
    assert web.gpus == (DeviceRequest(count=-1),)
    assert db.gpus == (
        DeviceRequest(count=-1, capabilities=("x",)),
        DeviceRequest(device_ids=("0",), driver="d", options={"a": "1"}),
    )
    assert web.block_io == BlockIO(
        weight=100,
        weight_device=(("/dev/sda", 200),),
        device_read_bps=(("/dev/sda", 1024**2),),
        device_write_bps=(("/dev/sda", 10),),
        device_read_iops=(("/dev/sda", 20),),
        device_write_iops=(("/dev/sda", 30),),
    )


def test_hooks_and_what_is_watched(files: Files, project: Project) -> None:
    web = project.services["web"]
    assert web.post_start == (
        Hook(
            command=("a", "b"),
            user="u",
            privileged=True,
            working_dir="/w",
            environment={"A": "1"},
        ),
    )
    assert web.pre_start == (Hook(command=("a",), image="i", per_replica=True),)
    assert web.watch == (
        WatchRule(
            path=f"{files.directory}/src",
            action="sync",
            target="/src",
            ignore=("node_modules/",),
            include=("a",),
            initial_sync=True,
        ),
        WatchRule(
            path=f"{files.directory}/p",
            action="sync+exec",
            target="/p",
            exec=Hook(command=("a", "b")),
        ),
    )


def test_models_and_providers(project: Project) -> None:
    assert project.models == {
        "llm": LanguageModel(key="llm", model="ai/x", context_size=10, runtime_flags=("a",))
    }
    binding = ModelBinding(endpoint_var="E", model_var="M")
    assert project.services["web"].models == {"llm": binding}
    assert project.services["db"].models == {"llm": None}
    outside = project.services["outside"]
    assert outside.provider == Provider(type="p", options={"a": "b", "c": ("d", "1")})
    assert outside.networks == {}


def test_all_subnets_of_a_network(project: Project) -> None:
    network = project.networks["n"]
    first, second = network.subnets
    assert (first.subnet, first.aux_addresses) == ("10.1.0.0/16", {"h": "10.1.0.9"})
    assert second == Subnet(subnet="fd00::/64")


def test_a_quota_of_a_period_is_a_number_of_processors(files: Files) -> None:
    text = "services: {{web: {{image: x, cpu_quota: 50000{}}}}}"
    services = files.load(text.format(", cpu_period: 200000")).services
    assert services["web"].resources.cpus == 0.25
    assert files.load(text.format("")).services["web"].resources.cpus == 0.5
