"""The process that reads and writes images' files for a build: a job as JSON on descriptor 0, the
result as JSON on 1.

It has a mount, network and IPC namespace of its own, the image's root as root, and only the
capabilities that set owners and modes, so that what an image has in the way of symlinks leads
nowhere. Started by `engine.build.copying` as `python -SI`; standard library only.

Jobs, by `do`:
  copy       `sources` of `source` into the target, each at `to`; `archives` are files in place
             of sources that are to be unpacked
  measure    fingerprints of `sources`
  directory  `to`, made with its parents
  unpack     the file `archive` into `to`; false, and a copy as `Dockerfile`, where it is none
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys

from engine.build import untar
from engine.build.ignore import Ignore
from engine.build.measure import measure, read_file_digest
from engine.build.place import Look, PlaceError, Placer
from engine.build.tree import NotFoundInRoot, Selection, find_source, find_with_parents
from engine.containers.users import UnknownUser, find_user
from engine.kernel import capabilities, mounts, process
from engine.kernel.namespaces import CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, unshare
from engine.kernel.openat2 import open_beneath
from engine.rootfs.overlay import mount_overlay

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.build.tree import Found

    Job = dict[str, Any]

_KEPT = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "MKNOD", "SETFCAP"]
_ROOT = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


def main(parent: int) -> int:
    """Do the job; 0 with a result, 1 with a `what` for the user."""
    process.die_with_parent(parent)
    with open(0, encoding="utf-8", errors="surrogateescape") as given:
        job: Job = json.load(given)
    try:
        result = _JOBS[job["do"]](job)
    except NotFoundInRoot as error:
        return _report({"missing": error.source, "rule": error.rule})
    except (PlaceError, UnknownUser) as error:
        return _report({"what": str(error)})
    except OSError as error:
        name = f" {error.filename}" if error.filename else ""
        return _report({"what": f"{error.strerror or error}{name}", "errno": error.errno})
    _report({"result": result})
    return 0


def _report(result: Job) -> int:
    with open(1, "w", encoding="utf-8", errors="surrogateescape") as output:
        json.dump(result, output)
    return 1


def _measure(job: Job) -> dict[str, str]:
    _separate()
    root = _source(job)
    selection = _selection(job)
    return measure(
        root,
        job["sources"],
        selection,
        owners=True,
        file_digest=read_file_digest,
        parents=job["parents"],
        tops=job["tops"],
    )


def _make_directory(job: Job) -> None:
    _separate()
    _enter(_mounted(job["target"]))
    owner = _owner(job["owner"])
    Placer(-1, Look(owner, None), Selection()).make_directories(job["to"])


def _copy(job: Job) -> int:
    """How many things the sources named."""
    _separate()
    target = _mounted(job["target"])
    selection = _selection(job)
    root = _source(job)
    find = find_with_parents if job["parents"] else find_source
    found = [item for source in job["sources"] for item in find(root, source, selection.ignore)]
    archives = {path: os.open(file, os.O_RDONLY) for path, file in job.get("archives", {}).items()}
    _enter(target)
    _check_single(job, found)
    look = Look(_owner(job["owner"]) if job["owner"] else None, job["mode"])
    placer = Placer(root, look, selection)
    for item in found:
        if not (job["unpack"] and _unpacked(root, item, job, placer, archives)):
            placer.place(item, job["to"])
    placer.finish()
    return len(found)


def _unpack(job: Job) -> bool:
    _separate()
    with open(job["archive"], "rb") as file:
        archive = untar.open_archive(file.fileno())
        _enter(_mounted(job["target"]))
        if archive is None:
            with open(f"{job['to']}/Dockerfile", "xb") as copy:
                shutil.copyfileobj(file, copy)
            return False
    directory = os.open(job["to"], _ROOT)
    with archive:
        untar.unpack(archive, directory)
    os.close(directory)
    return True


def _check_single(job: Job, found: list[Found]) -> None:
    to = job["to"]
    if len(found) > 1 and not job["parents"] and not to.endswith("/") and not os.path.isdir(to):
        names = ", ".join(item.name for item in found[:3])
        raise PlaceError(
            f"{len(found)} sources ({names}{', ...' if len(found) > 3 else ''}) match, and {to} "
            "is no directory; end it with a /"
        )


def _unpacked(root: int, found: Found, job: Job, placer: Placer, archives: dict[str, int]) -> bool:
    """Whether the source is an archive; then it is unpacked.

    archives  descriptors of what is in those that are compressed in a way that is unknown here
    """
    if not stat.S_ISREG(found.info.st_mode):
        return False
    fd = archives.pop(found.path, -1)
    if fd < 0:
        fd = open_beneath(root, os.fsencode(found.path), os.O_RDONLY | os.O_NOFOLLOW)
    try:
        archive = untar.open_archive(fd)
    finally:
        os.close(fd)
    if archive is None:
        return False
    placer.make_directories(job["to"])
    directory = os.open(os.path.realpath(job["to"]), _ROOT)
    with archive:
        untar.unpack(archive, directory)
    os.close(directory)
    return True


def _separate() -> None:
    unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC)
    mounts.mount("", "/", flags=mounts.MS_REC | mounts.MS_PRIVATE)
    os.umask(0)


def _source(job: Job) -> int:
    """A descriptor of the directory that sources are looked up in."""
    source = job["source"]
    return os.open(source if isinstance(source, str) else _mounted(source), _ROOT)


def _mounted(layers: Job) -> str:
    """The merged directory of `lowers` (top first) under `upper`."""
    merged: str = layers["merged"]
    if layers["lowers"]:
        mount_overlay(merged, layers["lowers"], layers["upper"], layers["work"])
    else:
        mounts.mount(layers["upper"], merged, flags=mounts.MS_BIND)
    return merged


def _enter(root: str) -> None:
    """Make `root` the root of this process, for good, with no more power than it takes."""
    sys.meta_path.clear()  # an import would now run what the image has at our library's path
    root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    mounts.become_root(root_fd)
    os.close(root_fd)
    process.set_no_new_privileges()
    capabilities.drop_bounding(_KEPT)
    capabilities.set_capabilities(_KEPT)


def _owner(text: str) -> tuple[int, int]:
    """`55` is 55:55; a name has the group of its passwd line."""
    user = find_user(f"{text}:{text}" if text.isdecimal() else text, [])
    return user.uid, user.gid


def _selection(job: Job) -> Selection:
    ignore = Ignore([(text, number) for text, number in job["ignore"]])
    return Selection(ignore, Ignore([(text, 0) for text in job["exclude"]]))


_JOBS = {"copy": _copy, "measure": _measure, "directory": _make_directory, "unpack": _unpack}
