"""`buoy cp`: Docker's rules for what goes where, both ways, through the command."""

from __future__ import annotations

import io
import os
import shutil
import signal
import stat
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.state.paths import Roots
from tests import leaks
from tests.conftest import TEST_ROOTS
from tests.marks import needs_root
from tests.scenarios.conftest import COMMAND, TIMEOUT_S, Buoy, Done
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = needs_root

TEXT = """
services:
  app:
    image: busybox
    command: sleep 1000
    stop_grace_period: 0s
    volumes: [data:/data, ./bound:/bound, ./bound:/fixed:ro, ./one:/etc/one]
  locked:
    image: busybox
    command: sleep 1000
    stop_grace_period: 0s
    read_only: true
    tmpfs: [/tmp]
    volumes: [data:/data]
  many:
    image: busybox
    command: sleep 1000
    stop_grace_period: 0s
    scale: 2
volumes: {data: {}}
"""


@pytest.fixture(scope="module")
def project(busybox_tar: Path) -> Iterator[Buoy]:
    """One project, running, for all that does not change it."""
    directory = Path(tempfile.mkdtemp(prefix="b-", dir=TEST_ROOTS))
    try:
        with leaks.watched(Roots(f"{directory}/root", f"{directory}/run")) as roots:
            (directory / "app").mkdir()
            buoy = Buoy(directory / "app", roots)
            buoy.run("image", "load", "-i", str(busybox_tar))
            (buoy.directory / "bound").mkdir()
            buoy.write("one", "one\n")
            buoy.write("compose.yaml", TEXT)
            buoy.run("up", "-d")
            yield buoy
            buoy.run("down", "-v", "-t", "0")
    finally:
        shutil.rmtree(directory)


@pytest.fixture(scope="module")
def laid_out(project: Buoy) -> Buoy:
    """A directory with `from` and `to` for each of the rules below, on both sides."""
    rows = [*(rule[0] for rule in RULES), *(refusal[0] for refusal in REFUSALS)]
    script = " ".join(
        f"mkdir -p rule{number} && cd rule{number} && {FROM} {before or ':'}; cd /$1;"
        for number, before in enumerate(rows)
    )
    inside(project, script.replace("/$1", "/"))
    outside(project, script.replace("/$1", str(project.directory)))
    return project


@pytest.fixture
def here(project: Buoy) -> Iterator[str]:
    """Name of a directory of the test's own: in the project and, as `/NAME`, in `app`."""
    name = tempfile.mkdtemp(prefix="t-", dir=project.directory).rpartition("/")[2]
    inside(project, f"mkdir /{name}")
    yield name
    shutil.rmtree(project.directory / name)


def inside(project: Buoy, script: str, service: str = "app") -> list[str]:
    return project.run("exec", "-T", service, "sh", "-c", script).lines


def outside(project: Buoy, script: str) -> list[str]:
    done = subprocess.run(
        ["busybox", "sh", "-c", script], cwd=project.directory, check=True, capture_output=True
    )
    return done.stdout.decode().splitlines()


SHOW = 'cd to; find . | sort | while read -r f; do [ -L "$f" ] && echo "$f -> $(readlink "$f")"'
SHOW += ' || { [ -d "$f" ] && echo "$f/" || echo "$f=$(cat "$f")"; }; done'
FROM = "mkdir from to; cd from; echo new > file; mkdir -p tree/deep; echo 1 > tree/a;"
FROM += "echo 2 > tree/deep/b; ln -s tree/a link; ln -s tree dirlink; ln -s nowhere lost; cd ..;"

