"""COPY and ADD: engine.md D6.10, E10."""

from __future__ import annotations

import gzip
import lzma
import os
import random
import stat
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard

from engine.errors import BuildProblem
from tests.engine.build.archives import archive
from tests.engine.build.conftest import find_in, layer_tree
from tests.marks import needs_root

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine import Image
    from tests.engine.build.archives import ArchiveMode
    from tests.engine.build.conftest import Workshop


pytestmark = needs_root

CONTEXT = {"a.txt": "a", "b.txt": "b", "dir/c": "c", "dir/deep/d": "d", "dir/x.o": "o"}


def deep(above: str) -> dict[str, str]:
    """`dir/deep` of the context in another directory."""
    return {f"{above}/deep": "/", f"{above}/deep/d": "d"}


MATRIX: list[tuple[str, dict[str, str]]] = [
    ("COPY a.txt /x", {"/x": "a"}),
    ("COPY a.txt /x/", {"/x": "/", "/x/a.txt": "a"}),
    ("COPY a.txt /x/y/z", {"/x": "/", "/x/y": "/", "/x/y/z": "a"}),
    ("COPY /a.txt /", {"/a.txt": "a"}),
    ("COPY ../../a.txt /", {"/a.txt": "a"}),
    ("COPY a.txt .", {"/a.txt": "a"}),
    ("COPY a.txt b.txt /x/", {"/x": "/", "/x/a.txt": "a", "/x/b.txt": "b"}),
    ("COPY *.txt /x/", {"/x": "/", "/x/a.txt": "a", "/x/b.txt": "b"}),
    ("COPY a.* /x", {"/x": "a"}),
    ("COPY [ab].txt /", {"/a.txt": "a", "/b.txt": "b"}),
    ("COPY d*/c /x", {"/x": "c"}),
    ("COPY dir/deep /x", {"/x": "/", "/x/d": "d"}),
    ("COPY dir/deep/ /x/", {"/x": "/", "/x/d": "d"}),
    ("COPY dir/de* /x/", {"/x": "/", "/x/d": "d"}),
    (
        "COPY --exclude=*.o --exclude=deep dir /x",
        {"/x": "/", "/x/c": "c"},
    ),
    ("COPY --exclude=**/d dir /x", {"/x": "/", "/x/c": "c", "/x/deep": "/", "/x/x.o": "o"}),
    ('COPY ["a.txt", "/with blank/"]', {"/with blank": "/", "/with blank/a.txt": "a"}),
    ("COPY --link a.txt /x", {"/x": "a"}),
    ("COPY --parents dir/deep /x", {"/x": "/", "/x/dir": "/", **deep("/x/dir")}),
    ("COPY --parents ./dir/./deep a.txt /x/", {"/x": "/", "/x/a.txt": "a", **deep("/x")}),
    ("COPY --parents dir/deep/. /x", {"/x": "/", "/x/dir": "/", **deep("/x/dir")}),
    ("COPY --parents d*/./**/d /x", {"/x": "/", **deep("/x")}),
    ("COPY --parents --exclude=*.o dir/./* /x", {"/x": "/", "/x/c": "c", **deep("/x")}),
    ("COPY --parents dir/n* /x", {"/x": "/"}),
    ("COPY <<one <<two /x/\n1\none\n2\ntwo", {"/x": "/", "/x/one": "1\n", "/x/two": "2\n"}),
    ("COPY <<one a.txt /x/\n1\none", {"/x": "/", "/x/one": "1\n", "/x/a.txt": "a"}),
    ("ENV d=/x\nCOPY a.txt $d/${e:-y}", {"/x": "/", "/x/y": "a"}),
    ("ENV f='a.txt b.txt'\nCOPY $f /x/", {"/x": "/", "/x/a.txt": "a", "/x/b.txt": "b"}),
    ("ENV v=1\nCOPY <<one /\n$v\none", {"/one": "1\n"}),
    ("ENV v=1\nCOPY <<'one' /\n$v\none", {"/one": "$v\n"}),
    (
        'ENV v=1\nCOPY <<x /\n{"it\'s": "$v", \'\\$v": \'\'}\nx',
        {"/x": '{"it\'s": "1", \'$v": \'\'}\n'},
    ),
    ("ENV v=1\nCOPY <<x /\n\\n \\\\ `$v \\$v\nx", {"/x": "n \\ `1 $v\n"}),
    ("COPY dir/deep /x\nCOPY a.txt /x", {"/x": "/", "/x/a.txt": "a"}),
    ("COPY a.txt /x\nCOPY b.txt /x", {"/x": "b"}),
]


