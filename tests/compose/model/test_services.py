"""What services come to in the model (compose-file.md 6, 8, 17, 18)."""

from __future__ import annotations

import platform
import textwrap
from typing import TYPE_CHECKING

import pytest

from compose.model import (
    Dependency,
    Healthcheck,
    Link,
    Mount,
    Port,
    Resources,
    RestartPolicy,
    ServiceNetwork,
)
from compose.model.read_service import host_platform

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compose.model import Service
    from tests.compose.projects import Files


def service(files: Files, keys: str, environment: Mapping[str, str] = {}) -> Service:
    """Service `web` with some keys, beside a `db`."""
    body = textwrap.indent(textwrap.dedent(keys).strip(), "    ")
    text = f"services:\n  db: {{image: y}}\n  web:\n    image: x\n{body}\n"
    return files.load(text, environment).services["web"]


def test_null_empty_and_absent_commands_differ(files: Files) -> None:
    assert service(files, "command: null").command is None
    assert service(files, "command: ''").command == ()
    assert service(files, "command: []").command == ()
    assert service(files, "command: a 'b c'").command == ("a", "b c")
    assert service(files, "entrypoint: [a]").entrypoint == ("a",)


def test_environment_values_are_texts_and_null_takes_from_the_project(files: Files) -> None:
    keys = "environment: {A: 1.0, B: true, C: '', HERE: null, GONE: null, D: 0777}"
    assert service(files, keys, {"HERE": "h"}).environment == {
        "A": "1",
        "B": "true",
        "C": "",
        "D": "511",
        "GONE": None,
        "HERE": "h",
    }


def test_env_files_lie_below_environment_and_later_ones_above_earlier(files: Files) -> None:
    files.write("A=one\nB=one\nC=one\nD=$OWN-$HERE\n", "one.env")
    files.write("B=two\nC=two\n", "two.env")
    keys = "env_file: [one.env, two.env]\nenvironment: {C: own, OWN: o}"
    assert service(files, keys, {"HERE": "h"}).environment == {
        "A": "one",
        "B": "two",
        "C": "own",
        "D": "o-h",
        "OWN": "o",
    }


def test_an_env_file_may_be_missing_when_it_says_so(files: Files) -> None:
    assert service(files, "env_file: [{path: n.env, required: false}]").environment == {}
    (missing,) = files.load("services: {web: {image: x, env_file: n.env}}").not_built
    assert (missing.code, missing.where) == ("file-not-found", "compose.yaml:1:38")


def test_a_raw_env_file_keeps_quotes(files: Files) -> None:
    files.write('A="$B"\n', "r.env")
    keys = "env_file: [{path: r.env, format: raw}]"
    assert service(files, keys).environment == {"A": '"$B"'}


def test_env_files_of_disabled_services_are_not_opened(files: Files) -> None:
    project = files.load("services: {web: {image: x, profiles: [p], env_file: nope.env}}")
    assert set(project.disabled) == {"web"}
    assert project.not_built == ()
    (missing,) = files.load(profiles=("p",)).not_built
    assert missing.path[:2] == ("services", "web")


def test_ports_in_all_forms(files: Files) -> None:
    keys = """
    ports:
      - 80
      - "8080:81/udp"
      - 127.0.0.1:9000-9001:90-91
      - {target: 70, published: 7000-7010, host_ip: 10.0.0.1, name: web, app_protocol: http}
      - {target: "${PORT:-60}"}
    """
    assert service(files, keys).ports == (
        Port(target=80),
        Port(target=81, published=(8080, 8080), protocol="udp"),
        Port(target=90, published=(9000, 9000), host_ip="127.0.0.1"),
        Port(target=91, published=(9001, 9001), host_ip="127.0.0.1"),
        Port(
            target=70,
            published=(7000, 7010),
            host_ip="10.0.0.1",
            name="web",
            app_protocol="http",
        ),
        Port(target=60),
    )


