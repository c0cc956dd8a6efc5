"""Where images come from: which are built, which pulled, and when again."""

from __future__ import annotations

from typing import Any

import pytest

from compose.model.build import Build
from compose.reconcile.plan import UpOptions, plan_up
from compose.reconcile.plan_images import plan_images
from tests.compose.reconcile.worlds import observed, project, service

HERE = Build(context="/shop")


def missing(options: UpOptions = UpOptions(), **fields: Any) -> str:  # noqa: B008 - it is frozen
    """The first step for a service whose image is not here."""
    return str(plan_up(project(service("web", **fields)), observed(image=False), options)[0])


def again(spec: Build | None = None, pull_policy: str | None = None, **options: Any) -> list[str]:
    """What is done about images that are here."""
    web = service("web", build=spec, pull_policy=pull_policy)
    steps = plan_images([web], **options)
    return [f"{step.action}: {step.cause}" for step in steps]


def test_without_a_build_it_is_pulled() -> None:
    assert missing() == "#1 pull image busybox: missing"


def test_without_a_name_it_is_built() -> None:
    step = missing(build=HERE, image=None, image_name="shop-web")
    assert step == "#1 build image shop-web: missing"


def test_with_both_it_is_pulled_if_it_can_be() -> None:
    step = missing(build=HERE)
    assert step == "#1 fetch image busybox: missing; built if it cannot be pulled"
    assert missing(UpOptions(build=False), build=HERE) == "#1 pull image busybox: missing"


@pytest.mark.parametrize("policy", ["build", "never"])
def test_with_both_and_a_policy_against_pulling_it_is_built(policy: str) -> None:
    assert missing(build=HERE, pull_policy=policy) == "#1 build image busybox: missing"


def test_what_is_here_stays_unless_it_is_asked_for() -> None:
    assert again(build=True) == []
    assert again(spec=HERE) == []
    assert again(spec=HERE, build=True) == ["build: --build"]
    assert again(spec=HERE, pull_policy="build") == ["build: pull policy build"]
    assert again(pull_policy="daily") == ["pull: pull policy daily"]
    assert again(spec=HERE, pull="always") == ["fetch: pull policy always"]


def test_no_build_leaves_only_pulls() -> None:
    assert again(spec=HERE, pull_policy="build", no_build=True) == []
    assert again(spec=HERE, pull="always", no_build=True) == ["pull: pull policy always"]