@pytest.mark.parametrize(("text", "expected"), MATRIX)
def test_what_is_copied_where(workshop: Workshop, text: str, expected: dict[str, str]) -> None:
    workshop.write(CONTEXT)
    image = workshop.build(f"FROM scratch\n{text}")
    assert layer_tree(image) == expected


def test_a_heredoc_that_cannot_be_expanded_is_a_problem_of_its_line(workshop: Workshop) -> None:
    text = "# escape=`\nFROM scratch\nCOPY <<x /\n`$x\n\\$x ${x:?why}\nx"
    with pytest.raises(BuildProblem, match="in a heredoc: x: why") as caught:
        workshop.build(text)
    assert caught.value.where == "dockerfile_inline:3:1"
    image = workshop.build(text.replace("${x:?why}", "") + "\n")
    assert layer_tree(image) == {"/x": "`\n$x \n"}


def test_the_target_is_relative_to_the_working_directory(workshop: Workshop) -> None:
    workshop.write(CONTEXT)
    image = workshop.build("FROM scratch\nWORKDIR /w\nWORKDIR v\nCOPY a.txt b.txt ./")
    assert layer_tree(image) == {"/w": "/", "/w/v": "/", "/w/v/a.txt": "a", "/w/v/b.txt": "b"}
    assert image.config.working_dir == "/w/v"


REFUSED = [
    ("COPY nothing /", '"/nothing": not found', "dockerfile_inline:2:6"),
    ("COPY a.txt b.txt /x", "2 sources needs a directory", "dockerfile_inline:2:18"),
    ("COPY *.txt /x", "2 sources (a.txt, b.txt) match", "dockerfile_inline:2:12"),
    ("COPY dir /x\nCOPY a.txt /x/deep/d/y", "it is a file", "dockerfile_inline:3:12"),
    ("COPY dir /x\nCOPY dir /x/c/", "it is a file", "dockerfile_inline:3:10"),
    ("COPY --chown=nobody a.txt /", "unable to find user nobody", "dockerfile_inline:2:27"),
    ("COPY --chmod=9 a.txt /", "`9` is not a mode", "dockerfile_inline:2:14"),
    ("COPY https://example.org/x /", "can't be a URL", "dockerfile_inline:2:6"),
    ("COPY git@example.org:x.git /", "can't be a git repository", "dockerfile_inline:2:6"),
    ("ADD --checksum=sha256:0 a.txt /", "of URLs and git", "dockerfile_inline:2:5"),
    ("ADD --checksum=sha256:0 http://127.0.0.1/ /", "is not a digest", "dockerfile_inline:2:25"),
    ("ADD https://127.0.0.1/x.git?what=1 /", "unexpected query", "dockerfile_inline:2:5"),
    ("ADD https://127.0.0.1/x.git?tag=1&branch=1 /", "two values of", "dockerfile_inline:2:5"),
    ("COPY --parents dir/nothing /", '"/dir/nothing": not found', "dockerfile_inline:2:16"),
    ("COPY --parents dir/./nothing /", '"/dir/nothing": not found', "dockerfile_inline:2:1"),
    ("COPY --link=maybe a.txt /", "is true or false", "dockerfile_inline:2:6"),
    ("COPY --chown a.txt /", "missing a value", "dockerfile_inline:2:6"),
    ("COPY --from=0 a.txt /", "not a stage before this one", "dockerfile_inline:2:13"),
    ("COPY ${x:?needed} /", "x: needed", "dockerfile_inline:2:6"),
    ("COPY $unset /", "has no source", "dockerfile_inline:2:1"),
]


