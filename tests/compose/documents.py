"""Project files that are right, made up in all the forms that the format has, for properties."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Values = st.SearchStrategy[Any]

NAMES = ("web", "db", "cache")  # each may need those after it
KEYS = ("a", "b", "x-c", "d.e")
TEXTS = ("", "a", "a b", "$$HOME", "${U:-d}", "ü", "'\"", "yes", "1.0", "0x1", "two\nlines")
text, flag = st.sampled_from(TEXTS), st.booleans()
word = st.sampled_from(("a", "b", "c-d", "e_f"))
number = st.integers(1, 1000)
size = st.sampled_from(("64m", "1.5g", "512", 4096, "1 kb"))
span = st.sampled_from(("1s", "1m30s", "90s", "500ms", "1h"))
address = st.sampled_from(("10.0.0.1", "::1", "192.168.1.2"))
anything = st.recursive(
    st.one_of(text, number, flag, st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(KEYS), inner, max_size=2)
    ),
    max_leaves=4,
)


def several(values: Values, most: int = 3) -> Values:
    """A list of different values."""
    return st.lists(values, max_size=most, unique_by=repr)


def one_or_several(values: Values) -> Values:
    """A value alone, or in a list."""
    return st.one_of(values, several(values))


def mapping(
    extensible: bool = True, required: dict[str, Values] | None = None, **keys: Values
) -> Values:
    """A mapping with some of the keys, and mostly no extension."""
    optional = {**keys, **({"x-own": anything} if extensible else {})}
    return st.fixed_dictionaries(required or {}, optional=optional)


def pairs(values: Values = text) -> Values:
    """Key and value, as a mapping or a list."""
    keys = st.sampled_from(KEYS)
    listed = st.tuples(keys, st.one_of(st.none(), text)).map(
        lambda pair: pair[0] if pair[1] is None else f"{pair[0]}={pair[1]}"
    )
    mapped = st.dictionaries(keys, st.one_of(values, number, flag, st.none()), max_size=3)
    return st.one_of(mapped, st.lists(listed, max_size=3))


def names_with(names: tuple[str, ...], values: Values) -> Values:
    """Names in a list, or as keys."""
    if not names:
        return st.just([])
    chosen = st.sampled_from(names)
    return st.one_of(several(chosen), st.dictionaries(chosen, values, max_size=2))


def files_for(kind: str) -> Values:
    """Secrets or configs of a service: `one` and `two` are defined."""
    source = st.sampled_from(("one", "two"))
    long = mapping(
        required={"source": source},
        target=st.sampled_from((f"{kind}-t", f"/{kind}/t")),
        uid=st.just("5"),
        mode=st.sampled_from((0o440, "0400")),
    )
    return several(st.one_of(source, long), most=2)


PORTS = st.one_of(
    number,
    st.tuples(number, number).map(lambda pair: f"{pair[0]}:{pair[1]}/udp"),
    st.sampled_from(("127.0.0.1::80", "[::1]:8080:80", "3000-3002", "9000-9002:90")),
    mapping(
        required={"target": number},
        published=st.one_of(number, number.map(str), st.just("8000-8010")),
        host_ip=address,
        protocol=st.sampled_from(("tcp", "udp")),
        mode=st.sampled_from(("host", "ingress")),
        name=word,
        app_protocol=word,
    ),
)
TARGETS = st.sampled_from(("/v/1", "/v/2/", "/v/../v/3"))
VOLUMES = st.one_of(
    st.tuples(st.sampled_from(("./d", "/h", "~/h", "data", "../up")), TARGETS).map(":".join),
    TARGETS.map(lambda target: f"data:{target}:ro,nocopy"),
    mapping(
        required={"type": st.just("bind"), "source": st.just("./b"), "target": TARGETS},
        read_only=flag,
        bind=mapping(create_host_path=flag, propagation=st.just("rslave"), selinux=st.just("z")),
    ),
    mapping(
        required={"type": st.just("volume"), "target": TARGETS},
        source=st.just("data"),
        volume=mapping(nocopy=flag, subpath=word, labels=pairs()),
    ),
    mapping(
        required={"type": st.just("tmpfs"), "target": TARGETS},
        tmpfs=mapping(size=size, mode=st.just(0o755)),
    ),
)
ULIMITS = st.dictionaries(
    st.sampled_from(("nofile", "core")),
    st.one_of(number, mapping(required={"soft": st.just(1), "hard": number})),
    max_size=2,
)
HOSTS = st.one_of(
    several(st.tuples(word, address).map(lambda pair: f"{pair[0]}={pair[1]}")),
    st.dictionaries(word, one_or_several(address), max_size=2),
)
COMMAND = st.one_of(
    st.none(), st.sampled_from(("", "a b", "sh -c 'x y'")), st.lists(text, max_size=3)
)
HOOK = mapping(
    required={"command": st.sampled_from(("a b", ["a", ""]))},
    user=word,
    privileged=flag,
    working_dir=st.just("/w"),
    environment=pairs(),
)
HEALTHCHECK = mapping(
    test=st.sampled_from(("a", ["CMD", "a", "b c"], ["CMD-SHELL", "x"], ["NONE"])),
    interval=span,
    timeout=span,
    retries=number,
    disable=flag,
)
BUILD = mapping(
    context=st.sampled_from((".", "./d", "https://example.org/x.git#main")),
    dockerfile=word,
    args=pairs(),
    labels=pairs(),
    target=word,
    tags=several(word),
    cache_from=several(word),
    network=st.just("host"),
    no_cache=flag,
    pull=flag,
    shm_size=size,
    extra_hosts=HOSTS,
    ulimits=ULIMITS,
    additional_contexts=st.just({"more": "./m"}),
    secrets=st.just(["one"]),
)
LIMITS = mapping(cpus=st.sampled_from((0.5, "1.25")), memory=st.just("64m"), pids=number)
DEVICE = mapping(
    required={"capabilities": several(word)}, driver=word, count=number, options=pairs()
)
ROLL_OUT = mapping(
    parallelism=number, delay=span, order=st.just("start-first"), max_failure_ratio=st.just(0.5)
)
DEPLOY = mapping(
    mode=st.just("replicated"),
    replicas=st.integers(0, 3),
    labels=pairs(),
    endpoint_mode=st.just("vip"),
    resources=mapping(
        limits=LIMITS,
        reservations=mapping(
            memory=st.just("32m"), cpus=st.just("0.25"), devices=several(DEVICE, most=1)
        ),
    ),
    restart_policy=mapping(
        condition=st.sampled_from(("none", "any", "on-failure")),
        max_attempts=number,
        delay=span,
        window=span,
    ),
    update_config=ROLL_OUT,
    rollback_config=ROLL_OUT,
    placement=mapping(
        constraints=several(word),
        preferences=st.just([{"spread": "x"}]),
        max_replicas_per_node=number,
    ),
)
PLACE = st.one_of(
    st.none(),
    mapping(
        aliases=several(word), ipv4_address=st.just("10.1.0.9"), priority=number, gw_priority=number
    ),
)
SERVICE: dict[str, Values] = {
    "annotations": pairs(),
    "attach": flag,
    "blkio_config": mapping(
        extensible=False,
        weight=st.just(100),
        device_read_bps=st.just([{"path": "/dev/a", "rate": "1m"}]),
    ),
    "build": st.one_of(st.sampled_from((".", "./d")), BUILD),
    "cap_add": several(st.sampled_from(("NET_ADMIN", "CAP_CHOWN", "ALL"))),
    "cap_drop": several(st.sampled_from(("MKNOD", "ALL"))),
    "command": COMMAND,
    "configs": files_for("configs"),
    "cpu_shares": number,
    "cpuset": st.just("0-1"),
    "deploy": DEPLOY,
    "devices": several(
        st.sampled_from(("/dev/a", "/dev/a:/dev/b:r", {"source": "/dev/c", "target": "/dev/d"}))
    ),
    "dns": one_or_several(address),
    "dns_opt": several(st.sampled_from(("ndots:1", "rotate"))),
    "dns_search": one_or_several(word),
    "domainname": word,
    "entrypoint": COMMAND,
    "environment": pairs(),
    "expose": several(st.sampled_from((80, "80", "90/udp"))),
    "extra_hosts": HOSTS,
    "group_add": several(word),
    "healthcheck": HEALTHCHECK,
    "hostname": word,
    "init": flag,
    "labels": pairs(),
    "logging": mapping(
        driver=st.just("json-file"), options=st.just({"max-size": "1m", "max-file": 3})
    ),
    "network_mode": st.sampled_from(("none", "host")),
    "networks": names_with(("default", "net"), PLACE),
    "oom_score_adj": number,
    "ports": several(PORTS),
    "post_start": several(HOOK, most=1),
    "pre_stop": several(HOOK, most=1),
    "privileged": flag,
    "profiles": st.just(["p"]),
    "pull_policy": st.sampled_from(("always", "if_not_present", "never")),
    "read_only": flag,
    "restart": st.sampled_from(("no", "always", "on-failure:3", "unless-stopped")),
    "secrets": files_for("secrets"),
    "security_opt": st.just(["no-new-privileges"]),
    "shm_size": size,
    "stdin_open": flag,
    "stop_grace_period": span,
    "stop_signal": st.just("SIGINT"),
    "storage_opt": st.just({"size": "1g"}),
    "sysctls": pairs(),
    "tmpfs": one_or_several(st.sampled_from(("/t/1", "/t/2:size=1m"))),
    "tty": flag,
    "ulimits": ULIMITS,
    "user": st.sampled_from(("root", "1:2")),
    "volumes": several(VOLUMES),
    "working_dir": st.just("/w"),
    "x-service": anything,
}
TOGETHER = (("network_mode", "networks"), ("build", "profiles"))  # not both
NETWORK = st.one_of(
    st.none(),
    mapping(
        name=word,
        driver_opts=st.just({"a": 1}),
        internal=flag,
        attachable=flag,
        labels=pairs(),
        ipam=mapping(config=st.just([{"subnet": "10.1.0.0/16", "gateway": "10.1.0.1"}])),
    ),
)
VOLUME = st.one_of(st.none(), mapping(name=word, labels=pairs()), st.just({"external": True}))
SOURCES = {
    "secrets": {"one": {"file": "./one"}, "two": {"environment": "TWO"}},
    "configs": {"one": {"file": "./one"}, "two": {"content": "a $$b"}},
}


def some_of(keys: dict[str, Values]) -> Values:
    """A service with at most eight of the keys."""

    def with_values(chosen: list[str]) -> Values:
        kept = [key for key in chosen if not any(a in chosen and key == b for a, b in TOGETHER)]
        return st.fixed_dictionaries({"image": st.just("x"), **{key: keys[key] for key in kept}})

    return st.lists(st.sampled_from(sorted(keys)), max_size=8, unique=True).flatmap(with_values)


def _services() -> Values:
    """Three services with a few keys each; each may need those that come after it."""
    wish = mapping(
        required={"condition": st.sampled_from(("service_started", "service_healthy"))},
        restart=flag,
        required_=flag,
    ).map(lambda found: {key.rstrip("_"): value for key, value in found.items()})
    found = {}
    for index, name in enumerate(NAMES):
        needs = names_with(NAMES[index + 1 :], wish)
        found[name] = some_of({**SERVICE, "depends_on": needs})
    return st.fixed_dictionaries(found)


PROJECTS: Values = st.fixed_dictionaries(
    {
        "services": _services(),
        "networks": st.fixed_dictionaries({"net": NETWORK}, optional={"default": NETWORK}),
        "volumes": st.fixed_dictionaries({"data": VOLUME}),
        "secrets": st.just(SOURCES["secrets"]),
        "configs": st.just(SOURCES["configs"]),
    },
    optional={"x-top": anything, "name": st.just("of-the-file")},
)
