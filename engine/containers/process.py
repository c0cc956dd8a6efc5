"""The last steps before a program of the image runs: who it is, what it may, and execve.

Runs inside the container's namespaces, in init as well as in an exec. Nothing may be imported
here at run time: what would be loaded is the image's (CVE-2019-14271).
"""

from __future__ import annotations

import errno
import os
import resource
import stat

from engine.containers.users import UnknownUser, User, find_user
from engine.kernel import capabilities, seccomp
from engine.kernel import process as kernel_process
from engine.kernel.process import (
    close_on_exec_from,
    set_apparmor_profile,
    set_keep_capabilities,
    set_no_new_privileges,
    set_personality,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

NOT_FOUND, NOT_EXECUTABLE, UNKNOWN_FAILURE = 127, 126, 128
_NOT_EXECUTABLE_ERRNOS = (errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOEXEC, errno.ETXTBSY)


UNLIMITED = (1 << 64) - 1  # RLIM_INFINITY, which is -1 to Python


class StartError(Exception):
    """Why a process could not be started; `code` is kebab-case, `exit_code` is the shell's."""

    def __init__(self, code: str, what: str, exit_code: int = UNKNOWN_FAILURE) -> None:
        super().__init__(what)
        self.code, self.what, self.exit_code = code, what, exit_code


def set_limits(rlimits: list[dict[str, Any]]) -> None:
    """Set `process.rlimits` of the OCI runtime specification, for this process.

    Without SYS_RESOURCE a hard limit cannot be raised: an entry marked `default` is then cut to
    what there is, another is a StartError.
    """
    for entry in rlimits:
        kind = getattr(resource, entry["type"])
        soft, hard = (-1 if entry[key] >= UNLIMITED else entry[key] for key in ("soft", "hard"))
        try:
            resource.setrlimit(kind, (soft, hard))
        except (ValueError, OSError):
            if not entry.get("default"):
                name = entry["type"].removeprefix("RLIMIT_").lower()
                allowed = resource.getrlimit(kind)[1]
                raise StartError(
                    "ulimit",
                    f"ulimit {name}={soft}:{hard} cannot be set: the hard limit here is {allowed}",
                ) from None
            own = resource.getrlimit(kind)[1]
            lower = own if soft < 0 else min(soft, own)
            resource.setrlimit(kind, (lower if own >= 0 else soft, own))


def set_oom_score(value: int | None) -> None:
    """`process.oomScoreAdj`: not what we were started with. 0, the default, is only a wish.

    None leaves it.
    """
    if value is None:
        return
    try:
        kernel_process.set_oom_score(value)
    except OSError as error:
        if value:
            what = f"oom_score_adj={value} cannot be set: {error.strerror}"
            raise StartError("oom-score-adj", what) from None


def run(
    process: dict[str, Any], filter_program: bytes | None, before_program: Callable[[], object]
) -> None:
    """Become the user, lose what is not granted, and execve. Returns only by StartError.

    process         `process` of config.json; a `username` in its user is a text for `find_user`
    filter_program  seccomp, compiled; None: unconfined
    before_program  called last: the credentials are set, and there is a program to execute
    """
    program = Program(process, filter_program)
    program.become_user()
    program.look_up()
    before_program()
    kernel_process.reset_signals()
    program.label()
    program.confine()
    program.execute()


class Program:
    """What is to run, and the steps up to there. Each raises StartError.

    kept  capabilities that are held until execve, granted or not
    """

    def __init__(
        self, process: dict[str, Any], filter_program: bytes | None, kept: Sequence[str] = ()
    ) -> None:
        self._process, self._filter, self._kept = process, filter_program, kept
        # To filter needs SYS_ADMIN or no_new_privs, and only what still has to be called is
        # filtered.
        filtered = filter_program is not None
        self._lent = ["SYS_ADMIN"] if filtered and not process["noNewPrivileges"] else []
        self._user = _find(process["user"])
        self._environment = _environment(process["env"], self._user)
        self._granted = _granted(process["capabilities"], self._user)
        self._places: list[str] = []

    @property
    def has_listener(self) -> bool:
        """Whether somebody answers for the calls that the filter leaves to him."""
        flags: int = self._process.get("filter_flags", 0)
        return self._filter is not None and bool(flags & seccomp.NEW_LISTENER)

    def become_user(self) -> None:
        """Credentials and working directory: all but the filter."""
        process = self._process
        close_on_exec_from(3 + process.get("preserve_fds", 0))
        if process["noNewPrivileges"]:
            set_no_new_privileges()
        if "umask" in process["user"]:
            os.umask(process["user"]["umask"])
        entered = _enter(process["cwd"])
        capabilities.drop_bounding(self._granted.pop("bounding"))
        _become(self._user, _wider(self._granted, [*self._lent, *self._kept]))
        if not entered and not _enter(process["cwd"]):
            what = f"cannot enter {process['cwd']}: permission denied"
            raise StartError("working-directory", what)
        _refuse_unreachable(process["cwd"])

    def look_up(self) -> None:
        """Find the file to execute: in the process that will, since it may be in /proc/self."""
        self._places = _find_program(self._process["args"][0], self._environment)

    def label(self) -> None:
        """Have execve change to the AppArmor profile, and uname tell of another machine: in the
        same process, for the same reason."""
        if self._process.get("personality") is not None:
            set_personality(self._process["personality"])
        if self._process.get("apparmorProfile"):
            set_apparmor_profile(self._process["apparmorProfile"])

    def confine(self) -> None:
        """Install the filter, and give back what that took."""
        if self._filter is not None:
            flags = self._process.get("filter_flags", seccomp.SPEC_ALLOW)
            if self.has_listener:
                hand_over = self._process["hand_over_listener"]
                seccomp.install_listened(self._filter, flags, hand_over)
            else:
                seccomp.install(self._filter, flags)
        if self._lent:
            capabilities.set_capabilities(**_wider(self._granted, self._kept))

    def execute(self) -> None:
        """execve. Returns only by StartError."""
        _execute(self._places, self._process["args"], self._environment)


def _find(user: dict[str, Any]) -> User:
    try:
        if "username" in user:
            return find_user(user["username"], user["groups"])
        home = find_user(str(user["uid"]), []).home
        return User(user["uid"], user["gid"], user["additionalGids"], home)
    except UnknownUser as error:
        raise StartError(error.code, str(error)) from None


def _environment(entries: list[str], user: User) -> dict[str, str]:
    """The last of a name wins; HOME is the user's unless it is set to something."""
    environment = dict(entry.split("=", 1) for entry in entries)
    if not environment.get("HOME"):
        environment["HOME"] = user.home or "/"
    return environment


def _enter(directory: str) -> bool:
    """False where only the user itself may enter: tried again once we are it."""
    try:
        os.chdir(directory)
    except PermissionError:
        return False
    except OSError as error:
        what = f"cannot enter the working directory {directory}: {error.strerror}"
        raise StartError("working-directory", what, NOT_FOUND) from None
    return True


def _refuse_unreachable(directory: str) -> None:
    """A working directory outside the root came through a leaked descriptor (CVE-2024-21626)."""
    try:
        found = os.getcwd()
    except FileNotFoundError:
        found = "(unreachable)"
    if not found.startswith("/"):
        raise StartError("working-directory", f"{directory} is not inside the container")


def _granted(sets: dict[str, list[str]], user: User) -> dict[str, list[str]]:
    """What execve leaves of the capabilities asked for, before it: a program may not be reached
    by what it will not have."""
    kept = {kind: [name.removeprefix("CAP_") for name in names] for kind, names in sets.items()}
    if user.uid != 0:
        kept["effective"] = kept["permitted"] = kept["ambient"]
    return kept


def _wider(sets: dict[str, list[str]], names: Sequence[str]) -> dict[str, list[str]]:
    """With more that can be used, though not by what is executed."""
    return sets | {kind: [*sets[kind], *names] for kind in ("effective", "permitted")}


def _become(user: User, held: dict[str, list[str]]) -> None:
    for fd in (0, 1, 2):
        _give(fd, user.uid)
    set_keep_capabilities(True)
    os.setgroups(user.groups)
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)
    set_keep_capabilities(False)
    capabilities.set_capabilities(**held)


