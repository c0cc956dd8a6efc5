"""ADD of URLs and of git repositories (engine.md D6.10), from servers of the tests' own."""

from __future__ import annotations

import hashlib
import http.server
import os
import signal
import socket
import stat
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.build.git import GitSource, parse_git
from engine.errors import BuildProblem
from tests.engine.build.conftest import find_in, layer_tree
from tests.engine.build.test_copy import archive
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.engine.build.conftest import Workshop

AT = "Wed, 21 Oct 2015 07:28:00 GMT"
AT_S = 1445412480
DATA = b"what there is"
DIGEST = f"sha256:{hashlib.sha256(DATA).hexdigest()}"


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`; `asked` are the requests, with what was answered."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = {"/file.txt": DATA, "/": DATA, "/a.tar.gz": archive({"f": "f"}, "w:gz")}
        self.asked: list[tuple[str, int]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        data = self.server.files.get(self.path)
        tag = f'"{hashlib.sha256(data or b"").hexdigest()}"'
        if self.path.startswith("/moved/"):
            status, headers = 302, {"Location": self.path.removeprefix("/moved")}
        elif data is None:
            status, headers = 404, {}
        elif self.headers.get("If-None-Match") == tag:
            status, headers = 304, {}
        else:
            status, headers = 200, {"ETag": tag, "Last-Modified": AT}
        self.server.asked.append((self.path, status))
        body = data or b"" if status == 200 else b""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as it is overridden
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


# URLs


@needs_root
def test_a_url_is_a_file_of_root_as_old_as_the_server_says(
    workshop: Workshop, server: Server
) -> None:
    image = workshop.build(f"FROM scratch\nADD {server.url}/file.txt {server.url}/ /x/")
    assert layer_tree(image) == {
        "/x": "/",
        "/x/file.txt": DATA.decode(),
        "/x/__unnamed__": DATA.decode(),
    }
    found = find_in(image, "/x/file.txt")
    assert found is not None
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_mtime) == (0o600, 0, AT_S)


@needs_root
def test_a_url_is_fetched_again_when_it_has_changed(workshop: Workshop, server: Server) -> None:
    text = f"FROM scratch\nADD --chmod=644 {server.url}/moved/file.txt /x"
    first = workshop.build(text)
    assert workshop.build(text).id == first.id
    assert [status for _, status in server.asked] == [302, 200, 302, 304]
    server.files["/file.txt"] = b"something else"
    assert layer_tree(workshop.build(text)) == {"/x": "something else"}
    assert workshop.notes() == ["file.txt changed"]


@needs_root
def test_a_url_with_a_checksum_is_asked_for_once(workshop: Workshop, server: Server) -> None:
    text = f"FROM scratch\nADD --checksum={DIGEST} {server.url}/file.txt /x"
    workshop.build(text)
    server.files.clear()
    assert layer_tree(workshop.build(text)) == {"/x": DATA.decode()}
    assert len(server.asked) == 1


@needs_root
def test_a_url_is_unpacked_where_that_is_said(workshop: Workshop, server: Server) -> None:
    image = workshop.build(f"FROM scratch\nADD {server.url}/a.tar.gz /x/")
    assert list(layer_tree(image)) == ["/x", "/x/a.tar.gz"]
    image = workshop.build(f"FROM scratch\nADD --unpack {server.url}/a.tar.gz /x/")
    assert layer_tree(image) == {"/x": "/", "/x/f": "f"}


@needs_root
@pytest.mark.parametrize(
    ("flags", "path", "code"),
    [("", "/nothing", "download-failed"), (f"--checksum={DIGEST}", "/a.tar.gz", "wrong-checksum")],
)
def test_a_url_that_cannot_be_had_is_a_problem_of_its_word(
    workshop: Workshop, server: Server, flags: str, path: str, code: str
) -> None:
    with pytest.raises(BuildProblem) as caught:
        workshop.build(f"FROM scratch\nADD {flags} {server.url}{path} /x")
    assert caught.value.code == code
    assert caught.value.where == f"dockerfile_inline:2:{6 + len(flags)}"


# Git


class Repository:
    """A repository with a branch, a tag and a submodule, served by git's own daemon."""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory, self._port = directory, port
        self.make("inner.git", {"inside": "inside"})
        self.make("outer.git", {"a": "a", "dir/b": "b", "dir/out": "-> ../../.."})
        (directory / "outer.git/a").chmod(0o700)
        self.git("outer.git", "submodule", "add", self.url("inner.git"), "below")
        self.git("outer.git", "commit", "-qam", "second")
        self.git("outer.git", "tag", "-a", "-m", "tagged", "v1")
        self.git("outer.git", "checkout", "-q", "-b", "next")
        self.make("outer.git", {"a": "next"})
        self.git("outer.git", "checkout", "-q", "main")

    def url(self, name: str) -> str:
        return f"git://127.0.0.1:{self._port}/{name}"

    def make(self, name: str, files: dict[str, str]) -> None:
        place = self.directory / name
        if not place.exists():
            place.mkdir()
            self.git(name, "init", "-q", "-b", "main")
        for path, text in files.items():
            (place / path).parent.mkdir(exist_ok=True)
            if text.startswith("-> "):
                (place / path).symlink_to(text[3:])
            else:
                (place / path).write_text(text)
        self.git(name, "add", "-A")
        self.git(name, "commit", "-qm", "first")

    def git(self, name: str, *words: str) -> str:
        who = ("-c", "user.name=n", "-c", "user.email=e@example.org")
        command = ["git", "-C", str(self.directory / name), *who, *words]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return done.stdout.strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    directory = tmp_path_factory.mktemp("repositories")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = ["--listen=127.0.0.1", f"--port={port}", f"--base-path={directory}"]
    daemon = subprocess.Popen(["git", "daemon", "--export-all", "--reuseaddr", *where, directory])
    try:
        assert eventually(lambda: _answers(port))
        yield Repository(directory, port)
    finally:
        children = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children")
        for pid in children.read_text().split():  # `git` starts `git-daemon`
            os.kill(int(pid), signal.SIGTERM)
        daemon.wait()


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@needs_root
def test_a_repository_is_added_without_what_git_keeps(
    workshop: Workshop, repository: Repository
) -> None:
    image = workshop.build(f"FROM scratch\nADD {repository.url('outer.git')} /x")
    tree = layer_tree(image)
    kept = {"/x", "/x/.gitmodules", "/x/a", "/x/below", "/x/below/inside", "/x/dir"}
    assert tree.keys() == kept | {"/x/dir/b", "/x/dir/out"}
    found = find_in(image, "/x/a")
    assert found is not None
    assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o755, 0)


@needs_root
@pytest.mark.parametrize(
    ("suffix", "expected"),
    [
        ("#next", {"/x/a": "next"}),
        ("#v1:dir", {"/x/b": "b"}),
        ("?tag=v1&subdir=dir", {"/x/b": "b"}),
        ("?branch=next&submodules=false", {"/x/a": "next"}),
    ],
)
def test_what_of_a_repository_is_added(
    workshop: Workshop, repository: Repository, suffix: str, expected: dict[str, str]
) -> None:
    tree = layer_tree(workshop.build(f"FROM scratch\nADD {repository.url('outer.git')}{suffix} /x"))
    assert tree.items() >= expected.items()
    assert ("/x/below/inside" in tree) == (suffix == "#next")


@needs_root
def test_a_commit_is_asked_for_once(workshop: Workshop, repository: Repository) -> None:
    commit = repository.git("outer.git", "rev-parse", "next~1")
    text = f"FROM scratch\nADD --keep-git-dir --checksum={commit[:12]} {{}}#{commit} /x"
    image = workshop.build(text.format(repository.url("outer.git")))
    assert find_in(image, "/x/.git/HEAD") is not None
    gone = repository.directory / "outer.git"
    gone.rename(repository.directory / "away")
    try:
        assert workshop.build(text.format(repository.url("outer.git"))).id == image.id
    finally:
        (repository.directory / "away").rename(gone)


@needs_root
@pytest.mark.parametrize(
    ("flags", "suffix", "code"),
    [
        ("", "#nothing", "no-such-ref"),
        ("", "#--upload-pack=touch", "no-such-ref"),
        ("", "#:nothing", "no-such-directory"),
        ("", "?checksum=abcdef0&ref=next", "wrong-checksum"),
        ("--checksum=abcdef0", "", "wrong-checksum"),
    ],
)
def test_what_a_repository_has_not_is_a_problem_of_its_word(
    workshop: Workshop, repository: Repository, flags: str, suffix: str, code: str
) -> None:
    with pytest.raises(BuildProblem) as caught:
        workshop.build(f"FROM scratch\nADD {flags} {repository.url('outer.git')}{suffix} /x")
    assert caught.value.code == code
    assert caught.value.where == f"dockerfile_inline:2:{6 + len(flags)}"


@needs_root
def test_a_directory_of_a_repository_is_inside_it(
    workshop: Workshop, repository: Repository
) -> None:
    image = workshop.build(f"FROM scratch\nADD {repository.url('outer.git')}#:dir/out/dir /x")
    assert layer_tree(image).keys() == {"/x", "/x/b", "/x/out"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://h/p.git", GitSource(repository="https://h/p.git")),
        ("https://h/p.git#r", GitSource(repository="https://h/p.git", ref="r")),
        ("http://h/p.git#:s/t", GitSource(repository="http://h/p.git", subdir="s/t")),
        ("git@h:p#r:s", GitSource(repository="git@h:p", ref="r", subdir="s")),
        ("ssh://u@h:2/p", GitSource(repository="ssh://u@h:2/p")),
        ("github.com/o/p#r", GitSource(repository="https://github.com/o/p", ref="r")),
        (
            "git://h/p?branch=b&commit=c&keep-git-dir=1",
            GitSource(repository="git://h/p", ref="refs/heads/b", checksum="c", keep_git_dir=True),
        ),
        ("git://h/p?commit=c", GitSource(repository="git://h/p", ref="c", checksum="c")),
        ("https://h/p", None),
        ("dir/p.git", None),
        ("c:/p.git", None),
    ],
)
def test_what_names_a_repository(text: str, expected: GitSource | None) -> None:
    assert parse_git(text) == expected