def test_mounts_in_all_forms(files: Files) -> None:
    files.write(
        """
        services:
          web:
            image: x
            tmpfs: /run:size=64m,mode=1770
            volumes:
              - ./src:/app:ro
              - data:/data/
              - /anonymous
              - {type: bind, source: ~/x, target: /x, bind: {create_host_path: false}}
              - {type: volume, source: data, target: /y, volume: {nocopy: true}}
              - {type: tmpfs, target: /z, tmpfs: {size: 1m, mode: 0o1770}}
        volumes: {data: }
        """
    )
    web = files.load().services["web"]
    assert web.mounts == (
        Mount(type="bind", source=f"{files.directory}/src", target="/app", read_only=True),
        Mount(type="volume", source="data", target="/data"),
        Mount(type="volume", target="/anonymous"),
        Mount(type="bind", source="/home/me/x", target="/x", create_host_path=False),
        Mount(type="volume", source="data", target="/y", nocopy=True),
        Mount(type="tmpfs", target="/z", size_bytes=1024**2, mode=0o1770),
    )
    assert web.tmpfs == (Mount(type="tmpfs", target="/run", options=("size=64m", "mode=1770")),)


def test_two_mounts_on_one_target_are_refused(files: Files) -> None:
    problem = files.problem("services: {web: {image: x, tmpfs: [/x], volumes: ['./a:/x/']}}")
    assert problem.code == "mount-target-twice"


def test_networks_in_both_forms_and_by_default(files: Files) -> None:
    assert service(files, "tty: true").networks == {"default": ServiceNetwork()}
    assert service(files, "networks: {}").networks == {"default": ServiceNetwork()}
    assert service(files, "networks: [default]").networks == {"default": ServiceNetwork()}
    keys = "networks: {default: {aliases: [a], ipv4_address: 10.0.0.9, priority: 5}}"
    assert service(files, keys).networks == {
        "default": ServiceNetwork(aliases=("a",), ipv4_address="10.0.0.9", priority=5)
    }


def test_a_network_mode_excludes_networks(files: Files) -> None:
    web = service(files, "network_mode: host")
    assert (web.network_mode, web.networks) == ("host", {})
    problem = files.problem("services: {web: {image: x, network_mode: none, networks: [default]}}")
    assert problem.code == "conflicting-keys"


def test_dependencies_in_both_forms(files: Files) -> None:
    assert service(files, "depends_on: [db]").depends_on == {"db": Dependency()}
    keys = "depends_on: {db: {condition: service_healthy, restart: true, required: 'no'}}"
    assert service(files, keys).depends_on == {
        "db": Dependency(condition="service_healthy", restart=True, required=False)
    }


def test_links_imply_a_dependency_but_not_over_a_written_one(files: Files) -> None:
    web = service(files, "links: ['db:database']")
    assert web.links == (Link(service="db", alias="database"),)
    assert web.depends_on == {"db": Dependency(restart=True, implied_by="links")}
    written = "links: [db]\ndepends_on: {db: {condition: service_healthy}}"
    assert service(files, written).depends_on["db"].condition == "service_healthy"


def test_healthcheck_forms(files: Files) -> None:
    keys = "healthcheck: {test: curl -f x, interval: 1m, retries: '5', start_period: 2s}"
    assert service(files, keys).healthcheck == Healthcheck(
        test=("CMD-SHELL", "curl -f x"), interval_s=60, retries=5, start_period_s=2
    )
    disabled = Healthcheck(test=("NONE",))
    assert service(files, "healthcheck: {disable: true}").healthcheck == disabled
    assert service(files, "healthcheck: {test: [NONE]}").healthcheck == disabled
    assert service(files, "healthcheck: {timeout: 3s}").healthcheck == Healthcheck(timeout_s=3)


@pytest.mark.parametrize(
    ("keys", "policy"),
    [
        ("tty: true", RestartPolicy()),
        ("restart: no", RestartPolicy()),
        ("restart: unless-stopped", RestartPolicy(name="unless-stopped")),
        ("restart: on-failure:3", RestartPolicy(name="on-failure", max_attempts=3)),
        ("deploy: {restart_policy: {condition: any}}", RestartPolicy(name="always")),
        (
            "restart: always\ndeploy: {restart_policy: {condition: on-failure, max_attempts: 2}}",
            RestartPolicy(name="on-failure", max_attempts=2),
        ),
    ],
)
def test_restart_policies(files: Files, keys: str, policy: RestartPolicy) -> None:
    assert service(files, keys).restart == policy


