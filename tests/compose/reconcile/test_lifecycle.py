"""Plans for what exists, from labels alone."""

from __future__ import annotations

from compose.model.dependencies import Dependency
from compose.reconcile import names
from compose.reconcile.lifecycle import (
    DownOptions,
    plan_down,
    plan_kill,
    plan_restart,
    plan_start,
    plan_stop,
)
from compose.reconcile.step import Step, format_plan
from tests.compose.reconcile.worlds import container, observed, service

DB, WEB = service("db"), service("web", "db")


def lines(steps: tuple[Step, ...]) -> list[str]:
    return format_plan(steps).splitlines()


def test_down_stops_dependents_first_and_removes_the_network_last() -> None:
    here = observed(container(DB), container(WEB))
    assert lines(plan_down(here, DownOptions())) == [
        "#1 stop container web-1: down",
        "#2 stop container db-1: down [1]",
        "#3 remove container web-1: down [1]",
        "#4 remove container db-1: down [2]",
        "#5 remove network shop_default: down [3 4]",
    ]


def test_down_goes_on_past_a_stop_that_failed() -> None:
    steps = plan_down(observed(container(DB), container(WEB)), DownOptions())
    assert steps[1].tolerates == (1,)
    assert steps[4].tolerates == (3, 4)


def test_down_of_a_service_takes_those_that_need_it_and_no_network() -> None:
    here = observed(container(DB), container(WEB), container(service("cache")))
    plan = lines(plan_down(here, DownOptions(services=("db",))))
    assert [line.split(" ", 1)[1] for line in plan] == [
        "stop container web-1: down",
        "stop container db-1: down [1]",
        "remove container web-1: down [1]",
        "remove container db-1: down [2]",
    ]


def test_down_leaves_orphans_unless_asked() -> None:
    gone = container(service("gone"), status="exited")
    here = observed(container(DB), gone)
    kept = lines(plan_down(here, DownOptions(known=("db",))))
    assert not any("gone-1" in line for line in kept)
    every = lines(plan_down(here, DownOptions(known=("db",), orphans=True)))
    assert "#2 remove container gone-1: down" in every


def test_down_removes_no_network_of_somebody_else() -> None:
    here = observed(container(DB))
    plan = lines(plan_down(here, DownOptions(external=("shop_default",))))
    assert not any("network" in line for line in plan)


def test_nothing_to_take_down() -> None:
    assert plan_down(observed(network=None), DownOptions()) == ()


def test_stop_takes_what_runs_and_start_what_does_not() -> None:
    here = observed(container(DB), container(WEB, status="exited", exit_code=1))
    assert lines(plan_stop(here)) == ["#1 stop container db-1: asked for"]
    assert lines(plan_start(here)) == ["#1 start container web-1: exited (1)"]


def test_start_follows_the_order_of_dependencies() -> None:
    idle = [container(one, status="created") for one in (WEB, DB)]
    assert lines(plan_start(observed(*idle))) == [
        "#1 start container db-1: created",
        "#2 start container web-1: created [1]",
    ]


def test_restart_takes_along_those_that_ask_for_it() -> None:
    api = service("api", depends_on={"db": Dependency(restart=True)})
    here = observed(container(DB), container(WEB), container(api))
    assert lines(plan_restart(here, ("db",))) == [
        "#1 restart container db-1: asked for",
        "#2 restart container api-1: db is restarted [1]",
    ]
    assert len(plan_restart(here, ("db",), dependents=False)) == 1


def test_kill_signals_only_what_runs() -> None:
    here = observed(container(DB), container(WEB, status="exited"))
    assert lines(plan_kill(here.containers, "shop", "SIGHUP")) == ["#1 kill container db-1: SIGHUP"]


def test_services_in_a_circle_of_labels_are_still_stopped() -> None:
    one = container(service("a", "b"))
    other = container(service("b", "a"))
    assert len(plan_stop(observed(one, other))) == 2


def test_one_offs_are_stopped_by_down_with_orphans_alone() -> None:
    one_off = container(WEB)
    one_off = one_off.replace(labels={**one_off.labels, names.ONE_OFF: "True"})
    here = observed(one_off, network=None)
    assert plan_stop(here) == ()
    assert plan_down(here, DownOptions(known=("web",))) == ()
    assert len(plan_down(here, DownOptions(known=("web",), orphans=True))) == 2