@pytest.mark.parametrize(("text", "what", "where"), REFUSED)
def test_what_cannot_be_copied_is_said(
    workshop: Workshop, text: str, what: str, where: str
) -> None:
    workshop.write(CONTEXT)
    with pytest.raises(BuildProblem) as caught:
        workshop.build(f"FROM scratch\n{text}")
    assert what in str(caught.value)
    assert caught.value.where == where


@pytest.mark.usefixtures("busybox")
def test_a_linked_copy_knows_nothing_of_what_is_below(workshop: Workshop) -> None:
    workshop.write(CONTEXT)
    base = "FROM busybox\nRUN mkdir -m 700 /real && ln -s real /link\n"
    image = workshop.build(f"{base}COPY a.txt /link/x")
    assert layer_tree(image) == {"/real": "/", "/real/x": "a"}
    linked = workshop.build(f"{base}COPY --link a.txt /link/x")
    assert layer_tree(linked) == {"/link": "/", "/link/x": "a"}
    named = workshop.build(f"{base}COPY --link --chown=app a.txt /link/x")
    assert layer_tree(named) == {"/real": "/", "/real/x": "a"}


def test_parents_keep_their_modes(workshop: Workshop) -> None:
    workshop.write(CONTEXT)
    (workshop.context / "dir").chmod(0o700)
    image = workshop.build("FROM scratch\nCOPY --parents dir/deep/d /x/")
    modes = [find_in(image, path) for path in ("/x", "/x/dir", "/x/dir/deep")]
    assert [stat.S_IMODE(found.st_mode) for found in modes if found] == [0o755, 0o700, 0o755]


def test_what_add_unpacks_may_be_said(workshop: Workshop) -> None:
    (workshop.context / "a.tar").write_bytes(archive({"f": "f"}, "w"))
    assert layer_tree(workshop.build("FROM scratch\nADD --unpack a.tar /x/"))["/x/f"] == "f"
    assert "/x/a.tar" in layer_tree(workshop.build("FROM scratch\nADD --unpack=false a.tar /x/"))


def test_a_wildcard_matches_what_is_brought_back_in_what_is_ignored(workshop: Workshop) -> None:
    workshop.write({**CONTEXT, ".dockerignore": "dir\n!dir/c\nother\n", "other/x": "x"})
    image = workshop.build("FROM scratch\nCOPY d*r o* /x/")
    assert layer_tree(image) == {"/x": "/", "/x/c": "c"}


def test_a_wildcard_leads_through_no_symlink(workshop: Workshop) -> None:
    workshop.write(CONTEXT)
    (workshop.context / "dirlink").symlink_to("dir")
    image = workshop.build("FROM scratch\nCOPY dir*/c /x\nCOPY dirlink/d*p/d /y")
    assert find_in(image, "/x") is not None
    assert layer_tree(image) == {"/y": "d"}


def test_a_source_nearly_right_gets_a_suggestion(workshop: Workshop) -> None:
    workshop.write(CONTEXT)
    with pytest.raises(BuildProblem) as caught:
        workshop.build("FROM scratch\nCOPY dir/deeep /")
    assert caught.value.hint == "did you mean `dir/deep`?"


def test_an_ignored_source_names_the_pattern(workshop: Workshop) -> None:
    workshop.write({**CONTEXT, ".dockerignore": "# not these\n*.txt\n"})
    with pytest.raises(BuildProblem) as caught:
        workshop.build("FROM scratch\nCOPY a.txt /")
    assert caught.value.hint == ".dockerignore:2 excludes it: *.txt"


def test_what_is_ignored_is_not_copied(workshop: Workshop) -> None:
    workshop.write({**CONTEXT, ".dockerignore": "**/*.o\n*.txt\n!b.txt\n.dockerignore\n"})
    image = workshop.build("FROM scratch\nCOPY . /x")
    expected = {"/x/b.txt": "b", "/x/dir/c": "c", "/x/dir/deep/d": "d"}
    files = {path: text for path, text in layer_tree(image).items() if text != "/"}
    assert files == expected


def test_nothing_that_matches_a_wildcard_is_no_error(workshop: Workshop) -> None:
    workshop.write(CONTEXT)
    image = workshop.build("FROM scratch\nCOPY *.none /x/\nCOPY a.txt /")
    assert layer_tree(image)["/a.txt"] == "a"


