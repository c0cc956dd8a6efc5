"""Small facts and settings of processes, read back from /proc."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from engine.kernel import capabilities, libc
from engine.kernel.process import start_time
from tests.marks import needs_root
from tests.waiting import eventually


def python(script: str, **options: object) -> str:
    """What a script prints in a process of its own, which it may change for good."""
    head = "import os, sys, time\nfrom engine.kernel import process, capabilities, namespaces\n"
    command = [sys.executable, "-c", head + textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, **options)  # type: ignore[call-overload]
    return str(done.stdout)


STATUS = """
def status(name):
    with open("/proc/self/status") as file:
        return dict(line.strip().split(":", 1) for line in file)[name].strip()
"""


def test_a_start_time_tells_processes_of_one_pid_apart() -> None:
    assert start_time(os.getpid()) == start_time(os.getpid())
    process = subprocess.Popen(["sleep", "1000"])
    assert (start_time(process.pid) or 0) >= (start_time(os.getpid()) or 0)
    process.kill()
    process.wait()
    assert start_time(process.pid) is None


def test_a_name_with_a_bracket_does_not_hide_the_start_time() -> None:
    script = "process.set_name('a) S 1 1'); print(process.start_time(os.getpid()) > 0)"
    assert python(script) == "True\n"


def test_names_are_cut_at_fifteen_bytes() -> None:
    assert python("process.set_name('x' * 40); print(open('/proc/self/comm').read())") == (
        "x" * 15 + "\n\n"
    )


def test_descriptors_are_closed_from_a_number_on() -> None:
    script = """
    fds = [os.open("/dev/null", os.O_RDONLY) for _ in range(5)]
    os.dup2(fds[0], 500)
    process.close_from(fds[1])
    print([os.path.exists(f"/proc/self/fd/{fd}") for fd in (fds[0], fds[1], 500)])
    """
    assert python(script) == "[True, False, False]\n"


def test_descriptors_from_a_number_on_are_gone_after_exec() -> None:
    script = """
    for number in (5, 9, 77):
        os.dup2(1, number)
    process.close_on_exec_from(6)
    look = "for n in 5 9 77; do [ -e /proc/$$/fd/$n ] && echo $n; done; :"
    os.execv("/bin/sh", ["sh", "-c", look])
    """
    assert python(script) == "5\n"


@needs_root
def test_a_process_that_is_not_dumpable_is_closed_to_others() -> None:
    script = """
    process.set_dumpable(False)
    print(os.stat("/proc/self/environ").st_uid, os.stat("/proc/self/fd").st_uid)
    os.setgroups([]); os.setresuid(5, 5, 5)
    print(os.stat("/proc/self/fd").st_uid)
    """
    assert python(script) == "0 0\n0\n"


def test_a_child_dies_with_its_parent() -> None:
    script = """
    read, write = os.pipe()
    outside = os.getpid()
    if os.fork() == 0:
        process.die_with_parent(outside)
        os.write(write, b"x")
        time.sleep(1000)
    os.read(read, 1)
    print(open(f"/proc/self/task/{outside}/children").read().strip(), flush=True)
    """
    child = int(python(script))
    assert eventually(lambda: not Path(f"/proc/{child}/exe").exists())


def test_a_child_whose_parent_was_quicker_ends_at_once() -> None:
    script = """
    child = os.fork()
    if child == 0:
        process.die_with_parent(1234567)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    assert python(script) == "1\n"


@needs_root
def test_the_bounding_set_is_cut_to_what_is_kept() -> None:
    script = f"""{textwrap.indent(STATUS, "    ")}
    capabilities.drop_bounding(["KILL", "CHOWN"])
    print(sorted(capabilities.bounding()), status("CapBnd"))
    """
    assert python(script) == "['CHOWN', 'KILL'] 0000000000000021\n"


@needs_root
def test_permitted_and_effective_are_set_and_the_others_empty() -> None:
    script = f"""{textwrap.indent(STATUS, "    ")}
    capabilities.set_capabilities(["NET_RAW"])
    print(*(status(f"Cap{{kind}}").lstrip("0") for kind in ("Prm", "Eff", "Inh", "Amb")))
    """
    assert python(script) == "2000 2000  \n"


@needs_root
def test_capabilities_stay_over_setuid_only_if_kept() -> None:
    script = f"""{textwrap.indent(STATUS, "    ")}
    process.set_keep_capabilities(%s)
    os.setresuid(5, 5, 5)
    print(int(status("CapPrm"), 16) > 0)
    """
    assert python(script % "True") == "True\n"
    assert python(script % "False") == "False\n"


@needs_root
def test_the_oom_score_is_written_only_when_it_differs() -> None:
    script = """
    process.set_oom_score(77); process.set_oom_score(77)
    print(open("/proc/self/oom_score_adj").read())
    """
    assert python(script) == "77\n\n"


def test_every_capability_of_the_kernel_has_a_name() -> None:
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    assert len(capabilities.NAMES) > last
    assert capabilities.NUMBERS["CHOWN"] == 0
    assert capabilities.NUMBERS["CHECKPOINT_RESTORE"] == 40
    assert set(capabilities.DEFAULT) <= set(capabilities.NAMES)


# --- the errors of calls


def test_an_error_shows_the_call_and_is_of_its_kind() -> None:
    with pytest.raises(FileNotFoundError, match=r"chroot\(path='/no'\): No such file") as caught:
        raise_error(2)
    assert isinstance(caught.value, libc.KernelCallError)
    assert caught.value.errno == 2
    with pytest.raises(PermissionError):
        raise_error(1)
    with pytest.raises(libc.KernelCallError) as other:
        raise_error(95)
    assert type(other.value) is libc.KernelCallError


def raise_error(code: int) -> None:
    import ctypes

    ctypes.set_errno(code)
    raise libc.KernelCallError("chroot", path="/no")


def test_a_call_that_the_library_does_not_wrap() -> None:
    getpid = {"x86_64": 39, "aarch64": 172}[os.uname().machine]
    assert libc.syscall(getpid, name="getpid") == os.getpid()
    with pytest.raises(OSError, match=r"none\(what=1\)"):
        libc.syscall(100_000, name="none", what=1)
