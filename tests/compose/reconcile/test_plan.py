"""Plans of `up` are pure: what is desired and observed goes in, text comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from compose.model.dependencies import Dependency
from compose.model.hooks import Hook
from compose.reconcile import names
from compose.reconcile.plan import UpOptions, plan_up
from compose.reconcile.step import format_plan
from engine import Finding, Problem
from tests.compose.reconcile.worlds import container, observed, project, service, volume

if TYPE_CHECKING:
    from compose.model import Project, Service
    from compose.reconcile.observe import Observed


def lines(desired: Project, here: Observed, **options: Any) -> list[str]:
    return format_plan(plan_up(desired, here, UpOptions(**options))).splitlines()


def test_nothing_exists_so_all_is_made_in_order() -> None:
    db, web = service("db", mounts=(volume("data", "/var/lib"),)), service("web", "db")
    nothing = observed(network=None, image=False)
    assert lines(project(db, web, volumes=("data",)), nothing) == [
        "#1 create network shop_default: missing",
        "#2 create volume shop_data: missing",
        "#3 pull image busybox: missing",
        "#4 create container db-1: missing [1 2 3]",
        "#5 start container db-1: created [4]",
        "#6 create container web-1: missing [1 3]",
        "#7 start container web-1: created [5 6]",
    ]


def test_what_no_service_uses_is_made_where_all_resources_are_wanted() -> None:
    db = service("db")
    desired = project(db, volumes=("data",))
    assert lines(desired, observed(container(db))) == []
    assert lines(desired.replace(all_resources=True), observed(container(db))) == [
        "#1 create volume shop_data: missing"
    ]


def test_nothing_differs_so_there_is_nothing_to_do() -> None:
    db, web = service("db"), service("web", "db")
    assert lines(project(db, web), observed(container(db), container(web))) == []


def test_a_changed_service_is_recreated_and_its_dependents_are_left_alone() -> None:
    db, web = service("db"), service("web", "db")
    changed = db.replace(digest="db-2")
    assert lines(project(changed, web), observed(container(db), container(web))) == [
        "#1 recreate container db-1: configuration changed",
        "#2 start container db-1: recreated [1]",
    ]


def test_a_dependent_that_restarts_with_it_is_stopped_before_and_started_after() -> None:
    db = service("db")
    web = service("web", depends_on={"db": Dependency(restart=True)})
    changed = db.replace(digest="db-2")
    assert lines(project(changed, web), observed(container(db), container(web))) == [
        "#1 stop container web-1: db is recreated",
        "#2 recreate container db-1: configuration changed [1]",
        "#3 start container db-1: recreated [2]",
        "#4 start container web-1: stopped for a change [1 3]",
    ]


def test_a_new_image_recreates() -> None:
    db = service("db")
    old = container(db)
    old = old.replace(labels={**old.labels, names.IMAGE: "sha256:old"})
    assert lines(project(db), observed(old)) == [
        "#1 recreate container db-1: image changed",
        "#2 start container db-1: recreated [1]",
    ]


@pytest.mark.parametrize(
    "sharing",
    [{"network_mode": "service:db"}, {"namespaces": {"ipc": "service:db"}}],
    ids=("network", "ipc"),
)
def test_what_is_in_namespaces_of_a_service_that_is_started_gets_the_new_ones(
    sharing: dict[str, Any],
) -> None:
    needs = {"db": Dependency(restart=True, implied_by="network_mode")}
    db, web, other = service("db"), service("web", depends_on=needs, **sharing), service("x", "db")
    here = observed(container(db, status="exited", exit_code=3), container(web), container(other))
    assert lines(project(db, web, other), here) == [
        "#1 stop container web-1: db is started",
        "#2 start container db-1: exited (3) [1]",
        "#3 start container web-1: stopped for a change [1 2]",
    ]
    assert lines(project(db, web, other), here, start=False) == []


def test_what_has_ended_is_started_again() -> None:
    db = service("db")
    ended = container(db, status="exited", exit_code=3)
    assert lines(project(db), observed(ended)) == ["#1 start container db-1: exited (3)"]


def test_no_recreate_keeps_what_differs_and_force_recreates_what_does_not() -> None:
    db = service("db")
    other = db.replace(digest="db-2")
    assert lines(project(other), observed(container(db)), recreate="never") == []
    assert lines(project(db), observed(container(db)), recreate="force")[0] == (
        "#1 recreate container db-1: forced"
    )


def test_force_holds_for_named_services_and_not_for_what_they_need() -> None:
    db, web = service("db"), service("web", "db")
    here = observed(container(db), container(web))
    plan = lines(project(db, web), here, recreate="force", services=("web",))
    assert plan[0] == "#1 recreate container web-1: forced"
    assert not any("db-1" in line for line in plan)
    both = lines(
        project(db, web), here, recreate="force", recreate_dependencies="force", services=("web",)
    )
    assert both[0] == "#1 recreate container db-1: forced"


def test_a_wait_comes_between_a_service_and_one_that_wants_it_healthy() -> None:
    db, web, job = service("db"), service("web", "db:service_healthy"), service("job", "db")
    assert lines(project(db, web, job), observed()) == [
        "#1 create container db-1: missing",
        "#2 start container db-1: created [1]",
        "#3 create container web-1: missing",
        "#4 wait container db-1: service_healthy [2]",
        "#5 start container web-1: created [3 4]",
        "#6 create container job-1: missing",
        "#7 start container job-1: created [2 6]",
    ]


def test_a_dependency_that_is_healthy_already_is_not_awaited() -> None:
    db, web = service("db"), service("web", "db:service_healthy")
    healthy = container(db, health="healthy")
    ended = container(web, status="exited", exit_code=0)
    assert lines(project(db, web), observed(healthy, ended)) == [
        "#1 start container web-1: exited (0)"
    ]
    starting = container(db, health="starting")
    assert lines(project(db, web), observed(starting, ended)) == [
        "#1 wait container db-1: service_healthy",
        "#2 start container web-1: exited (0) [1]",
    ]


def test_a_dependency_that_is_not_required_may_fail() -> None:
    db = service("db")
    web = service("web", depends_on={"db": Dependency(condition="service_healthy", required=False)})
    start = plan_up(project(db, web), observed(), UpOptions())[-1]
    assert start.name == "web-1"
    assert start.tolerates == (4,)


def test_without_dependencies_only_the_named_service_is_planned() -> None:
    db, web = service("db"), service("web", "db:service_healthy")
    assert lines(project(db, web), observed(), services=("web",), no_deps=True) == [
        "#1 create container web-1: missing",
        "#2 start container web-1: created [1]",
    ]


def test_create_starts_nothing_and_waits_for_nothing() -> None:
    db, web = service("db"), service("web", "db:service_healthy")
    assert lines(project(db, web), observed(), start=False) == [
        "#1 create container db-1: missing",
        "#2 create container web-1: missing",
    ]


def test_scaling_up_continues_the_numbers() -> None:
    web = service("web")
    assert lines(project(web), observed(container(web)), scale={"web": 3}) == [
        "#1 create container web-2: scaled to 3",
        "#2 start container web-2: created [1]",
        "#3 create container web-3: scaled to 3",
        "#4 start container web-3: created [3]",
    ]


def test_scaling_down_takes_diverged_replicas_first_then_the_highest_numbers() -> None:
    web = service("web")
    stale = container(web, 1)
    stale = stale.replace(labels={**stale.labels, names.CONFIG_HASH: "old"})
    here = observed(stale, container(web, 2), container(web, 3))
    assert lines(project(web), here) == [
        "#1 stop container web-3: scaled to 1",
        "#2 remove container web-3: scaled to 1 [1]",
        "#3 stop container web-1: scaled to 1",
        "#4 remove container web-1: scaled to 1 [3]",
    ]


def test_orphans_go_when_asked_for() -> None:
    web, gone = service("web"), service("gone")
    here = observed(container(web), container(gone, status="exited", exit_code=0))
    assert lines(project(web), here) == []
    assert lines(project(web), here, remove_orphans=True) == ["#1 remove container gone-1: orphan"]


def test_a_changed_network_stops_its_users_and_starts_them_again() -> None:
    web = service("web")
    assert lines(project(web), observed(container(web), network="net-0")) == [
        "#1 stop container web-1: network default changes",
        "#2 recreate network shop_default: configuration changed [1]",
        "#3 start container web-1: stopped for a change [1 2]",
    ]


def test_a_changed_network_also_starts_users_that_are_not_named() -> None:
    db, web = service("db"), service("web")
    here = observed(container(db), container(web), network="net-0")
    assert lines(project(db, web), here, services=("web",)) == [
        "#1 stop container db-1: network default changes",
        "#2 stop container web-1: network default changes",
        "#3 recreate network shop_default: configuration changed [1 2]",
        "#4 start container web-1: stopped for a change [2 3]",
        "#5 start container db-1: stopped for a change [1 3]",
    ]


def test_a_network_that_the_kernel_lost_is_restored_under_its_users() -> None:
    web = service("web")
    here = observed(container(web))
    gone = Finding(network="shop_default", what="bridge br-0 is gone")
    other = Finding(network="shop_default", what="net.ipv4.ip_forward is 0")
    ours = Finding(network="shop_default", what="a route is in the way", hint="take it away")
    elsewhere = gone.replace(network="other")
    restore = "#1 restore network shop_default: bridge br-0 is gone"
    for faults, planned in (
        ((gone, ours, elsewhere), [restore]),
        ((gone, other), [f"{restore}, and 1 more"]),
        ((ours, elsewhere), []),
    ):
        assert lines(project(web), here.replace(faults=faults)) == planned


def test_a_recreation_interrupted_before_the_old_one_went_is_cleared_away() -> None:
    web = service("web")
    old = container(web)
    half = container(web, id="f" * 64, name=f"{old.id[:12]}_shop-web-1", status="created")
    half = half.replace(labels={**half.labels, names.REPLACE: old.id})
    assert lines(project(web), observed(old, half)) == [
        f"#1 remove container {old.id[:12]}_shop-web-1: left by an interrupted command"
    ]


def test_a_half_made_replacement_is_cleared_away_before_the_next_one_is_made() -> None:
    web = service("web")
    old = container(web)
    half = container(web, id="f" * 64, name=f"{old.id[:12]}_shop-web-1", status="created")
    half = half.replace(labels={**half.labels, names.REPLACE: old.id})
    assert lines(project(web.replace(digest="web-2")), observed(old, half)) == [
        f"#1 remove container {old.id[:12]}_shop-web-1: left by an interrupted command",
        "#2 recreate container web-1: configuration changed [1]",
        "#3 start container web-1: recreated [2]",
    ]


def test_a_recreation_interrupted_before_the_renaming_is_finished() -> None:
    web = service("web")
    half = container(web, id="f" * 64, name="0123456789ab_shop-web-1", status="created")
    half = half.replace(labels={**half.labels, names.REPLACE: "0123456789ab" + "0" * 52})
    assert lines(project(web), observed(half)) == [
        "#1 rename container web-1: left by an interrupted command",
        "#2 start container web-1: created [1]",
    ]


def test_waiting_ends_with_every_service_up() -> None:
    db, web = service("db"), service("web", "db:service_completed_successfully")
    plan = lines(project(db, web), observed(container(db), container(web)), wait=True)
    assert plan == ["#1 wait container db-1: service_completed_successfully"]
    fresh = lines(project(service("web")), observed(), wait=True)
    assert fresh[-1] == "#3 wait container web-1: running [2]"


def test_an_external_network_that_is_missing_is_a_problem() -> None:
    web = service("web")
    world = project(web)
    external = world.networks["default"].replace(external=True, name="lan")
    with pytest.raises(Problem, match="`lan` is external and does not exist"):
        lines(world.replace(networks={"default": external}), observed())


def prepared(*hooks: Hook, **fields: Any) -> Service:
    return service("web", "db", pre_start=hooks, **fields)


def test_hooks_run_one_after_another_between_creation_and_start() -> None:
    web = prepared(Hook(command=("a",)), Hook(command=("b",), image="tools"), scale=2)
    assert lines(project(service("db"), web), observed()) == [
        "#1 pull image tools: missing",
        "#2 create container db-1: missing",
        "#3 start container db-1: created [2]",
        "#4 create container web-1: missing [1]",
        "#5 run container web-pre_start-1: pre_start [3 4]",
        "#6 run container web-pre_start-2: pre_start [3 4 5]",
        "#7 start container web-1: created [3 4 6]",
        "#8 create container web-2: missing [1]",
        "#9 start container web-2: created [3 6 8]",
    ]


def test_hooks_run_again_for_a_service_made_anew_and_not_for_one_that_goes_on() -> None:
    web = prepared(Hook(command=("a",)))
    here = observed(container(service("db")), container(web))
    assert lines(project(service("db"), web), here) == []
    assert not any("pre_start" in line for line in lines(project(web), here, scale={"web": 2}))
    forced = lines(project(web), here, recreate="force")
    assert "#2 run container web-pre_start-1: pre_start [1]" in forced


def test_hooks_do_not_run_where_nothing_is_started() -> None:
    web = prepared(Hook(command=("a",)))
    plan = lines(project(web), observed(), start=False)
    assert plan == ["#1 create container web-1: missing"]
