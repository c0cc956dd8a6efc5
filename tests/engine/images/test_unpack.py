"""Layers unpacked for overlayfs: what is kept, what is hidden, what is refused."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import subprocess
import tarfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.errors import ImageProblem
from engine.images.settle import OPAQUE_XATTR, settle
from engine.images.unpack import unpack
from tests.engine.images.tars import directory, entry, file, hard_link, symlink, tar
from tests.marks import needs_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = needs_root


@pytest.fixture
def layer(tmp_path: Path) -> Callable[..., Path]:
    """Unpacks members (or a ready tar) into a new directory, on top of `lowers`."""
    count = 0

    def apply(*members: object, lowers: tuple[Path, ...] = ()) -> Path:
        nonlocal count
        count += 1
        target = tmp_path / f"layer{count}"
        target.mkdir()
        first = members[0]
        data = first if isinstance(first, bytes) else tar(*members)  # type: ignore[arg-type]
        unpacked = unpack(iter([data]), str(target), "the layer")
        settle(str(target), unpacked, [str(lower) for lower in lowers], "the layer")
        return target

    return apply


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
        file(".wh.gone", ""), directory("d"), file("d/.wh..wh..opq", ""), file(".wh..wh.plnk", "")
    )
    assert tree(root) == ["d", "gone"]
    assert is_whiteout(root / "gone")
    assert is_opaque(root / "d")


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


@pytest.mark.parametrize(
    ("members", "code", "why"),
    [
        ([file("../out", "")], "hostile-archive", "breakout"),
        ([file("a/../../out", "")], "hostile-archive", "breakout"),
        ([file("a", ""), hard_link("b", "../../etc/passwd")], "hostile-archive", "breakout"),
        ([directory("d"), hard_link("b", "d")], "hostile-archive", "to a directory"),
        ([file("f", ""), file("f/x", "")], "hostile-archive", "parent is not a directory"),
        ([symlink("l", "l"), file("l/x", "")], "hostile-archive", "parent is not a directory"),
        ([file("f", "", uid=2**32 - 1)], "hostile-archive", "out of range"),
        ([file(".wh.", "")], "invalid-layer", "whiteout of nothing"),
        ([file("d/.wh...", "")], "invalid-layer", "whiteout of nothing"),
        ([file("x" * 256, "")], "invalid-layer", "too long"),
        ([file("d/" * 2100 + "f", "")], "invalid-layer", "too long"),
        ([file(".wh.g", ""), hard_link("h", "g")], "invalid-layer", "that is removed"),
        ([entry("s", b"Z")], "invalid-layer", "unknown type"),
    ],
)
def test_what_must_not_be_unpacked_is_refused_by_name(
    layer: Callable[..., Path], members: list[object], code: str, why: str
) -> None:
    with pytest.raises(ImageProblem, match=why) as caught:
        layer(*members)
    assert caught.value.code == code


@pytest.mark.parametrize("name", ["trusted.overlay.redirect", "user.overlay.metacopy"])
def test_marks_of_overlayfs_are_not_taken_from_an_archive(
    layer: Callable[..., Path], name: str
) -> None:
    headers = {f"SCHILY.xattr.{name}": "/etc"}
    with pytest.raises(ImageProblem, match=name) as caught:
        layer(directory("d", pax_headers=headers))
    assert caught.value.code == "hostile-archive"


def test_a_symlink_does_not_lead_a_later_file_out(layer: Callable[..., Path]) -> None:
    outside = Path("/var/tmp/buoy-test-breakout")
    root = layer(
        symlink("link", "/var/tmp"),
        symlink("rel", "../../../../../../var/tmp"),
        file("link/buoy-test-breakout", "caught"),
        file("rel/buoy-test-breakout", "caught"),
    )
    assert not outside.exists()
    assert (root / "var/tmp/buoy-test-breakout").read_text() == "caught"


@pytest.mark.parametrize("cut", [100, 700, 1100])
def test_an_archive_that_ends_early_is_refused(layer: Callable[..., Path], cut: int) -> None:
    data = tar(file("a", "x" * 1000))
    with pytest.raises(ImageProblem) as caught:
        layer(data[:cut])
    assert caught.value.code == "invalid-layer"


def test_a_damaged_header_in_the_middle_is_not_the_end(layer: Callable[..., Path]) -> None:
    data = bytearray(tar(file("a", "x"), file("b", "y")))
    data[1024 + 5] ^= 1
    with pytest.raises(ImageProblem, match="checksum"):
        layer(bytes(data))


def test_the_digest_covers_what_follows_the_end_mark(tmp_path: Path) -> None:
    data = tar(file("a", "x")) + b"trailing" * 1000
    (tmp_path / "l").mkdir()
    unpacked = unpack(iter([data]), str(tmp_path / "l"), "the layer")
    assert unpacked.diff_id == f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_the_unpacker_has_few_capabilities_and_namespaces_of_its_own(tmp_path: Path) -> None:
    """Looked at while it waits for the rest of its stream."""
    target = tmp_path / "l"
    target.mkdir()
    seen: dict[str, str] = {}

    def pieces() -> Iterator[bytes]:
        yield tar(file("a", "x"))[:1024]
        while not (target / "a").exists():  # it has begun, so it is confined
            time.sleep(0.005)
        thread = threading.get_native_id()
        pid = Path(f"/proc/self/task/{thread}/children").read_text().split()[-1]
        seen["status"] = Path(f"/proc/{pid}/status").read_text()
        for name in ("net", "mnt", "ipc"):
            seen[name] = str(Path(f"/proc/{pid}/ns/{name}").readlink())
        yield bytes(1024)

    unpack(pieces(), str(target), "the layer")
    lines = dict(line.split(":\t") for line in seen["status"].splitlines() if ":\t" in line)
    kept = 0x8800001B  # CHOWN DAC_OVERRIDE FOWNER FSETID MKNOD SETFCAP
    assert int(lines["CapEff"], 16) == int(lines["CapBnd"], 16) == kept
    assert lines["NoNewPrivs"] == "1"
    for name in ("net", "mnt", "ipc"):
        assert seen[name] != str(Path(f"/proc/self/ns/{name}").readlink())