def test_the_context_gives_files_to_root_and_keeps_modes_and_times(workshop: Workshop) -> None:
    workshop.write(CONTEXT)
    source = workshop.context / "a.txt"
    os.chown(source, 1234, 1234)
    source.chmod(0o4750)
    os.utime(source, ns=(1, 1_500_000_000_123_456_789))
    os.utime(workshop.context / "dir/deep", ns=(1, 1_400_000_000_000_000_000))
    image = workshop.build("FROM scratch\nCOPY a.txt dir /x/")
    found = attributes(image, "/x/deep")
    assert found.st_mtime_ns == 1_400_000_000_000_000_000
    found = attributes(image, "/x/a.txt")
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, 0, 0o4750)
    assert found.st_mtime_ns == 1_500_000_000_123_456_789


def test_owners_are_those_of_the_image(workshop: Workshop, busybox: Image) -> None:
    workshop.write(CONTEXT)
    image = workshop.build(
        "FROM busybox\nCOPY --chown=app a.txt /new/one\nCOPY --chown=app:staff a.txt /two\n"
        "COPY --chown=55 a.txt /three\nCOPY --chown=7:app a.txt /four"
    )
    owners = {
        name: (attributes(image, name).st_uid, attributes(image, name).st_gid)
        for name in ("/new", "/new/one", "/two", "/three", "/four")
    }
    assert owners == {
        "/new": (1000, 1000),
        "/new/one": (1000, 1000),
        "/two": (1000, 50),
        "/three": (55, 55),
        "/four": (7, 1000),
    }


@pytest.mark.parametrize(
    ("chmod", "file_mode", "directory_mode"),
    [
        ("644", 0o644, 0o644),
        ("u=rwX,go=rX", 0o644, 0o755),
        ("a+x", 0o755, 0o755),
        ("go-r", 0o600, 0o711),
    ],
)
def test_chmod_is_octal_or_symbolic(
    workshop: Workshop, chmod: str, file_mode: int, directory_mode: int
) -> None:
    workshop.write(CONTEXT)
    (workshop.context / "dir").chmod(0o755)
    (workshop.context / "dir/deep").chmod(0o755)
    image = workshop.build(f"FROM scratch\nCOPY --chmod={chmod} dir /x")
    assert stat.S_IMODE(attributes(image, "/x/c").st_mode) == file_mode
    assert stat.S_IMODE(attributes(image, "/x/deep").st_mode) == directory_mode


def test_a_directory_that_is_made_for_the_copy_is_plain(workshop: Workshop) -> None:
    """Only those inside take the source's attributes, as with BuildKit."""
    workshop.write(CONTEXT)
    (workshop.context / "dir").chmod(0o700)
    (workshop.context / "dir/deep").chmod(0o710)
    image = workshop.build("FROM scratch\nCOPY --chown=3:4 dir /x")
    top, inside = attributes(image, "/x"), attributes(image, "/x/deep")
    assert (stat.S_IMODE(top.st_mode), top.st_uid) == (0o755, 3)
    assert stat.S_IMODE(inside.st_mode) == 0o710


def test_a_dangling_link_as_the_target_leads_to_a_new_file(workshop: Workshop) -> None:
    workshop.write(CONTEXT)
    (workshop.context / "d").mkdir()
    (workshop.context / "d/l").symlink_to("/new/place")
    image = workshop.build("FROM scratch\nCOPY d /\nCOPY a.txt /l")
    assert layer_tree(image) == {"/new": "/", "/new/place": "a"}


def test_links_are_followed_as_sources_and_kept_in_trees(workshop: Workshop) -> None:
    workshop.write(CONTEXT)
    (workshop.context / "link").symlink_to("dir/deep")
    (workshop.context / "dir/inner").symlink_to("/etc/passwd")
    image = workshop.build("FROM scratch\nCOPY link /x\nCOPY dir/inner* dir/c /y/\nCOPY dir /x")
    tree = layer_tree(image)
    assert tree["/x/inner"] == "-> /etc/passwd"
    assert tree["/x/deep/d"] == "d"


