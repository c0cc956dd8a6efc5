"""The names table of a network, under many hands."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

from engine.network import names

if TYPE_CHECKING:
    from pathlib import Path


def entry(number: int, *own: str, holder: str | None = None) -> names.Entry:
    return names.Entry(
        addresses=(f"10.5.0.{number}", f"fd00::{number}"),
        container_id=f"{number:064x}",
        holder=holder or names.identity(os.getpid()),
        link=f"veth{number}",
        names=own,
        published=(f"tcp/0.0.0.0:{8000 + number}->80",),
    )


def test_what_is_put_is_read(tmp_path: Path) -> None:
    directory = str(tmp_path / "network")
    names.put(directory, entry(2, "web", "web-1"))
    names.put(directory, entry(3))
    first, second = names.read(directory)
    assert first.line() == entry(2, "web", "web-1").line()
    assert (second.names, second.alive) == ((), True)


def test_a_container_has_one_line(tmp_path: Path) -> None:
    for own in (("old",), ("new",)):
        names.put(str(tmp_path), entry(2, *own))
    assert [one.names for one in names.read(str(tmp_path))] == [("new",)]


def test_dropping_and_removing_accept_absence(tmp_path: Path) -> None:
    directory = str(tmp_path / "network")
    names.drop(directory, "nobody")
    names.put(directory, entry(2, "web"))
    names.drop(directory, entry(2).container_id)
    assert names.read(directory) == []
    for _ in range(2):
        names.remove(directory)
    assert not (tmp_path / "network").exists()


def test_every_change_shows_in_the_version(tmp_path: Path) -> None:
    directory = str(tmp_path)
    seen = [names.version(directory)]
    for number in (2, 3):
        names.put(directory, entry(number, "a"))
        seen.append(names.version(directory))
    names.drop(directory, entry(2).container_id)
    seen.append(names.version(directory))
    assert len(set(seen)) == 4


def test_a_process_that_has_ended_is_not_alive(tmp_path: Path) -> None:
    ended = os.posix_spawn("/bin/sleep", ["sleep", "60"], {})
    identity = names.identity(ended)
    assert names.is_alive(identity)
    os.kill(ended, signal.SIGKILL)
    os.waitid(os.P_PID, ended, os.WEXITED | os.WNOWAIT)
    assert not names.is_alive(identity)  # a zombie: nobody has waited for it yet
    os.waitpid(ended, 0)
    assert not names.is_alive(identity)
    assert not names.is_alive(f"{os.getpid()}.1")  # the number, in another life
    assert names.is_alive(names.identity(os.getpid()))


def test_nothing_is_lost_when_many_write_at_once(tmp_path: Path) -> None:
    directory = str(tmp_path)

    def come_and_go(number: int) -> None:
        for _ in range(10):
            names.put(directory, entry(number, f"svc{number}"))
            names.drop(directory, entry(number).container_id)
        names.put(directory, entry(number, f"svc{number}"))

    torn: list[int] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            torn.extend(1 for one in names.read(directory) if not one.names)

    threads = [threading.Thread(target=come_and_go, args=(n,)) for n in range(2, 10)]
    watcher = threading.Thread(target=watch)
    watcher.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    watcher.join()
    assert not torn
    assert {one.names for one in names.read(directory)} == {(f"svc{n}",) for n in range(2, 10)}
