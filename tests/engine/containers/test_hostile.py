"""Images made to lead us astray (engine.md E2, E3, E4, E5)."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from engine import ContainerProblem, Mount
from tests.marks import needs_root

if TYPE_CHECKING:
    from pathlib import Path

    from engine import Container
    from tests.engine.containers.dock import Dock, Ended

pytestmark = needs_root


class Hostile:
    """Containers of an image that the test has spoilt."""

    def __init__(self, dock: Dock, rootfs: Path) -> None:
        self.dock, self.rootfs = dock, rootfs
        self.image = f"rootfs:{rootfs}"

    def link(self, path: str, target: str) -> None:
        """Put a symbolic link where the image has something else."""
        place = self.rootfs / path.lstrip("/")
        if not place.is_symlink() and place.is_dir():
            for inner in place.iterdir():
                inner.unlink()
            place.rmdir()
        else:
            place.unlink(missing_ok=True)
        place.symlink_to(target)

    def sh(self, script: str, **asked: Any) -> Ended:
        return self.dock.sh(script, image=self.image, **asked)

    def start(self, *command: str, **asked: Any) -> Container:
        return self.dock.start(*command, image=self.image, **asked)


@pytest.fixture
def hostile(dock: Dock, rootfs: Path) -> Hostile:
    return Hostile(dock, rootfs)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory of the host that nothing may come into."""
    (tmp_path / "passwd").write_text("untouched\n")
    return tmp_path


@pytest.mark.parametrize("path", ["/proc", "/sys"])
@pytest.mark.parametrize("target", ["/elsewhere", "/tmp", "../../../../..", "/"])
def test_a_kernel_file_system_is_not_mounted_through_a_link(
    hostile: Hostile, path: str, target: str
) -> None:
    hostile.link(path, target)
    with pytest.raises(ContainerProblem, match="symbolic link") as caught:
        hostile.start("true")
    assert caught.value.code == "mount"


def test_a_dev_that_is_a_link_stays_inside(hostile: Hostile, outside: Path) -> None:
    hostile.link("/dev", str(outside))
    ended = hostile.sh("ls -l /dev/null; echo x > /dev/null; echo ok")
    assert ended.lines[-1] == "ok"
    assert sorted(path.name for path in outside.iterdir()) == ["passwd"]


@pytest.mark.parametrize("target", ["/", "..", "/proc", "/proc/sys", "/proc/self/cwd", "dev"])
def test_a_dev_that_leads_to_the_root_or_to_proc_is_refused(hostile: Hostile, target: str) -> None:
    hostile.link("/dev", target)
    with pytest.raises(ContainerProblem) as caught:
        hostile.start("true")
    assert caught.value.code == "mount"


@pytest.mark.parametrize("kind", ["volume", "bind", "tmpfs"])
@pytest.mark.parametrize("climb", [True, False], ids=["relative", "absolute"])
def test_a_mount_target_that_is_a_link_stays_inside(
    hostile: Hostile,
    outside: Path,
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    climb: bool,
) -> None:
    hostile.link("/data", ("../" * 20 if climb else "") + str(outside)[1 if climb else 0 :])
    sources = {"volume": "v", "bind": str(tmp_path_factory.mktemp("source")), "tmpfs": ""}
    mount = Mount(type=kind, source=sources[kind], target="/data")  # type: ignore[arg-type]
    ended = hostile.sh(f"touch /data/inside; ls {outside}", mounts=(mount,))
    assert ended.lines == ["inside"]  # it is there, in the container's own tree
    assert sorted(path.name for path in outside.iterdir()) == ["passwd"]


def test_links_on_the_way_to_a_target_stay_inside(hostile: Hostile, outside: Path) -> None:
    hostile.link("/a", str(outside))
    (hostile.rootfs / "b").symlink_to("etc/../../..")
    mounts = (
        Mount(type="tmpfs", target="/a/deep/er"),
        Mount(type="bind", source="/etc/hostname", target="/b/passwd"),
    )
    hostile.sh("true", mounts=mounts, working_dir="/a/made")
    assert sorted(path.name for path in outside.iterdir()) == ["passwd"]
    assert (outside / "passwd").read_text() == "untouched\n"


@pytest.mark.parametrize("target", ["/proc", "/proc/sys/kernel", "/proc/self/attr", "/proc/1/fd"])
def test_a_link_does_not_lead_a_mount_into_proc(
    hostile: Hostile, tmp_path: Path, target: str
) -> None:
    hostile.link("/data", target)
    mount = Mount(type="bind", source=str(tmp_path), target="/data")
    with pytest.raises(ContainerProblem, match="symbolic link") as caught:
        hostile.start("true", mounts=(mount,))
    assert caught.value.code == "mount"


@pytest.mark.parametrize("target", ["/proc/self/attr", "/proc/sys/kernel", "/proc/1"])
def test_nothing_is_mounted_inside_proc(hostile: Hostile, tmp_path: Path, target: str) -> None:
    mount = Mount(type="bind", source=str(tmp_path), target=target)
    with pytest.raises(ContainerProblem, match="inside /proc"):
        hostile.start("true", mounts=(mount,))


