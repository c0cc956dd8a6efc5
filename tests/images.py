"""A busybox image, made from the machine's own static busybox: small, and nothing to download."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REFERENCE = "busybox:latest"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
RECIPE = 1  # raise it when the content below changes: cached archives are named after it
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n",
    "etc/group": "root:x:0:\napp:x:1000:\nstaff:x:50:app\n",
}
DIRECTORIES = {
    "bin": 0o755,
    "dev": 0o755,
    "etc": 0o755,
    "home": 0o755,
    "proc": 0o755,
    "root": 0o700,
    "sbin": 0o755,
    "sys": 0o755,
    "tmp": 0o1777,
    "usr": 0o755,
    "usr/bin": 0o755,
    "usr/sbin": 0o755,
    "var": 0o755,
}


def cache_directory() -> Path:
    """Where archives are kept between runs: BUOY_TEST_CACHE, or .cache/tests in the work tree."""
    given = os.environ.get("BUOY_TEST_CACHE")
    directory = Path(given) if given else Path(__file__).parents[1] / ".cache/tests"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time between all that name the same file."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def busybox_rootfs() -> Path:
    """A plain tar of the root filesystem, as `docker import` takes it."""
    busybox = _find_busybox()
    return _cached("rootfs", busybox, lambda path: path.write_bytes(_rootfs(busybox)))


def busybox_archive() -> Path:
    """The same as a docker-archive with an image config, tagged `busybox:latest`."""
    rootfs = busybox_rootfs()
    return _cached("archive", rootfs, lambda path: path.write_bytes(_archive(rootfs.read_bytes())))


def _find_busybox() -> Path:
    found = shutil.which("busybox")
    if found is None:
        raise FileNotFoundError("busybox is not installed: apt-get install busybox-static")
    return Path(found)


def _cached(kind: str, source: Path, make: Callable[[Path], object]) -> Path:
    """`busybox-<kind>-<key>.tar`, made once however many workers ask for it at the same time."""
    about = f"{RECIPE} {source.resolve()} {source.stat().st_size} {source.stat().st_mtime_ns}"
    key = hashlib.sha256(about.encode()).hexdigest()[:12]
    path = cache_directory() / f"busybox-{kind}-{key}.tar"
    with locked(path.with_suffix(".lock")):
        if not path.exists():
            half = path.with_suffix(".half")
            make(half)
            half.rename(path)
    return path


def _rootfs(busybox: Path) -> bytes:
    listed = subprocess.run([busybox, "--list-full"], check=True, capture_output=True, text=True)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, mode in DIRECTORIES.items():
            tar.addfile(_entry(name, mode=mode, type=tarfile.DIRTYPE))
        tar.addfile(_entry("home/app", mode=0o755, type=tarfile.DIRTYPE, uid=1000, gid=1000))
        _add_file(tar, "bin/busybox", busybox.read_bytes(), mode=0o755)
        for applet in sorted(set(listed.stdout.split()) - {"bin/busybox", "linuxrc"}):
            tar.addfile(_entry(applet, mode=0o755, type=tarfile.LNKTYPE, linkname="bin/busybox"))
        for name, text in FILES.items():
            _add_file(tar, name, text.encode())
    return buffer.getvalue()


def _archive(rootfs: bytes) -> bytes:
    diff_id = hashlib.sha256(rootfs).hexdigest()
    config = json.dumps(
        {
            "architecture": ARCHITECTURES.get(os.uname().machine, os.uname().machine),
            "os": "linux",
            "created": "2026-01-01T00:00:00Z",
            "config": {"Env": [f"PATH={PATH}"], "Cmd": ["sh"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff_id}"]},
            "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "busybox-static"}],
        }
    ).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    layer = f"{diff_id}/layer.tar"
    manifest = json.dumps([{"Config": name, "RepoTags": [REFERENCE], "Layers": [layer]}]).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        _add_file(tar, name, config)
        _add_file(tar, layer, rootfs)
        _add_file(tar, "manifest.json", manifest)
    return buffer.getvalue()


def _add_file(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = _entry(name, mode=mode)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def _entry(name: str, **fields: object) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(entry, field, value)
    return entry