# what is in `to` before, SOURCE below `from`, TARGET below `to`, further options -> `to` after
RULES = [
    ("", "file", "", "", ["./", "./file=new"]),
    ("", "file", "other", "", ["./", "./other=new"]),
    ("mkdir to/d", "file", "d", "", ["./", "./d/", "./d/file=new"]),
    ("mkdir to/d", "file", "d/", "", ["./", "./d/", "./d/file=new"]),
    ("echo old > to/file", "file", "file", "", ["./", "./file=new"]),
    ("echo old > to/x; ln to/x to/y", "file", "x", "", ["./", "./x=new", "./y=old"]),
    ("echo old > to/x; ln -s x to/l", "file", "l", "", ["./", "./l -> x", "./x=new"]),
    ("ln -s x to/l", "file", "l", "", ["./", "./l -> x", "./x=new"]),
    ("mkdir to/d; ln -s d to/l", "file", "l", "", ["./", "./d/", "./d/file=new", "./l -> d"]),
    ("echo o > to/x; ln -s x to/file", "file", "", "", ["./", "./file=new", "./x=o"]),
    ("", "tree", "", "", ["./", "./tree/", "./tree/a=1", "./tree/deep/", "./tree/deep/b=2"]),
    ("", "tree", "new", "", ["./", "./new/", "./new/a=1", "./new/deep/", "./new/deep/b=2"]),
    ("", "tree/", "new/", "", ["./", "./new/", "./new/a=1", "./new/deep/", "./new/deep/b=2"]),
    ("", "tree/.", "", "", ["./", "./a=1", "./deep/", "./deep/b=2"]),
    ("", "tree/.", "new", "", ["./", "./new/", "./new/a=1", "./new/deep/", "./new/deep/b=2"]),
    (
        "mkdir -p to/tree/deep; echo k > to/tree/deep/k; echo o > to/tree/a",
        *("tree", "", ""),
        ["./", "./tree/", "./tree/a=1", "./tree/deep/", "./tree/deep/b=2", "./tree/deep/k=k"],
    ),
    ("", "link", "", "", ["./", "./link -> tree/a"]),
    ("", "link", "", "-L", ["./", "./link=1"]),
    ("", "lost", "", "", ["./", "./lost -> nowhere"]),
    ("", "dirlink", "", "", ["./", "./dirlink -> tree"]),
    ("", "dirlink/.", "", "", ["./", "./a=1", "./deep/", "./deep/b=2"]),
    (
        *("", "dirlink", "", "-L"),
        ["./", "./dirlink/", "./dirlink/a=1", "./dirlink/deep/", "./dirlink/deep/b=2"],
    ),
]

# the same, with what is said
REFUSALS = [
    ("", "nothing", "", "no such file or directory"),
    ("", "lost/", "", "no such file or directory"),
    ("", "file/", "", "not a directory"),
    ("", "file/.", "", "not a directory"),
    ("", "file", "missing/", "there is no such directory"),
    ("", "file", "missing/file", "its directory"),
    ("", "tree", "missing/tree", "its directory"),
    ("echo o > to/x", "file", "x/", "not a directory"),
    ("echo o > to/x", "file", "x/y", "not a directory"),
    ("echo o > to/x", "tree", "x", "cannot be copied over a file"),
    ("echo o > to/tree", "tree", "", "cannot be copied over a file"),
    ("mkdir -p to/tree/a", "tree", "", "cannot be copied over a directory"),
    ("mkdir to/file", "file", "", "cannot be copied over a directory"),
    ("mkdir to/d; mkdir to/tree; ln -s ../d to/tree/deep", "tree", "", "over a file"),
    ("mkfifo to/pipe", "file", "pipe", "a pipe"),
]


def copy(project: Buoy, here: str, out: bool, source: str, target: str, *options: str) -> Done:
    left, right = (f"app:/{here}", here) if out else (here, f"app:/{here}")
    return project.run("cp", *options, f"{left}/from/{source}", f"{right}/to/{target}", check=False)


@pytest.mark.parametrize("out", [True, False], ids=["out", "in"])
@pytest.mark.parametrize("number", range(len(RULES)))
def test_what_is_copied_goes_where_docker_puts_it(laid_out: Buoy, out: bool, number: int) -> None:
    _, source, target, options, after = RULES[number]
    here = f"rule{number}"
    done = copy(laid_out, here, out, source, target, *options.split())
    assert (done.exit_code, done.stderr) == (0, "")
    look = f"cd ./{here}; {SHOW}"
    assert (outside(laid_out, look) if out else inside(laid_out, look)) == after


@pytest.mark.parametrize("out", [True, False], ids=["out", "in"])
@pytest.mark.parametrize("number", range(len(REFUSALS)))
def test_what_cannot_be_is_said_with_its_place(laid_out: Buoy, out: bool, number: int) -> None:
    _, source, target, what = REFUSALS[number]
    here = f"rule{len(RULES) + number}"
    done = copy(laid_out, here, out, source, target)
    assert done.exit_code == 1
    assert done.stderr.startswith("error: copy-")
    assert what in done.stderr
    assert here in done.stderr