def test_limits_from_the_service_and_from_deploy(files: Files) -> None:
    own = "mem_limit: 64m\ncpus: '1.5'\npids_limit: 10\nmemswap_limit: -1\ncpu_shares: 512"
    assert service(files, own).resources == Resources(
        memory_bytes=64 * 1024**2, cpus=1.5, pids=10, memory_swap_bytes=-1, cpu_shares=512
    )
    deploy = """
    deploy:
      replicas: 3
      resources:
        limits: {cpus: '0.5', memory: 1g, pids: 5}
        reservations: {memory: 1m}
    """
    web = service(files, deploy)
    assert web.scale == 3
    assert web.resources == Resources(
        cpus=0.5, memory_bytes=1024**3, pids=5, memory_reservation_bytes=1024**2
    )


@pytest.mark.parametrize(
    ("written", "probe"),
    [
        ("tcp://:5432", ("TCP", "127.0.0.1", "5432")),
        ("tcp://localhost:1", ("TCP", "127.0.0.1", "1")),
        ("tcp://10.1.2.3:65535", ("TCP", "10.1.2.3", "65535")),
        ("'tcp://[::1]:80'", ("TCP", "::1", "80")),
        ("http://:8080/health?a=b", ("HTTP", "127.0.0.1", "8080", "/health?a=b")),
        ("http://127.0.0.2", ("HTTP", "127.0.0.2", "80", "/")),
        ("file:/run/ready", ("FILE", "/run/ready")),
        ("file:///run/a b", ("FILE", "/run/a b")),
        ("{log: ready}", ("LOG", "ready")),
        ("{log: '^(up|ready)$'}", ("LOG", "^(up|ready)$")),
    ],
)
def test_probe_forms(files: Files, written: str, probe: tuple[str, ...]) -> None:
    assert service(files, f"x-buoy-probe: {written}").probe == probe


@pytest.mark.parametrize(
    "written",
    [
        *("tcp://:0", "tcp://:65536", "tcp://", "tcp://:1/path", "tcp://db:5432", "tcp://1.2.3:4"),
        *("https://:443/", "http://:80/a b", "file:run/ready", "ready", "''", "{log: '('}"),
    ],
)
def test_what_is_no_probe(files: Files, written: str) -> None:
    problem = files.problem(f"services:\n  a:\n    image: x\n    x-buoy-probe: {written}\n")
    assert problem.code == "invalid-value"
    assert ":4:" in str(problem.where)


def test_a_probe_changes_the_digest_and_other_extensions_do_not(files: Files) -> None:
    plain = service(files, "x-a: 1").digest
    assert service(files, "x-a: 2").digest == plain
    assert service(files, "x-buoy-probe: tcp://:80").digest != plain


@pytest.mark.parametrize("key", ["interval: 500us", "retries: -1"])
def test_what_a_health_check_cannot_be(files: Files, key: str) -> None:
    text = f"services:\n  a:\n    image: x\n    healthcheck: {{test: t, {key}}}\n"
    assert files.problem(text).code == "invalid-value"


@pytest.mark.parametrize(
    "keys",
    [
        "scale: 2\ndeploy: {replicas: 3}",
        "mem_limit: 1g\ndeploy: {resources: {limits: {memory: 2g}}}",
        "container_name: one\nscale: 2",
        "healthcheck: {test: x, start_interval: 1s}",
    ],
)
def test_keys_that_contradict_each_other(files: Files, keys: str) -> None:
    body = textwrap.indent(keys, "    ")
    problem = files.problem(f"services:\n  web:\n    image: x\n{body}\n")
    assert problem.code == "conflicting-keys"


def test_a_container_name_can_be_had_once(files: Files) -> None:
    problem = files.problem(
        "services: {a: {image: x, container_name: one}, b: {image: x, container_name: one}}"
    )
    assert problem.code == "conflicting-keys"


