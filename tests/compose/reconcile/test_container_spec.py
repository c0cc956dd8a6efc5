"""A replica of a service in the engine's words."""

from __future__ import annotations

import hashlib
from typing import Any

from compose.model.files import FileReference, FileSource
from compose.model.healthcheck import Healthcheck
from compose.model.mounts import Mount as ServiceMount
from compose.model.network import Network, ServiceNetwork
from compose.model.ports import Port
from compose.model.service import Link
from compose.reconcile.container_spec import container_spec
from engine import ContainerSpec, FileSpec, HealthcheckSpec, Image, Mount, PortSpec
from engine.images.config import ImageConfig
from tests.compose.reconcile.worlds import IMAGE, project, service, volume

PICTURE = Image(
    id=IMAGE,
    references=("docker.io/library/busybox:latest",),
    config=ImageConfig(),
    chain_ids=(),
    lowers=(),
    size_bytes=0,
    created="",
    architecture="amd64",
    os="linux",
)


def spec_of(**fields: Any) -> ContainerSpec:
    """The first replica of a service `web` with these fields, in a project that has a `db`."""
    web = service("web", "db", **fields)
    return container_spec(project(service("db"), web, volumes=("data",)), web, 1, PICTURE)


def test_labels_are_those_that_other_tools_read() -> None:
    labels = spec_of(labels={"mine": "1"}).labels
    assert labels == {
        "mine": "1",
        "com.docker.compose.project": "shop",
        "com.docker.compose.project.working_dir": "/shop",
        "com.docker.compose.project.config_files": "",
        "com.docker.compose.service": "web",
        "com.docker.compose.container-number": "1",
        "com.docker.compose.oneoff": "False",
        "com.docker.compose.config-hash": "web-1",
        "com.docker.compose.depends_on": "db:service_started:false",
        "com.docker.compose.image": IMAGE,
        "com.docker.compose.version": labels["com.docker.compose.version"],
    }


def test_names_and_addresses_belong_to_the_replica() -> None:
    spec = spec_of()
    assert (spec.name, spec.address_owner) == ("shop-web-1", "shop/web/1")
    assert spec_of(container_name="pinned").name == "pinned"


def test_a_replacement_has_a_temporary_name_and_says_whom_it_replaces() -> None:
    web = service("web")
    spec = container_spec(project(web), web, 1, PICTURE, replaces="ab" * 32)
    assert spec.name == "abababababab_shop-web-1"
    assert spec.labels["com.docker.compose.replace"] == "ab" * 32
    assert spec.address_owner == "shop/web/1"


def test_networks_are_joined_by_priority_with_aliases_and_links() -> None:
    front = Network(key="front", name="shop_front")
    web = service(
        "web",
        networks={
            "default": ServiceNetwork(),
            "front": ServiceNetwork(priority=10, aliases=("www",), ipv4_address="10.0.0.9"),
        },
        links=(Link(service="db", alias="mysql"),),
    )
    world = project(service("db"), web)
    world = world.replace(networks={**world.networks, "front": front})
    first, second = container_spec(world, web, 1, PICTURE).endpoints
    assert (first.network, first.aliases) == ("shop_front", ("web", "www"))
    assert first.ipv4_address == "10.0.0.9"
    assert first.links == (("mysql", "shop-db-1"), ("db-1", "shop-db-1"))
    assert second.network == "shop_default"


def test_volumes_are_named_by_the_project() -> None:
    mounts = spec_of(
        mounts=(
            volume("data", "/var/lib"),
            ServiceMount(type="bind", source="/shop/src", target="/src", read_only=True),
        ),
        tmpfs=(ServiceMount(type="tmpfs", target="/tmp", options=("size=1m",)),),
    ).mounts
    assert mounts == (
        Mount(type="volume", source="shop_data", target="/var/lib"),
        Mount(type="bind", source="/shop/src", target="/src", read_only=True),
        Mount(type="tmpfs", target="/tmp", options=("size=1m",)),
    )


