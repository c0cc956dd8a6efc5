"""What the seccomp filter answers to each system call, without executing a single one.

A filter of our own passes the calls of the sweep on to a supervisor (SECCOMP_RET_USER_NOTIF),
which answers with an error of its own. The container's filter decides before: its ERRNO takes
precedence. So "passes" means that the call would have got to the kernel.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import mmap
import os
import select
import signal
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Call = Callable[..., int]

SECCOMP = {"x86_64": 317, "aarch64": 277}
PR_SET_NO_NEW_PRIVS, SET_MODE_FILTER, NEW_LISTENER = 38, 1, 8
USER_NOTIF, ALLOW = 0x7FC00000, 0x7FFF0000
NOTIF_RECV, NOTIF_SEND = 0xC0502100, 0xC0182101
MAGIC, PASSED = 0x5EED5EED, 1000  # in the last two arguments; the errno of our answer
X32 = 0x40000000
NATIVE_MOST, I386_MOST = 600, 480
X32_SAMPLES = (0, 39, 59, 101, 512, 520)
ARGUMENTS = {  # system call -> values of its first argument
    "x86_64": {
        "personality": (135, [0, 1, 2, 8, 0x20000, 0x20008, 0x20009, 0x40000, 0xFFFFFFFF]),
        "socket": (41, list(range(50))),
        "clone": (56, [0, 17, *(1 << bit for bit in range(33))]),
        "ptrace": (101, list(range(20))),
    },
    "aarch64": {
        "personality": (92, [0, 1, 2, 8, 0x20000, 0x20008, 0x20009, 0x40000, 0xFFFFFFFF]),
        "socket": (198, list(range(50))),
        "clone": (220, [0, 17, *(1 << bit for bit in range(33))]),
        "ptrace": (117, list(range(20))),
    },
}
# push rbx, rbp; eax = 1st, ebx = 2nd, ecx = 3rd, edx = 4th argument; edi = ebp = MAGIC; int 0x80
I386 = (
    b"\x53\x55\x89\xf8\x89\xf3\x87\xd1\x31\xf6"
    + (b"\xbf" + struct.pack("<I", MAGIC) + b"\xbd" + struct.pack("<I", MAGIC))
    + b"\xcd\x80\x5d\x5b\xc3"
)


def facts() -> dict[str, str]:
    """`call 425`, `call x32 39`, `call i386 11`, `call socket(38)` -> passes, EPERM, killed."""
    read_fd, write_fd = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_fd)
        with os.fdopen(write_fd, "w") as pipe:
            json.dump(_supervise(), pipe)
        os._exit(0)
    os.close(write_fd)
    with os.fdopen(read_fd) as pipe:
        found: dict[str, str] = json.load(pipe)
    os.waitpid(child, 0)
    return found


def _supervise() -> dict[str, str]:
    """Sweep in children until all is known: one that is killed has found a call that kills."""
    listener = _install()
    sweeps = list(_sweeps())
    found: dict[str, str] = {}
    while len(found) < len(sweeps):
        read_fd, write_fd = os.pipe()
        child = os.fork()
        if child == 0:
            _sweep(sweeps[len(found) :], write_fd)
        os.close(write_fd)
        answers = _answer(listener, read_fd)
        os.waitpid(child, 0)
        for (name, _), answer in zip(sweeps[len(found) :], answers, strict=False):
            found[name] = _told(answer)
        if len(found) < len(sweeps):
            found[sweeps[len(found)][0]] = "killed"
    return found


def _install() -> int:
    """Our filter; the descriptor on which its calls arrive."""
    libc = ctypes.CDLL(None, use_errno=True)
    program = b"".join(
        struct.pack("<HBBI", *line)
        for line in (
            (0x20, 0, 0, 48),  # low half of the fifth argument
            (0x15, 0, 3, MAGIC),
            (0x20, 0, 0, 56),  # of the sixth
            (0x15, 0, 1, MAGIC),
            (0x06, 0, 0, USER_NOTIF),
            (0x06, 0, 0, ALLOW),
        )
    )
    code = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    number = SECCOMP[os.uname().machine]
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    listener: int = libc.syscall(number, SET_MODE_FILTER, NEW_LISTENER, described)
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return listener


def _answer(listener: int, results_fd: int) -> list[int]:
    """Errno of each call, in order, while the notifications are answered."""
    poll = select.poll()
    for fd in (listener, results_fd):
        poll.register(fd, select.POLLIN)
    data = b""
    while True:
        for fd, _ in poll.poll():
            if fd == listener:
                request = bytearray(80)
                fcntl.ioctl(listener, NOTIF_RECV, request)
                (key,) = struct.unpack_from("Q", request)
                fcntl.ioctl(listener, NOTIF_SEND, struct.pack("QqiI", key, 0, -PASSED, 0))
            elif chunk := os.read(results_fd, 65536):
                data += chunk
            else:
                os.close(results_fd)
                return [number for (number,) in struct.iter_unpack("i", data)]


def _sweep(sweeps: list[tuple[str, Callable[[], int]]], write_fd: int) -> None:
    for number in (signal.SIGSYS, signal.SIGSEGV):
        signal.signal(number, signal.SIG_DFL)
    for _, call in sweeps:
        os.write(write_fd, struct.pack("i", call()))
    os._exit(0)


def _sweeps() -> Iterator[tuple[str, Callable[[], int]]]:
    native = _native()
    machine = os.uname().machine
    for number in range(NATIVE_MOST):
        yield f"call {number}", _bound(native, number)
    for name, (number, values) in ARGUMENTS[machine].items():
        for value in values:
            yield f"call {name}({value:#x})", _bound(native, number, value)
    if machine == "x86_64":
        i386 = _i386()
        for number in X32_SAMPLES:
            yield f"call x32 {number}", _bound(native, X32 + number)
        for number in range(I386_MOST):
            yield f"call i386 {number}", _bound(i386, number)


def _bound(call: Call, number: int, first: int = 0) -> Callable[[], int]:
    return lambda: call(number, first)


def _native() -> Call:
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    words = [ctypes.c_long(word) for word in (0, 0, 0, MAGIC, MAGIC)]

    def call(number: int, first: int) -> int:
        result = syscall(ctypes.c_long(number), ctypes.c_long(first), *words)
        return ctypes.get_errno() if result < 0 else 0

    return call


def _i386() -> Call:
    memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(I386)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    function = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_uint] * 4)(address)

    def call(number: int, first: int) -> int:
        assert not memory.closed  # it is held as long as there is code to run
        result: int = function(number, first, 0, 0)
        return -min(result, 0)

    return call


def _told(answer: int) -> str:
    return "passes" if answer == PASSED else errno.errorcode.get(answer, str(answer))