def test_modes_times_and_holes_are_kept_and_owners_if_asked(project: Buoy, here: str) -> None:
    place = project.directory / here
    (place / "d").mkdir()
    (place / "d/f").write_text("f")
    with (place / "d/sparse").open("wb") as file:
        file.truncate(1 << 32)
        file.seek(1 << 20)
        file.write(b"middle")
    (place / "d/again").hardlink_to(place / "d/f")
    os.mkfifo(place / "d/pipe", 0o640)
    for name in ("d/f", "d/pipe", "d"):
        os.chown(place / name, 1234, 4321)
        os.utime(place / name, ns=(10**18 + 5, 10**18 + 7))
    (place / "d/f").chmod(0o641)
    (place / "d").chmod(0o751)
    project.run("cp", f"{here}/d", f"app:/{here}/plain")
    project.run("cp", "-a", f"{here}/d", f"app:/{here}/kept")
    for name, owner in (("plain", "0:0"), ("kept", "1234:4321")):
        looks = f"cd /{here}; stat -c '%a %u:%g %Y' {name} {name}/f; stat -c %h {name}/f"
        expected = [f"751 {owner} 1000000000", f"641 {owner} 1000000000", "2"]
        assert inside(project, looks) == expected
        assert inside(
            project,
            f"cd /{here}/{name}; [ f -ef again ] && [ -p pipe ] && echo ok; stat -c %s sparse",
        ) == ["ok", str(1 << 32)]
    project.run("cp", f"app:/{here}/kept", f"{here}/back")
    project.run("cp", "-a", f"app:/{here}/kept", f"{here}/back-kept")
    for name, ids in (("back", (0, 0)), ("back-kept", (1234, 4321))):
        found = (place / name / "f").stat()
        assert (found.st_uid, found.st_gid) == ids
        assert (stat.S_IMODE(found.st_mode), found.st_mtime_ns) == (0o641, 10**18 + 7)
        assert found.st_nlink == 2
        sparse = (place / name / "sparse").stat()
        assert sparse.st_blocks < 1000
        assert (place / name).stat().st_mtime_ns == 10**18 + 7


def test_the_directory_that_is_copied_into_keeps_its_looks(project: Buoy, here: str) -> None:
    (project.directory / here / "d").mkdir(mode=0o700)
    inside(project, f"mkdir -m 1777 /{here}/shared; chown 7:8 /{here}/shared")
    project.run("cp", "-a", f"{here}/d/.", f"app:/{here}/shared")
    assert inside(project, f"stat -c '%a %u:%g' /{here}/shared") == ["1777 7:8"]


def test_an_archive_comes_by_stdout_and_goes_by_stdin(project: Buoy, here: str) -> None:
    inside(project, f"cd /{here}; mkdir d; echo x > d/x; chown 5:6 d/x; ln -s x d/l")
    output = subprocess.run(
        [COMMAND, "cp", f"app:/{here}/d", "-"],
        cwd=project.directory,
        env=project.environment,
        check=True,
        capture_output=True,
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(output)) as tar:
        assert tar.getnames() == ["d", "d/l", "d/x"]
        member = tar.getmember("d/x")
        assert (member.uid, member.gid, member.size) == (5, 6, 2)
    for options, owner in (((), "0:0"), (("-a",), "5:6")):
        inside(project, f"mkdir -p /{here}/to")
        subprocess.run(
            [COMMAND, "cp", *options, "-", f"app:/{here}/to"],
            cwd=project.directory,
            env=project.environment,
            check=True,
            input=output,
        )
        assert inside(project, f"stat -c %u:%g /{here}/to/d/x") == [owner]
    refused = project.run("cp", "-", f"app:/{here}/to/d/x", check=False, input="")
    assert "it is not a directory" in refused.stderr
    broken = project.run("cp", "-", f"app:/{here}/to", check=False, input="no archive" * 100)
    assert (broken.exit_code, broken.stderr.splitlines()[0]) == (1, "error: invalid-archive")


def test_mounts_are_seen_and_what_is_read_only_stays(project: Buoy, here: str) -> None:
    project.write(f"{here}/f", "f")
    for target in ("app:/data/f", "app:/bound/f"):
        project.run("cp", f"{here}/f", target)
    assert (project.directory / "bound/f").read_text() == "f"
    project.run("cp", "locked:/data/f", f"{here}/g")
    project.run("cp", f"{here}/f", "locked:/tmp/")
    project.run("cp", f"{here}/f", "locked:/data/h")
    for target, what in (
        ("app:/fixed/x", "mounted volume is marked read-only"),
        ("locked:/x", "container rootfs is marked read-only"),
        ("app:/etc/one", "is mounted there by itself"),
        ("app:/proc/sys/kernel/hostname", "the kernel's"),
        ("app:/sys/", "the kernel's"),
    ):
        done = project.run("cp", f"{here}/f", target, check=False)
        assert done.exit_code == 1
        assert what in done.stderr
    project.run("cp", "app:/etc/one", f"{here}/one")
    assert (project.directory / here / "one").read_text() == "one\n"
    assert (
        inside(project, "ls -A / | grep -c buoy-cp; ls -A /etc | grep -c buoy-cp; :") == ["0"] * 2
    )


