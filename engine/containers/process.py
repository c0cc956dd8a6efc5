"""The last steps before a program of the image runs: who it is, what it may, and execve.

Runs inside the container's namespaces, in init as well as in an exec. Nothing may be imported
here at run time: what would be loaded is the image's (CVE-2019-14271).
"""

from __future__ import annotations

import errno
import os
import resource
import signal

from engine.containers.users import UnknownUser, User, find_user
from engine.kernel import capabilities, seccomp
from engine.kernel import process as kernel_process
from engine.kernel.process import (
    close_on_exec_from,
    set_keep_capabilities,
    set_no_new_privileges,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NOT_FOUND, NOT_EXECUTABLE, UNKNOWN_FAILURE = 127, 126, 128
# What Python, the stage or a shell that ran us ignores would stay ignored over execve.
_SIGNALS = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
_NOT_EXECUTABLE_ERRNOS = (errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOEXEC, errno.ETXTBSY)


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
        soft, hard = entry["soft"], entry["hard"]
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
            resource.setrlimit(kind, (min(soft, own) if own >= 0 else soft, own))


def set_oom_score(value: int) -> None:
    """`process.oomScoreAdj`: not what we were started with. 0, the default, is only a wish."""
    try:
        kernel_process.set_oom_score(value)
    except OSError as error:
        if value:
            what = f"oom_score_adj={value} cannot be set: {error.strerror}"
            raise StartError("oom-score-adj", what) from None


def run(process: dict[str, Any], filter_program: bytes | None, keep_alive: Any) -> None:
    """Become the user, lose what is not granted, and execve. Returns only by StartError.

    process         `process` of config.json, with the user as text in `process.user.username`
    filter_program  seccomp, compiled; None: unconfined
    keep_alive      called once the credentials are set: the parent-death signal is lost with them
    """
    user = _find(process)
    environment = _environment(process["env"], user)
    close_on_exec_from(3)
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    no_new_privileges = process["noNewPrivileges"]
    if no_new_privileges:
        set_no_new_privileges()
    elif filter_program is not None:  # needs SYS_ADMIN, so before it is dropped
        seccomp.install(filter_program)
    entered = _enter(process["cwd"])
    _become(user, process["capabilities"])
    if not entered and not _enter(process["cwd"]):
        raise StartError("working-directory", f"cannot enter {process['cwd']}: permission denied")
    _refuse_unreachable(process["cwd"])
    keep_alive()
    if no_new_privileges and filter_program is not None:
        seccomp.install(filter_program)
    _execute(process["args"], environment)


def _find(process: dict[str, Any]) -> User:
    try:
        return find_user(process["user"]["username"], process["user"]["groups"])
    except UnknownUser as error:
        raise StartError("unknown-user", str(error)) from None


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


def _become(user: User, granted: dict[str, list[str]]) -> None:
    names = [name.removeprefix("CAP_") for name in granted["bounding"]]
    capabilities.drop_bounding(names)
    for fd in (0, 1, 2):
        _give(fd, user.uid)
    set_keep_capabilities(True)
    os.setgroups(user.groups)
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)
    set_keep_capabilities(False)
    capabilities.set_capabilities(names if user.uid == 0 else [])


def _give(fd: int, uid: int) -> None:
    """So that a program which opens /dev/stdout may; not every descriptor can be given away."""
    try:
        found = os.fstat(fd)
        if found.st_uid != uid and found.st_rdev != os.makedev(1, 3):
            os.fchown(fd, uid, found.st_gid)
    except OSError:
        return


def _execute(argv: list[str], environment: dict[str, str]) -> None:
    name = argv[0]
    places = [name]
    if "/" not in name:
        places = [f"{d or '.'}/{name}" for d in environment.get("PATH", "").split(":")]
    refused: OSError | None = None
    for path in places:
        try:
            if os.path.isdir(path):
                raise IsADirectoryError(errno.EISDIR, "is a directory")
            os.execve(path, argv, environment)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR) and _is_missing(path, error):
                continue
            refused = error
            if error.errno not in (errno.EACCES, errno.EISDIR):
                break
    if refused is None:
        where = "" if "/" in name else " in $PATH"
        raise StartError("command-not-found", f"{name}: not found{where}", NOT_FOUND)
    if refused.errno == errno.ENOENT:
        raise StartError("command-not-found", f"{name}: its interpreter is missing", NOT_FOUND)
    known = refused.errno in _NOT_EXECUTABLE_ERRNOS
    exit_code = NOT_EXECUTABLE if known else UNKNOWN_FAILURE
    raise StartError("not-executable", f"{name}: {_reason(refused)}", exit_code)


def _is_missing(path: str, error: OSError) -> bool:
    """ENOENT of a file that exists is about its interpreter."""
    return error.errno == errno.ENOTDIR or not os.path.lexists(path)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
