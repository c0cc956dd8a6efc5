"""The command line: global options, a verb, its options and arguments.

As the other OCI runtimes have it (Go's flags): one dash or two, `--name value` or `--name=value`,
options in front of the arguments. argparse would cost a third of the time that `state` takes.
"""

from __future__ import annotations

from engine.oci.errors import OciProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Each line: names, =VALUE where there is one (`...`: may be repeated), and what it is.
GLOBAL = """\
root =DIR             where the state of containers is kept
log =FILE             write errors there (default: stderr)
log-format =FORMAT    text or json
debug                 accepted, for those that give it
rootless =WHEN        accepted, for those that give it
criu =PATH            accepted, for those that give it
systemd-cgroup        not supported: cgroups are made by writing to cgroupfs
help,h                this text
version,v             the version, and that of the specification"""

_CREATE = """\
bundle,b =DIR         where config.json is (default: .)
console-socket =PATH  socket that is sent the master of the container's terminal
pid-file =FILE        gets the pid of the container's first process
preserve-fds =N       hand on so many descriptors from 3 on
no-pivot              move the root instead of pivot_root, for a root on a ramfs
no-new-keyring        keep the session keyring of who starts the container"""

_RUN = f"""\
{_CREATE}
detach,d              do not wait for the container
keep                  do not delete it at its end"""

_RESOURCES = """\
resources,r =FILE     `linux.resources` as JSON; - is stdin
blkio-weight =N       relative weight of block IO
cpu-period =US
cpu-quota =US
cpu-burst =US
cpu-share =N
cpu-rt-period =US
cpu-rt-runtime =US
cpu-idle =N
cpuset-cpus =LIST
cpuset-mems =LIST
memory =BYTES
memory-reservation =BYTES
memory-swap =BYTES
pids-limit =N"""

_EXEC = """\
process,p =FILE       `process` as JSON
console-socket =PATH  socket that is sent the master of the process's terminal
pid-file =FILE        gets the pid of the process
detach,d              do not wait for it
cwd =DIR
env,e =NAME=VALUE...
tty,t                 give it a terminal
user,u =UID[:GID]
additional-gids,g =GID...
cap,c =CAPABILITY...
no-new-privs
process-label =LABEL
apparmor =PROFILE
preserve-fds =N       hand on so many descriptors from 3 on
cgroup =PATH...       in a cgroup below the container's
ignore-paused         do not refuse where the container is paused"""

# verb -> usage of its arguments, options, what it does
VERBS: dict[str, tuple[str, str, str]] = {
    "create": ("ID", _CREATE, "make a container, whose program then waits for `start`"),
    "start": ("ID", "", "let the program of a created container run"),
    "run": ("ID", _RUN, "create, start, wait, delete"),
    "state": ("ID", "", "the state of a container, as JSON"),
    "kill": ("ID [SIGNAL]", "all,a                 every process of it", "send a signal (TERM)"),
    "delete": ("ID...", "force,f               kill it first", "remove what is left"),
    "list": (
        "",
        "format,f =FORMAT      table or json\nquiet,q               ids alone",
        "the containers below --root",
    ),
    "exec": ("ID [COMMAND [ARGUMENT...]]", _EXEC, "run a further process in a container"),
    "ps": (
        "ID [PS-OPTION...]",
        "format,f =FORMAT      table or json",
        "the processes of a container",
    ),
    "pause": ("ID", "", "stop scheduling the processes of a container"),
    "resume": ("ID", "", "go on with them"),
    "update": ("ID", _RESOURCES, "change the limits of a container"),
    "features": ("", "", "what is supported, as JSON"),
    "spec": (
        "",
        "bundle,b =DIR         where to write it (default: .)\nrootless              without root",
        "write a config.json to start from",
    ),
}


class Given:
    """What was given: options by their long names, and the arguments."""

    __slots__ = ("_values", "arguments")

    def __init__(self, values: Mapping[str, list[str]], arguments: Sequence[str]) -> None:
        self._values, self.arguments = values, list(arguments)

    def text(self, name: str, default: str = "") -> str:
        """The last value given."""
        values = self._values.get(name)
        return values[-1] if values else default

    def texts(self, name: str) -> list[str]:
        """All values given, in order."""
        return list(self._values.get(name, ()))

    def number(self, name: str) -> int | None:
        """None where it is not given. Raises OciProblem."""
        text = self.text(name)
        if not text:
            return None
        return to_number(name, text)

    def numbers(self, name: str) -> list[int]:
        """All values given, in order. Raises OciProblem."""
        return [to_number(name, text) for text in self.texts(name)]

    def flag(self, name: str) -> bool:
        """Whether it is switched on; `--name=false` switches it off."""
        return self.text(name, "false").lower() in ("true", "1", "t")


def to_number(name: str, text: str) -> int:
    """A value, or a part of one, of the option `name`. Raises OciProblem."""
    try:
        return int(text)
    except ValueError:
        raise OciProblem(f"--{name} {text}: not a number", code="usage") from None


def parse(table: str, words: Sequence[str]) -> Given:
    """Options of `table` up to the first word that is none. Raises OciProblem."""
    known = _names(table)
    values: dict[str, list[str]] = {}
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        name, equals, value = word.lstrip("-").partition("=")
        if name not in known:
            raise OciProblem(f"flag provided but not defined: -{name}", code="usage")
        long, takes_value = known[name]
        if not takes_value:
            value = value if equals else "true"
        elif not equals:
            if not rest:
                raise OciProblem(f"flag needs an argument: -{name}", code="usage")
            value = rest.pop(0)
        values.setdefault(long, []).append(value)
    return Given(values, rest)


def _names(table: str) -> dict[str, tuple[str, bool]]:
    """Each name of an option -> its long name, and whether it takes a value."""
    known: dict[str, tuple[str, bool]] = {"help": ("help", False), "h": ("help", False)}
    for line in table.splitlines():
        words = line.split()
        names = words[0].split(",")
        known |= dict.fromkeys(names, (names[0], len(words) > 1 and words[1][0] == "="))
    return known


def overview() -> str:
    """The text of `--help`."""
    lines = [f"  {verb:10}{about}" for verb, (_, _, about) in VERBS.items()]
    return (
        "usage: buoy-oci [OPTION...] VERB [OPTION...] [ARGUMENT...]\n\n"
        "An OCI runtime: runs bundles (config.json, root filesystem) of runtime-spec 1.\n\n"
        + "\n".join(lines)
        + "\n\n"
        + _shown(GLOBAL)
    )


def usage(verb: str) -> str:
    """The text of `VERB --help`."""
    arguments, table, about = VERBS[verb]
    return f"usage: buoy-oci {verb} [OPTION...] {arguments}\n\n{about}\n" + (
        f"\n{_shown(table)}" if table else ""
    )


def _shown(table: str) -> str:
    lines = []
    for line in table.splitlines():
        names, _, rest = line.partition(" ")
        long, _, short = names.partition(",")
        value, about = "", rest.strip()
        if about.startswith("="):
            value, _, about = about[1:].partition(" ")
        option = f"{f'-{short}, ' if short else ''}--{long} {value}".strip()
        lines.append(f"  {option:30}{about.strip()}".rstrip())
    return "\n".join(lines) + "\n"
