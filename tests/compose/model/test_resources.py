"""Networks and volumes of a project (compose-file.md 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.compose.projects import Files

WEB = "services: {web: {image: x, networks: [n], volumes: ['v:/v']}}\n"


def test_names_carry_the_project_unless_the_file_says_another(files: Files) -> None:
    project = files.load(f"{WEB}networks: {{n: }}\nvolumes: {{v: {{name: mine}}}}\n")
    assert project.networks["n"].name == "shop_n"
    assert project.volumes["v"].name == "mine"


def test_external_ones_keep_their_key_or_name(files: Files) -> None:
    project = files.load(
        f"{WEB}networks: {{n: {{external: true}}}}\nvolumes: {{v: {{external: {{name: o}}}}}}"
    )
    assert (project.networks["n"].external, project.networks["n"].name) == (True, "n")
    assert (project.volumes["v"].external, project.volumes["v"].name) == (True, "o")


def test_the_default_network_is_there_when_used_and_can_be_customised(files: Files) -> None:
    project = files.load("services: {web: {image: x}}\nnetworks: {default: {internal: true}}")
    assert project.networks["default"].internal
    assert project.networks["default"].name == "shop_default"
    project = files.load("services: {web: {image: x, network_mode: none}}")
    assert project.networks == {}


def test_what_no_service_uses_is_left_out(files: Files) -> None:
    project = files.load("services: {web: {image: x}}\nnetworks: {spare: }\nvolumes: {spare: }\n")
    assert set(project.networks) == {"default"}
    assert project.volumes == {}


def test_addresses_of_a_network(files: Files) -> None:
    network = files.load(
        """
        services: {web: {image: x}}
        networks:
          default:
            ipam: {config: [{subnet: 10.9.0.0/16, gateway: 10.9.0.1, ip_range: 10.9.5.0/24}]}
            driver_opts: {com.docker.network.driver.mtu: 1400}
        """
    ).networks["default"]
    (pool,) = network.subnets
    assert (pool.subnet, pool.gateway, pool.ip_range) == (
        "10.9.0.0/16",
        "10.9.0.1",
        "10.9.5.0/24",
    )
    assert network.driver_opts == {"com.docker.network.driver.mtu": "1400"}


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ("{subnet: 10.9.0.0/99}", "invalid-value"),
        ("{subnet: 10.9.0.0/16, gateway: 10.8.0.1}", "invalid-value"),
        ("{gateway: 10.8.0.1}", "conflicting-keys"),
    ],
)
def test_addresses_that_do_not_fit(files: Files, config: str, code: str) -> None:
    text = (
        f"services: {{web: {{image: x}}}}\nnetworks: {{default: {{ipam: {{config: [{config}]}}}}}}"
    )
    assert files.problem(text).code == code


def test_an_undefined_network_is_named_with_the_nearest(files: Files) -> None:
    problem = files.problem("services: {web: {image: x, networks: [fornt]}}\nnetworks: {front: }")
    assert problem.code == "unknown-network"
    assert problem.hint == "did you mean `front`?"
    assert problem.where == "compose.yaml:1:39"


def test_an_undefined_volume_that_looks_like_a_path(files: Files) -> None:
    problem = files.problem("services: {web: {image: x, volumes: ['foo/bar:/x']}}")
    assert problem.code == "unknown-volume"
    assert problem.hint == "a path begins with `./`: `./foo/bar`"


def test_an_external_volume_has_nothing_else(files: Files) -> None:
    text = f"{WEB}networks: {{n: }}\nvolumes: {{v: {{external: true, labels: {{a: b}}}}}}"
    assert files.problem(text).code == "conflicting-keys"


def test_a_changed_definition_has_another_digest(files: Files) -> None:
    plain = files.load("services: {web: {image: x}}").networks["default"]
    closed = files.load(
        "services: {web: {image: x}}\nnetworks: {default: {internal: true}}"
    ).networks["default"]
    assert plain.digest != closed.digest
