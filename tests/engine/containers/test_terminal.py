"""Services with a terminal, and with their standard input open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.marks import needs_root

if TYPE_CHECKING:
    from tests.engine.containers.dock import Dock

pytestmark = needs_root


def test_a_terminal_is_of_the_containers_own(dock: Dock) -> None:
    script = "tty; readlink /proc/self/fd/0; echo TERM=$TERM; stat -c '%F %t:%T' /dev/console"
    ended = dock.sh(script, tty=True)
    name, link, kind, console, end = ended.stdout.split("\r\n")
    assert (name, link, kind, end) == ("/dev/pts/0", "/dev/pts/0", "TERM=xterm", "")
    assert console == "character special file 88:0"


def test_both_streams_of_a_terminal_are_logged_as_one(dock: Dock) -> None:
    ended = dock.sh("echo out; echo err >&2", tty=True)
    assert ended.stdout == "out\r\nerr\r\n"
    assert ended.stderr == ""


def test_all_that_is_written_at_the_end_is_logged(dock: Dock) -> None:
    ended = dock.sh("seq 1 20000", tty=True)
    assert ended.stdout.splitlines() == [str(number) for number in range(1, 20_001)]


def test_a_terminal_controls_its_session(dock: Dock) -> None:
    ended = dock.sh("echo hello > /dev/tty; ps -o pid,tty | tail -n +2 | head -1", tty=True)
    assert ended.lines[0].strip() == "hello"
    assert "136,0" in ended.lines[1]


def test_a_terminal_and_init_go_together(dock: Dock) -> None:
    container = dock.start("sh", "-i", tty=True, init=True)
    dock.exec(container, "sh", "-c", "sleep 0.2")
    dock.kill(container)
    assert "can't access tty" not in dock.end_of(container).stdout


def test_a_shell_on_a_terminal_waits_for_input(dock: Dock) -> None:
    container = dock.start("sh", tty=True, stdin_open=True)
    assert dock.get(container).status == "running"
    assert dock.stop(container).exit_code == 137


def test_open_input_is_not_at_its_end(dock: Dock) -> None:
    container = dock.start("cat", stdin_open=True)
    assert dock.exec(container, "readlink", "/proc/1/fd/0").stdout.startswith(b"pipe:")
    assert dock.stop(container).exit_code == 137


def test_closed_input_is_the_containers_null_device(dock: Dock) -> None:
    ended = dock.sh("cat; readlink /proc/self/fd/0; stat -L -c '%t:%T' /proc/self/fd/0")
    assert ended.lines == ["/dev/null", "1:3"]


def test_terminals_of_two_containers_are_apart(dock: Dock) -> None:
    one, two = dock.start("sh", tty=True, stdin_open=True), dock.idle(tty=True)
    for container in (one, two):
        listed = dock.exec(container, "ls", "/dev/pts").stdout.split()
        assert listed == [b"0", b"ptmx"]
