"""E2: what leaks into a container (CVE-2016-9962, CVE-2024-21626), or could be got hold of in our
own processes while they start something there."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from engine import ContainerProblem, HealthcheckSpec
from tests.marks import needs_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.engine.containers.dock import Dock

pytestmark = needs_root

# The shell's own descriptor, by which it lists the directory, is closed again when it is looked at.
SCRIPT = """\
for fd in /proc/$$/fd/*; do readlink $fd; done
tr "\\0" "\\n" < /proc/$$/environ | cut -d= -f1"""
EXPECTED = {"/dev/null", "pipe", "/dev/pts/"}
OWN = ["HOME", "HOSTNAME", "PATH"]


@pytest.fixture
def inherited(dock: Dock, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Descriptors of a directory of the host that are open in us, up to 20, and inheritable; and
    a variable that must not get out."""
    monkeypatch.setenv("BUOY_SECRET", "leaked")
    opened: list[int] = []
    while not opened or opened[-1] < 20:
        opened.append(os.open("/etc", os.O_RDONLY | os.O_DIRECTORY))
        os.set_inheritable(opened[-1], True)
    dock.engine.containers.close()  # so that the next stage is started with them
    yield opened
    for fd in opened:
        os.close(fd)


def _run(dock: Dock, **asked: Any) -> str:
    return dock.sh(SCRIPT, **asked).stdout.replace("\r", "")


def _exec(dock: Dock, **asked: Any) -> str:
    container = dock.idle(**asked)
    return dock.exec(container, "sh", "-c", SCRIPT).stdout.decode()


def _probe(dock: Dock, **asked: Any) -> str:
    check = HealthcheckSpec(test=("CMD", "sh", "-c", SCRIPT), interval_s=0.05)
    container = dock.idle(healthcheck=check, **asked)
    dock.wait(container, lambda found: found.health == "healthy")
    return str(dock.state(container)["health"]["log"][0]["output"])


@pytest.mark.usefixtures("inherited")
@pytest.mark.parametrize(
    "asked",
    [{}, {"init": True}, {"tty": True}, {"user": "app"}, {"privileged": True}, {"read_only": True}],
    ids=lambda asked: "-".join(asked) or "plain",
)
@pytest.mark.parametrize("gather", [_run, _exec, _probe], ids=["run", "exec", "probe"])
def test_no_descriptor_and_no_variable_of_ours_gets_in(
    dock: Dock, gather: Callable[..., str], asked: dict[str, Any]
) -> None:
    lines = gather(dock, **asked).splitlines()
    descriptors = [line for line in lines if line.startswith(("/", "pipe", "socket", "anon"))]
    names = [line for line in lines if line not in descriptors]
    assert len(descriptors) == 3
    assert {re.sub("(:.*|[0-9]*)$", "", each) for each in descriptors} <= EXPECTED
    assert set(names) - {"TERM"} == set(OWN)


@pytest.mark.usefixtures("inherited")
@pytest.mark.parametrize("form", ["/proc/self/fd/{}", "/proc/1/fd/{}", "/proc/thread-self/fd/{}"])
def test_no_descriptor_is_a_working_directory(dock: Dock, form: str) -> None:
    container = dock.idle()
    for number in (0, 2, 3, 7, 20):
        with pytest.raises(ContainerProblem):
            dock.start("true", working_dir=form.format(number))
        with pytest.raises(ContainerProblem):
            dock.exec(container, "true", working_dir=form.format(number))


@pytest.mark.usefixtures("inherited")
def test_no_descriptor_is_the_program(dock: Dock) -> None:
    container = dock.idle()
    for number in (3, 7, 20):
        path = f"/proc/self/fd/{number}/hostname"
        with pytest.raises(ContainerProblem):
            dock.start(path)
        with pytest.raises(ContainerProblem):
            dock.exec(container, path)


WATCH = """\
own=$(grep CapEff /proc/self/status)
while :; do
    for p in /proc/[0-9]*; do
        c=$(grep CapEff $p/status 2>/dev/null) || continue
        [ "$c" = "$own" ] || [ "$c" = "CapEff:	0000000000000000" ] || echo "SEEN $p $c"
    done
done
"""


def test_nobody_inside_meets_a_process_that_may_more(dock: Dock) -> None:
    """With SYS_PTRACE it could make it do what it likes."""
    container = dock.start("sh", "-c", WATCH, cap_add=("SYS_PTRACE",))
    for _ in range(20):
        dock.exec(container, "true")
    assert dock.text(container) == ""
