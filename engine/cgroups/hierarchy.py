"""Where the kernel's controllers are: cgroup v1, v2, or some of each (hybrid)."""

from __future__ import annotations

from engine.kernel.settings import read_setting, write_setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

V2 = "unified"  # key of the v2 hierarchy among the directories of a Cgroup


class Hierarchies:
    """The mounted hierarchies.

    v1  controller (or `name=systemd`) -> mount point; joint ones appear once per controller
    v2  mount point of cgroup2, None if there is none
    """

    __slots__ = ("v1", "v2")

    def __init__(self, v1: dict[str, str], v2: str | None) -> None:
        self.v1, self.v2 = v1, v2

    @classmethod
    def detect(cls, mountinfo: str = "/proc/self/mountinfo") -> Hierarchies:
        """As they are mounted here; the first mount of each hierarchy counts."""
        v1: dict[str, str] = {}
        v2 = None
        with open(mountinfo, encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                mount, _, filesystem = line.partition(" - ")
                fstype, _source, options = filesystem.split(" ", 2)
                point = mount.split(" ")[4]
                if fstype == "cgroup2":
                    v2 = v2 or point
                elif fstype == "cgroup":
                    for controller in _controllers_of(options.strip().split(",")):
                        v1.setdefault(controller, point)
        return cls(v1, v2)

    @property
    def is_pure_v2(self) -> bool:
        """Whether the controllers are all on v2: the only case where cgroup2 is mounted inside."""
        return self.v2 is not None and not self.v1

    def joint(self) -> list[str]:
        """The v1 hierarchies, each with all of its controllers: "cpu,cpuacct"."""
        points = dict.fromkeys(self.v1.values())
        return [",".join(n for n, point in self.v1.items() if point == each) for each in points]

    def v2_controllers(self) -> list[str]:
        """Controllers that v2 offers, [] without it."""
        return read_words(f"{self.v2}/cgroup.controllers") if self.v2 else []

    def version_of(self, controller: str) -> int:
        """1 or 2: where a controller is; 0 where the kernel has it nowhere."""
        if controller in self.v1:
            return 1
        return 2 if controller in self.v2_controllers() else 0


def _controllers_of(options: Iterable[str]) -> list[str]:
    generic = {"rw", "ro", "none", "clone_children", "noprefix", "xattr", "nsdelegate"}
    return [o for o in options if o not in generic and not o.startswith("release_agent=")]


def read_words(path: str) -> list[str]:
    """The words of a control file; [] where it does not exist."""
    try:
        return read_setting(path).split()
    except FileNotFoundError:
        return []


def write_value(directory: str, name: str, value: str) -> None:
    """Write one control file. Raises OSError as `write_setting`."""
    write_setting(f"{directory}/{name}", value)


def read_counters(path: str) -> dict[str, int]:
    """A `key number` file, as memory.events; {} where it does not exist."""
    words = read_words(path)
    pairs = zip(words[::2], words[1::2], strict=False)
    return {key: int(value) for key, value in pairs if value.lstrip("-").isdigit()}
