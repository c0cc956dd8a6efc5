"""Layers unpacked for overlayfs: what is kept, and what is hidden."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.errors import ImageProblem
from engine.images.lowers import OPAQUE_XATTR
from tests.engine.images.tars import directory, entry, file, hard_link, symlink, tar
from tests.marks import needs_root

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = needs_root


def tree(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def is_whiteout(path: Path) -> bool:
    found = path.lstat()
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


def is_opaque(path: Path) -> bool:
    return OPAQUE_XATTR in os.listxattr(path)


def test_attributes_are_kept(layer: Callable[..., Path]) -> None:
    root = layer(
        directory("d", mode=0o2750, uid=3, gid=4, mtime=1000),
        file("d/f", "text", mode=0o4755, uid=1000, gid=70000, mtime=1234.5),
        symlink("d/l", "f"),
        entry("p", tarfile.FIFOTYPE, mode=0o600),
        entry("null", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666),
    )
    found = (root / "d/f").stat()
    assert (found.st_mode, found.st_uid, found.st_gid) == (0o104755, 1000, 70000)
    assert found.st_mtime == 1234.5
    assert (root / "d").stat().st_mtime == 1000  # although files were put into it
    assert (root / "d").stat().st_mode == 0o42750
    assert (root / "d/l").readlink() == Path("f")
    assert stat.S_ISFIFO((root / "p").stat().st_mode)
    null = (root / "null").stat()
    assert (null.st_rdev, stat.S_IMODE(null.st_mode)) == (os.makedev(1, 3), 0o666)


def test_extended_attributes_survive_the_change_of_owner(layer: Callable[..., Path]) -> None:
    capability = bytes.fromhex("0000000200040000" + "00" * 12).decode("latin-1")
    headers = {
        "SCHILY.xattr.security.capability": capability,
        "SCHILY.xattr.user.note": "kept",
        "SCHILY.xattr.trusted.other": "left out",
    }
    root = layer(file("ping", "x", uid=5, pax_headers=headers))
    assert os.getxattr(root / "ping", "user.note") == b"kept"
    assert os.getxattr(root / "ping", "security.capability")[:4] == b"\0\0\0\2"
    assert "trusted.other" not in os.listxattr(root / "ping")


def test_hard_links_share_their_file(layer: Callable[..., Path]) -> None:
    root = layer(file("a", "text"), hard_link("b", "a"), symlink("s", "a"), hard_link("t", "s"))
    assert (root / "a").stat().st_ino == (root / "b").stat().st_ino
    assert (root / "s").lstat().st_ino == (root / "t").lstat().st_ino


def test_a_hard_link_to_itself_is_harmless(layer: Callable[..., Path]) -> None:
    root = layer(file("a", "text"), hard_link("a", "./a"))
    assert (root / "a").read_text() == "text"


def test_a_hard_link_to_a_file_of_a_lower_layer_becomes_its_copy(
    layer: Callable[..., Path],
) -> None:
    low = layer(directory("bin"), file("bin/busybox", "code", mode=0o755, uid=7))
    top = layer(hard_link("bin/sh", "bin/busybox"), lowers=(low,))
    assert (top / "bin/sh").read_text() == "code"
    assert (top / "bin/sh").stat().st_mode == 0o100755
    assert (top / "bin/sh").stat().st_uid == 7


def test_a_hard_link_to_nothing_is_refused(layer: Callable[..., Path]) -> None:
    low = layer(file("a", "x"))
    removed = layer(file(".wh.a", ""), lowers=(low,))
    with pytest.raises(ImageProblem, match="hard link to 'a', which is not there"):
        layer(hard_link("b", "a"), lowers=(removed, low))


def test_whiteouts_become_devices_and_marks(layer: Callable[..., Path]) -> None:
    root = layer(
        *(file(".wh.gone", ""), file(".wh..wh.plnk", "")),
        *(directory("d"), file("d/.wh..wh..opq", "")),
        lowers=(layer(file("gone", "")),),
    )
    assert tree(root) == ["d", "gone"]
    assert is_whiteout(root / "gone")
    assert is_opaque(root / "d")


def test_whiteouts_where_nothing_is_merged_are_not_kept(layer: Callable[..., Path]) -> None:
    """overlayfs would list them, and say that they are not there."""
    low = layer(directory("d"), directory("e"), file("e/f", ""))
    root = layer(
        *(directory("new", mtime=5), file("new/.wh.f", ""), file("d/.wh.f", "")),
        *(file("e/.wh..wh..opq", ""), file("e/.wh.f", "")),
        lowers=(low,),
    )
    assert tree(root) == ["d", "d/f", "e", "new"]
    assert (root / "new").stat().st_mtime == 5


@pytest.mark.parametrize("first", ["opaque", "sibling"])
def test_an_opaque_mark_spares_siblings_in_either_order(
    layer: Callable[..., Path], first: str
) -> None:
    members = [file("d/.wh..wh..opq", ""), file("d/sibling", "here")]
    if first == "sibling":
        members.reverse()
    root = layer(directory("d"), *members)
    assert is_opaque(root / "d")
    assert (root / "d/sibling").read_text() == "here"


@pytest.mark.parametrize("first", ["whiteout", "file"])
def test_a_whiteout_never_hides_a_file_of_its_own_layer(
    layer: Callable[..., Path], first: str
) -> None:
    members = [file(".wh.f", ""), file("f", "new")]
    if first == "file":
        members.reverse()
    assert (layer(*members) / "f").read_text() == "new"


@pytest.mark.parametrize("order", [0, 1])
def test_a_directory_removed_and_made_again_hides_what_was_in_it(
    layer: Callable[..., Path], order: int
) -> None:
    whiteout, again = file(".wh.d", ""), [directory("d"), file("d/new", "")]
    root = layer(*([whiteout, *again] if order else [*again, whiteout]))
    assert is_opaque(root / "d")
    assert (root / "d/new").exists()


def test_an_implied_directory_over_a_whiteout_is_made_anew(layer: Callable[..., Path]) -> None:
    root = layer(file(".wh.d", ""), file("d/sub/f", "x"))
    assert is_opaque(root / "d")
    assert (root / "d/sub/f").read_text() == "x"


def test_a_later_member_replaces_an_earlier_one(layer: Callable[..., Path]) -> None:
    root = layer(
        *(file("a", "1"), file("a", "2")),
        *(directory("b"), file("b/x", ""), file("b", "file")),
        *(file("c", ""), directory("c")),
        *(symlink("d", "/etc/passwd"), file("d", "own")),
    )
    assert (root / "a").read_text() == "2"
    assert (root / "b").read_text() == "file"
    assert is_opaque(root / "c")
    assert (root / "d").read_text() == "own"
    assert not (root / "d").is_symlink()


def test_a_symlinked_parent_is_followed_inside_the_layer(layer: Callable[..., Path]) -> None:
    root = layer(
        directory("usr"),
        directory("usr/lib"),
        symlink("lib", "usr/lib"),
        symlink("abs", "/usr/lib"),
        symlink("up", "../../../usr/lib"),
        file("lib/a", "1"),
        file("abs/b", "2"),
        file("up/c", "3"),
        file("abs/.wh.d", ""),
        lowers=(layer(directory("usr/lib")),),
    )
    assert tree(root / "usr/lib") == ["a", "b", "c", "d"]
    assert is_whiteout(root / "usr/lib/d")


def test_a_dangling_parent_is_made_where_it_points(layer: Callable[..., Path]) -> None:
    root = layer(symlink("lib", "usr/lib"), file("lib/a", "1"))
    assert (root / "usr/lib/a").read_text() == "1"
    assert (root / "lib").is_symlink()


def test_implied_directories_are_like_those_below(layer: Callable[..., Path]) -> None:
    low = layer(directory("srv", mode=0o700, uid=5), directory("srv/data", mode=0o1777, mtime=9))
    top = layer(file("srv/data/f", ""), file("other/f", ""), lowers=(low,))
    assert ((top / "srv").stat().st_mode, (top / "srv").stat().st_uid) == (0o40700, 5)
    assert (top / "srv/data").stat().st_mode == 0o41777
    assert (top / "srv/data").stat().st_mtime == 9
    assert (top / "other").stat().st_mode == 0o40755


def test_implied_directories_take_nothing_from_what_is_hidden(layer: Callable[..., Path]) -> None:
    low = layer(directory("srv", mode=0o700), directory("srv/data", mode=0o700))
    middle = layer(file(".wh.srv", ""), lowers=(low,))
    top = layer(file("srv/data/f", ""), lowers=(middle, low))
    assert (top / "srv/data").stat().st_mode == 0o40755


@pytest.mark.parametrize("version", [None, "0.0", "0.1", "1.0"])
def test_sparse_files_are_expanded(
    layer: Callable[..., Path], tmp_path: Path, version: str | None
) -> None:
    source = tmp_path / "sparse"
    with source.open("wb") as stream:
        stream.write(b"start")
        stream.seek(5_000_000)
        stream.write(b"middle")
        stream.truncate(20_000_000)
    form = (
        ["--format=gnu"] if version is None else ["--format=posix", f"--sparse-version={version}"]
    )
    command = [
        "tar",
        "-C",
        str(tmp_path),
        "--hole-detection=raw",
        "-S",
        *form,
        "-cf",
        "-",
        "sparse",
    ]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    assert len(data) < 1_000_000
    root = layer(data)
    assert (root / "sparse").read_bytes() == source.read_bytes()
    assert (root / "sparse").stat().st_blocks * 512 < 1_000_000


@pytest.mark.parametrize("form", ["gnu", "posix"])
def test_files_of_more_than_eight_gigabytes(
    layer: Callable[..., Path], tmp_path: Path, form: str
) -> None:
    """More than eleven octal digits hold: base 256, or an extended header."""
    huge = tmp_path / "huge"
    with huge.open("wb") as stream:
        stream.seek(9 << 30)
        stream.write(b"end")
    command = ["tar", "-C", str(tmp_path), "-S", f"--format={form}", "-cf", "-", "huge"]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    found = layer(data) / "huge"
    assert found.stat().st_size == (9 << 30) + 3
    assert found.stat().st_blocks * 512 < 1_000_000
    with found.open("rb") as stream:
        stream.seek(9 << 30)
        assert stream.read() == b"end"


@pytest.mark.parametrize("mtime", [2**62, -(2**62), 2**40 + 0.5])
def test_times_that_no_file_can_have_are_the_nearest_it_can(
    layer: Callable[..., Path], mtime: float
) -> None:
    found = layer(tar(file("f", "", mtime=mtime), format=tarfile.GNU_FORMAT)) / "f"
    assert (found.stat().st_mtime > time.time()) == (mtime > 0)


def test_odd_names_are_kept_as_bytes(layer: Callable[..., Path]) -> None:
    names = [b"new\nline", b"latin-\xe9", b"x" * 255, b"a" * 120 + b"/" + b"b" * 120]
    members = []
    for name in names:
        info = entry(os.fsdecode(name))
        members.append((info, b""))
    buffer = io.BytesIO()
    options = {"format": tarfile.GNU_FORMAT, "encoding": "utf-8", "errors": "surrogateescape"}
    with tarfile.open(fileobj=buffer, mode="w", **options) as archive:  # type: ignore[call-overload]
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    root = layer(buffer.getvalue())
    for name in names:
        assert (root / os.fsdecode(name)).exists()


def test_times_before_the_epoch_are_kept(layer: Callable[..., Path]) -> None:
    root = layer(tar(file("old", "", mtime=-1.5), format=tarfile.PAX_FORMAT))
    assert (root / "old").stat().st_mtime == -1.5


def test_an_empty_layer_is_a_layer(layer: Callable[..., Path]) -> None:
    assert tree(layer(bytes(1024))) == []
    assert tree(layer(b"")) == []


def test_what_is_put_behind_a_link_of_a_lower_layer_goes_where_it_leads(
    layer: Callable[..., Path],
) -> None:
    low = layer(
        *(directory("usr", mode=0o711), directory("usr/lib"), file("usr/lib/old", "")),
        *(symlink("lib", "usr/lib"), symlink("abs", "/lib"), symlink("new", "usr/new")),
    )
    root = layer(
        *(
            file("lib/a", "lib"),
            file("usr/lib/a", "named"),
            directory("abs/d"),
            file("abs/d/b", ""),
        ),
        *(
            file("lib/d/c", ""),
            file("lib/.wh.old", ""),
            file("new/e", ""),
            hard_link("abs/h", "abs/d/b"),
        ),
        lowers=(low,),
    )
    assert [path.name for path in sorted(root.iterdir())] == ["usr"]
    assert tree(root / "usr/lib") == ["a", "d", "d/b", "d/c", "h", "old"]
    assert (root / "usr/lib/a").read_text() == "named"
    assert (root / "usr/lib/h").stat().st_ino == (root / "usr/lib/d/b").stat().st_ino
    assert is_whiteout(root / "usr/lib/old")
    assert (root / "usr/new/e").exists()
    assert (root / "usr").stat().st_mode == 0o40711


def test_a_directory_that_a_member_describes_replaces_a_link(layer: Callable[..., Path]) -> None:
    low = layer(directory("usr/lib"), symlink("lib", "usr/lib"))
    root = layer(directory("lib"), file("lib/a", ""), lowers=(low,))
    assert tree(root) == ["lib", "lib/a"]


@pytest.mark.parametrize(
    ("target", "why"), [("loop/x", "leads in circles"), ("file", "is no directory")]
)
def test_links_that_lead_nowhere_are_refused(
    layer: Callable[..., Path], target: str, why: str
) -> None:
    low = layer(symlink("loop", target), directory("d"))
    with pytest.raises(ImageProblem, match=why):
        layer(file("loop/a", ""), file("file", ""), lowers=(low,))