def test_the_hosts_own_platform_is_accepted_in_all_spellings(files: Files) -> None:
    machine = platform.machine()
    docker = {"x86_64": "amd64", "aarch64": "arm64"}[machine]
    for name in (docker, machine, f"{docker}/v1"):
        assert service(files, f"platform: linux/{name}").platform == f"linux/{name}"


def test_small_things(files: Files) -> None:
    web = service(
        files,
        """
        ulimits: {nofile: 100, nproc: {soft: 1, hard: 2}}
        dns: 1.1.1.1
        expose: [80, "90/udp"]
        group_add: [audio, 44]
        stop_grace_period: 1m30s
        shm_size: 1g
        labels: [a=b, c]
        logging: {options: {max-size: 1m, max-file: 3}}
        pull_policy: if_not_present
        sysctls: {net.core.somaxconn: 1024}
        init: yes
        tty: "on"
        """,
    )
    assert web.ulimits == {"nofile": (100, 100), "nproc": (1, 2)}
    assert web.dns == ("1.1.1.1",)
    assert web.expose == ("80", "90/udp")
    assert web.group_add == ("audio", "44")
    assert web.stop_grace_period_s == 90
    assert web.shm_size_bytes == 1024**3
    assert web.labels == {"a": "b", "c": ""}
    assert (web.logging.max_size_bytes, web.logging.max_files) == (1_000_000, 3)
    assert web.pull_policy == "missing"
    assert web.sysctls == {"net.core.somaxconn": "1024"}
    assert web.init
    assert web.tty


def test_builds(files: Files) -> None:
    project = files.load(
        """
        services:
          short: {build: ./app}
          long:
            image: named
            build: {context: ., dockerfile: D, args: [A=1, HERE, GONE], target: t, tags: [x:1]}
        """,
        {"HERE": "h"},
    )
    short, long = project.services["short"], project.services["long"]
    assert short.image is None
    assert short.image_name == "shop-short"
    assert short.build is not None
    assert short.build.context == f"{files.directory}/app"
    assert long.image_name == "named"
    assert long.build is not None
    assert long.build.context == str(files.directory)
    assert long.build.args == {"A": "1", "HERE": "h"}
    assert (long.build.dockerfile, long.build.target, long.build.tags) == ("D", "t", ("x:1",))


def test_a_required_variable_is_reported_where_it_stands(files: Files) -> None:
    problem = files.problem("services:\n  web:\n    image: ${TAG:?which version}\n")
    assert problem.code == "required-variable"
    assert problem.where == "compose.yaml:3:12"
    assert problem.what == (
        "services.web.image: required variable `TAG` has no value: which version"
    )


def test_an_unset_variable_is_a_warning_once(files: Files) -> None:
    project = files.load("services: {web: {image: 'x$A', labels: {b: $A}}}")
    assert [notice.code for notice in project.warnings] == ["variable-not-set"]
    assert "`A`" in project.warnings[0].what


def test_a_classic_version_2_file(files: Files) -> None:
    files.write("MYSQL_DATABASE=course\n", "mysql.env")
    project = files.load(
        """
        version: "2"
        services:
          tomcat:
            image: tomcat:9
            links: ["mysql:db"]
            ports: ["8080:8080"]
            volumes:
              - ./webapps:/usr/local/tomcat/webapps
              - ./logs:/usr/local/tomcat/logs
          mysql:
            image: mysql:8
            env_file: mysql.env
            volumes: [./mysql:/var/lib/mysql]
        """
    )
    assert project.dependencies.services() == ("mysql", "tomcat")
    assert project.services["mysql"].environment == {"MYSQL_DATABASE": "course"}
    assert [notice.code for notice in project.warnings] == ["obsolete-key"]


def test_label_files_lie_below_labels_and_refer_to_earlier_labels_alone(files: Files) -> None:
    files.write("a=one\nb=one\nc=$a-$HOME\n", "one.env")
    files.write("b=two\nd='$a'\n", "two.env")
    keys = "label_file: [one.env, two.env]\nlabels: {a: own}"
    assert service(files, keys).labels == {"a": "own", "b": "two", "c": "one-", "d": "$a"}


