"""Where everything is kept, and the kernel names that follow from it."""

from __future__ import annotations

import os

DEFAULT_ROOT = "/var/lib/buoy"
DEFAULT_RUN_ROOT = "/run/buoy"


class Roots:
    """The durable and the volatile directory of one engine.

    Every kernel object that an engine makes is named after its durable root, so that two engines
    with different roots never meet.

    Standard library only and no dataclass: the monitor imports this.
    """

    __slots__ = ("root", "run_root", "tag")

    def __init__(self, root: str = DEFAULT_ROOT, run_root: str = DEFAULT_RUN_ROOT) -> None:
        self.root = os.path.abspath(root)
        self.run_root = os.path.abspath(run_root)
        self.tag = "" if self.root == DEFAULT_ROOT else _tag(self.root)

    @classmethod
    def from_environment(cls, root: str | None = None, run_root: str | None = None) -> Roots:
        """`root` and `run_root` if given, else BUOY_ROOT and BUOY_RUN_ROOT, else the defaults.

        A root that was moved without its run root takes `<root>/run`, so that two engines never
        share a run root by accident.
        """
        root = root or os.environ.get("BUOY_ROOT") or DEFAULT_ROOT
        run_root = run_root or os.environ.get("BUOY_RUN_ROOT")
        if run_root is None:
            moved = os.path.abspath(root) != DEFAULT_ROOT
            run_root = os.path.join(root, "run") if moved else DEFAULT_RUN_ROOT
        return cls(root, run_root)

    @property
    def kernel_name(self) -> str:
        """Name of our nft table and cgroup parent: `buoy`, or `buoy-<6 hex of the root>`."""
        return f"buoy-{self.tag}" if self.tag else "buoy"

    @property
    def database(self) -> str:
        """The SQLite file."""
        return f"{self.root}/buoy.db"

    @property
    def blobs(self) -> str:
        """Blobs by digest, laid out as in an OCI layout: `blobs/sha256/<hex>`."""
        return f"{self.root}/blobs"

    @property
    def layers(self) -> str:
        """Unpacked layers: `layers/<hex of the chain id>`, each usable as an overlay lower."""
        return f"{self.root}/layers"

    @property
    def cache(self) -> str:
        """What may be deleted at any time: loaded projects, build cache mounts."""
        return f"{self.root}/cache"

    @property
    def temporary(self) -> str:
        """Half-made things, on the same filesystem as what they will be renamed to."""
        return f"{self.root}/tmp"

    @property
    def turns(self) -> str:
        """The file of locks, one for each container that is started or changed (state.turns)."""
        return f"{self.run_root}/turns.lock"

    def volume(self, name: str) -> str:
        """The directory that a named volume's content is in."""
        return f"{self.root}/volumes/{name}/_data"

    def container(self, container_id: str) -> str:
        """Durable directory of a container: upper, work, logs, hosts, hostname, resolv.conf."""
        return f"{self.root}/containers/{container_id}"

    def container_run(self, container_id: str) -> str:
        """Volatile directory of a container: config.json, state.json, control socket, rootfs."""
        return f"{self.run_root}/containers/{container_id}"

    def network_run(self, network_id: str) -> str:
        """Volatile directory of a network: its `names` table."""
        return f"{self.run_root}/networks/{network_id}"


def ensure_directory(path: str, mode: int) -> None:
    """Make a directory with exactly this mode, whatever our umask; one that exists is left as it
    is. For those that a container sees: a root user's umask is often 077."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        os.mkdir(path)
    except FileExistsError:
        return
    os.chmod(path, mode)


def _tag(root: str) -> str:
    import hashlib  # 5 ms, of which an engine in its usual place needs nothing

    return hashlib.sha256(os.fsencode(root)).hexdigest()[:6]
