"""E8: who a process is: nobody becomes root, or keeps a group, by a trick of numbers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from engine import ContainerProblem
from tests.engine.containers.dock import status_of
from tests.marks import needs_root

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine.containers.dock import Dock

pytestmark = needs_root

FIELDS = ("Uid", "Gid", "Groups")


def identity(text: str) -> list[list[str]]:
    status = status_of(text)
    return [sorted(set(status[field].split())) for field in FIELDS]


OVERFLOWS = """-1 4294967296 2147483648 18446744073709551616 0:4294967296 0x0 app:-1
"""


@pytest.mark.parametrize("user", OVERFLOWS.split())
def test_a_number_out_of_range_is_nobody(dock: Dock, user: str) -> None:
    """CVE-2024-40635: it became root."""
    with pytest.raises(ContainerProblem):
        dock.start("true", user=user)
    with pytest.raises(ContainerProblem):
        dock.exec(dock.idle(), "true", user=user)
    with pytest.raises(ContainerProblem):
        dock.start("true", group_add=(user,))


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("1000", [["1000"], ["1000"], ["1000", "50"]]),
        ("app", [["1000"], ["1000"], ["1000", "50"]]),
        ("app:app", [["1000"], ["1000"], ["1000"]]),
        ("4711", [["4711"], ["0"], ["0"]]),
        ("4711:4712", [["4711"], ["4712"], ["4712"]]),
        ("0", [["0"], ["0"], ["0"]]),
    ],
)
def test_groups_are_its_own_and_none_of_ours(
    dock: Dock, user: str, expected: list[list[str]]
) -> None:
    """CVE-2022-36109: the primary group is among them; and setgroups is never left out."""
    before = os.getgroups()
    os.setgroups([0, 4242, 27])
    try:
        dock.engine.containers.close()
        assert identity(dock.sh("cat /proc/self/status", user=user).stdout) == expected
        container = dock.idle(user="app")
        done = dock.exec(container, "cat", "/proc/self/status", user=user)
    finally:
        os.setgroups(before)
    assert identity(done.stdout.decode()) == expected


def test_a_number_is_never_a_name(dock: Dock, rootfs: Path) -> None:
    """CVE-2016-3697: a user whose name is `1000` and whose id is 0."""
    passwd = rootfs / "etc/passwd"
    passwd.unlink()
    passwd.write_text("1000:x:0:0:::\n007:x:0:0:::\nroot:x:0:0:::\n")
    for user, uid in (("1000", "1000"), ("007", "7")):
        ended = dock.sh("cat /proc/self/status", user=user, image=f"rootfs:{rootfs}")
        assert identity(ended.stdout)[0] == [uid]


@pytest.mark.parametrize("init", [False, True])
def test_a_file_of_the_image_lends_no_capability_that_was_not_granted(
    dock: Dock, rootfs: Path, init: bool
) -> None:
    """CVE-2022-24769: the inheritable set is empty; file capabilities end at the bounding set."""
    tool = rootfs / "bin/busybox-tool"
    tool.write_bytes((rootfs / "bin/busybox").read_bytes())
    tool.chmod(0o755)
    every = (0x02000001).to_bytes(4, "little") + bytes.fromhex("ffffffff" * 2 + "ff010000" * 2)
    os.setxattr(tool, "security.capability", every)
    script = "/bin/busybox-tool cat /proc/self/status"
    image = f"rootfs:{rootfs}"
    ended = dock.sh(script, user="app", cap_drop=("ALL",), image=image, init=init)
    if ended.code == 0:  # with the effective bit, execve fails where not all can be given
        status = status_of(ended.stdout)
        assert {int(status[f"Cap{kind}"], 16) for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {
            0
        }
    else:
        assert "not permitted" in ended.stderr