@pytest.mark.parametrize("name", ["hosts", "hostname", "resolv.conf"])
def test_own_files_over_links_change_nothing_outside(
    hostile: Hostile, outside: Path, name: str
) -> None:
    hostile.link(f"/etc/{name}", str(outside / "passwd"))
    ended = hostile.sh(f"cat /etc/{name} > /dev/null; echo evil >> /etc/{name}; echo ok")
    assert ended.lines == ["ok"]
    assert (outside / "passwd").read_text() == "untouched\n"


@pytest.mark.parametrize("target", ["a", "/etc/a", "../etc/b", "missing/../b"])
def test_a_link_to_itself_is_a_problem_not_a_loop(hostile: Hostile, target: str) -> None:
    hostile.link("/etc/a", target)
    hostile.link("/etc/b", "missing/../a")
    mount = Mount(type="bind", source="/etc/hostname", target="/etc/a")
    with pytest.raises(ContainerProblem):
        hostile.start("true", mounts=(mount,))


def test_the_whole_etc_may_be_a_link(hostile: Hostile) -> None:
    (hostile.rootfs / "etc").rename(hostile.rootfs / "conf")
    (hostile.rootfs / "etc").symlink_to("conf")
    assert hostile.sh("id -un; cat /etc/hostname", user="app", hostname="web").lines == [
        *("app", "web")
    ]


@pytest.mark.parametrize("number", [0, 1, 2, 5, 7, 9, 20])
@pytest.mark.parametrize("form", ["/proc/self/fd/{}", "/proc/self/fd/{}/../../../etc", "/link"])
def test_a_working_directory_that_is_a_descriptor_is_refused(
    hostile: Hostile, number: int, form: str
) -> None:
    hostile.link("/link", f"/proc/self/fd/{number}")
    with pytest.raises(ContainerProblem) as caught:
        hostile.start("ls", working_dir=form.format(number))
    assert caught.value.code == "working-directory"


def test_a_working_directory_that_leads_out_stays_inside(hostile: Hostile, outside: Path) -> None:
    hostile.link("/out", "../../../.." + str(outside))
    ended = hostile.sh("pwd -P; ls -a", working_dir="/out/new")
    assert ended.lines[0] == f"{outside}/new"
    assert sorted(path.name for path in outside.iterdir()) == ["passwd"]


# --- passwd and group


def test_a_passwd_that_would_block_is_read_as_empty(hostile: Hostile) -> None:
    for name in ("passwd", "group"):
        (hostile.rootfs / "etc" / name).unlink()
        os.mkfifo(hostile.rootfs / "etc" / name)
    assert hostile.sh("echo $HOME").lines == ["/"]
    with pytest.raises(ContainerProblem, match="unable to find user"):
        hostile.start("true", user="app")


def test_a_passwd_that_is_a_link_is_the_containers(hostile: Hostile) -> None:
    hostile.link("/etc/passwd", "/proc/1/root/etc/passwd")
    hostile.sh("true")
    hostile.link("/etc/passwd", "/dev/zero")
    assert hostile.sh("grep Uid /proc/self/status", user="5").stdout.split()[1:] == ["5"] * 4


def test_a_huge_passwd_does_not_eat_the_memory(hostile: Hostile) -> None:
    (hostile.rootfs / "etc/passwd").unlink()
    (hostile.rootfs / "etc/passwd").touch()
    os.truncate(hostile.rootfs / "etc/passwd", 8 << 30)
    assert hostile.sh("grep Uid /proc/self/status", user="5:6").stdout.split()[1:] == ["5"] * 4


@pytest.mark.parametrize("uid", ["-1", "4294967296", "99999999999999999999", "0x0", ""])
def test_odd_ids_in_passwd_make_nobody_root(hostile: Hostile, uid: str) -> None:
    path = hostile.rootfs / "etc/passwd"
    path.unlink()
    path.write_text(f"evil:x:{uid}:0:::\n")
    with pytest.raises(ContainerProblem):
        hostile.start("true", user="evil")


# --- programs


@pytest.mark.parametrize("form", ["/proc/self/exe", "/link", "/script"])
def test_our_interpreter_is_no_program_of_the_image(hostile: Hostile, form: str) -> None:
    hostile.link("/link", "/proc/self/exe")
    (hostile.rootfs / "script").write_text("#!/proc/self/exe\n")
    (hostile.rootfs / "script").chmod(0o755)
    with pytest.raises(ContainerProblem):
        hostile.start(form)


def test_libraries_of_the_image_are_not_loaded_by_us(hostile: Hostile) -> None:
    """Where our own modules and the C library are, the image has its own (CVE-2019-14271)."""
    marks = []
    for module in (os.__file__, stat.__file__, __file__):
        place = hostile.rootfs / module.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("open('/evil', 'w')\n")
        marks.append(place)
    (hostile.rootfs / "etc/ld.so.preload").write_text("/evil.so\n")
    container = hostile.start("sleep", "1000", user="app", init=True, tty=True)
    hostile.dock.exec(container, "true")
    assert hostile.dock.exec(container, "ls", "/evil").code == 1


def test_an_image_without_anything_is_told_so(dock: Dock, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(ContainerProblem, match="not found") as caught:
        dock.start("/bin/sh", image=f"rootfs:{tmp_path}")
    assert caught.value.exit_code == 127
