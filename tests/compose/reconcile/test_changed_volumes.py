"""Volumes that the file defines otherwise than they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.reconcile import names
from compose.reconcile.changed_volumes import changed_volumes, foreign_volumes
from compose.reconcile.plan import UpOptions, plan_up
from engine import Mount
from tests.compose.reconcile.worlds import Thing, container, observed, project, service, volume

if TYPE_CHECKING:
    from compose.model.service import Service
    from compose.reconcile.observe import Observed

DB = service("db", mounts=(volume("data", "/var/lib"),))
WEB = service("web", "db")
WORLD = project(DB, WEB, volumes=("data",))


def here(**labels: str) -> Observed:
    """The project runs, with a volume that carries these labels."""
    mount = Mount(type="volume", source="shop_data", target="/var/lib")
    made = observed(container(DB, mounts=(mount,)), container(WEB))
    return made.replace(volumes={"shop_data": Thing("shop_data", **labels)})


def ours(digest: str, **labels: str) -> dict[str, str]:
    return {names.PROJECT: "shop", names.CONFIG_HASH: digest, **labels}


def changes(of: Observed, *services: Service) -> list[str]:
    found = changed_volumes(WORLD, services, of)
    return [f"{one.volume.name}: {' '.join(one.what)}" for one in found]


def plan(of: Observed, *recreate: str) -> list[str]:
    return list(map(str, plan_up(WORLD, of, UpOptions(recreate_volumes=recreate))))


def test_one_that_is_as_the_file_says_has_not_changed() -> None:
    assert changes(here(**ours("vol-1")), DB) == []
    assert plan(here(**ours("vol-1")), "shop_data") == []


def test_a_change_is_told_of_those_that_are_mounted() -> None:
    changed = here(**ours("vol-0", tier="back"))
    assert changes(changed, DB) == ["shop_data: labels tier"]
    assert changes(changed, WEB) == []


def test_one_that_the_project_did_not_make_is_foreign_and_not_changed() -> None:
    foreign = here(tier="back")
    assert changes(foreign, DB) == []
    assert [one.name for one in foreign_volumes(WORLD, [DB], foreign)] == ["shop_data"]
    assert foreign_volumes(WORLD, [DB], here(**ours("vol-0"))) == []


def test_it_is_kept_unless_asked_for() -> None:
    assert plan(here(**ours("vol-0"))) == []


def test_recreated_it_takes_its_users_along_and_they_are_made_after_it() -> None:
    assert plan(here(**ours("vol-0")), "shop_data") == [
        "#1 stop container db-1: its volume is recreated",
        "#2 remove container db-1: its volume is recreated [1]",
        "#3 recreate volume shop_data: configuration changed [2]",
        "#4 create container db-1: missing [3]",
        "#5 start container db-1: created [4]",
    ]
