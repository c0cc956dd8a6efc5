"""E9: containers that want what is copied to come from the host, or to go there."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import stat
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine import ContainerProblem, Mount
from tests import leaks
from tests.attacks.rounds import rounds
from tests.engine.containers.dock import standard_streams
from tests.marks import needs_root

if TYPE_CHECKING:
    from engine import Container
    from tests.engine.containers.dock import Dock

pytestmark = [needs_root, pytest.mark.timeout(300)]  # of what may fail, some has to succeed

ROUNDS = 12
SECRET = "of the host\n"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory of the host that nothing may get into, or out of."""
    (tmp_path / "outside/d").mkdir(parents=True)
    (tmp_path / "outside/secret").write_text(SECRET)
    return tmp_path / "outside"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where things are copied to and from."""
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


def copy_out(
    dock: Dock, container: Container, source: str, target: Path, *, follow: bool = False
) -> None:
    dock.run(dock.engine.containers.copy_out(container.id, source, str(target), follow=follow))


def copy_in(
    dock: Dock, container: Container, source: Path, target: str, *, archive: bool = False
) -> None:
    dock.run(dock.engine.containers.copy_in(container.id, str(source), target, archive=archive))


def untouched(outside: Path) -> bool:
    return sorted(path.name for path in outside.rglob("*")) == ["d", "secret"]


def copied(place: Path) -> set[str]:
    """The texts of all that has been copied."""
    return {path.read_text() for path in place.rglob("*") if path.is_file()}


def swapping(dock: Dock, outside: Path) -> Container:
    """A container where `/v/d` is a directory and a link to the host's, in turns."""
    up = "/../../../../../../../../../.."
    script = f"""mkdir -p /v/d/sub {outside}/sub; cd /v
    echo inside > d/secret; echo inside > d/sub/secret; echo own > {outside}/secret
    cp {outside}/secret {outside}/sub/
    ln -s {up}{outside} link-1; ln -s /proc/1/root{outside} link-2; ln -s ../..{up}{outside} link-3
    echo ready
    while :; do for l in link-*; do
        mv -T d kept; mv -T $l d; mv -T d $l; mv -T kept d
    done; done"""
    container = dock.start("sh", "-c", script)
    dock.wait_for_line(container, "ready")
    return container


@pytest.mark.parametrize("source", ["/v/d", "/v/d/", "/v/d/secret", "/v/d/sub", "/v"])
def test_a_directory_swapped_while_it_is_copied_out_leads_nowhere(
    dock: Dock, outside: Path, place: Path, source: str
) -> None:
    """CVE-2018-15664."""
    container = swapping(dock, outside)
    done: list[int] = []
    for number in rounds(ROUNDS, done):
        with contextlib.suppress(ContainerProblem):
            copy_out(dock, container, source, place / str(number), follow=bool(number % 2))
            done.append(number)
    for path in place.rglob("*"):
        assert path.is_symlink() or path.is_dir() or path.read_text() in ("inside\n", "own\n")
    assert untouched(outside)


@pytest.mark.parametrize("target", ["/v/d", "/v/d/new", "/v/d/sub", "/v/d/sub/new"])
def test_a_directory_swapped_while_it_is_copied_into_leads_nowhere(
    dock: Dock, outside: Path, place: Path, target: str
) -> None:
    container = swapping(dock, outside)
    done: list[int] = []
    (place / "tree/sub").mkdir(parents=True)
    for name in ("a", "sub/b", "secret"):
        (place / "tree" / name).write_text("copied\n")
    for number in rounds(ROUNDS, done):
        source = place / ("tree/a" if number % 3 == 0 else "tree/." if number % 3 == 1 else "tree")
        with contextlib.suppress(ContainerProblem):
            copy_in(dock, container, source, target, archive=bool(number % 2))
            done.append(number)
    assert untouched(outside)
    assert (outside / "secret").read_text() == SECRET


@pytest.mark.parametrize(
    "link",
    [
        "{}",
        "../../../../../../../../../..{}",
        "/proc/self/root{}",
        "/proc/1/root{}",
        "/proc/self/cwd",
        "/dev/fd/3",
        "/proc/1/fd/../root{}",
    ],
)
@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_a_link_to_the_host_leads_nowhere(
    dock: Dock, outside: Path, place: Path, link: str, running: bool
) -> None:
    """CVE-2019-10152, and the magic links of procfs."""
    container = dock.start("sh", "-c", f"ln -s {link.format(outside)} /to; echo ready; sleep 1000")
    dock.wait_for_line(container, "ready")
    if not running:
        dock.stop(container)
    (place / "f").write_text("copied\n")
    for target in ("/to", "/to/", "/to/new", "/to/d/", "/to/secret"):
        with contextlib.suppress(ContainerProblem):
            copy_in(dock, container, place / "f", target)
    (place / "back").mkdir()
    for source in ("/to/secret", "/to/.", "/to"):
        with contextlib.suppress(ContainerProblem):
            copy_out(dock, container, source, place / "back", follow=True)
    assert untouched(outside)
    assert (outside / "secret").read_text() == SECRET
    assert SECRET not in copied(place)
    assert list(Path("/proc/self/cwd").glob("new")) == []


def test_a_container_with_the_hosts_processes_has_no_way_by_them(
    dock: Dock, outside: Path, place: Path
) -> None:
    container = dock.idle(pid_mode="host", privileged=True)
    (place / "f").write_text("copied\n")
    for path in ("/proc/1/root", "/proc/self/root", "/proc/self/cwd", f"/proc/{os.getpid()}/root"):
        with pytest.raises(ContainerProblem):
            copy_in(dock, container, place / "f", f"{path}{outside}/d/")
        with pytest.raises(ContainerProblem):
            copy_out(dock, container, f"{path}{outside}/secret", place)
    with pytest.raises(ContainerProblem, match="the kernel's"):
        copy_in(dock, container, place / "f", "/proc/sys/kernel/core_pattern")
    assert untouched(outside)


