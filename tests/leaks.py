"""What an engine may leave behind in the kernel: found by name, told, and put away.

Every kernel object of an engine is named after its root, so what one test left can be told from
the work of tests beside it. What carries no such name is found by comparing the whole machine
before and after a session.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Set

    from engine.state.paths import Roots

GRACE_S = 20.0  # a monitor may still be cleaning up when the command that stopped it has returned
CGROUPS = Path("/sys/fs/cgroup")
PLACES = ("/run/netns/", "/run/buoy/", "/var/lib/buoy/", "/var/tmp/", f"{tempfile.gettempdir()}/")


@contextlib.contextmanager
def watched(roots: Roots) -> Iterator[Roots]:
    """Fails, after a body that did not, if kernel objects of these roots are left at its end."""
    try:
        yield roots
    except BaseException:
        put_away(roots, bridges_of(roots))
        raise
    bridges = bridges_of(roots)
    found = left_behind(roots, bridges)
    put_away(roots, bridges)
    assert not found, "left behind:\n  " + "\n  ".join(found)


def bridges_of(roots: Roots) -> set[str]:
    """Devices of the networks that are on record."""
    if not Path(roots.database).exists():
        return set()
    with contextlib.closing(sqlite3.connect(roots.database)) as database:
        return {
            row[0]
            for row in database.execute("SELECT device FROM networks WHERE driver = 'bridge'")
            if row[0]
        }


def left_behind(roots: Roots, bridges: set[str]) -> list[str]:
    """What still exists of this engine after its clean-up time: one line each, empty when clean.

    bridges   names of the devices that its networks had
    """

    def look() -> list[str]:
        return [
            *(f"process {pid}: {_command(pid)}" for pid in processes_of(roots)),
            *(f"mount {target}" for target in mounts_under(roots)),
            *(f"link {name}" for name in sorted(bridges & links())),
            *(f"nft table {name}" for name in tables() if name.endswith(f" {roots.kernel_name}")),
            *(f"cgroup {path}" for path in cgroups_named(roots.kernel_name)),
        ]

    return _settled(look)


def put_away(roots: Roots, bridges: set[str]) -> None:
    """Removes what `left_behind` names, so that the next test starts clean."""
    for pid in processes_of(roots):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _settled(lambda: [str(pid) for pid in processes_of(roots)])
    for target in mounts_under(roots):
        subprocess.run(["umount", "--lazy", target], check=False, capture_output=True)
    for name in bridges & links():
        subprocess.run(["ip", "link", "delete", name], check=False, capture_output=True)
    for table in tables():
        if table.endswith(f" {roots.kernel_name}"):
            subprocess.run(["nft", "delete", "table", *table.split()], check=False)
    remove_cgroups(roots.kernel_name)


def machine() -> dict[str, set[str]]:
    """What engines and tests have in the kernel now, by kind, whichever engine or test it was."""
    pids = [pid for pid in _pids() if _is_of_tests(pid)]
    return {
        "process": {f"{pid}: {_command(pid)}" for pid in pids},
        "network namespace": _network_namespaces(pids),
        "mount": {t for line in _mountinfo("self") if (t := line.split()[4]).startswith(PLACES)},
        "link": links(),
        "nft table": {name for name in tables() if name.split()[1].startswith("buoy")},
        "cgroup": set(cgroups_named("buoy*")),
    }


def new_since(before: dict[str, set[str]]) -> list[str]:
    """What the machine has more of than `before`, after its clean-up time: one line each."""

    def look() -> list[str]:
        now = machine()
        return [f"{kind} {name}" for kind in now for name in sorted(now[kind] - before[kind])]

    return _settled(look)


def processes_of(roots: Roots) -> list[int]:
    """Monitors, inits and whatever they started: by command line, environment, open files or
    mounts of their own that lie under the engine's roots."""
    places = (os.fsencode(roots.root), os.fsencode(roots.run_root))
    ours = _mounts(os.getpid()).keys()
    return [pid for pid in _pids() if pid != os.getpid() and _mentions(pid, places, ours)]


def mounts_under(roots: Roots) -> list[str]:
    """Mount points below the engine's roots, deepest first."""
    return mounts_below(roots.root, roots.run_root)