def test_a_link_out_of_the_context_leads_back_into_it(workshop: Workshop) -> None:
    workshop.write({"etc/shadow": "mine"})
    (workshop.context / "out").symlink_to("/etc/shadow")
    (workshop.context / "up").symlink_to("../../../../etc/shadow")
    image = workshop.build("FROM scratch\nCOPY out up /x/")
    assert layer_tree(image)["/x/out"] == "mine"
    assert layer_tree(image)["/x/up"] == "mine"


def test_links_of_the_image_lead_nowhere_outside(workshop: Workshop, tmp_path: Path) -> None:
    """A hostile image has links where COPY writes: they are followed inside its root (E10)."""
    victim = tmp_path / "victim"
    victim.mkdir()
    workshop.write({"a.txt": "a"})
    context = workshop.context
    (context / "links").mkdir()
    (context / "links/dir").symlink_to(victim)
    (context / "links/up").symlink_to("../../../../../../../../../.." + str(victim))
    (context / "links/file").symlink_to(victim / "file")
    image = workshop.build(
        "FROM scratch\nCOPY links /\nCOPY a.txt /dir/\nCOPY a.txt /up/b\nCOPY a.txt /file"
    )
    assert list(victim.iterdir()) == []
    inside = layer_tree(image)
    assert inside[str(victim / "file")] == "a"


def test_a_directory_link_in_the_image_is_followed(workshop: Workshop) -> None:
    workshop.write({"a.txt": "a", "usr/bin/x": "x"})
    (workshop.context / "bin").symlink_to("usr/bin")
    image = workshop.build("FROM scratch\nCOPY . /\nCOPY a.txt /bin/")
    assert layer_tree(image) == {"/usr": "/", "/usr/bin": "/", "/usr/bin/a.txt": "a"}


def test_second_names_of_a_file_stay_second_names(workshop: Workshop) -> None:
    workshop.write({"d/a": "a"})
    (workshop.context / "d/b").hardlink_to(workshop.context / "d/a")
    image = workshop.build("FROM scratch\nCOPY d /d")
    assert attributes(image, "/d/a").st_ino == attributes(image, "/d/b").st_ino


def test_a_second_name_is_not_one_of_what_replaced_the_first(workshop: Workshop) -> None:
    workshop.write({"one/a": "one", "two/a": "two"})
    (workshop.context / "two/b").hardlink_to(workshop.context / "one/a")
    image = workshop.build("FROM scratch\nCOPY one two /x/")
    assert layer_tree(image) == {"/x": "/", "/x/a": "two", "/x/b": "one"}


def test_copy_from_a_stage_keeps_owners(workshop: Workshop) -> None:
    workshop.write(CONTEXT)
    image = workshop.build(
        "FROM scratch AS one\nCOPY --chown=1:2 a.txt /d/\n"
        "FROM scratch\nCOPY --from=ONE /d /e\nCOPY --from=0 --chown=3 d/a.txt /f"
    )
    assert attributes(image, "/e/a.txt").st_uid == 1
    assert attributes(image, "/f").st_uid == 3


def test_copy_from_an_image_and_from_a_named_context(
    workshop: Workshop, busybox: Image, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "z").write_text("z")
    image = workshop.build(
        "FROM scratch\nCOPY --from=busybox /etc/group /\nCOPY --from=more z /",
        additional_contexts={"more": str(other)},
    )
    assert find_in(image, "/group") is not None
    assert layer_tree(image) == {"/z": "z"}


# ADD


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_add_unpacks_archives_by_their_content(workshop: Workshop, mode: ArchiveMode) -> None:
    data = archive({"p/q": "hello", "l": "->p/q"}, mode)
    (workshop.context / "odd.name").write_bytes(data)
    image = workshop.build("FROM scratch\nADD --chown=5 odd.name /x")
    assert layer_tree(image) == {"/x": "/", "/x/p": "/", "/x/p/q": "hello", "/x/l": "-> p/q"}
    found = attributes(image, "/x/p/q")
    assert (found.st_uid, stat.S_IMODE(found.st_mode), found.st_mtime) == (77, 0o640, 1_000_000_000)


