"""Processes that are in their control group from the beginning."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.cgroups.cgroup import Cgroup
from engine.cgroups.entrance import NotBornInside
from engine.cgroups.hierarchy import Hierarchies
from engine.kernel.fork import fork_into
from tests.marks import needs_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = needs_root


@pytest.fixture
def cgroup() -> Iterator[Cgroup]:
    cgroup = Cgroup(Hierarchies.detect(), f"t-{secrets.token_hex(4)}", "c")
    cgroup.create({})
    yield cgroup
    cgroup.remove()


def places_in(fork: Callable[[], int]) -> list[str]:
    """/proc/self/cgroup of a child."""
    read_fd, write_fd = os.pipe()
    pid = fork()
    if pid == 0:
        os.write(write_fd, Path("/proc/self/cgroup").read_bytes())
        os._exit(0)
    os.close(write_fd)
    with os.fdopen(read_fd, encoding="utf-8") as file:
        lines = file.read().splitlines()
    assert os.waitpid(pid, 0)[1] == 0
    return lines


@pytest.mark.parametrize("killed", [False, True])
def test_a_child_goes_into_all_of_its_groups(cgroup: Cgroup, killed: bool) -> None:
    """Also into one that has been killed before: the kernel kills who is born there."""
    if killed:
        cgroup.kill()
    entrance = cgroup.entrance()

    def fork() -> int:
        try:
            pid = entrance.fork()
        except NotBornInside:
            assert killed
            pid = entrance.fork()
        if pid == 0:
            entrance.enter()
        return pid

    lines = places_in(fork)
    entrance.close()
    inside = [line for line in lines if line.endswith("/c")]
    assert len(inside) == len(set(cgroup.directories.values()))


def test_a_process_is_born_in_a_group_of_the_second_version(cgroup: Cgroup) -> None:
    unified = cgroup.directories.get("unified")
    if unified is None:
        pytest.skip("no cgroup2 is mounted")
    fd = os.open(unified, os.O_RDONLY | os.O_DIRECTORY)
    lines = places_in(lambda: fork_into(fd))
    os.close(fd)
    assert next(line for line in lines if line.startswith("0::")).endswith("/c")


def test_what_is_no_group_cannot_be_forked_into(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    with pytest.raises(OSError, match="clone3"):
        fork_into(fd)
    os.close(fd)
