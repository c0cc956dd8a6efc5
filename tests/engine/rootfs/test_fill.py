"""The first content of a volume, copied from the image."""

from __future__ import annotations

import os
import socket
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.rootfs.fill import fill_volume
from tests.marks import needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = needs_root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/data").mkdir(parents=True)
    (tmp_path / "volumes/v/_data").mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture
def root_fd(root: Path) -> Iterator[int]:
    fd = os.open(root, os.O_PATH | os.O_DIRECTORY)
    yield fd
    os.close(fd)


@pytest.fixture
def volume(root: Path) -> Path:
    return root.parent / "volumes/v/_data"


def test_everything_is_copied_as_it_is(root: Path, root_fd: int, volume: Path) -> None:
    data = root / "data"
    (data / "big").write_bytes(os.urandom(3 << 20))
    (data / "empty").mkdir(mode=0o711)
    os.mknod(data / "null", 0o20640, os.makedev(1, 3))
    (data / "odd \udcff\n name").touch()
    (data / "dangling").symlink_to("nowhere/at/all")
    os.setxattr(
        data / "big",
        "security.capability",
        bytes.fromhex("0100000200040000000000000000000000000000"),
    )
    os.chown(data / "big", 12, 34)
    data.chmod(0o1777)
    os.utime(data / "empty", ns=(5_000_000_001, 6_000_000_002))
    fill_volume(root_fd, "/data", str(volume))
    assert sorted(os.listdir(volume)) == sorted(os.listdir(data))  # noqa: PTH208
    assert (volume / "big").read_bytes() == (data / "big").read_bytes()
    for name in ("", "big", "empty", "null", "odd \udcff\n name", "dangling"):
        one, two = os.lstat(data / name), os.lstat(volume / name)
        for field in ("st_mode", "st_uid", "st_gid", "st_rdev", "st_nlink"):
            assert getattr(one, field) == getattr(two, field), (name, field)
    assert (volume / "empty").stat().st_mtime_ns == 6_000_000_002
    for name in os.listxattr(data / "big"):
        assert os.getxattr(volume / "big", name) == os.getxattr(data / "big", name)


def test_a_volume_with_content_is_left_alone(root: Path, root_fd: int, volume: Path) -> None:
    (root / "data/new").touch()
    (volume / "old").touch()
    fill_volume(root_fd, "/data", str(volume))
    assert [path.name for path in volume.iterdir()] == ["old"]


@pytest.mark.parametrize("target", ["/missing", "/file"])
def test_without_a_directory_in_the_image_it_stays_empty(
    root: Path, root_fd: int, volume: Path, target: str
) -> None:
    (root / "file").touch()
    fill_volume(root_fd, target, str(volume))
    assert list(volume.iterdir()) == []


def test_a_link_is_followed_inside_the_root_only(root: Path, root_fd: int, volume: Path) -> None:
    secret = root.parent / "secret"
    secret.mkdir()
    (secret / "key").touch()
    (root / "link").symlink_to(secret)
    fill_volume(root_fd, "/link", str(volume))
    assert list(volume.iterdir()) == []
    (root / "data/f").touch()
    (root / "inner").symlink_to("/data")
    fill_volume(root_fd, "/inner", str(volume))
    assert [path.name for path in volume.iterdir()] == ["f"]


def test_an_interrupted_copy_is_begun_again(root: Path, root_fd: int, volume: Path) -> None:
    (root / "data/f").write_text("whole")
    half = volume.parent / ".filling"
    (half / "deep").mkdir(parents=True)
    (half / "deep/f").write_text("ha")
    (half / "to").symlink_to("deep")
    fill_volume(root_fd, "/data", str(volume))
    assert [path.name for path in volume.iterdir()] == ["f"]
    assert not half.exists()


def test_who_has_the_volume_already_sees_it_filled(root: Path, root_fd: int, volume: Path) -> None:
    (root / "data").mkdir(exist_ok=True)
    (root / "data" / "fresh").write_text("x")
    held = os.open(volume, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fill_volume(root_fd, "/data", str(volume))
        assert "fresh" in os.listdir(held)  # noqa: PTH208 - of a descriptor
        assert os.fstat(held).st_ino == volume.stat().st_ino
    finally:
        os.close(held)


def test_an_interrupted_move_is_gone_on_with(root: Path, root_fd: int, volume: Path) -> None:
    whole = volume.parent / ".filled"
    whole.mkdir(mode=0o750)
    (whole / "second").write_text("two")
    (volume / "first").write_text("one")
    fill_volume(root_fd, "/nowhere", str(volume))
    assert {path.name for path in volume.iterdir()} == {"first", "second"}
    assert stat.S_IMODE(volume.stat().st_mode) == 0o750
    assert not whole.exists()


def test_two_at_once_fill_it_once(root: Path, root_fd: int, volume: Path) -> None:
    for number in range(200):
        (root / f"data/{number}").write_text("x")
    threads = [
        threading.Thread(target=fill_volume, args=(root_fd, "/data", str(volume))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(volume.iterdir())) == 200
    assert [path.name for path in volume.parent.iterdir()] == ["_data"]


def test_sockets_are_left_out(root: Path, root_fd: int, volume: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        before = Path.cwd()
        os.chdir(root / "data")
        server.bind("socket")
        os.chdir(before)
    fill_volume(root_fd, "/data", str(volume))
    assert list(volume.iterdir()) == []


def test_content_that_is_elsewhere_is_filled_in_place(
    root: Path, root_fd: int, volume: Path
) -> None:
    (root / "data/new").write_text("x")
    (root / "data").chmod(0o1777)
    (volume.parent / ".filled").mkdir()  # none of its business
    fill_volume(root_fd, "/data", str(volume), mounted=True)
    assert [path.name for path in volume.iterdir()] == ["new"]
    assert stat.S_IMODE(volume.stat().st_mode) == 0o1777
    fill_volume(root_fd, "/data", str(volume), mounted=True)
    assert sorted(path.name for path in volume.parent.iterdir()) == [".filled", "_data"]
