"""Headers of tar members: what `tarfile` reads is what was written."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.images.header import CHARACTER, FILE, SYMLINK, tar_header

names = st.binary(min_size=1, max_size=200).filter(
    lambda name: not {0, ord("/")} & set(name) and name not in (b".", b"..")
)
ids = st.integers(0, 2**32 - 1)
times = st.integers(-(2**33), 2**40)
xattrs = st.dictionaries(st.sampled_from([b"user.a", b"user.b"]), st.binary(max_size=40))


def read(data: bytes) -> tarfile.TarInfo:
    file = io.BytesIO(data + bytes(1024))
    with tarfile.open(fileobj=file, encoding="utf-8", errors="surrogateescape") as archive:
        (member,) = archive.getmembers()
    return member


@given(names, names, st.integers(0, 0o7777), ids, ids, times, xattrs)
def test_a_header_is_read_as_it_was_written(
    name: bytes,
    link: bytes,
    mode: int,
    uid: int,
    gid: int,
    mtime: int,
    xattrs: dict[bytes, bytes],
) -> None:
    header = tar_header(
        name, SYMLINK, mode=mode, uid=uid, gid=gid, mtime=mtime, link=link, xattrs=xattrs
    )
    member = read(header)
    assert (member.name, member.linkname) == (_text(name), _text(link))
    assert (member.mode, member.uid, member.gid, member.mtime) == (mode, uid, gid, mtime)
    kept = {
        key.removeprefix("SCHILY.xattr."): value
        for key, value in member.pax_headers.items()
        if key.startswith("SCHILY.xattr.")
    }
    assert kept == {_text(key): _text(value) for key, value in xattrs.items()}


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


@pytest.mark.parametrize("size", [0, 1, 8 * 2**30 - 1, 8 * 2**30, 2**40])
def test_a_size_has_no_limit(size: int) -> None:
    header = tar_header(b"f", FILE, mode=0o644, size=size)
    assert tarfile.TarInfo.frombuf(header[-512:], "utf-8", "strict").chksum
    assert (b"size=%d" % size in header) is (size >= 8 * 2**30)


def test_a_device_has_its_numbers() -> None:
    member = read(tar_header(b"d", CHARACTER, mode=0o600, device=(5, 1)))
    assert (member.devmajor, member.devminor) == (5, 1)


def test_a_plain_header_is_what_tar_writes() -> None:
    info = tarfile.TarInfo("a/b")
    info.size, info.uid, info.gid, info.mtime = 5, 1000, 50, 1_700_000_000
    ours = tar_header(b"a/b", FILE, mode=0o644, uid=1000, gid=50, size=5, mtime=1_700_000_000)
    assert ours[:329] == info.tobuf(tarfile.USTAR_FORMAT)[:329]
