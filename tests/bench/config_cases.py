"""Small projects that exercise the format's corners, for comparing `config` with the reference."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One project: files by name (the first are given by -f), and variables."""

    name: str
    files: tuple[str, ...]
    others: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


def service(keys: str) -> str:
    """A project of one service, `web`, with more keys than its image."""
    return f"services:\n  web:\n    image: x\n    {keys}\n"


def _single(section: str, lines: str) -> list[Case]:
    """A case for each line: a key of a service."""
    return [
        Case(name=f"{section} {line.strip()}", files=(service(line.strip()),))
        for line in lines.strip().splitlines()
    ]


def _merged(base: str, over: str, name: str = "") -> Case:
    return Case(name=f"13 {name or over}", files=(service(base), service(over)))


def _edges() -> list[Case]:
    """A case for each key of config_edges.txt."""
    lines = Path(__file__).with_name("config_edges.txt").read_text().splitlines()
    empty = {"l.env": "", "e.env": ""}
    return [Case(name=f"edge {line}", files=(service(line),), others=empty) for line in lines]


def _written(name: str) -> list[Case]:
    """The cases of a file beside this one."""
    text = Path(__file__).with_name(name).read_text()
    return [
        Case(
            name=entry["name"],
            files=tuple(entry["files"]),
            others=entry.get("others", {}),
            environment=entry.get("environment", {}),
        )
        for entry in YAML(typ="safe").load(text)
    ]


