"""Members written below a directory, whatever their names say and whoever changes it meanwhile.

Directories are entered without following symlinks, files are made under a name nobody knows and
then take the place of what was there. Standard library alone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from engine.containers.copying.refusals import CopyRefused
from engine.containers.copying.sides import kernels_own
from engine.images import tar
from engine.images.members import KEPT_XATTRS, clean_name, time_of, write_content
from engine.kernel.openat2 import open_beneath, open_in_root, open_inside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.images.members import Members
    from engine.images.tar import Entry

_DIRECTORY = os.O_PATH | os.O_DIRECTORY
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_USERS = b"user."  # extended attributes that mean nothing to the kernel
_MOST_ID = 2**32 - 2


class Manner:
    """How members are to be once they are written.

    first    ids of the side's user and group 0, as we see them
    owners   keep those of the members; False: all are of the user and group 0
    trusted  devices, setuid bits, file capabilities and access lists count: what a container has
             made is not to be more than data on the host
    links    follow symlinks on the way to a member, where they are not ones of the members:
             `beneath` the directory, or `root` where that is the root of the container
    """

    __slots__ = ("first", "links", "owners", "trusted")

    def __init__(
        self, first: tuple[int, int], *, owners: bool, trusted: bool, links: str = ""
    ) -> None:
        self.first, self.owners, self.trusted, self.links = first, owners, trusted, links


class TreeWriter:
    """Writes below `fd`, an O_PATH descriptor of a directory. Then `finish`.

    left_out  (name, why) of the members that have no place here
    """

    def __init__(self, fd: int, manner: Manner) -> None:
        self._top, self._manner = fd, manner
        self._parent: tuple[bytes, int] | None = None  # the one entered last
        self._times: dict[bytes, int] = {}
        self._links: set[bytes] = set()  # symlinks that were written
        self._temporary = b".buoy-cp-" + os.urandom(8).hex().encode()
        self.left_out: list[tuple[bytes, str]] = []

    def put(self, entry: Entry, members: Members) -> None:
        """Write one member. Raises CopyRefused, Refused, OSError."""
        name = clean_name(entry, entry.name)
        if not name:
            return  # the directory that was there keeps its looks
        parent, _, last = name.rpartition(b"/")
        parent_fd = self._enter(parent)
        if entry.type == tar.DIRECTORY:
            self._directory(entry, name, parent_fd, last)
        elif self._is_device(entry) and not self._manner.trusted:
            self.left_out.append((name, "a device"))
        else:
            self._make(entry, members, parent_fd)
            self._give_name(entry, parent_fd, last)
            self._links.discard(name)
            if entry.type == tar.SYMLINK:
                self._links.add(name)

    def _is_device(self, entry: Entry) -> bool:
        """It, or what it is another name of."""
        if entry.type == tar.HARD_LINK:
            return any(entry.link == name for name, _ in self.left_out)
        return entry.type in (tar.CHARACTER, tar.BLOCK_DEVICE)

    def finish(self) -> None:
        """The times of directories, which each member put into one has changed."""
        for name, mtime_ns in self._times.items():
            try:
                fd = self._look_up(name)
            except OSError:  # somebody has put something else in its place
                continue
            try:
                os.utime(f"/proc/self/fd/{fd}", ns=(mtime_ns, mtime_ns))
            finally:
                os.close(fd)

    # Directories on the way

    def _enter(self, path: bytes) -> int:
        """A descriptor of the directory that the next member goes into; ours to close."""
        if self._parent is not None:
            if self._parent[0] == path:
                return self._parent[1]
            os.close(self._parent[1])
            self._parent = None
        fd = self._open(path)
        if kind := kernels_own(fd):
            os.close(fd)
            raise CopyRefused("copy-kernel-file", f"{_text(path)} is the kernel's ({kind})")
        self._parent = path, fd
        return fd

    def _open(self, path: bytes) -> int:
        """A directory, with those above it that an archive has not described."""
        if not path:
            return os.open(".", _DIRECTORY | os.O_CLOEXEC, dir_fd=self._top)
        try:
            return self._look_up(path)
        except FileNotFoundError:
            above, _, last = path.rpartition(b"/")
            fd = self._open(above)
        try:
            os.mkdir(last, 0o755, dir_fd=fd)
            os.chown(last, *self._manner.first, dir_fd=fd, follow_symlinks=False)
        finally:
            os.close(fd)
        return open_beneath(self._top, path, _DIRECTORY)

    def _look_up(self, path: bytes) -> int:
        try:
            return open_beneath(self._top, path, _DIRECTORY)
        except OSError as error:
            if error.errno != errno.ELOOP or not self._manner.links:
                raise
        if any(path == link or path.startswith(link + b"/") for link in self._links):
            raise OSError(errno.ELOOP, f"{_text(path)} leads through a symlink of the archive")
        if self._manner.links == "root":
            return open_in_root(self._top, path, _DIRECTORY)
        return open_inside(self._top, path, _DIRECTORY)

    @contextlib.contextmanager
    def _opened(self, path: bytes) -> Iterator[int]:
        fd = self._open(path)
        try:
            yield fd
        finally:
            os.close(fd)

    def _directory(self, entry: Entry, name: bytes, parent_fd: int, last: bytes) -> None:
        try:
            os.mkdir(last, 0o700, dir_fd=parent_fd)
        except FileExistsError:
            found = os.stat(last, dir_fd=parent_fd, follow_symlinks=False)
            if not stat.S_ISDIR(found.st_mode):
                raise CopyRefused(
                    "copy-target", f"the directory {_text(name)} cannot be copied over a file"
                ) from None
        fd = os.open(last, _DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent_fd)
        try:
            self._dress(entry, f"/proc/self/fd/{fd}")
        finally:
            os.close(fd)
        self._times[name] = time_of(entry)

    # All else: made under a temporary name

    def _make(self, entry: Entry, members: Members, parent_fd: int) -> None:
        try:
            if entry.type == tar.FILE:
                self._file(entry, members, parent_fd)
            elif entry.type == tar.HARD_LINK:
                self._hard_link(entry, parent_fd)
            else:
                self._special(entry, parent_fd)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(self._temporary, dir_fd=parent_fd)
            raise

    def _give_name(self, entry: Entry, parent_fd: int, last: bytes) -> None:
        """In one step, over a file that had it; a symlink that had it leads nowhere."""
        try:
            if _is_mounted_on(parent_fd, last):
                raise CopyRefused(
                    "copy-target",
                    f"{_text(last)} is mounted there by itself, and cannot be replaced",
                    hint="change it where it is mounted from",
                )
            os.rename(self._temporary, last, src_dir_fd=parent_fd, dst_dir_fd=parent_fd)
        except IsADirectoryError:
            raise CopyRefused(
                "copy-target", f"the file {_text(entry.name)} cannot be copied over a directory"
            ) from None
        finally:
            with contextlib.suppress(FileNotFoundError):  # of two names of one file, both stay
                os.unlink(self._temporary, dir_fd=parent_fd)

    def _file(self, entry: Entry, members: Members, parent_fd: int) -> None:
        fd = os.open(self._temporary, _CREATE, 0o600, dir_fd=parent_fd)
        try:
            write_content(fd, entry, members)
            path = f"/proc/self/fd/{fd}"
            self._dress(entry, path)
            os.utime(path, ns=(time_of(entry),) * 2)
        finally:
            os.close(fd)

    def _hard_link(self, entry: Entry, parent_fd: int) -> None:
        above, _, last = clean_name(entry, entry.link).rpartition(b"/")
        with self._opened(above) as fd:
            found = os.stat(last, dir_fd=fd, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                raise CopyRefused("hostile-archive", f"{_text(entry.name)} links to a directory")
            os.link(
                last, self._temporary, src_dir_fd=fd, dst_dir_fd=parent_fd, follow_symlinks=False
            )

    def _special(self, entry: Entry, parent_fd: int) -> None:
        if entry.type == tar.SYMLINK:
            os.symlink(entry.link, self._temporary, dir_fd=parent_fd)
        elif entry.type == tar.FIFO:
            os.mkfifo(self._temporary, 0o600, dir_fd=parent_fd)
        else:
            kind = stat.S_IFCHR if entry.type == tar.CHARACTER else stat.S_IFBLK
            os.mknod(self._temporary, kind | 0o600, os.makedev(*entry.device), dir_fd=parent_fd)
        if entry.type == tar.SYMLINK:
            owner = self._owner(entry)
            os.chown(self._temporary, *owner, dir_fd=parent_fd, follow_symlinks=False)
        else:
            flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(self._temporary, flags, dir_fd=parent_fd)
            try:
                self._dress(entry, f"/proc/self/fd/{fd}")
            finally:
                os.close(fd)
        times = (time_of(entry),) * 2
        os.utime(self._temporary, ns=times, dir_fd=parent_fd, follow_symlinks=False)

    # Owner first: a change of owner clears capabilities and setuid bits

    def _dress(self, entry: Entry, path: str) -> None:
        os.chown(path, *self._owner(entry))
        kept = KEPT_XATTRS if self._manner.trusted else (_USERS,)
        for key, value in entry.xattrs.items():
            if key.startswith(kept) and b".overlay." not in key:
                with _unsupported_accepted():
                    os.setxattr(path, key, value)
        os.chmod(path, self._mode(entry))

    def _mode(self, entry: Entry) -> int:
        """Without the powers of an owner whom the copy does not have."""
        taken = 0
        if not self._manner.trusted:
            taken = stat.S_ISUID | stat.S_ISGID
        elif not self._manner.owners and entry.type != tar.DIRECTORY:
            taken = (stat.S_ISUID if entry.uid else 0) | (stat.S_ISGID if entry.gid else 0)
        return entry.mode & ~taken

    def _owner(self, entry: Entry) -> tuple[int, int]:
        uid, gid = self._manner.first
        if not self._manner.owners:
            return uid, gid
        if not (0 <= entry.uid <= _MOST_ID - uid and 0 <= entry.gid <= _MOST_ID - gid):
            raise CopyRefused(
                "hostile-archive", f"{_text(entry.name)} is of {entry.uid}:{entry.gid}"
            )
        return entry.uid + uid, entry.gid + gid


def _is_mounted_on(parent_fd: int, name: bytes) -> bool:
    """Whether something that is there is a mount. In another mount namespace than its own, rename
    would take the mount away (rename(2) says EBUSY only in the mount's own)."""
    try:
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent_fd)
    except FileNotFoundError:
        return False
    try:
        return _mount_id(fd) != _mount_id(parent_fd)
    finally:
        os.close(fd)


def _mount_id(fd: int) -> str:
    """Source: proc(5), /proc/PID/fdinfo."""
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as file:
        return next(line for line in file if line.startswith("mnt_id:"))


@contextlib.contextmanager
def _unsupported_accepted() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOTSUP, errno.EPERM):
            raise


def _text(name: bytes) -> str:
    return name.decode(errors="backslashreplace")
