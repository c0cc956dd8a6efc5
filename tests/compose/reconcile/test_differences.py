"""What has changed of a service, in the words of its file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from compose.model.files import FileReference, FileSource
from compose.model.healthcheck import Healthcheck
from compose.model.mounts import Mount as ServiceMount
from compose.model.network import Network, ServiceNetwork
from compose.model.ports import Port
from compose.model.resources import Resources, RestartPolicy
from compose.model.service import Link, Service
from compose.reconcile.container_spec import container_spec
from compose.reconcile.differences import differences
from compose.reconcile.observe import Origin
from compose.reconcile.plan import UpOptions, plan_up
from engine.containers.files import without_secrets
from engine.containers.spec import load_spec
from engine.images.config import ImageConfig
from tests.compose.reconcile.test_container_spec import PICTURE
from tests.compose.reconcile.worlds import container, observed, project, service, volume

if TYPE_CHECKING:
    from compose.model import Project
    from engine import ContainerSpec

WITH_VOLUME = PICTURE.replace(config=ImageConfig(volumes=("/image",)))
ANONYMOUS = {"/image": "a" * 64, "/cache": "b" * 64}


def web(**fields: Any) -> Service:
    given: dict[str, Any] = {
        "command": ("serve", "--all"),
        "environment": {"A": "1", "B": "2", "EMPTY": None},
        "mounts": (volume("data", "/data"), ServiceMount(type="volume", target="/cache")),
        "ports": (Port(target=80, published=(8080, 8080)),),
        "ulimits": {"nofile": (10, 20)},
    }
    return service("web", **{**given, **fields})


def on_record(of: Service, **fields: Any) -> ContainerSpec:
    """What a container of `of` was made from, as it is read back from the record."""
    world = project(service("db"), of, volumes=("data",))
    spec = container_spec(world, of, 1, WITH_VOLUME, anonymous=ANONYMOUS).replace(**fields)
    return load_spec(json.dumps(spec.plain()), name=spec.name)


def changed(before: Service, after: Service, **fields: Any) -> tuple[str, ...]:
    world = project(service("db"), after, volumes=("data",))
    front = Network(key="front", name="shop_front")
    world = world.replace(networks={**world.networks, "front": front})
    return differences(world, after, 1, on_record(before, **fields), WITH_VOLUME)


def test_the_same_service_has_no_differences() -> None:
    assert changed(web(), web()) == ()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"command": ("serve",)}, ("command",)),
        ({"image_name": "busybox:2"}, ("image",)),
        ({"environment": {"A": "1", "B": "3", "C": ""}}, ("environment B, EMPTY, C",)),
        ({"labels": {"tier": "front"}}, ("labels tier",)),
        (
            {"mounts": (volume("data", "/var"),)},
            ("volumes /data", "volumes /cache", "volumes /var"),
        ),
        ({"tmpfs": (ServiceMount(type="tmpfs", target="/tmp"),)}, ("tmpfs /tmp",)),
        ({"ports": (), "expose": ("81",)}, ("ports", "expose")),
        ({"loopback": True}, ("ports for this host alone",)),
        ({"loopback": True, "ports": (Port(target=81),)}, ("ports",)),
        ({"networks": {"front": ServiceNetwork()}}, ("networks default", "networks front")),
        ({"networks": {"default": ServiceNetwork(aliases=("w",))}}, ("networks default",)),
        ({"links": (Link(service="db", alias="mysql"),)}, ("links",)),
        ({"network_mode": "none", "networks": {}}, ("network_mode", "networks default")),
        ({"healthcheck": Healthcheck(test=("CMD", "true"))}, ("healthcheck",)),
        ({"probe": ("FILE", "/run/ready")}, ("x-buoy-probe",)),
        ({"resources": Resources(memory_bytes=1, cpus=0.5)}, ("mem_limit", "cpus")),
        ({"restart": RestartPolicy(name="always")}, ("restart",)),
        ({"stop_grace_period_s": 1.0}, ("stop_grace_period",)),
        ({"container_name": "pinned"}, ("container_name",)),
        ({"dns_opt": ("rotate",), "shm_size_bytes": 1}, ("dns_opt", "shm_size")),
    ],
)
def test_a_change_is_named_as_in_the_file(fields: dict[str, Any], words: tuple[str, ...]) -> None:
    assert sorted(changed(web(), web(**fields))) == sorted(words)


def test_the_temporary_name_of_a_replacement_is_no_change() -> None:
    assert changed(web(), web(), name="0123456789ab_shop-web-1") == ()


def test_the_plan_says_what_changed() -> None:
    old, new = web(), web(environment={"A": "2"}, ports=(), digest="web-2")
    one = container(old)
    here = observed(one).replace(origins={one.id: Origin(spec=on_record(old), image=WITH_VOLUME)})
    plan = plan_up(
        project(service("db"), new, volumes=("data",)), here, UpOptions(services=("web",))
    )
    assert "configuration changed: environment A, B, EMPTY, ports" in [step.cause for step in plan]


def with_files(token: str | None, greeting: str = "hi", key: str = "/key") -> Project:
    reading = service(
        "web",
        secrets=(
            FileReference(source="token", target="/run/secrets/token"),
            FileReference(source="key", target="/run/secrets/key"),
        ),
        configs=(FileReference(source="greeting", target="/greeting.txt"),),
    )
    return project(reading).replace(
        secrets={
            "token": FileSource(key="token", name="token", environment="TOKEN", content=token),
            "key": FileSource(key="key", name="key", file=key),
        },
        configs={"greeting": FileSource(key="greeting", name="greeting", content=greeting)},
    )


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (with_files("one"), ()),
        (with_files("two"), ("secrets token",)),
        (with_files("one", greeting="hello"), ("configs greeting",)),
        (with_files("one", key="/other"), ("secrets key",)),
    ],
)
def test_secrets_and_configs_that_changed_are_named(after: Project, words: tuple[str, ...]) -> None:
    before = with_files("one")
    spec = container_spec(before, before.services["web"], 1, PICTURE)
    described = spec.plain()
    described["files"] = without_secrets(described["files"])
    stored = load_spec(json.dumps(described), name=spec.name)
    assert differences(after, after.services["web"], 1, stored, PICTURE) == words