def test_a_label_file_has_to_be_there(files: Files) -> None:
    (missing,) = files.load("services: {web: {image: x, label_file: no.env}}").not_built
    assert (missing.code, missing.where) == ("file-not-found", "compose.yaml:1:40")


@pytest.mark.parametrize(
    ("own", "deploy"),
    [
        ("mem_limit: 1g", "limits: {memory: 2g}"),
        ("mem_limit: 1g", "limits: {cpus: 1}"),
        ("cpus: 1", "limits: {memory: 2g}"),
        ("pids_limit: 5", "limits: {pids: 6}"),
        ("mem_reservation: 1m", "reservations: {cpus: 1}"),
    ],
)
def test_limits_have_to_agree_with_a_block_of_deploy_that_is_there(
    files: Files, own: str, deploy: str
) -> None:
    problem = files.problem(
        f"services: {{web: {{image: x, {own}, deploy: {{resources: {{{deploy}}}}}}}}}"
    )
    assert problem.code == "conflicting-keys"


def test_lists_with_keys_are_thinned_out(files: Files) -> None:
    web = service(
        files,
        """
        devices: ["/dev/a:/x", /dev/b, "/dev/c:/x:r"]
        cap_add: [A, B, A]
        expose: [80, "80"]
        links: [db, db]
        """,
    )
    assert [device.source for device in web.devices] == ["/dev/c", "/dev/b"]
    assert (web.cap_add, web.expose, len(web.links)) == (("A", "B"), ("80",), 1)


@pytest.mark.parametrize("key", ["group_add", "security_opt", "device_cgroup_rules"])
def test_lists_without_keys_may_not_repeat_an_item_over_files(files: Files, key: str) -> None:
    files.write(f"services: {{web: {{image: x, {key}: [a]}}}}")
    files.write(f"services: {{web: {{{key}: [a]}}}}", "compose.override.yaml")
    problem = files.problem()
    assert (problem.code, problem.where) == ("invalid-value", f"compose.yaml:1:{30 + len(key)}")


def test_volumes_from_implies_a_dependency_without_restart(files: Files) -> None:
    web = service(files, "volumes_from: ['db:ro', 'container:other']")
    assert web.depends_on == {"db": Dependency(implied_by="volumes_from")}
    problem = files.problem("services: {web: {image: x, volumes_from: ['db:rx']}, db: {image: y}}")
    assert "neither `ro` nor `rw`" in problem.what


def test_the_card_s_address_cannot_differ_from_that_in_networks(files: Files) -> None:
    one, other = "02:42:ac:11:65:43", "02:42:ac:11:65:44"
    text = f"services: {{web: {{image: x, mac_address: '{one}', networks: {{default: "
    assert files.load(f"{text}{{mac_address: '{one}'}}}}}}}}")
    problem = files.problem(f"{text}{{mac_address: '{other}'}}}}}}}}")
    assert problem.code == "conflicting-keys"


@pytest.mark.parametrize(
    ("base", "code"),
    [
        ("service:nowhere", "unknown-service"),
        ("service:imaged", "conflicting-keys"),
        ("service:web", "dependency-cycle"),
        ("service:off", "dependency-disabled"),
    ],
)
def test_a_build_starts_from_services_that_are_built(files: Files, base: str, code: str) -> None:
    problem = files.problem(
        f"""
        services:
          web: {{build: {{context: ., additional_contexts: {{a: '{base}'}}}}}}
          imaged: {{image: x}}
          off: {{build: ., profiles: [p]}}
        """
    )
    assert problem.code == code
    assert problem.where is not None
    assert problem.where.startswith("compose.yaml:2:")


def test_another_default_platform_is_said_to_have_no_effect(files: Files) -> None:
    text = "services: {web: {image: x}}"
    assert files.load(text, {"DOCKER_DEFAULT_PLATFORM": host_platform()}).warnings == ()
    (notice,) = files.load(text, {"DOCKER_DEFAULT_PLATFORM": "windows/amd64"}).warnings
    assert notice.what.startswith("DOCKER_DEFAULT_PLATFORM=windows/amd64 has no effect")