def test_the_hosts_files_stay_where_a_link_of_theirs_leads(
    dock: Dock, outside: Path, place: Path
) -> None:
    """CVE-2019-11246: of two members, the first is a link, and the second goes through it."""
    container = dock.start(
        "sh",
        "-c",
        f"mkdir /x /y; ln -s {outside} /x/d; mkdir /y/d; echo no > /y/d/secret;"
        "echo no > /y/top; echo ready; sleep 1000",
    )
    dock.wait_for_line(container, "ready")
    copy_out(dock, container, "/x/.", place)
    assert (place / "d").is_symlink()
    with pytest.raises(ContainerProblem, match="cannot be copied over a file"):
        copy_out(dock, container, "/y/.", place)
    (place / "top").unlink(missing_ok=True)
    (place / "top").symlink_to(outside / "secret")
    with pytest.raises(ContainerProblem):
        copy_out(dock, container, "/y/.", place)
    copy_out(dock, container, "/y/top", place / "under")
    assert untouched(outside)
    assert (outside / "secret").read_text() == SECRET


@pytest.mark.parametrize("archive", [False, True])
def test_what_comes_to_the_host_is_data(dock: Dock, place: Path, archive: bool) -> None:
    """No devices, nothing that gives somebody else's powers to who runs it."""
    script = """mkdir /x; cd /x; mknod disk b 8 0; ln disk again; mknod null c 1 3; mkfifo pipe
    cp /bin/busybox su; chmod 6755 su; mkdir -m 2777 shared
    echo ready; sleep 1000"""
    container = dock.start("sh", "-c", script)
    dock.wait_for_line(container, "ready")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"/proc/{container.pid}/root/x/socket")
    (place / "again").write_text("of the host")
    work = dock.engine.containers.copy_out(container.id, "/x/.", str(place), archive=archive)
    left_out = dock.run(work)
    assert [line.partition(":")[0] for line in left_out if "device" in line] == [
        "again",
        "disk",
        "null",
    ]
    assert any("a socket" in line for line in left_out)
    assert (place / "again").read_text() == "of the host"
    assert stat.S_ISFIFO((place / "pipe").stat().st_mode)
    assert stat.S_IMODE((place / "su").stat().st_mode) == 0o755
    assert stat.S_IMODE((place / "shared").stat().st_mode) == 0o777
    assert not {path.name for path in place.iterdir()} & {"disk", "null"}


def test_a_file_that_becomes_a_pipe_or_a_device_does_not_block(dock: Dock, place: Path) -> None:
    script = """mkdir /v; cd /v; echo f > f; mkfifo p; mknod z c 1 5; echo ready
    while :; do for l in p z; do mv -T f kept; mv -T $l f; mv -T f $l; mv -T kept f; done; done"""
    container = dock.start("sh", "-c", script)
    dock.wait_for_line(container, "ready")
    texts: set[str] = set()
    for number in rounds(ROUNDS, texts):
        with contextlib.suppress(ContainerProblem):
            copy_out(dock, container, "/v", place / str(number))
        texts |= copied(place)
    assert texts == {"f\n"}


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_an_archive_stays_in_the_container(dock: Dock, outside: Path, running: bool) -> None:
    container = dock.idle()
    if not running:
        dock.stop(container)
    up = "../" * 20
    for members in (
        [member(f"{up}{outside}/new")],
        [member(f"{outside}/new")],
        [member("l", tarfile.SYMTYPE, str(outside)), member("l/new")],
        [member("l", tarfile.SYMTYPE, f"{up}{outside}"), member("l/d", tarfile.DIRTYPE)],
        [member("h", tarfile.LNKTYPE, f"{up}{outside}/secret"), member("h")],
        [member("l", tarfile.SYMTYPE, "/proc/1/root"), member(f"l{outside}/new")],
        [member("proc/sys/kernel/domainname")],
    ):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for info in members:
                tar.addfile(info)
        for target in ("/", "/tmp"):
            with contextlib.suppress(ContainerProblem), standard_streams(buffer.getvalue()):
                dock.run(dock.engine.containers.copy_in(container.id, "-", target))
    assert untouched(outside)
    assert (outside / "secret").read_text() == SECRET


def test_the_target_of_a_volume_that_is_a_link_is_inside(
    dock: Dock, outside: Path, place: Path
) -> None:
    """GHSA-vp62-88p7-qqf5: while the view of a stopped container is put together again."""
    volume = Mount(type="volume", source="v", target="/data/d")
    container = dock.start(
        "sh",
        "-c",
        f"rm -rf /data2; ln -s {outside} /later; echo ready; sleep 1000",
        mounts=(volume,),
    )
    dock.wait_for_line(container, "ready")
    dock.stop(container)
    upper = Path(dock.engine.roots.container(container.id)) / "upper"
    for path in sorted((upper / "data").rglob("*"), reverse=True):
        path.rmdir()
    (upper / "data").rmdir()
    (upper / "data").symlink_to(f"/../../../../../..{outside}")
    (place / "f").write_text("copied\n")
    copy_in(dock, container, place / "f", "/data/d/f")
    copy_out(dock, container, "/data/d/f", place / "g")
    assert (place / "g").read_text() == "copied\n"
    assert leaks.mounts_below(str(outside), dock.engine.roots.root) == []
    assert untouched(outside)
    assert (Path(dock.engine.roots.volume("v")) / "f").read_text() == "copied\n"