def _give(fd: int, uid: int) -> None:
    """So that a program which opens /dev/stdout may; not every descriptor can be given away."""
    try:
        found = os.fstat(fd)
        if found.st_uid != uid and found.st_rdev != os.makedev(1, 3):
            os.fchown(fd, uid, found.st_gid)
    except OSError:
        return


def _find_program(name: str, environment: dict[str, str]) -> list[str]:
    """The files that `name` may stand for, in the order of $PATH. Raises StartError."""
    places = [name]
    if name and "/" not in name:
        places = [f"{d or '.'}/{name}" for d in environment.get("PATH", "").split(":")]
    objections = {place: _objection(place) for place in places}
    found = [place for place, objection in objections.items() if objection is None]
    if found:
        return found
    for refused in objections.values():
        if refused is not None and refused.errno not in (errno.ENOENT, errno.ENOTDIR):
            raise _not_executable(name, refused)
    where = "" if "/" in name else " in $PATH"
    raise StartError("command-not-found", f"{name or repr(name)}: not found{where}", NOT_FOUND)


def _objection(path: str) -> OSError | None:
    """Why a file could not be executed, as far as one can say before it is tried."""
    try:
        if stat.S_ISDIR(os.stat(path).st_mode):
            return OSError(errno.EISDIR, "is a directory")
    except OSError as error:
        return error
    if not os.access(path, os.X_OK):
        return OSError(errno.EACCES, os.strerror(errno.EACCES))
    return None


def _execute(places: list[str], argv: list[str], environment: dict[str, str]) -> None:
    for path in places:
        try:
            os.execve(path, argv, environment)
        except OSError as error:
            refused = error
            if error.errno != errno.EACCES:
                break
    if refused.errno == errno.ENOENT:
        what = f"{argv[0]}: its interpreter is missing"
        raise StartError("command-not-found", what, NOT_FOUND) from None
    raise _not_executable(argv[0], refused) from None


def _not_executable(name: str, refused: OSError) -> StartError:
    known = refused.errno in _NOT_EXECUTABLE_ERRNOS
    exit_code = NOT_EXECUTABLE if known else UNKNOWN_FAILURE
    return StartError("not-executable", f"{name}: {_reason(refused)}", exit_code)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
