"""Mounts, in a mount namespace that is gone with the process that made it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from engine.kernel import mounts
from engine.kernel.mountoptions import MountOptions, attributes_of
from tests.marks import needs_root

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """
import os, sys
from engine.kernel.mounts import *
from engine.kernel.namespaces import CLONE_NEWNS, unshare
unshare(CLONE_NEWNS)
mount("", "/", flags=MS_PRIVATE | MS_REC)
os.chdir(sys.argv[1])
def options(path):
    for line in open("/proc/self/mountinfo"):
        words = line.split()
        if words[4] == os.path.realpath(path):
            found = words[5], words[words.index("-") + 1]
    return found
def attempt(call, *arguments, **named):
    try:
        call(*arguments, **named)
        return "done"
    except OSError as error:
        return type(error).__name__, error.strerror
def reachable(fd):
    return f"/proc/self/fd/{fd}"
"""


def apart(directory: Path, script: str) -> str:
    """What a script prints whose mounts nobody else sees."""
    command = [sys.executable, "-c", HEAD + textwrap.dedent(script), str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("words", "parsed"),
    [
        ([], (0, 0, "")),
        (["ro", "nosuid"], (mounts.MS_RDONLY | mounts.MS_NOSUID, 0, "")),
        (["noexec", "exec"], (0, 0, "")),
        (["exec", "noexec"], (mounts.MS_NOEXEC, 0, "")),
        (["ro", "rw"], (0, 0, "")),
        (["size=1m", "mode=755"], (0, 0, "size=1m,mode=755")),
        (
            ["rbind", "rslave"],
            (mounts.MS_BIND | mounts.MS_REC, mounts.MS_SLAVE | mounts.MS_REC, ""),
        ),
    ],
)
def test_options_become_flags_and_data(words: list[str], parsed: tuple[int, int, str]) -> None:
    options = MountOptions(words)
    assert (options.flags, options.propagation, options.data) == parsed


@pytest.mark.parametrize(
    ("words", "own", "tree"),
    [
        (["rbind", "ro"], (mounts.MOUNT_ATTR_RDONLY, 0), (0, 0)),
        (["rbind", "rro"], (0, 0), (mounts.MOUNT_ATTR_RDONLY, 0)),
        (["bind", "suid", "rnosuid"], (0, 2), (2, 0)),
        (["bind", "nodev", "dev"], (0, 4), (0, 0)),
        (["bind", "noatime"], (mounts.MOUNT_ATTR_NOATIME, mounts.MOUNT_ATTR_ATIME), (0, 0)),
        (["rrelatime"], (0, 0), (0, mounts.MOUNT_ATTR_ATIME)),
    ],
)
def test_options_become_attributes(
    words: list[str], own: tuple[int, int], tree: tuple[int, int]
) -> None:
    options = MountOptions(words)
    assert attributes_of(options.flags, options.cleared) == own
    assert attributes_of(*options.tree) == tree
    assert options.data == ""


def test_what_looks_recursive_is_left_to_the_filesystem() -> None:
    assert MountOptions(["rsize=8192", "rbind", "rdirsync"]).data == "rsize=8192,rdirsync"


@needs_root
def test_a_file_system_is_mounted_and_unmounted(tmp_path: Path) -> None:
    script = """
    mount("name", ".", "tmpfs", MS_NOSUID | MS_NOEXEC, "size=64k,mode=700")
    print(*options("."))
    os.chdir("/")
    unmount(sys.argv[1])
    print(os.listdir(sys.argv[1]))
    """
    assert apart(tmp_path, script) == "rw,nosuid,noexec,relatime tmpfs\n[]\n"


@needs_root
def test_a_failed_mount_says_what_was_asked(tmp_path: Path) -> None:
    script = """
    print(attempt(mount, "a", "nowhere", "tmpfs", MS_RDONLY, "x=y")[1])
    print(attempt(unmount, ".")[0])
    """
    shown = "mount(source='a', target='nowhere', fstype='tmpfs', flags='0x1', data='x=y')"
    assert apart(tmp_path, script) == f"{shown}: No such file or directory\nKernelCallError\n"


@needs_root
def test_a_detached_copy_is_read_only_while_the_original_is_not(tmp_path: Path) -> None:
    script = """
    os.mkdir("a"), os.mkdir("b")
    fd = open_tree("a")
    set_attributes(fd, read_only=True)
    print(attempt(os.mkdir, reachable(fd) + "/x")[0])
    target = os.open("b", os.O_PATH)
    move_mount(fd, target)
    print(attempt(os.mkdir, "b/x")[1], attempt(os.mkdir, "a/x"), os.listdir("b"))
    """
    assert apart(tmp_path, script) == "OSError\nRead-only file system done ['x']\n"


@needs_root
@pytest.mark.parametrize(("recursive", "inner"), [(True, "Read-only file system"), (False, "done")])
def test_attributes_reach_what_is_below_if_asked(
    tmp_path: Path, recursive: bool, inner: str
) -> None:
    script = f"""
    os.makedirs("a/deep"), os.mkdir("b")
    mount("inner", "a/deep", "tmpfs")
    fd = open_tree("a", recursive=True)
    set_attributes(fd, read_only=True, recursive={recursive})
    move_mount(fd, os.open("b", os.O_PATH))
    found = attempt(os.mkdir, "b/deep/x")
    print(found if found == "done" else found[1])
    """
    assert apart(tmp_path, script) == f"{inner}\n"


@needs_root
def test_options_of_a_file_system_are_not_cut_at_a_page(tmp_path: Path) -> None:
    names = [f"layer-{number:03}-{'x' * 60}" for number in range(100)]
    for name in (*names, "upper", "work", "merged"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    script = """
    names = sorted(n for n in os.listdir(".") if n.startswith("layer"))
    options = [("lowerdir+", os.path.abspath(n)) for n in names]
    options += [("upperdir", os.path.abspath("upper")), ("workdir", os.path.abspath("work"))]
    move_mount(filesystem("overlay", options), os.open("merged", os.O_PATH))
    print(len([n for n in os.listdir("merged") if n.startswith("layer")]))
    """
    (tmp_path / "work/work").unlink()
    assert apart(tmp_path, script) == "100\n"


@needs_root
def test_a_file_system_that_is_not_known_says_so(tmp_path: Path) -> None:
    script = """
    print(attempt(filesystem, "none", []))
    print(attempt(filesystem, "tmpfs", [("size", "much")])[1][:9])
    print(len(os.listdir("/proc/self/fd")) < 6)
    """
    shown = "('KernelCallError', \"fsopen(fstype='none'): No such device\")"
    assert apart(tmp_path, script) == f"{shown}\nfsconfig(\nTrue\n"


@needs_root
@pytest.mark.parametrize("where", ["/", "all"])
def test_who_joins_the_namespace_finds_the_new_root_alone(tmp_path: Path, where: str) -> None:
    script = f"""
    from engine.kernel.namespaces import open_own, setns
    own_fd = open_own("mnt")
    os.makedirs("new")
    mount("root", "new", "tmpfs")
    os.mkdir("new/inside")
    root_fd = os.open("new", os.O_PATH)
    os.mkdir("all")
    mount("/", "all", flags=MS_BIND | MS_REC)
    os.chroot("{where}")
    become_root(root_fd)
    setns(own_fd, CLONE_NEWNS)
    print(os.listdir("/"), os.listdir(".."))
    """
    assert apart(tmp_path, script) == "['inside'] ['inside']\n"
