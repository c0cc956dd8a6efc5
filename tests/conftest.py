"""An engine on a root of its own for each test, and the watch over what tests leave behind."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from engine.state.paths import Roots
from tests import leaks
from tests.images import REFERENCE, busybox_archive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine import Engine
    from engine.images.image import Image

# On a disk: an overlay's upper directory cannot lie on an overlay, and short: a socket's path
# has 107 bytes.
TEST_ROOTS = Path(os.environ.get("BUOY_TEST_ROOTS", "/var/tmp"))


# A machine that stands still for a second is no failure, and what a run finds, the next one does.
# `--hypothesis-profile=default` looks for others.
settings.register_profile(
    "steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


@pytest.fixture
def roots() -> Iterator[Roots]:
    """Private roots. The test fails if kernel objects of theirs are left when it ends."""
    directory = Path(tempfile.mkdtemp(prefix="b-", dir=TEST_ROOTS))
    try:
        with leaks.watched(Roots(f"{directory}/root", f"{directory}/run")) as roots:
            yield roots
    finally:
        shutil.rmtree(directory)


@pytest.fixture
def engine(roots: Roots) -> Iterator[Engine]:
    """An engine whose containers and networks go away with the test."""
    from engine import Engine

    engine = Engine(roots)
    yield engine
    asyncio.run(empty(engine))


@pytest.fixture(scope="session")
def busybox_tar() -> Path:
    """A docker-archive of the busybox image: users root and `app` (1000), command `sh`."""
    return busybox_archive()


@pytest.fixture
def busybox(engine: Engine, busybox_tar: Path) -> Image:
    """The busybox image, in the test's engine, as `busybox:latest`."""
    engine.images.load(str(busybox_tar))
    return engine.images.get(REFERENCE)


async def empty(engine: Engine) -> None:
    """Remove the containers and networks, and let go of the engine."""
    for container in engine.containers.list():
        if container.status in ("running", "paused", "restarting"):
            await engine.containers.stop(container.id, grace_s=0)
        engine.containers.remove(container.id, volumes=True)
    for network in engine.networks.list():
        engine.networks.remove(network.name)
    engine.close()


def pytest_configure() -> None:
    """What is run in the background, or by nohup, ignores these, and so would all it starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("buoy")
    group.addoption(
        "--nothing-may-skip", action="store_true", help="a test that skips counts as failed"
    )
    group.addoption(
        "--leaks",
        choices=("own", "machine"),
        default="own",
        help="machine: also compare the whole machine before and after the session",
    )


def pytest_sessionstart(session: pytest.Session) -> None:
    if _watches_machine(session.config):
        session.config.stash[BEFORE] = leaks.machine()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if _watches_machine(session.config):
        found = leaks.new_since(session.config.stash[BEFORE])
        session.config.stash[FOUND] = found
        if found:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for line in config.stash.get(FOUND, []):
        terminalreporter.write_line(f"LEAKED {line}", red=True)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    expected = hasattr(report, "wasxfail")
    elsewhere = any(item.get_closest_marker(name) is not None for name in ("material", "peer"))
    excused = expected or elsewhere
    if report.skipped and not excused and item.config.getoption("--nothing-may-skip"):
        report.outcome = "failed"


BEFORE = pytest.StashKey[dict[str, set[str]]]()
FOUND = pytest.StashKey[list[str]]()


def _watches_machine(config: pytest.Config) -> bool:
    """On the process that started the session alone: a worker of xdist sees only a part of it."""
    return config.getoption("--leaks") == "machine" and not hasattr(config, "workerinput")
