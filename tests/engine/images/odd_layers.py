"""Layers that are legal and seldom: what other engines make of them can be compared with ours.

Each case is a name and the tars of an image's layers, lowest first.
"""

from __future__ import annotations

import functools
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path

from tests.engine.images.tars import directory, entry, file, hard_link, symlink, tar

CAPABILITY = bytes.fromhex("0100000200200000" + "00" * 12)  # cap_net_raw+ep, revision 2
LONG = "n" * 255


@functools.cache
def odd_images() -> dict[str, list[bytes]]:
    """All cases."""
    return {
        "attributes": [tar(*_attributes(), format=tarfile.PAX_FORMAT)],
        "gnu": [tar(*_names(), format=tarfile.GNU_FORMAT)],
        "pax": [tar(*_names(), format=tarfile.PAX_FORMAT)],
        "sparse": [sparse("0.0"), sparse("0.1"), sparse("1.0")],
        "sparse-gnu": [sparse("gnu")],
        "parents": [
            tar(directory("usr/lib", mtime=5), symlink("lib", "usr/lib"), symlink("abs", "/usr")),
            tar(
                directory("lib/c"), file("lib/a", "1"), file("abs/lib/b", "2"), file("lib/c/d", "3")
            ),
        ],
        "parents-within": [
            tar(
                *(directory("usr/lib", mtime=5), symlink("lib", "usr/lib"), symlink("abs", "/usr")),
                directory("usr", mtime=4),
                *(directory("lib/c"), file("lib/a", "1"), file("abs/lib/b", "2"), "lib/c/d"),
            )
        ],
        "implied": [
            tar(directory("srv", mode=0o700, uid=5, gid=6), directory("srv/d", mode=0o1777)),
            tar(file("srv/d/f", ""), file("other/f", "")),
        ],
        "root": [tar(directory("./", mode=0o711, uid=5, gid=6, mtime=1234), file("./f", ""))],
        "opaque": [
            tar(directory("d"), file("d/low", "low"), directory("e"), file("e/low", "low")),
            tar(
                *(directory("d"), file("d/.wh..wh..opq", ""), file("d/after", "")),
                *(directory("e"), file("e/before", ""), file("e/.wh..wh..opq", "")),
            ),
        ],
        "whiteouts": [
            tar("gone", "again", directory("tree"), "tree/f", directory("kept"), "kept/gone"),
            tar(".wh.gone", ".wh.again", ".wh.tree", "kept/.wh.gone", ".wh.never", "new"),
            tar(file("again", "2"), directory("tree"), file("tree/g", "")),
        ],
        "replaced": [
            tar("f", directory("d"), "d/x", symlink("s", "d"), directory("e"), "e/y"),
            tar(directory("f"), "f/in", file("d", "now"), directory("s"), "s/z", symlink("e", "f")),
        ],
        "repeated": [
            tar(
                *(file("a", "1"), file("a", "2", mode=0o600), directory("d", mode=0o700)),
                *("d/f", directory("d", mode=0o711, mtime=7)),
            )
        ],
        "links": [
            tar(file("a", "text", mode=0o4755), hard_link("b", "a"), symlink("s", "a")),
            tar(
                directory("d"),
                file("d/a", "other"),
                hard_link("d/b", "d/a"),
                hard_link("d/c", "./d/a"),
            ),
        ],
        "empty": [bytes(1024), tar("a"), bytes(1024)],
        "twice": [tar("a", file("b", "1")), tar(".wh.a"), tar("a", file("b", "1"))],
    }


@functools.cache
def sparse(form: str) -> bytes:
    """A file with holes, by GNU tar in one of its four forms; its name is that of the form."""
    options = ["--format=gnu"] if form == "gnu" else ["--format=posix", f"--sparse-version={form}"]
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        path = Path(place, f"sparse-{form}")
        with path.open("wb") as stream:
            for number in range(40):  # more than a header's map holds
                stream.seek(number * 200_000)
                stream.write(b"data %d" % number)
            stream.truncate(10_000_000)
        os.utime(path, (1000, 1000))
        command = [
            "tar",
            "-C",
            place,
            "--hole-detection=raw",
            "-S",
            *options,
            "-cf",
            "-",
            path.name,
        ]
        return subprocess.run(command, check=True, capture_output=True).stdout


def _attributes() -> list[tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]]:
    headers = {"SCHILY.xattr.security.capability": CAPABILITY.decode("latin-1")}
    return [
        directory("d", mode=0o2750, uid=3, gid=4, mtime=1000),
        directory("tmp", mode=0o1777),
        file("d/setuid", "text", mode=0o4755, uid=1000, gid=70000, mtime=1234.5),
        file("d/owned", "", uid=2**31 - 1, gid=2**32 - 2),
        file("capable", "text", uid=5, mode=0o755, pax_headers=headers),
        file("nothing", "", mode=0),
        file("late", "", mtime=2**33 + 0.125),
        file("early", "", mtime=-1.5),
        symlink("d/l", "setuid"),
        symlink("dangling", "/no/where/../such"),
        entry("p", tarfile.FIFOTYPE, mode=0o600),
        entry("null", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666),
        entry("disk", tarfile.BLKTYPE, devmajor=259, devminor=1000, mode=0o660, gid=6),
    ]


def _names() -> list[tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]]:
    return [
        file("new\nline", ""),
        file("latin-\udce9", "not UTF-8"),
        file("ünï", ""),
        file(" spaces ", ""),
        file("back\\slash", ""),
        file(LONG, ""),
        directory("a" * 120),
        file("a" * 120 + "/" + "b" * 120, ""),
        symlink("link", "t" * 300),
        *(directory("/".join(["deep" * 50] * depth)) for depth in range(1, 16)),
        file("/".join(["deep" * 50] * 15) + "/file", ""),
        file("./dotted/./x", ""),
        file("/absolute", ""),
        file("up/../beside", ""),
        directory("dotted"),
    ]