SCALARS = _single(
    "4",
    """
    mem_limit: 1.5g
    mem_limit: 10 MB
    mem_limit: "512"
    mem_limit: 3kib
    mem_limit: 1gbb
    mem_limit: -5m
    memswap_limit: -1
    shm_size: 64M
    stop_grace_period: 1d
    stop_grace_period: 1h5m30s20ms
    stop_grace_period: 1.5s
    stop_grace_period: "10"
    stop_grace_period: 10
    stop_grace_period: 0s
    healthcheck: {test: curl x, interval: 90s, timeout: 1m, start_period: 1h, retries: "3"}
    healthcheck: {test: [NONE]}
    healthcheck: {disable: true}
    healthcheck: {test: [curl]}
    command: echo a && echo b
    command: echo "a b" 'c d' e\\ f
    command: sh -c 'echo $$HOME'
    command: []
    command: ""
    command: ["a b", ""]
    command: [1]
    entrypoint: a (b)
    entrypoint: ""
    command:
    ports: [80, "8080:80", "127.0.0.1:8080:80/udp", "127.0.0.1::80"]
    ports: ["8000-8002:80-82", "9000-9002:90"]
    ports: ["8000-8002:80-81"]
    ports: ["[::1]:6000:6000"]
    ports: ["::1:6000:6000"]
    ports: ["80:80/icmp"]
    ports: ["8000-7000:80"]
    ports: ["70000:80"]
    ports: [{target: 80, published: 8080, host_ip: 0.0.0.0, protocol: udp, name: n, mode: host}]
    ports: [{target: "80", published: "8000-8010"}]
    ports: ["80:80", "80:80"]
    expose: [80, "81-83", "84/udp"]
    volumes: ["./a:/a", "/b:/b:ro", "~/c:/c:rw,z", "/d"]
    volumes: [".:/a:cached", "/x:/y:rshared"]
    volumes: ["foo/bar:/x"]
    volumes: ["v:/w"]
    volumes: ["a:b:c:d"]
    volumes: ["/a/../b/:/c/../d/"]
    volumes: ["/a::/b"]
    volumes: [{type: bind, source: ./x, target: /x, bind: {create_host_path: false}}]
    volumes: [{type: bind, source: ./x, target: /x, bind: {propagation: rslave, selinux: z}}]
    volumes: [{type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 0755}}]
    volumes: [{type: bind, target: /t}]
    volumes: [{type: volume, target: /t, volume: {nocopy: true, subpath: a}}]
    devices: [/dev/a, "/dev/b:/dev/c", "/dev/d:/dev/e:r", vendor.com/class=name]
    devices: ["/a:/b:/c:/d"]
    extra_hosts: ["a=1.1.1.1", "b:2.2.2.2", "c=[::1]", "a=3.3.3.3", "d:host-gateway"]
    extra_hosts: {a: 1.1.1.1, b: [2.2.2.2, 3.3.3.3]}
    environment: {A: 1.0, B: 1e6, C: 0777, D: 0x1f, E: 1_000, F: true, G: yes, H: "1", I: null}
    environment: {A: 1.10, B: .5, C: 1e-7, D: 123456789.5}
    environment: {E: -0.0, F: 1e21, G: 12345678901234567890}
    environment: [A=1, B=, C, A=2]
    environment: {A: 22:22, B: 0o17, C: on, D: ~, E: Null, F: .inf}
    labels: {a: , b: 1, c: true}
    labels: [a, b=, c=1=2]
    init: yes
    tty: "on"
    init: "true"
    init: maybe
    privileged: "1"
    cpus: "0.5"
    cpus: 1.25
    scale: "2"
    ulimits: {nofile: 5, core: {soft: 1, hard: 2}, memlock: -1}
    ulimits: {nofile: "5"}
    dns: 1.1.1.1
    dns: [1.1.1.1, 8.8.8.8]
    tmpfs: /run
    tmpfs: [/run:size=1m, "/tmp:mode=755"]
    logging: {driver: json-file, options: {max-size: 1m, max-file: 3}}
    restart: on-failure:3
    restart: "no"
    restart: no
    pull_policy: if_not_present
    pull_policy: every_1d
    pull_policy: odd
    deploy: {replicas: 2, resources: {limits: {memory: 64m, cpus: "0.5", pids: 10}}}
    deploy: {resources: {limits: {memory: 64}}}
    deploy: {restart_policy: {condition: on-failure, max_attempts: 3, delay: 5s, window: 1m}}
    deploy: {placement: {constraints: [a == b], preferences: [{spread: x}]}, labels: [a=b]}
    deploy: {update_config: {parallelism: 1, delay: 10s, max_failure_ratio: 0.3}}
    blkio_config: {weight: 300, weight_device: [{path: /dev/a, weight: 400}]}
    blkio_config: {device_read_bps: [{path: /dev/a, rate: 12mb}]}
    cap_add: [NET_ADMIN, ALL, NET_ADMIN]
    security_opt: [a, a]
    group_add: [1, mail, "1"]
    sysctls: {net.core.somaxconn: 1024}
    sysctls: ["a=1", "b=2"]
    gpus: all
    gpus: [{driver: x, count: 2}]
    build: .
    build: {context: ./d, args: {A: 1, B: , C: x}, target: t, tags: [a, b]}
    build: {dockerfile_inline: "FROM x", shm_size: 1g, ulimits: {nofile: 5}}
    build: {context: "https://example.org/x.git#main:sub"}
    build: {context: ., additional_contexts: {a: ../b, c: docker-image://x}, ssh: [default]}
    build: {context: ., cache_from: [a], platforms: [linux/amd64], privileged: true, no_cache: true}
    develop: {watch: [{path: ./src, action: sync, target: /src, ignore: [a]}]}
    post_start: [{command: echo a, user: root, environment: {A: b}}]
    network_mode: host
    network_mode: none
    ipc: host
    links: [web2]
    annotations: {a: 1}
    credential_spec: {file: x.json}
    user: 1000
    working_dir: /a/../b
    hostname: h
    stop_signal: SIGINT
    oom_score_adj: "5"
    pids_limit: -1
    mem_swappiness: 60
    platform: linux/amd64
    runtime: runc
    userns_mode: host
    storage_opt: {size: 1G}
    x-own: {a: [1, {b: c}]}
    attach: false
    read_only: true
    domainname: d
    mac_address: 02:42:ac:11:00:02
    cpuset: 0-1
    cpu_shares: 512
    oom_kill_disable: true
    isolation: default
    profiles: []
    env_file: []
    depends_on: [web]
    unknown: 1
    """,
)
VARIABLES = [
    Case(
        name=f"11 {text}", files=(service(f"command: ['{text}']"),), environment={"A": "a", "E": ""}
    )
    for text in (
        *("$A ${A} $$A $${A}", "${U}", "${U:-d}", "${E:-d}", "${E-d}", "${U-d}", "${A:-d}"),
        *("${A:+x}", "${E:+x}", "${E+x}", "${U+x}", "${A:?e}", "${E:?must be set}", "${E?e}"),
        *("${U?}", "${A:-${U:-c}}", "${U:-${V:-c}}", "${U:-$A}", '${U:-{"a": {"b": 1}}}'),
        *("$", "$1", "$}", "a$", "${}", "${1X}", "${A/x/y}", "${A", "${A-b:?c}", "${U-b:?c}"),
        *("$a$A", "${A}${E}x", "$_x", "${U:-a b}", "${U:-$$A}", "$$$A", "${U:-}", "${A:?$U}"),
    )
]
_ENV = service("environment: {A: $A, B: $B, C: $C, D: $D, E: $E}")
DOTENV = (
    [
        Case(name=f"12 .env {text!r}", files=(_ENV,), others={".env": text})
        for text in (
            "A=1\nB = 2\nC: 3\nexport D=4\n",
            'A=\'single $B\' # comment\nB="double $A\\n\\t\\""\nC=plain # comment\nD=x#y\nE=#z\n',
            "A=\"two\nlines\"\nB='and\n more'\n",
            "A=$HOME_NOT\nB=${A:-b}\nC=${B}c\nD=\\n\\$\n",
            "A='unterminated\n",
            "A B=1\n",
            "A\nB=2\n",
            "A=1\nA=2\n",
            "\ufeffA=bom\r\nB=crlf\r\n",
            "A=\nB=''\nC=\"\"\n",
            'A=a\'b\nB="a"b\n',
            'A=\'it\\\'s\'\nB="a\\\\b"\nC="\\$A $$A"\nD="\\061"\n',
            "# only\n\n  # comments\n",
            'A=  spaces  \nB="  kept  "\n',
            "A=${X?needed}\n",
            "A=1;B=2\n",
            "=1\n",
            "1A=x\nA.b=y\n",
        )
    ]
    + [
        Case(
            name=f"12 env_file {text!r}",
            files=(service("env_file: [e.env]\n    environment: {S: s}"),),
            others={"e.env": text},
            environment={"P": "p"},
        )
        for text in (
            "A=1\nB=$A\nC=$P\nD=$S\nS=file\n",
            "P\nNONE\nA=x\n",
            "A='$P'\nB=\"$P\"\nC=\\$P\n",
            'A={"a": 1}\nB=a=b=c\n',
        )
    ]
    + [
        Case(
            name="12 raw",
            files=(service("env_file: [{path: e.env, format: raw}]"),),
            others={"e.env": "A='x' # y\nB=$P\nP\n"},
            environment={"P": "p"},
        ),
        Case(
            name="12 two files",
            files=(service("env_file: [a.env, b.env]\n    environment: [C=c]"),),
            others={"a.env": "A=1\nB=1\nC=1\n", "b.env": "B=2\nD=$A\n"},
        ),
        Case(name="12 missing", files=(service("env_file: none.env"),)),
        Case(
            name="12 missing and not required",
            files=(service("env_file: [{path: none.env, required: false}]"),),
        ),
        Case(
            name="12 unset takes out",
            files=(service("env_file: a.env\n    environment: [A]"),),
            others={"a.env": "A=1\nB=2\n"},
        ),
        Case(
            name="12 label_file",
            files=(service("label_file: l.env\n    labels: [B=own]"),),
            others={"l.env": "A=1\nB=2\nC=$A\nD=$P\n"},
            environment={"P": "p"},
        ),
    ]
)
MERGES = [
    _merged("command: a", "command: [b, c]"),
    _merged("command: a", "command:"),
    _merged("entrypoint: a", "entrypoint: []"),
    _merged("environment: {A: 1, B: 2}", "environment: [B=3, C=4]"),
    _merged("environment: [A=1]", "environment: {A: }"),
    _merged("labels: [a=1]", "labels: {b: 2}"),
    _merged("ports: ['80:80']", "ports: ['80:80', '81:81']"),
    _merged("ports: ['8080:80']", "ports: ['8081:80']"),
    _merged("ports: [{target: 80, published: 80}]", "ports: ['80:80']"),
    _merged("volumes: ['./a:/x:ro']", "volumes: ['./b:/x']"),
    _merged("volumes: ['./a:/x', './b:/y']", "volumes: [{type: tmpfs, target: /x}]"),
    _merged("expose: [80, 81]", "expose: [81, '82']"),
    _merged("dns: 1.1.1.1", "dns: [8.8.8.8, 1.1.1.1]"),
    _merged("tmpfs: /a", "tmpfs: [/a, /b]"),
    _merged("env_file: a.env", "env_file: [b.env]"),
    _merged("cap_add: [A, B]", "cap_add: [B, C]"),
    _merged("security_opt: [a]", "security_opt: [a]"),
    _merged("devices: ['/dev/a:/dev/x']", "devices: ['/dev/b:/dev/x:r']"),
    _merged("build: ./a", "build: {target: t}"),
    _merged("build: {context: ./a, args: {A: 1}}", "build: {args: [A=2, B=3]}"),
    _merged("depends_on: [web2]", "depends_on: {web2: {condition: service_healthy}}"),
    _merged("networks: [a]", "networks: {b: {aliases: [x]}}"),
    _merged("networks: {a: {aliases: [x]}}", "networks: {a: {aliases: [x, y]}}"),
    _merged("extra_hosts: [a=1.1.1.1]", "extra_hosts: {a: 2.2.2.2, b: 3.3.3.3}"),
    _merged("logging: {driver: json-file, options: {a: b}}", "logging: {options: {c: d}}"),
    _merged("logging: {driver: json-file, options: {a: b}}", "logging: {driver: local}"),
    _merged("ulimits: {nofile: 5, core: 1}", "ulimits: {nofile: {soft: 1, hard: 2}}"),
    _merged("healthcheck: {test: a, interval: 5s}", "healthcheck: {test: [CMD, b]}"),
    _merged("healthcheck: {test: a}", "healthcheck: {disable: true}"),
    _merged("ports: ['80:80']", "ports: !override ['81:81']"),
    _merged("ports: ['80:80']", "ports: !reset []"),
    _merged("environment: {A: 1, B: 2}", "environment: {A: !reset null}"),
    _merged("environment: {A: 1, B: 2}", "environment: !override {C: 3}"),
    _merged("environment: [A=1, B=2]", "environment: {A: !reset null}", "!reset below a list"),
    _merged("command: a", "command: !reset null"),
    _merged("mem_limit: 1g", "mem_limit:"),
    _merged("privileged: true", "privileged: false"),
    _merged("volumes: ['./a:/x']", "volumes: {a: b}"),
    _merged("deploy: {replicas: 1, labels: [a=1]}", "deploy: {labels: {a: 2}}"),
    _merged("profiles: [a]", "profiles: [b, a]"),
    _merged("sysctls: {a: 1}", "sysctls: [a=2]"),
    _merged("x-a: {b: 1}", "x-a: {c: 2}"),
    _merged("links: [web2]", "links: ['web2:db']"),
    _merged("secrets: [s]", "secrets: [{source: s, target: t}]"),
    _merged("annotations: [a=1]", "annotations: {a: 2}"),
    _merged("group_add: [a]", "group_add: [b]"),
]
WRITTEN = [*_written("config_cases.yaml"), *_edges(), *_written("config_edges.yaml")]
CASES = (*SCALARS, *VARIABLES, *DOTENV, *MERGES, *WRITTEN)