def test_add_unpacks_what_zstd_has_compressed(workshop: Workshop) -> None:
    data = zstandard.compress(archive({"p/q": "hello"}, "w"))
    (workshop.context / "a").write_bytes(data)
    (workshop.context / "text").write_bytes(zstandard.compress(b"no archive"))
    image = workshop.build("FROM scratch\nADD a te?t /x/")
    assert layer_tree(image).keys() == {"/x", "/x/p", "/x/p/q", "/x/text"}


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress, zstandard.compress])
def test_a_damaged_archive_is_a_problem_of_its_instruction(
    workshop: Workshop, compress: Callable[[bytes], bytes]
) -> None:
    noise = random.Random(1)
    members = {name: "".join(noise.choices("0123456789", k=300_000)) for name in "pqr"}
    data = compress(archive(members, "w"))
    (workshop.context / "a").write_bytes(data[: len(data) // 2])
    with pytest.raises(BuildProblem) as failure:
        workshop.build("FROM scratch\nADD a /x/")
    assert (failure.value.code, failure.value.where) == ("copy-failed", "dockerfile_inline:2:7")


def test_damaged_zstd_is_named(workshop: Workshop) -> None:
    data = bytearray(zstandard.compress(archive({"p": "hello"}, "w")))
    data[10:20] = bytes(10)
    (workshop.context / "a").write_bytes(data)
    with pytest.raises(BuildProblem, match=r"^a: the data cannot be decompressed"):
        workshop.build("FROM scratch\nADD a /x/")


def test_copy_does_not_unpack(workshop: Workshop) -> None:
    (workshop.context / "a.tar").write_bytes(archive({"p": "p"}, "w"))
    image = workshop.build("FROM scratch\nCOPY a.tar /x/")
    assert find_in(image, "/x/a.tar") is not None


def test_add_of_what_is_no_archive_is_a_copy(workshop: Workshop) -> None:
    workshop.write({"a.tar": "not really", "empty.tar": ""})
    image = workshop.build("FROM scratch\nADD a.tar empty.tar /x/")
    assert layer_tree(image) == {"/x": "/", "/x/a.tar": "not really", "/x/empty.tar": ""}


def test_an_archive_may_have_a_name_and_attributes_of_files(workshop: Workshop) -> None:
    """As those of whole root filesystems have, by `tar --label --xattrs`."""
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    with tarfile.open(workshop.context / "a.tar", "w") as tar:
        label, ping = tarfile.TarInfo("the label"), tarfile.TarInfo("ping")
        label.type = b"V"
        ping.pax_headers = {
            f"SCHILY.xattr.{name}": capability.decode("utf-8", "surrogateescape")
            for name in ("security.capability", "user.own", "trusted.overlay.redirect")
        }
        tar.addfile(label)
        tar.addfile(ping)
    image = workshop.build("FROM scratch\nADD a.tar /")
    path = Path(image.lowers[0]) / "ping"
    assert layer_tree(image) == {"/ping": ""}
    assert sorted(os.listxattr(path)) == ["security.capability", "user.own"]
    assert os.getxattr(path, "security.capability") == capability


def test_a_member_of_an_unknown_kind_is_named(workshop: Workshop) -> None:
    member = tarfile.TarInfo("odd")
    member.type = b"D"
    with tarfile.open(workshop.context / "a.tar", "w") as tar:
        tar.addfile(member)
    with pytest.raises(BuildProblem, match="archive member odd: of the unknown kind"):
        workshop.build("FROM scratch\nADD a.tar /")


def test_an_archive_stays_in_its_directory(workshop: Workshop) -> None:
    """Members with `..`, absolute names and through links of the archive itself (D3.6)."""
    members = {"../up": "1", "/abs": "2", "l": "->/", "l/through": "3", "m": "->../..", "m/n": "4"}
    (workshop.context / "a.tar").write_bytes(archive(members, "w"))
    image = workshop.build("FROM scratch\nADD a.tar /x/")
    tree = layer_tree(image)
    assert all(path == "/x" or path.startswith("/x/") for path in tree)
    assert tree["/x/through"] == "3"
    assert tree["/x/n"] == "4"


def attributes(image: Image, path: str) -> os.stat_result:
    found = find_in(image, path)
    assert found is not None
    return found