def test_replicas_each_get_it_and_one_is_chosen(project: Buoy, here: str) -> None:
    project.write(f"{here}/f", "f")
    project.run("cp", f"{here}/f", "many:/f")
    project.run("cp", "--index", "2", f"{here}/f", "many:/second")
    seen = [
        project.run("exec", "-T", "--index", number, "many", "ls", "/f", "/second", check=False)
        for number in ("1", "2")
    ]
    assert [one.lines for one in seen] == [["/f"], ["/f", "/second"]]
    project.run("cp", "--index", "2", "many:/second", f"{here}/g")
    assert (project.directory / here / "g").read_text() == "f"
    done = project.run("cp", "many:/second", f"{here}/h", check=False)
    assert "many-1:/second" in done.stderr


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("a", "b"), "none of them is"),
        (("app:/a", "app:/b"), "both of them is"),
        (("./app:/a", "b"), "none of them is"),
        (("nobody:/a", "."), "there is no service `nobody`"),
        (("--index", "7", "many:/a", "."), "has no container #7"),
    ],
)
def test_what_is_asked_for_wrongly(project: Buoy, words: tuple[str, ...], what: str) -> None:
    done = project.run("cp", *words, check=False)
    assert what in done.stderr
    assert done.exit_code == 1


def test_paused_stopped_and_created_containers_too(buoy: Buoy, busybox: object) -> None:
    buoy.write("f", "f")
    (buoy.directory / "bound").mkdir()
    buoy.write("compose.yaml", TEXT.partition("  many:")[0] + "volumes: {data: {}}\n")
    buoy.write("one", "one\n")
    buoy.run("create")
    buoy.run("cp", "f", "app:/created")
    buoy.run("cp", "app:/etc/passwd", "p")
    assert (buoy.directory / "p").read_text().startswith("root:")
    buoy.run("start")
    buoy.run("pause", "app")
    buoy.run("cp", "f", "app:/paused")
    buoy.run("cp", "app:/created", "g")
    buoy.run("unpause", "app")
    buoy.run("stop", "-t", "0")
    for target in ("app:/stopped", "app:/data/stopped", "app:/bound/stopped", "locked:/data/l"):
        buoy.run("cp", "f", target)
    buoy.run("cp", "app:/data/l", "l")
    assert (buoy.directory / "bound/stopped").read_text() == "f"
    for target, what in (("locked:/x", "rootfs is marked"), ("app:/fixed/x", "volume is marked")):
        assert what in buoy.run("cp", "f", target, check=False).stderr
    buoy.run("start")
    listed = buoy.run("exec", "-T", "app", "ls", "/created", "/paused", "/stopped", "/data").lines
    assert listed == ["/created", "/paused", "/stopped", "", "/data:", "l", "stopped"]


def test_a_setuid_file_of_somebody_does_not_become_one_of_root(project: Buoy, here: str) -> None:
    for name, uid in (("ours", 0), ("theirs", 1234)):
        project.write(f"{here}/d/{name}", "x")
        os.chown(project.directory / here / "d" / name, uid, uid)
        (project.directory / here / "d" / name).chmod(0o6755)
    project.run("cp", f"{here}/d", f"app:/{here}/plain")
    project.run("cp", "-a", f"{here}/d", f"app:/{here}/kept")
    script = f"cd /{here}; stat -c '%a %u' plain/ours plain/theirs kept/ours kept/theirs"
    assert inside(project, script) == ["6755 0", "755 0", "6755 0", "6755 1234"]


