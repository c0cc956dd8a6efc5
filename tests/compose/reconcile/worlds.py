"""Small projects and what is observed of them, for tests of plans."""

from __future__ import annotations

from compose.model.dependencies import Dependencies, Dependency, Node
from compose.model.mounts import Mount
from compose.model.network import Network, ServiceNetwork
from compose.model.project import Project
from compose.model.service import Service
from compose.model.volume import Volume
from compose.reconcile import names
from compose.reconcile.observe import Observed
from engine import Attachment, Container

IMAGE = "sha256:" + "1" * 64


class Thing:
    """A network or volume as the engine lists it, with what of it plans look at."""

    def __init__(self, name: str, **labels: str) -> None:
        self.name, self.labels = name, labels
        self.driver = "local"
        self.options: dict[str, str] = {}


def service(name: str, *needs: str, **fields: object) -> Service:
    """A service on the default network. A need is `db`, or `db:service_healthy`."""
    depends_on = {}
    for need in needs:
        other, _, condition = need.partition(":")
        depends_on[other] = Dependency(condition=condition or "service_started")  # type: ignore[arg-type]
    values: dict[str, object] = {
        "name": name,
        "image_name": "busybox",
        "image": "busybox",
        "digest": f"{name}-1",
        "networks": {"default": ServiceNetwork()},
        "depends_on": depends_on,
    }
    return Service(**{**values, **fields})  # type: ignore[arg-type]


def project(*services: Service, volumes: tuple[str, ...] = ()) -> Project:
    """The project `shop`; services are given each after those it needs."""
    return Project(
        name="shop",
        directory="/shop",
        services={one.name: one for one in services},
        networks={"default": Network(key="default", name="shop_default", digest="net-1")},
        volumes={key: Volume(key=key, name=f"shop_{key}", digest="vol-1") for key in volumes},
        dependencies=Dependencies(
            nodes=tuple(Node(kind="service", name=one.name) for one in services)
        ),
    )


def volume(source: str, target: str) -> Mount:
    """A named volume mounted."""
    return Mount(type="volume", source=source, target=target)


def container(of: Service, number: int = 1, **fields: object) -> Container:
    """A running container of `of`, made by it as it is."""
    name = of.container_name or f"shop-{of.name}-{number}"
    values: dict[str, object] = {
        "id": (f"{of.name}{number}".encode().hex() + "0" * 64)[:64],
        "name": name,
        "image_id": IMAGE,
        "reference": of.image_name,
        "labels": {
            names.PROJECT: "shop",
            names.SERVICE: of.name,
            names.NUMBER: str(number),
            names.ONE_OFF: "False",
            names.CONFIG_HASH: of.digest,
            names.IMAGE: IMAGE,
            names.DEPENDS_ON: names.format_depends_on(of),
        },
        "created_at": 0.0,
        "status": "running",
        "attachments": (
            Attachment(
                network_id="n",
                network="shop_default",
                addresses=("172.18.0.2/16",),
                gateways=("172.18.0.1",),
                mac_address="02:42:ac:12:00:02",
                interface="eth0",
            ),
        ),
    }
    return Container(**{**values, **fields})  # type: ignore[arg-type]


def observed(*containers: Container, network: str | None = "net-1", image: bool = True) -> Observed:
    """What exists: the containers, the default network made with that digest, the image."""
    networks = {
        "shop_default": Thing(
            "shop_default", **{names.PROJECT: "shop", names.CONFIG_HASH: network or ""}
        )
    }
    return Observed(
        project="shop",
        containers=containers,
        networks=networks if network else {},  # type: ignore[arg-type]
        images={"busybox": IMAGE} if image else {},
    )
