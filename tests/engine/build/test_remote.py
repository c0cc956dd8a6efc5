"""ADD of URLs and of git repositories (engine.md D6.10), from servers of the tests' own."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from engine.build.git import GitSource, parse_git
from engine.errors import BuildProblem
from tests.engine.build.conftest import find_in, layer_tree
from tests.engine.build.servers import AT_S, DATA, DIGEST
from tests.engine.images.registry import Registry, Silence, once
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.engine.build.conftest import Workshop
    from tests.engine.build.servers import Repository, Server


def refused(workshop: Workshop, flags: str, source: str) -> str:
    """The code of the problem that an ADD of a source is, which is said of the source's word."""
    with pytest.raises(BuildProblem) as caught:
        workshop.build(f"FROM scratch\nADD {flags} {source} /x")
    assert caught.value.where == f"dockerfile_inline:2:{6 + len(flags)}"
    return caught.value.code


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
    text = f"FROM scratch\nARG IS={DIGEST}\nADD --checksum=$IS {server.url}/file.txt /x"
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
    assert refused(workshop, flags, f"{server.url}{path}") == code


@needs_root
def test_ctrl_c_does_not_wait_for_a_server_that_is_silent(workshop: Workshop) -> None:
    silence = Silence()
    with Registry() as server:
        server.faults.append(once("/x", silence))
        with pytest.raises(KeyboardInterrupt):
            workshop.build(f"FROM scratch\nADD http://{server.host}/x /x")
        silence.end()
        assert eventually(lambda: silence.was_ended == [True])
        assert server.paths() == ["/x"]


# Git


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
    assert refused(workshop, flags, f"{repository.url('outer.git')}{suffix}") == code


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