def test_a_file_with_holes_passes_through_an_archive(project: Buoy, here: str) -> None:
    text = b"".join(bytes(300_000) + b"text" * 2000 for _ in range(3)) + bytes(5_000_000)
    with (project.directory / here / "f").open("wb") as file:
        for offset in range(0, len(text), 4096):
            if text[offset : offset + 4096].strip(b"\0"):
                file.seek(offset)
                file.write(text[offset : offset + 4096])
        file.truncate(len(text))
    project.run("cp", f"{here}/f", f"app:/{here}/f")
    output = subprocess.run(
        [COMMAND, "cp", f"app:/{here}/f", "-"],
        cwd=project.directory,
        env=project.environment,
        check=True,
        capture_output=True,
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(output)) as tar:
        content = tar.extractfile("f")
        assert content is not None
        assert content.read() == text


def test_names_of_any_bytes_and_deep_trees(project: Buoy, here: str) -> None:
    deep = "/".join(["d"] * 300)
    inside(project, f"cd /{here}; mkdir -p x/{deep}; echo f > x/{deep}/f")
    strange = [b"with space", b"-dash", b"new\nline", b"\xff\xfe", "ü".encode(), b"\x1b[31m"]
    place = project.directory / here
    (place / "names").mkdir()
    for name in strange:
        Path(os.fsdecode(os.fsencode(place / "names") + b"/" + name)).write_bytes(name)
    project.run("cp", f"{here}/names", f"app:/{here}/x/")
    project.run("cp", f"app:/{here}/x", f"{here}/back")
    assert (place / "back" / deep / "f").read_text() == "f\n"
    found = {os.fsencode(path.name) for path in (place / "back/names").iterdir()}
    assert found == set(strange)
    done = project.run("cp", f"app:/{here}/\x1b[31m", ".", check=False)
    assert "\x1b" not in done.stderr


def test_a_tree_is_not_copied_into_the_copy(project: Buoy) -> None:
    project.write("bound/own/f", "f")
    done = project.run("cp", "./bound", "app:/bound/copy")
    assert "copy: where the copy goes, left out" in done.stderr
    assert (project.directory / "bound/copy/own/f").read_text() == "f"
    assert not (project.directory / "bound/copy/copy").exists()
    project.run("cp", "./bound/.", "app:/bound/own")
    shutil.rmtree(project.directory / "bound/copy")
    shutil.rmtree(project.directory / "bound/own")


def test_interrupted_it_takes_away_what_is_half_made(project: Buoy, here: str) -> None:
    header = tarfile.TarInfo("large")
    header.size = 1 << 30
    copying = subprocess.Popen(
        [COMMAND, "cp", "-", f"app:/{here}"],
        cwd=project.directory,
        env=project.environment,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert copying.stdin is not None
    copying.stdin.write(header.tobuf() + bytes(1 << 22))
    copying.stdin.flush()
    inside(project, f'while [ -z "$(ls -A /{here})" ]; do sleep .1; done')
    copying.send_signal(signal.SIGINT)
    copying.communicate(timeout=TIMEOUT_S)
    assert copying.returncode == 130
    assert inside(project, f"ls -A /{here}") == []


def test_one_that_restarts_and_one_made_by_run(buoy: Buoy, busybox: object) -> None:
    buoy.write(
        "compose.yaml",
        "services:\n  app:\n    image: busybox\n    restart: always\n    stop_grace_period: 0s\n"
        "    command: sh -c 'test -e /made || echo made > /made; exit 1'\n",
    )
    buoy.write("f", "f")
    buoy.run("up", "-d")
    assert eventually(lambda: "Restarting" in buoy.run("ps", "-a").stdout)
    buoy.run("cp", "app:/made", "made")
    assert (buoy.directory / "made").read_text() == "made\n"
    buoy.run("run", "-d", "--name", "once", "app", "sleep", "1000")
    buoy.run("stop", "app")
    buoy.run("cp", "--all", "f", "app:/f")
    buoy.run("cp", "--all", "app:/f", "g")
    assert (buoy.directory / "g").read_text() == "f"


def test_a_start_waits_for_a_copy_and_a_copy_for_another(buoy: Buoy, busybox: object) -> None:
    buoy.write("compose.yaml", "services:\n  app: {image: busybox, command: sleep 1000}\n")
    buoy.write("f", "f")
    buoy.run("create")
    copies = [buoy.start("cp", "f", f"app:/{number}") for number in range(3)]
    buoy.run("start")
    assert [one.communicate(timeout=TIMEOUT_S)[0] for one in copies] == [""] * 3
    assert [one.returncode for one in copies] == [0] * 3
    assert buoy.run("exec", "-T", "app", "ls", "/0", "/1", "/2").lines == ["/0", "/1", "/2"]
    buoy.run("down", "-t", "0")
