"""diff(apply(x)) == x: a layer's directory gives its tar again."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.images.diff import diff_id_of, layer_tar
from engine.images.lowers import OPAQUE_XATTR
from engine.images.settle import settle
from engine.images.unpack import unpack
from tests.marks import needs_root

pytestmark = needs_root

name = st.sampled_from(["a", "b", "c", "long-" * 25, "ü", "new\nline"])
path = st.lists(name, min_size=1, max_size=3).map("/".join)
kind = st.sampled_from(["file", "directory", "symlink", "fifo", "whiteout", "opaque", "link"])
steps = st.lists(st.tuples(kind, path, path, st.integers(0, 0o7777)), max_size=12)


def make(root: Path, low: Path, step: tuple[str, str, str, int]) -> None:
    """One more file, unless the tree has no place for it."""
    what, where, other, number = step
    target = root / where
    if any(p.is_symlink() or (p.exists() and not p.is_dir()) for p in target.parents):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(target):
        return
    if what == "file":
        target.write_bytes(os.fsencode(other) * (number % 100))
        os.setxattr(target, "user.x", other.encode())
    elif what == "symlink":
        target.symlink_to(other)
        return
    elif what == "fifo":
        os.mkfifo(target)
    elif what == "whiteout":
        if not any(is_opaque(one) for one in target.parents if one.is_relative_to(root)):
            (low / where).parent.mkdir(parents=True, exist_ok=True)  # else it would hide nothing
            os.mknod(target, 0o20000, 0)
        return
    elif what == "link":
        if (root / other).is_file() and not (root / other).is_symlink():
            target.hardlink_to(root / other)
        return
    else:
        target.mkdir()
        if what == "opaque":
            os.setxattr(target, OPAQUE_XATTR, b"y")
    os.chown(target, number, number % 7)
    target.chmod(number)
    os.utime(target, (number, number))


def is_opaque(directory: Path) -> bool:
    """Whether it hides all that is below it: a whiteout in it would hide nothing."""
    return OPAQUE_XATTR in os.listxattr(directory)


@settings(max_examples=40, deadline=None)
@given(steps)
def test_a_layer_unpacked_from_its_tar_has_the_same_tar(
    found: list[tuple[str, str, str, int]],
) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        upper, again, low = (Path(directory, name) for name in ("upper", "again", "low"))
        for place in (upper, again, low):
            place.mkdir()
        for step in found:
            make(upper, low, step)
        data = b"".join(layer_tar(str(upper)))
        unpacked = unpack(iter([data]), str(again), "it")
        settle(str(again), unpacked, [str(low)], "it")
        assert b"".join(layer_tar(str(again))) == data
        assert diff_id_of(str(upper))[0] == unpacked.diff_id


def test_overlays_own_attributes_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    os.setxattr(tmp_path / "d", "trusted.overlay.origin", b"x")
    os.setxattr(tmp_path / "d", "user.kept", b"x")
    data = b"".join(layer_tar(str(tmp_path)))
    assert b"overlay" not in data
    assert b"user.kept" in data


def test_the_size_counts_linked_files_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    assert diff_id_of(str(tmp_path))[1] == 5


def test_what_goes_while_the_tar_is_made_is_left_out(tmp_path: Path) -> None:
    for name in ("a", "b", "d/c", "z"):
        Path(tmp_path, name).parent.mkdir(exist_ok=True)
        Path(tmp_path, name).write_text(name)
    pieces = layer_tar(str(tmp_path))
    first = next(pieces)
    Path(tmp_path, "b").unlink()
    shutil.rmtree(tmp_path / "d")
    with tarfile.open(fileobj=io.BytesIO(first + b"".join(pieces))) as tar:
        assert tar.getnames() == ["a", "z"]
