"""Debian and Ubuntu images built from their package archives, where no registry can be reached."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import ImageProblem
from engine.images.apt import Archive, debian_archive, host_options, ubuntu_archive
from engine.images.platform import host_platform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.images.image import Progress
    from engine.images.reference import Reference
    from engine.images.store import Store

_DEBIAN = {
    **{"latest": "trixie", "stable": "trixie", "13": "trixie"},
    **{"oldstable": "bookworm", "12": "bookworm", "11": "bullseye"},
    **{"unstable": "sid", "testing": "testing"},
    **{name: name for name in ("trixie", "bookworm", "bullseye", "sid")},
}
_UBUNTU = {
    **{"latest": "noble", "24.04": "noble", "22.04": "jammy", "20.04": "focal"},
    **{name: name for name in ("noble", "jammy", "focal")},
}
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SLIM = (
    *(f"path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "info", "groff", "lintian")),
    "path-exclude=/usr/share/locale/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-include=/usr/share/locale/locale.alias",
)
# What Debian's own images set, so that a layer holds what was installed and little else.
_FILES = {
    "etc/apt/apt.conf.d/container": (
        'APT::Keep-Downloaded-Packages "false";\n'
        'APT::AutoRemove::SuggestsImportant "false";\n'
        'Acquire::GzipIndexes "true";\n'
        'Acquire::Languages "none";\n',
        0o644,
    ),
    "etc/dpkg/dpkg.cfg.d/container": ("force-unsafe-io\n", 0o644),
    "usr/sbin/policy-rc.d": (
        "#!/bin/sh\n# services are not started by their packages\nexit 101\n",
        0o755,
    ),
}
_OF_THE_HOST = ("etc/resolv.conf", "etc/hostname", "var/cache/ldconfig/aux-cache")
_LAST_LINES = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How an image is bootstrapped: `debian:bookworm-slim` is Debian, bookworm, slim."""

    distribution: str
    codename: str
    slim: bool = False


def find_recipe(reference: Reference) -> Recipe | None:
    """The recipe for an official image of Debian or Ubuntu; None for any other image.

    A digest asks for exact content, which packages cannot give.
    """
    tag = reference.tag or ""
    if reference.digest is not None:
        return None
    if reference.name == "docker.io/library/debian":
        slim = tag.endswith("-slim")
        if codename := _DEBIAN.get(tag.removesuffix("-slim")):
            return Recipe(distribution="Debian", codename=codename, slim=slim)
    elif reference.name == "docker.io/library/ubuntu" and (codename := _UBUNTU.get(tag)):
        return Recipe(distribution="Ubuntu", codename=codename)
    return None


def bootstrap(store: Store, reference: Reference, recipe: Recipe, progress: Progress) -> str:
    """Build the image with mmdebstrap; its id, recorded as `reference`. The caller holds the
    store.

    Raises ImageProblem where a program or a keyring is missing (naming the package), or where
    mmdebstrap fails.
    """
    archive = _archive(recipe)
    _check_programs(archive)
    with _directory(store.temporary) as directory:
        _run(_command(recipe, archive, directory), reference, progress)
        _finish(directory)
        chain = store.layers.add(directory, ())
    return store.create(_config(recipe), (chain,), (str(reference),))


def _archive(recipe: Recipe) -> Archive:
    if recipe.distribution == "Debian":
        return debian_archive(recipe.codename)
    return ubuntu_archive(recipe.codename, host_platform().architecture)


def _check_programs(archive: Archive) -> None:
    if shutil.which("mmdebstrap") is None:
        raise _missing("the program mmdebstrap", "mmdebstrap")
    if not os.path.exists(archive.keyring):
        raise _missing(f"the keyring {archive.keyring}", archive.keyring_package)


def _missing(what: str, package: str) -> ImageProblem:
    return ImageProblem(
        f"{what} is needed to build the image from packages, and is not installed",
        hint=f"apt-get install {package}, or make the registry reachable",
        code="bootstrap-missing",
    )


@contextlib.contextmanager
def _directory(temporary: str) -> Iterator[str]:
    directory = tempfile.mkdtemp(prefix="bootstrap-", dir=temporary)
    os.chmod(directory, 0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _command(recipe: Recipe, archive: Archive, directory: str) -> list[str]:
    """In namespaces of its own, so that all of it ends and is unmounted when we do."""
    include = ["--include=ca-certificates"] if archive.needs_certificates else []
    return [
        *("setpriv", "--pdeathsig", "KILL"),
        *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
        *("mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory"),
        *(f"--aptopt={option}" for option in host_options()),
        *(f"--dpkgopt={option}" for option in (_SLIM if recipe.slim else ())),
        *include,
        *(recipe.codename, directory),
        *archive.lines,
    ]


def _run(command: list[str], reference: Reference, progress: Progress) -> None:
    """mmdebstrap, its messages told as progress. Also stopped when `progress` raises."""
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    said: list[str] = []
    try:
        for line in _lines(child):
            if line:
                said.append(line)
            if line.startswith("I: "):
                progress(reference.familiar, line[3:], None, None)
            else:
                progress(reference.familiar, "building", 0, None)
        status = child.wait()
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    if status != 0:
        raise ImageProblem(
            "mmdebstrap failed:\n  " + "\n  ".join(said[-_LAST_LINES:]),
            hint=_hint(said),
            code="bootstrap-failed",
        )


def _hint(said: list[str]) -> str:
    if said and said[-1].startswith("unshare:"):
        return "in a chroot, its root must be a mount: `mount --bind DIR DIR` before entering it"
    return "is the package mirror reachable? `apt-get update` uses the same one"


def _lines(child: subprocess.Popen[str]) -> Iterator[str]:
    """What the child says, and an empty line for each second in which it says nothing."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        assert child.stderr is not None
        with child.stderr:
            for line in child.stderr:
                lines.put(line.rstrip())
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=1.0)
        except queue.Empty:
            line = ""
        if line is None:
            return
        yield line


def _finish(directory: str) -> None:
    """Take out what is of this host, and put in what images of these distributions have."""
    for name in _OF_THE_HOST:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{directory}/{name}")
    for entry in os.scandir(f"{directory}/dev"):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)
    for name, (text, mode) in _FILES.items():
        with open(f"{directory}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(f"{directory}/{name}", mode)


def _config(recipe: Recipe) -> dict[str, object]:
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    platform = host_platform()
    made = f"mmdebstrap {recipe.codename}{' (slim)' if recipe.slim else ''}"
    return {
        "created": created,
        "architecture": platform.architecture,
        "os": platform.os,
        "config": {"Env": [_PATH], "Cmd": ["bash"]},
        "history": [
            {"created": created, "created_by": made, "comment": "bootstrapped from packages"}
        ],
    }
