"""RUN --mount and what else a RUN may ask for (engine.md D6.12)."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import socket
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine import BuildSecret
from engine.build.mounts import RunMount
from engine.build.ssh import forwarded
from engine.errors import BuildProblem
from tests.engine.build.conftest import find_in
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine import Engine
    from tests.engine.build.conftest import Workshop

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

SECRET = "not for everybody"


def test_secrets_are_files_and_variables(workshop: Workshop, engine: Engine) -> None:
    workshop.write({"file": SECRET})
    known = {
        "file": BuildSecret(file=str(workshop.context / "file")),
        "text": BuildSecret(text=SECRET),
    }
    look = "stat -c '%a %u:%g'"
    image = workshop.build(
        "FROM busybox\n"
        "RUN --mount=type=secret,id=file --mount=type=secret,target=/at/text,mode=440,uid=1,gid=2"
        " --mount=type=secret,id=text,env=KEY --mount=type=secret,id=missing"
        " --mount=type=secret,id=text,env=BOTH,target=/both"
        f" cat /run/secrets/file /at/text /both && echo $KEY $BOTH && ls /run/secrets"
        f" && {look} /run/secrets/file && {look} /at/text",
        secrets=known,
    )
    shown = [SECRET * 3 + f"{SECRET} {SECRET}", "file", "400 0:0", "440 1:2"]
    assert workshop.output() == shown
    assert [find_in(image, path) for path in ("/run/secrets", "/at", "/both")] == [None] * 3
    for path in (engine.roots.root, engine.roots.run_root):
        found = subprocess.run(["grep", "-rl", SECRET, path], check=False, capture_output=True)
        assert found.stdout == b""


def test_a_secret_changes_nothing_in_the_cache(workshop: Workshop) -> None:
    text = "FROM busybox\nRUN --mount=type=secret,id=a cat /run/secrets/a > /copy"
    first = workshop.build(text, secrets={"a": BuildSecret(text="one")})
    again = workshop.build(text, secrets={"a": BuildSecret(text="two")})
    assert again.id == first.id


def test_a_secret_that_cannot_be_read_is_a_problem(workshop: Workshop) -> None:
    text = "FROM busybox\nRUN --mount=type=secret,id=a true"
    with pytest.raises(BuildProblem, match="No such file"):
        workshop.build(text, secrets={"a": BuildSecret(file="/nothing/here")})


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Path]:
    """Answers whatever it is sent with the same in capitals."""
    path = tmp_path / "agent"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=_answer, args=(listener,), daemon=True)
        thread.start()
        yield path
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _answer(listener: socket.socket) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client:
            client.sendall(client.recv(100).upper())


WAIT = "for i in `seq 1200`; do sleep 0.05; [ ! -e /dev/shm/answer ] || break; done"
TALK = f"{WAIT}; cat /dev/shm/answer"


class Conversation(threading.Thread):
    """Sends something to the agent of a RUN that does TALK, from inside its namespaces, and gives
    it the answer: busybox has no program that could."""

    def __init__(self, request: bytes) -> None:
        super().__init__(daemon=True)
        self._request, self._token = request, secrets.token_hex(8)

    @property
    def command(self) -> str:
        return f": {self._token}; {TALK}"

    def run(self) -> None:
        assert eventually(lambda: self._roots() != [])
        root = self._roots()[0]
        with socket.socket(socket.AF_UNIX) as client, (root / "dev/shm/new").open("wb") as answer:
            client.connect(f"{root}/run/buildkit/ssh_agent.0")
            client.sendall(self._request)
            answer.write(client.recv(9))
        (root / "dev/shm/new").rename(root / "dev/shm/answer")

    def _roots(self) -> list[Path]:
        token, found = self._token.encode(), []
        for path in Path("/proc").iterdir():
            with contextlib.suppress(OSError):  # what is no process, or has ended
                if token in (path / "cmdline").read_bytes():
                    found.append(path / "root")
        return found


def test_an_agent_is_reached_through_a_socket_of_ones_own(workshop: Workshop, agent: Path) -> None:
    talk = Conversation(b"hello\n")
    talk.start()
    image = workshop.build(
        "FROM busybox\n"
        "RUN --mount=type=ssh --mount=type=ssh,id=other,uid=7,mode=0666,target=/other"
        " --mount=type=ssh,id=missing"
        " echo $SSH_AUTH_SOCK; stat -c '%F %a %u' $SSH_AUTH_SOCK /other;"
        f" ls /run/buildkit; {talk.command}",
        ssh={"default": (str(agent),), "other": (str(agent),)},
    )
    expected = ["/run/buildkit/ssh_agent.0", "socket 600 0", "socket 666 7", "ssh_agent.0", "HELLO"]
    assert workshop.output() == expected
    assert [find_in(image, path) for path in ("/run/buildkit", "/other")] == [None, None]


@pytest.mark.skipif(not shutil.which("ssh-agent"), reason="openssh-client is not installed")
def test_a_key_is_used_from_an_agent_of_our_own(workshop: Workshop, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    talk = Conversation(b"\0\0\0\1\13")  # REQUEST_IDENTITIES
    talk.start()
    text = f"FROM busybox\nRUN --mount=type=ssh {talk.command} | od -An -tx1"
    workshop.build(text, ssh={"default": (str(key),)})
    (answer,) = workshop.output()
    assert answer.split()[4:] == ["0c", "00", "00", "00", "01"]  # IDENTITIES_ANSWER: one
    key.write_text("no key")
    with pytest.raises(BuildProblem) as caught:
        workshop.build(text, ssh={"default": (str(key),)}, no_cache=True)
    assert caught.value.code == "ssh-key"


@pytest.mark.skipif(not shutil.which("ssh-agent"), reason="openssh-client is not installed")
def test_an_agent_that_does_not_start_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("never read")
    deep = str(tmp_path / ("x" * 108))  # longer than the path of a socket may be

    async def forward() -> None:
        async with forwarded(RunMount(type="ssh", target="/x"), (str(tmp_path / "key"),), deep):
            pass

    with pytest.raises(BuildProblem, match="ssh-agent does not start"):
        asyncio.run(forward())


def test_a_new_cache_can_begin_with_content(workshop: Workshop) -> None:
    workshop.write({"seed/a": "a"})
    text = (
        "FROM busybox AS one\nRUN mkdir /s && echo of a stage > /s/b\n"
        "FROM busybox\n"
        "RUN --mount=type=cache,target=/x,from=one,source=/s cat /x/* && echo more > /x/c\n"
        "RUN --mount=type=cache,target=/x,from=one,source=/s,ro cat /x/* ; ! touch /x/d\n"
    )
    workshop.build(text)
    assert workshop.output()[:3] == ["of a stage", "of a stage", "more"]


def test_caches_of_different_namespaces_are_different(workshop: Workshop) -> None:
    text = "FROM busybox\nARG n\nRUN --mount=type=cache,target=/x ls /x; echo $n > /x/$n"
    workshop.build(text, args={"n": "one"})
    workshop.build(text, args={"n": "two"})
    assert workshop.output() == ["one"]
    workshop.build(text, args={"n": "three", "BUILDKIT_CACHE_MOUNT_NS": "other"})
    assert workshop.output() == []


def test_what_is_asked_for_may_be_granted(workshop: Workshop) -> None:
    show = "ls /sys/class/net | wc -l; grep CapBnd /proc/self/status"
    workshop.build(f"FROM busybox\nRUN {show}")
    _, ours = workshop.output()
    workshop.build(
        f"FROM busybox\nRUN --network=host --security=insecure {show}",
        entitlements=("network.host", "security.insecure"),
    )
    _, granted = workshop.output()
    assert int(granted.split()[1], 16) > int(ours.split()[1], 16)


def test_the_sandbox_may_have_another_name(workshop: Workshop) -> None:
    workshop.build("FROM busybox\nRUN hostname", args={"BUILDKIT_SANDBOX_HOSTNAME": "here"})
    assert workshop.output() == ["here"]