def mounts_below(*places: str) -> list[str]:
    """Mount points below directories, deepest first."""
    targets = (line.split()[4] for line in _mountinfo("self"))
    inside = tuple(f"{place}/" for place in places)
    return sorted((t for t in targets if t.startswith(inside)), key=len, reverse=True)


def links() -> set[str]:
    """Bridges of networks and veth ends, in this network namespace."""
    found = {path.name for path in Path("/sys/class/net").iterdir()}
    return {name for name in found if name.startswith(("br-", "veth"))}


def tables() -> list[str]:
    """nftables tables as `family name`."""
    done = subprocess.run(["nft", "--json", "list", "tables"], capture_output=True, check=False)
    if done.returncode != 0:
        return []
    listed = [entry["table"] for entry in json.loads(done.stdout)["nftables"] if "table" in entry]
    return [f"{table['family']} {table['name']}" for table in listed]


def cgroups_named(pattern: str) -> list[str]:
    """Cgroups below those whose name matches, `buoy-012345/<container>`, each once for all the
    hierarchies that it is in.

    An empty parent alone is no leak: it costs nothing and saves making it again.
    """
    tops = [path for path in _directories(CGROUPS) if path.match(pattern)]
    return sorted({str(c.relative_to(top.parent)) for top in tops for c in _directories(top)})


def cgroups_at(path: str) -> list[Path]:
    """The cgroups at `path` below where each hierarchy is mounted, of those that exist."""
    points = (CGROUPS, *CGROUPS.iterdir())
    return [found for point in points if (found := point / path).is_dir()]


def _directories(top: Path) -> list[Path]:
    """All below `top`. Unlike rglob, os.walk takes it that other tests remove theirs meanwhile."""
    return [Path(parent, name) for parent, names, _ in os.walk(top) for name in names]


def remove_cgroups(name: str) -> None:
    """Removes the cgroup `name` and those in it from every hierarchy, but for those in use."""
    tops = [path for path in _directories(CGROUPS) if path.match(name)]
    for top in tops:
        inside = sorted(_directories(top), reverse=True)
        for path in (*inside, top):
            with contextlib.suppress(OSError):
                path.rmdir()


def _settled(look: Callable[[], list[str]]) -> list[str]:
    """What `look` finds once nothing more disappears for it: at once when it finds nothing."""
    deadline = time.monotonic() + GRACE_S
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def _pids() -> Iterator[int]:
    return (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())


def _command(pid: int) -> str:
    return _read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:  # it has ended
        return b""


def _is_of_tests(pid: int) -> bool:
    """A stage or a monitor, which have no environment, or what pytest has left its mark on."""
    words = _read(pid, "cmdline").split(b"\0")
    stage = any(word.endswith(b"engine/containers/stage.py") for word in words)
    return stage or b"PYTEST_CURRENT_TEST=" in _read(pid, "environ")


def _mentions(pid: int, places: tuple[bytes, bytes], ours: Set[bytes]) -> bool:
    """`ours` are mounts that count for nothing: who is just being given a mount namespace, by
    whatever test, has a copy of them."""
    texts = [_read(pid, "cmdline"), _read(pid, "environ"), *open_files(pid)]
    texts += [line for mount, line in _mounts(pid).items() if mount not in ours]
    return any(place in text for place in places for text in texts)


def _mounts(pid: int) -> dict[bytes, bytes]:
    """The lines of mountinfo, by what is the same in each namespace: what is mounted where."""
    lines = _read(pid, "mountinfo").splitlines()
    return {b" ".join(line.split()[2:5]): line for line in lines}


def open_files(pid: int) -> Iterator[bytes]:
    """What the descriptors of a process lead to, `socket:[123]`; of one that has ended, nothing."""
    with contextlib.suppress(OSError):
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                yield bytes(fd.readlink())


def _mountinfo(pid: str) -> list[str]:
    return Path(f"/proc/{pid}/mountinfo").read_text().splitlines()


def _network_namespaces(pids: list[int]) -> set[str]:
    """Those of the processes, but for the one that this process is in."""
    own = Path("/proc/self/ns/net").readlink()
    found: dict[Path, str] = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            found.setdefault(Path(f"/proc/{pid}/ns/net").readlink(), _command(pid))
    return {f"{name} of {command}" for name, command in found.items() if name != own}
