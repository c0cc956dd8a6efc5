"""Binds, volumes, tmpfs and the read-only root, as the program inside finds them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine import ContainerProblem, Mount, VolumeProblem
from tests.marks import needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine import Image
    from tests.engine.containers.dock import Dock

pytestmark = needs_root


def bind(source: Path | str, target: str, **asked: object) -> Mount:
    return Mount(type="bind", source=str(source), target=target, **asked)  # type: ignore[arg-type]


def volume(source: str, target: str, **asked: object) -> Mount:
    return Mount(type="volume", source=source, target=target, **asked)  # type: ignore[arg-type]


def tmpfs(target: str, **asked: object) -> Mount:
    return Mount(type="tmpfs", target=target, **asked)  # type: ignore[arg-type]


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """A host directory with another file system mounted below it."""
    (tmp_path / "file").write_text("of the host\n")
    (tmp_path / "inner").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "inner", tmp_path / "inner"], check=True)
    (tmp_path / "inner/deep").write_text("deep\n")
    yield tmp_path
    subprocess.run(["umount", tmp_path / "inner"], check=True)


# --- binds


def test_a_bind_shows_the_host_path_both_ways(dock: Dock, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("hello\n")
    ended = dock.sh("cat /data/in; echo back > /data/out", mounts=(bind(tmp_path, "/data"),))
    assert ended.lines == ["hello"]
    assert (tmp_path / "out").read_text() == "back\n"


def test_a_read_only_bind_is_so_with_all_below_it(dock: Dock, tree: Path) -> None:
    script = "cat /d/inner/deep; touch /d/x; touch /d/inner/x; true"
    ended = dock.sh(script, mounts=(bind(tree, "/d", read_only=True),))
    assert ended.lines == ["deep"]
    assert ended.stderr.count("Read-only file system") == 2
    assert not (tree / "inner/x").exists()
    (tree / "inner/y").touch()  # the host's own mount is as it was


def test_a_bind_that_is_not_recursive_leaves_out_what_is_below(dock: Dock, tree: Path) -> None:
    ended = dock.sh("ls /d/inner | wc -l", mounts=(bind(tree, "/d", recursive=False),))
    assert ended.lines == ["0"]


def test_mounts_made_inside_or_outside_stay_there(dock: Dock, tmp_path: Path) -> None:
    container = dock.idle(mounts=(bind(tmp_path, "/d"),))
    (tmp_path / "late").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "late", tmp_path / "late"], check=True)
    try:
        found = dock.exec(container, "grep", "-c", "late", "/proc/mounts")
    finally:
        subprocess.run(["umount", tmp_path / "late"], check=True)
    assert found.stdout == b"0\n"


def test_a_missing_source_is_made_or_is_a_problem(dock: Dock, tmp_path: Path) -> None:
    dock.sh("touch /d/x", mounts=(bind(tmp_path / "a/b", "/d"),))
    assert (tmp_path / "a/b/x").exists()
    missing = bind(tmp_path / "c", "/d", create_host_path=False)
    with pytest.raises(ContainerProblem, match="does not exist") as caught:
        dock.start("true", mounts=(missing,))
    assert caught.value.code == "bind-source-missing"
    assert not (tmp_path / "c").exists()


def test_a_file_is_mounted_on_a_file_that_is_made_if_missing(dock: Dock, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("content\n")
    mounts = (bind(tmp_path / "f", "/etc/passwd"), bind(tmp_path / "f", "/new/place"))
    assert dock.sh("cat /etc/passwd /new/place", mounts=mounts, user="0").lines == ["content"] * 2


@pytest.mark.parametrize(("kind", "target"), [("file", "/etc"), ("directory", "/etc/group")])
def test_a_file_over_a_directory_is_a_problem(
    dock: Dock, tmp_path: Path, kind: str, target: str
) -> None:
    source = tmp_path / "source"
    source.touch() if kind == "file" else source.mkdir()
    with pytest.raises(ContainerProblem, match=target) as caught:
        dock.start("true", mounts=(bind(source, target),))
    assert caught.value.code == "mount"


def test_parents_are_mounted_before_what_is_in_them(dock: Dock, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("inner\n")
    mounts = (bind(tmp_path / "f", "/a/b/f"), tmpfs("/a/b"), tmpfs("/a"))
    assert dock.sh("cat /a/b/f; grep -c ' /a' /proc/mounts", mounts=mounts).lines == ["inner", "3"]


@pytest.mark.parametrize("target", ["/", "relative", "/..", "/a/../.."])
def test_the_root_and_relative_paths_are_no_targets(
    dock: Dock, tmp_path: Path, target: str
) -> None:
    with pytest.raises(ContainerProblem, match="target") as caught:
        dock.start("true", mounts=(bind(tmp_path, target),))
    assert caught.value.code == "mount-target"


def test_own_files_give_way_to_the_users(dock: Dock, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("1.2.3.4 mine\n")
    mounts = (bind(tmp_path / "hosts", "/etc/hosts"),)
    assert dock.sh("cat /etc/hosts", mounts=mounts).lines == ["1.2.3.4 mine"]


def test_a_device_may_be_mounted_over_another(dock: Dock) -> None:
    mounts = (bind("/dev/zero", "/dev/random"),)
    ended = dock.sh("head -c 3 /dev/random | od -An -tx1; ls /dev/null", mounts=mounts)
    assert ended.lines == [" 00 00 00", "/dev/null"]


def test_the_hosts_dev_may_be_mounted_whole(dock: Dock) -> None:
    ended = dock.sh(
        "grep -c ' /dev/' /proc/mounts; ls -d /dev/full", mounts=(bind("/dev", "/dev"),)
    )
    assert ended.lines[-1] == "/dev/full"


# --- volumes


def test_a_volume_outlives_its_containers(dock: Dock) -> None:
    one = dock.sh("echo kept > /data/f", mounts=(volume("data", "/data"),)).container
    dock.engine.containers.remove(one.id, volumes=True)
    two = dock.sh("cat /data/f", mounts=(volume("data", "/data", read_only=True),))
    assert two.lines == ["kept"]
    with pytest.raises(Exception, match=two.container.name):
        dock.engine.volumes.remove("data")


def test_an_empty_volume_starts_with_what_the_image_has(dock: Dock, rootfs: Path) -> None:
    data = rootfs / "data"
    (data / "sub").mkdir(parents=True)
    (data / "file").write_text("of the image\n")
    (data / "same").hardlink_to(data / "file")
    (data / "link").symlink_to("../etc/passwd")
    os.mkfifo(data / "fifo")
    os.chown(data, 1000, 50)
    data.chmod(0o2750)
    os.chown(data / "link", 7, 8, follow_symlinks=False)
    (data / "file").chmod(0o4711)
    os.setxattr(data / "file", "user.note", b"kept")
    os.utime(data / "file", (1, 2))
    mounts = (volume("data", "/data"),)
    script = "stat -c '%n %a %u:%g %F %h %Y' . file link; cat same; echo more >> file"
    ended = dock.sh(script, image=f"rootfs:{rootfs}", mounts=mounts, working_dir="/data")
    assert ended.lines == [
        f". 2750 1000:50 directory 3 {int(data.stat().st_mtime)}",
        "file 4711 0:0 regular file 2 2",
        f"link 777 7:8 symbolic link 1 {ended.lines[2].split()[-1]}",
        "of the image",
    ]
    copy = Path(dock.engine.volumes.get("data").path)
    assert os.getxattr(copy / "file", "user.note") == b"kept"
    assert (copy / "file").samefile(copy / "same")
    assert (copy / "fifo").is_fifo()
    again = dock.sh("cat /data/file", image=f"rootfs:{rootfs}", mounts=mounts)
    assert again.lines == ["of the image", "more"]
    assert (data / "file").read_text() == "of the image\n"


def test_a_volume_with_nocopy_starts_empty(dock: Dock) -> None:
    mounts = (volume("v", "/etc", nocopy=True),)
    ended = dock.end_of(dock.start("ls", "/etc", mounts=mounts, user="0"))
    assert "passwd" not in ended.lines


def test_a_volume_over_a_file_of_the_image_is_a_problem(dock: Dock) -> None:
    with pytest.raises(ContainerProblem, match="/etc/passwd"):
        dock.start("true", mounts=(volume("v", "/etc/passwd"),))


def test_containers_that_start_together_fill_a_volume_once(dock: Dock) -> None:
    import asyncio

    containers = dock.engine.containers
    made = [dock.create("ls", "/etc", mounts=(volume("v", "/etc"),)) for _ in range(4)]

    async def all_at_once() -> None:
        await asyncio.gather(*(containers.start(container.id) for container in made))

    dock.run(all_at_once())
    listings = {tuple(dock.end_of(container).lines) for container in made}
    assert len(listings) == 1
    assert "passwd" in listings.pop()


def test_an_anonymous_volume_goes_with_its_container(dock: Dock) -> None:
    container = dock.sh("touch /v/f", mounts=(volume("", "/v"), volume("named", "/n"))).container
    names = [v.name for v in dock.engine.volumes.list() if v.anonymous]
    assert len(names) == 1
    assert len(names[0]) == 64
    dock.engine.containers.remove(container.id, volumes=True)
    assert [v.name for v in dock.engine.volumes.list()] == ["named"]


# --- tmpfs


def test_a_tmpfs_has_the_usual_options(dock: Dock) -> None:
    ended = dock.sh("grep ' /t ' /proc/mounts", mounts=(tmpfs("/t"),))
    options = ended.lines[0].split()[3].split(",")
    assert {"rw", "nosuid", "nodev", "noexec"} <= set(options)


def test_a_tmpfs_has_the_mode_of_what_it_covers_or_the_one_given(dock: Dock) -> None:
    mounts = (tmpfs("/root"), tmpfs("/home", mode=0o1770), tmpfs("/new"))
    ended = dock.sh("stat -c %a /root /home /new", mounts=mounts)
    assert ended.lines == ["700", "1770", "1777"]


def test_a_tmpfs_has_size_and_options_of_the_user(dock: Dock) -> None:
    mounts = (tmpfs("/t", size_bytes=1 << 20, options=("exec", "uid=1000", "mode=700")),)
    script = "stat -c '%a %u' /t; echo '#!/bin/sh\necho ran' > /t/x; chmod +x /t/x; /t/x; "
    script += "dd if=/dev/zero of=/t/f bs=64k count=99 2>&1 | grep -c 'No space'"
    assert dock.sh(script, mounts=mounts).lines == ["700 1000", "ran", "1"]


def test_a_read_only_tmpfs_cannot_be_written(dock: Dock) -> None:
    ended = dock.sh("touch /t/x", mounts=(tmpfs("/t", read_only=True),))
    assert "Read-only file system" in ended.stderr


# --- the root


def test_a_read_only_root_leaves_the_writable_mounts(dock: Dock, tmp_path: Path) -> None:
    mounts = (tmpfs("/tmp"), volume("v", "/v"), bind(tmp_path, "/b"))
    targets = "/x /etc/hosts /sys/x /tmp/x /v/x /b/x /dev/shm/x /dev/x"
    script = f"for f in {targets}; do (echo x >> $f) 2> /dev/null && echo $f; done; true"
    ended = dock.sh(script, read_only=True, mounts=mounts)
    assert ended.lines == ["/tmp/x", "/v/x", "/b/x", "/dev/shm/x", "/dev/x"]


def test_what_one_container_writes_no_other_sees(dock: Dock, busybox_directory: Path) -> None:
    dock.sh("echo x > /etc/new; rm /etc/group; chmod 700 /etc")
    ended = dock.sh("ls /etc/new; cat /etc/group > /dev/null; stat -c %a /etc")
    assert ended.lines == ["755"]
    assert not (busybox_directory / "etc/new").exists()


def test_the_volumes_of_an_image_are_anonymous_ones(dock: Dock, busybox: Image) -> None:
    engine = dock.engine
    document = {"config": {"Volumes": {"/home/app": {}, "/given": {}}, "Cmd": ["true"]}}
    image = engine.images.create(document, busybox.chain_ids)
    container = dock.create(
        *("stat", "-c", "%u", "/home/app"), image=image.id, mounts=(volume("mine", "/given"),)
    )
    assert dock.end_of(dock.start_again(container)).lines == ["1000"]
    assert [mount.target for mount in dock.get(container).mounts] == ["/given", "/home/app"]
    dock.engine.containers.remove(container.id, volumes=True)
    assert [v.name for v in engine.volumes.list()] == ["mine"]


# --- parts of volumes, images, propagation


def test_a_part_of_a_volume_may_be_mounted(dock: Dock) -> None:
    script = "mkdir -p /v/a/b; echo x > /v/a/b/f; ln -s a/b /v/link; echo y > /v/file"
    dock.sh(script, mounts=(volume("v", "/v"),))
    mounts = (
        volume("v", "/part", subpath="a/b"),
        volume("v", "/linked", subpath="link", read_only=True),
        volume("v", "/one", subpath="file"),
    )
    ended = dock.sh("cat /part/f /linked/f /one; touch /linked/x; touch /part/new", mounts=mounts)
    assert ended.lines == ["x", "x", "y"]
    assert "Read-only" in ended.stderr
    assert (Path(dock.engine.volumes.get("v").path) / "a/b/new").exists()


@pytest.mark.parametrize(
    ("subpath", "code", "what"),
    [
        ("../..", "subpath", "leads out"),
        ("/etc", "subpath", "leads out"),
        ("out", "mount", "leads out"),
        ("up", "mount", "leads out"),
        ("nowhere", "mount", "No such file"),
    ],
)
def test_a_part_is_inside_its_volume(dock: Dock, subpath: str, code: str, what: str) -> None:
    dock.sh("ln -s /etc /v/out; ln -s ../../.. /v/up", mounts=(volume("v", "/v"),))
    with pytest.raises(ContainerProblem, match=what) as caught:
        dock.start("true", mounts=(volume("v", "/x", subpath=subpath),))
    assert caught.value.code == code


def test_an_image_may_be_mounted_to_be_read(dock: Dock, busybox: Image) -> None:
    reference = busybox.references[0]
    mounts = (
        Mount(type="image", source=reference, target="/i"),
        Mount(type="image", source=reference, target="/e", subpath="etc"),
    )
    script = "ls -d /i/bin/busybox; grep -c root /e/passwd; touch /i/x; touch /e/x"
    container = dock.start("sh", "-c", script, mounts=mounts)
    ended = dock.end_of(container)
    assert ended.lines[0] == "/i/bin/busybox"
    assert int(ended.lines[1]) > 0
    assert ended.stderr.count("Read-only") == 2
    with pytest.raises(Exception, match=container.name):
        dock.engine.images.remove(reference)


def test_what_is_below_a_read_only_bind_may_stay_writable(dock: Dock, tree: Path) -> None:
    mounts = (bind(tree, "/d", read_only=True, read_only_below=False),)
    ended = dock.sh("touch /d/x; touch /d/inner/y", mounts=mounts)
    assert ended.stderr.count("Read-only") == 1
    assert (tree / "inner/y").exists()


def test_nothing_is_read_only_below_what_is_not(dock: Dock, tmp_path: Path) -> None:
    with pytest.raises(ContainerProblem, match="not read-only") as caught:
        dock.start("true", mounts=(bind(tmp_path, "/d", read_only_below=True),))
    assert caught.value.code == "mount-recursive"


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Path]:
    """A shared mount of the host."""
    directory = tmp_path / "shared"
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "shared", directory], check=True)
    subprocess.run(["mount", "--make-shared", directory], check=True)
    (directory / "late").mkdir()
    (directory / "own").mkdir()
    yield directory
    subprocess.run(["umount", "-R", directory], check=True)


@pytest.mark.parametrize(
    ("propagation", "inwards", "outwards"),
    [
        ("rprivate", False, False),
        ("private", False, False),
        ("rslave", True, False),
        ("slave", True, False),
        ("rshared", True, True),
        ("shared", True, True),
    ],
)
def test_mounts_propagate_as_asked(
    dock: Dock, shared: Path, propagation: str, inwards: bool, outwards: bool
) -> None:
    mounts = (bind(shared, "/s", propagation=propagation),)
    container = dock.idle(mounts=mounts, cap_add=("SYS_ADMIN",))
    subprocess.run(["mount", "-t", "tmpfs", "late", shared / "late"], check=True)
    seen = dock.exec(container, "grep", "-c", " /s/late ", "/proc/mounts")
    assert (seen.stdout == b"1\n") == inwards
    assert dock.exec(container, "mount", "-t", "tmpfs", "own", "/s/own").code == 0
    assert (f" {shared}/own " in Path("/proc/self/mounts").read_text()) == outwards
    assert container.id not in Path("/proc/self/mountinfo").read_text()


@pytest.mark.parametrize("propagation", ["rshared", "rslave", "sideways"])
def test_what_cannot_propagate_is_a_problem(dock: Dock, tmp_path: Path, propagation: str) -> None:
    private = tmp_path / "private"
    private.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "private", private], check=True)
    subprocess.run(["mount", "--make-private", private], check=True)
    try:
        with pytest.raises(ContainerProblem, match=str(private)) as caught:
            dock.start("true", mounts=(bind(private, str(private), propagation=propagation),))
    finally:
        subprocess.run(["umount", private], check=True)
    assert caught.value.code == "propagation"


@pytest.mark.parametrize("option", ["exce", "size", "Size=1m", "uid"])
def test_an_option_that_no_tmpfs_has_is_a_problem(dock: Dock, option: str) -> None:
    with pytest.raises(ContainerProblem, match=option) as caught:
        dock.start("true", mounts=(tmpfs("/t", options=(option,)),))
    assert caught.value.code == "tmpfs-option"


# --- volumes whose content is elsewhere


def place(**options: str) -> dict[str, str]:
    return {"type": "none", "o": "bind", **options}


def test_a_volume_may_be_a_directory_of_the_host(dock: Dock, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept\n")
    dock.engine.volumes.create("v", options=place(device=str(tmp_path)))
    container = dock.idle(mounts=(volume("v", "/v"),))
    assert dock.exec(container, "sh", "-c", "cat /v/kept; echo new > /v/new").stdout == b"kept\n"
    assert (tmp_path / "new").read_text() == "new\n"
    path = dock.engine.volumes.get("v").path
    assert path in Path("/proc/self/mountinfo").read_text()
    other = dock.idle(mounts=(volume("v", "/v"),))
    dock.stop(container)
    assert path in Path("/proc/self/mountinfo").read_text()
    dock.engine.containers.remove(container.id)
    dock.stop(other)
    assert path not in Path("/proc/self/mountinfo").read_text()
    dock.start_again(other)
    assert dock.exec(other, "cat", "/v/new").stdout == b"new\n"
    dock.stop(other)
    dock.engine.containers.remove(other.id)
    dock.engine.volumes.remove("v")
    assert (tmp_path / "kept").exists()


def test_a_mounted_volume_that_goes_takes_nothing_along(dock: Dock, tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    dock.engine.volumes.create("v", options=place(device=str(tmp_path), o="bind,ro"))
    container = dock.start("touch", "/v/x", mounts=(volume("v", "/v", nocopy=True),))
    ended = dock.end_of(container)
    assert "Read-only" in ended.stderr
    dock.engine.containers.remove(container.id, volumes=True)
    dock.engine.volumes.mount(["v"])
    dock.engine.volumes.remove("v")
    assert (tmp_path / "kept").exists()
    assert str(dock.engine.roots.root) not in Path("/proc/self/mountinfo").read_text()


def test_containers_share_the_memory_of_a_volume(dock: Dock) -> None:
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,uid=1000"}
    dock.engine.volumes.create("v", options=options)
    one, two = (dock.idle(mounts=(volume("v", "/v", nocopy=True),)) for _ in range(2))
    dock.exec(one, "sh", "-c", "echo shared > /v/f")
    assert dock.exec(two, "cat", "/v/f").stdout == b"shared\n"
    assert dock.exec(two, "stat", "-c", "%u", "/v").stdout == b"1000\n"
    for container in (one, two):
        dock.stop(container)
    assert dock.sh("ls /v", mounts=(volume("v", "/v", nocopy=True),)).lines == []


def test_an_empty_directory_starts_with_what_the_image_has(dock: Dock, tmp_path: Path) -> None:
    dock.engine.volumes.create("v", options=place(device=str(tmp_path)))
    ended = dock.sh("ls /etc/passwd", mounts=(volume("v", "/etc"),))
    assert ended.lines == ["/etc/passwd"]
    assert (tmp_path / "passwd").exists()
    dock.engine.containers.remove(ended.container.id)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"type": "none", "o": "bind", "device": "/nowhere"}, "No such file"),
        ({"type": "nofs", "o": "", "device": "x"}, "No such device"),
        ({"type": "nfs", "o": "addr=nowhere.invalid", "device": ":/x"}, "not known"),
        ({"type": "nfs", "o": "addr=a..b", "device": ":/x"}, "not known"),
    ],
)
def test_what_cannot_be_mounted_is_a_problem(
    dock: Dock, options: dict[str, str], what: str
) -> None:
    dock.engine.volumes.create("v", options=options)
    with pytest.raises(VolumeProblem, match=what) as caught:
        dock.start("true", mounts=(volume("v", "/v"),))
    assert caught.value.code == "volume-mount"