def test_a_replacement_takes_over_the_anonymous_volumes_it_still_has() -> None:
    web = service("web", mounts=(ServiceMount(type="volume", target="/cache"),))
    kept = {"/cache": "c" * 64, "/image": "d" * 64, "/gone": "e" * 64}
    picture = PICTURE.replace(config=ImageConfig(volumes=("/image", "/new")))
    mounts = container_spec(project(web), web, 1, picture, anonymous=kept).mounts
    assert [(mount.source, mount.target) for mount in mounts] == [
        ("c" * 64, "/cache"),
        ("d" * 64, "/image"),
    ]


def test_ports() -> None:
    ports = spec_of(
        ports=(
            Port(target=80, published=(8080, 8080)),
            Port(target=53, protocol="udp", host_ip="127.0.0.1"),
        )
    ).ports
    assert ports == (
        PortSpec(target=80, published=(8080, 8080)),
        PortSpec(target=53, protocol="udp", host_ip="127.0.0.1"),
    )


def test_what_a_health_check_does_not_say_is_left_to_the_image() -> None:
    assert spec_of(healthcheck=Healthcheck(retries=7)).healthcheck == HealthcheckSpec(retries=7)
    assert spec_of().healthcheck is None


def test_a_probe_takes_the_place_of_the_test_and_keeps_the_timing() -> None:
    check, probe = Healthcheck(test=("CMD", "ping"), interval_s=5.0), ("TCP", "127.0.0.1", "80")
    expected = HealthcheckSpec(test=probe, interval_s=5.0)
    assert spec_of(healthcheck=check, probe=probe).healthcheck == expected
    assert spec_of(probe=probe).healthcheck == HealthcheckSpec(test=probe)


def test_network_modes() -> None:
    assert spec_of().network == "networks"
    assert spec_of(network_mode="host", networks={}).network == "host"
    assert spec_of(network_mode="none", networks={}).network == "none"
    assert spec_of(network_mode="service:db", networks={}).network == "container:shop-db-1"
    assert spec_of(network_mode="container:x", networks={}).network == "container:x"


def test_the_card_of_the_first_network_gets_the_address_of_the_service() -> None:
    front = Network(key="front", name="shop_front")
    web = service(
        "web",
        networks={"default": ServiceNetwork(), "front": ServiceNetwork(priority=5)},
        mac_address="02:42:ac:11:65:43",
    )
    shop = project(web)
    shop = shop.replace(networks={**shop.networks, "front": front})
    found = [
        (one.network, one.mac_address) for one in container_spec(shop, web, 1, PICTURE).endpoints
    ]
    assert found == [("shop_front", "02:42:ac:11:65:43"), ("shop_default", None)]


def test_external_links_name_containers() -> None:
    (endpoint,) = spec_of(external_links=("other-db-1:db", "cache")).endpoints
    assert endpoint.links == (("db", "other-db-1"), ("cache", "cache"))


def test_secrets_and_configs_are_mounts_and_files() -> None:
    web = service(
        "web",
        secrets=(
            FileReference(source="file", target="/run/secrets/file"),
            FileReference(source="value", target="/run/secrets/value", uid=5, mode=0o400),
        ),
        configs=(FileReference(source="text", target="/text"),),
    )
    shop = project(web).replace(
        secrets={
            "file": FileSource(key="file", name="file", file="/host/file"),
            "value": FileSource(key="value", name="value", environment="V", content="v"),
        },
        configs={"text": FileSource(key="text", name="text", content="t")},
    )
    spec = container_spec(shop, web, 1, PICTURE)
    assert spec.mounts == (
        Mount(
            type="bind",
            source="/host/file",
            target="/run/secrets/file",
            read_only=True,
            create_host_path=False,
        ),
    )
    assert spec.files == (
        FileSpec(
            target="/run/secrets/value",
            content="v",
            uid=5,
            mode=0o400,
            secret=True,
            digest=hashlib.sha256(b"v").hexdigest(),
        ),
        FileSpec(target="/text", content="t"),
    )


def test_what_is_lent_lies_below_the_service_s_own_mounts() -> None:
    lent = (
        Mount(type="bind", source="/a", target="/own"),
        Mount(type="bind", source="/b", target="/lent", read_only=True),
    )
    web = service("web", mounts=(ServiceMount(type="bind", source="/c", target="/own"),))
    spec = container_spec(project(web), web, 1, PICTURE, lent=lent)
    assert [(mount.source, mount.target) for mount in spec.mounts] == [
        ("/c", "/own"),
        ("/b", "/lent"),
    ]
