"""Archives that mean harm, or are damaged: refused by name, and nothing of them outside."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tarfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.errors import ImageProblem
from engine.images.unpack import unpack
from engine.kernel.removal import remove_tree
from tests.engine.images.tars import directory, entry, file, hard_link, symlink, tar
from tests.marks import needs_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = needs_root


def pax_file(name: str, key: str, value: str) -> tuple[tarfile.TarInfo, bytes]:
    return file(name, "", pax_headers={f"SCHILY.xattr.{key}": value})


def raw(name: str, at: int, field: bytes, kind: bytes = b"0", data: bytes = b"") -> bytes:
    """A tar of one member, whose header has `field` at an offset that no writer would put there."""
    info = entry(name, kind)
    info.size = len(data)
    header = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    header[at : at + len(field)] = field
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + data + bytes(-len(data) % 512)


def raw_pax(records: bytes) -> bytes:
    """A file with extended headers as they are given."""
    return raw("x", 0, b"x", b"x", records) + tar("f")


def raw_sparse(extents: bytes) -> bytes:
    """A sparse file (format 0.1) of two bytes, with a map as it is given."""
    records = b"".join(
        b"%d %s\n" % (len(record) + 4, record)
        for record in (b"GNU.sparse.map=" + extents, b"GNU.sparse.size=000005")
    )
    return raw("x", 0, b"x", b"x", records) + tar(file("f", "12"))


RAW_DEVICE = raw("n", 329, b"\x80" + (1 << 50).to_bytes(7, "big") + b"0000003\0", b"3")


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
        *(
            ([entry("s", kind)], "invalid-layer", "unknown type")
            for kind in (b"Z", b"V", b"M", b"D")
        ),
        ([symlink("s", "")], "invalid-layer", "no usable length"),
        ([hard_link("h", "/etc/passwd")], "invalid-layer", "'etc/passwd', which is not there"),
        ([symlink("l", "/etc"), hard_link("h", "l/passwd")], "invalid-layer", "is not there"),
        ([pax_file("f", "user.x", "x" * 65537)], "hostile-archive", "attribute of 65537 bytes"),
        ([pax_file("f", "user.x", "x" * (1 << 20))], "invalid-layer", "of extended headers"),
        ([file("f" * (1 << 20), "")], "invalid-layer", "of extended headers"),
        (RAW_DEVICE, "hostile-archive", "the device 1125899906842624:3 is out of range"),
        (raw("f", 124, b"\xff" * 12), "invalid-layer", "negative size"),
        (raw("f", 124, b"0000000000x\0"), "invalid-layer", "not an octal number"),
        (raw("f", 108, b"\xff" * 8), "hostile-archive", "the owner -1:0 is out of range"),
        (raw_pax(b"11 path=a/b"), "invalid-layer", "PAX record is malformed"),
        (raw_pax(b"99 path=a\n"), "invalid-layer", "PAX record is malformed"),
        (raw_pax(b"12 path=a\0b\n"), "invalid-layer", "contains a NUL"),
        (raw_pax(b"14 size=1e100\n"), "invalid-layer", "is not a number"),
        (raw_pax(b"14 mtime=soon\n"), "invalid-layer", "is not a number"),
        (raw_sparse(b"5,10"), "invalid-layer", "does not fit its data"),
        (raw_sparse(b"2,1,0,1"), "invalid-layer", "is not in order"),
        (raw_sparse(b"1,2,3"), "invalid-layer", "odd number of numbers"),
    ],
)
def test_what_must_not_be_unpacked_is_refused_by_name(
    layer: Callable[..., Path], members: list[object] | bytes, code: str, why: str
) -> None:
    with pytest.raises(ImageProblem, match=why) as caught:
        layer(*([members] if isinstance(members, bytes) else members))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("limit", "value", "members", "why"),
    [
        ("MOST_ENTRIES", 3, [file(f"f{n}", "") for n in range(4)], "more than 3 members"),
        ("MOST_BYTES", 999, [file("f", "x" * 500), file("g", "x" * 500)], "more than 999 bytes"),
    ],
)
def test_a_layer_has_its_limits(
    monkeypatch: pytest.MonkeyPatch,
    layer: Callable[..., Path],
    limit: str,
    value: int,
    members: list[object],
    why: str,
) -> None:
    monkeypatch.setattr(f"engine.images.unpack.{limit}", value)
    with pytest.raises(ImageProblem, match=why) as caught:
        layer(*members)
    assert caught.value.code == "hostile-archive"


def test_a_path_of_two_thousand_directories_is_made(layer: Callable[..., Path]) -> None:
    """Deeper than Python recurses, and replaced by a file: deeper than it has descriptors."""
    deep = "d/" * 2040 + "f"
    root = layer(file(deep, "x"))
    with contextlib.chdir(root):
        assert os.stat(deep).st_size == 1  # noqa: PTH116 - relative: the whole is too long a path
    remove_tree(str(root))
    assert Path(layer(file(deep, "x"), file("d", "now")), "d").read_text() == "now"


def test_a_mark_at_the_root_hides_all_that_is_below(layer: Callable[..., Path]) -> None:
    root = layer(file("before", ""), file(".wh..wh..opq", ""), file("after", ""))
    assert os.getxattr(root, "trusted.overlay.opaque") == b"y"
    assert sorted(path.name for path in root.iterdir()) == ["after", "before"]


def test_devices_are_made_and_cannot_be_opened_by_the_unpacker(layer: Callable[..., Path]) -> None:
    """A second member of the name opens nothing: it replaces the first."""
    disk = entry("disk", tarfile.BLKTYPE, devmajor=254, devminor=0)
    root = layer(disk, file("disk", "not written to a disk"))
    assert (root / "disk").read_text() == "not written to a disk"


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


def test_the_unpacker_is_confined(tmp_path: Path) -> None:
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
        seen["mounts"] = Path(f"/proc/{pid}/mountinfo").read_text()
        for name in ("net", "mnt", "ipc"):
            seen[name] = str(Path(f"/proc/{pid}/ns/{name}").readlink())
        yield bytes(1024)

    unpack(pieces(), str(target), "the layer")
    lines = dict(line.split(":\t") for line in seen["status"].splitlines() if ":\t" in line)
    kept = 0x8800001B  # CHOWN DAC_OVERRIDE FOWNER FSETID MKNOD SETFCAP
    assert int(lines["CapEff"], 16) == int(lines["CapBnd"], 16) == kept
    assert lines["NoNewPrivs"] == "1"
    assert lines["Seccomp"] == "2"
    (root,) = seen["mounts"].splitlines()  # nothing else is in its sight
    assert {"nodev", "nosuid", "noexec"} <= set(root.split()[5].split(","))
    for name in ("net", "mnt", "ipc"):
        assert seen[name] != str(Path(f"/proc/self/ns/{name}").readlink())
