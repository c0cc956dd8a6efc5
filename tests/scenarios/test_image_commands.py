"""`buoy image`, `images` and `pull`."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.engine.images.registry import Registry
from tests.engine.images.tars import ARCHITECTURE, build, file, tar
from tests.images import busybox_rootfs
from tests.marks import needs_root
from tests.scenarios.conftest import COMMAND

if TYPE_CHECKING:
    from engine import Engine
    from engine.images.image import Image
    from tests.scenarios.conftest import Buoy

pytestmark = needs_root

SLEEPER = "services: {web: {image: busybox, command: sleep 1000, init: true}}"


def test_an_image_is_loaded_listed_named_and_removed(buoy: Buoy, busybox_tar: Path) -> None:
    assert buoy.run("image", "load", "-i", str(busybox_tar)).lines == [
        "Loaded image: busybox:latest"
    ]
    buoy.run("image", "tag", "busybox", "mine:1")
    titles, *rows = (line.split() for line in buoy.run("image", "ls").lines)
    assert titles == ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
    assert sorted(row[:2] for row in rows) == [["busybox", "latest"], ["mine", "1"]]
    (identity,) = buoy.run("image", "ls", "-q", "--no-trunc").lines
    assert buoy.run("image", "rm", "busybox", "mine:1").lines == [
        *("Untagged: busybox:latest", "Untagged: mine:1", f"Deleted: {identity}"),
    ]
    assert buoy.run("image", "ls", "-q").lines == []


def test_a_root_filesystem_is_imported(buoy: Buoy) -> None:
    (identity,) = buoy.run("image", "import", str(busybox_rootfs()), "mine:1").lines
    (line,) = buoy.run("image", "ls", "--format", "json").lines
    assert json.loads(line)["Repository"] == "mine"
    assert identity.startswith(f"sha256:{json.loads(line)['ID']}")


@pytest.mark.usefixtures("busybox")
def test_a_platform_is_that_of_the_image_or_it_is_refused(buoy: Buoy) -> None:
    here, other = f"linux/{ARCHITECTURE}", "linux/s390x"
    for verb in ("inspect", "history", "save", "push", "rm"):
        done = buoy.run("image", verb, "--platform", other, "busybox", check=False)
        assert done.exit_code == 1
        assert f"is here for {here}, not for {other}" in done.stderr
    for verb in ("inspect", "history", "rm"):
        buoy.run("image", verb, "--platform", here, "busybox")


def test_removing_goes_on_past_what_is_not_there(buoy: Buoy, busybox: Image) -> None:
    done = buoy.run("image", "rm", "nothing", "busybox", check=False)
    assert done.exit_code == 1
    assert "Untagged: busybox:latest" in done.lines
    assert "no-such-image" in done.stderr
    assert buoy.run("image", "rm", "-f", "nothing").exit_code == 0


def test_the_images_of_containers_are_listed(buoy: Buoy, busybox: Image) -> None:
    buoy.write("compose.yaml", SLEEPER)
    buoy.run("up", "-d")
    titles, row = buoy.run("images").lines
    assert "   ".join(titles.split()[:3]) == "CONTAINER   REPOSITORY   TAG"
    assert row.split()[:3] == ["app-web-1", "busybox", "latest"]
    assert buoy.run("images", "-q").lines == [busybox.id.removeprefix("sha256:")]
    (found,) = json.loads(buoy.run("images", "--format", "json").stdout)
    assert (found["ID"], found["ContainerName"]) == (busybox.id, "app-web-1")
    done = buoy.run("image", "rm", "busybox", check=False)
    assert "image-in-use" in done.stderr
    assert "app-web-1" in done.stderr


def test_services_are_pulled(buoy: Buoy) -> None:
    with Registry() as registry:
        reference = registry.put("a/b", "1", build([tar(file("a", "a"))]))
        buoy.write("compose.yaml", f"services: {{one: {{image: '{reference}'}}}}")
        done = buoy.run("pull")
        assert f" Image {reference}  Pulled" in done.stderr.splitlines()
        registry.requests.clear()
        buoy.run("pull", "--policy", "missing")
        assert registry.requests == []
        assert buoy.run("pull", "-q").stderr == ""
        assert registry.paths("HEAD") == ["/v2/a/b/manifests/1"]


def test_an_image_that_can_be_built_is_pulled_first(buoy: Buoy) -> None:
    with Registry() as registry:
        there = registry.put("there", "1", build([tar(file("a", "a"))]))
        gone = f"{registry.host}/gone:1"
        buoy.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /a\n")
        services = {"a": {"image": gone, "build": "."}, "b": {"image": there, "build": "."}}
        buoy.write("compose.yaml", json.dumps({"services": services}))
        done = buoy.run("create")
        assert f" Image {gone}  Built" in done.stderr.splitlines()
        assert f" Image {there}  Pulled" in done.stderr.splitlines()
        kept = buoy.run("create", "--pull", "always")
        assert f" Image {gone}  Kept" in kept.stderr.splitlines()


def test_a_failed_pull_does_not_stop_the_others(buoy: Buoy) -> None:
    with Registry() as registry:
        there = registry.put("there", "1", build([tar(file("a", "a"))]))
        gone = f"{registry.host}/gone:1"
        services = {"a": {"image": gone, "build": "."}, "b": {"image": there}}
        buoy.write("compose.yaml", json.dumps({"services": services}))
        done = buoy.run("pull", check=False)
        assert done.exit_code == 1
        assert "error: image-not-found" in done.stderr
        assert "buoy build a" in done.stderr
        assert buoy.run("image", "ls", "-q").lines != []
        assert buoy.run("pull", "--ignore-pull-failures").exit_code == 0
        assert buoy.run("pull", "--ignore-buildable").exit_code == 0


def test_images_are_listed_by_name_filter_and_template(buoy: Buoy, busybox: Image) -> None:
    buoy.run("image", "tag", "busybox", "mine/app:1")
    names = ("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
    assert buoy.run(*names, "busybox").lines == ["busybox:latest"]
    assert buoy.run(*names, "mine/*:1").lines == ["mine/app:1"]
    assert buoy.run(*names, "--filter", "reference=*").lines == ["busybox:latest"]
    assert buoy.run(*names, "-f", "dangling=true").lines == []
    assert buoy.run(*names, "-f", "before=busybox").lines == []
    assert buoy.run("image", "ls", "--format", "table {{.Tag}}\\t{{lower .ID}}").lines[
        0
    ].split() == [*("TAG", "IMAGE", "ID")]
    assert (
        "no field `.Nope`" in buoy.run("image", "ls", "--format", "{{.Nope}}", check=False).stderr
    )
    assert "no filter `x`" in buoy.run("image", "ls", "-f", "x", check=False).stderr


def test_an_image_is_shown_with_its_history(buoy: Buoy, busybox: Image) -> None:
    (shown,) = json.loads(buoy.run("image", "inspect", "busybox").stdout)
    assert (shown["Id"], shown["RepoTags"]) == (busybox.id, ["busybox:latest"])
    assert shown["Config"]["Cmd"] == ["sh"]
    command = buoy.run("image", "inspect", "-f", "{{json .Config.Cmd}} {{.Os}}", "busybox")
    assert command.lines == ['["sh"] linux']
    titles, row = buoy.run("image", "history", "busybox").lines
    assert titles.split() == ["IMAGE", "CREATED", "CREATED", "BY", "SIZE", "COMMENT"]
    assert "busybox-static" in row
    assert buoy.run("image", "history", "-q", "--no-trunc", "busybox").lines == [busybox.id]


def test_images_without_use_are_pruned(buoy: Buoy, busybox: Image) -> None:
    buoy.write("compose.yaml", SLEEPER)
    buoy.run("create")
    buoy.run("image", "import", str(busybox_rootfs()), "other:1")
    buoy.run("image", "import", "-m", "another", str(busybox_rootfs()))
    assert buoy.run("image", "prune", check=False, input="n\n").exit_code == 1
    done = buoy.run("image", "prune", "-f")
    assert [line.split(":")[0] for line in done.lines if line] == [
        *("Deleted Images", "deleted", "Total reclaimed space")
    ]
    assert buoy.run("image", "prune", "-af", "--filter", "until=1h").lines[-1].endswith(" 0B")
    assert "untagged: other:1" in buoy.run("image", "prune", "-af").lines
    assert buoy.run("image", "ls", "--format", "{{.Repository}}").lines == ["busybox"]


def test_where_nothing_was_ever_made_nothing_is_pruned(buoy: Buoy) -> None:
    assert buoy.run("image", "prune", "-f").lines == ["Total reclaimed space: 0B"]


@pytest.mark.parametrize("kind", ["docker-archive", "oci"])
def test_a_saved_image_is_read_by_skopeo_and_loaded_again(
    buoy: Buoy, busybox: Image, kind: str
) -> None:
    archive = buoy.directory / "saved.tar"
    buoy.run("image", "save", "--format", kind, "-o", str(archive), "busybox")
    source = f"docker-archive:{archive}" if kind == "docker-archive" else f"oci-archive:{archive}"
    read = subprocess.run(
        ["skopeo", "inspect", "--config", "--raw", source], check=True, capture_output=True
    )
    assert f"sha256:{hashlib.sha256(read.stdout).hexdigest()}" == busybox.id
    buoy.run("image", "rm", "busybox")
    assert buoy.run("image", "load", "-qi", str(archive)).lines == ["Loaded image: busybox:latest"]
    assert buoy.run("image", "ls", "-q", "--no-trunc").lines == [busybox.id]
    missing = buoy.run("image", "save", "-o", str(archive), "busybox", "nothing", check=False)
    assert "no-such-image" in missing.stderr
    assert archive.exists()


def test_what_is_damaged_is_told_and_repaired(buoy: Buoy, engine: Engine) -> None:
    with Registry() as registry:
        reference = registry.put("a", "1", build([tar(file("a", "a" * 100)), tar(file("b", "b"))]))
        buoy.run("image", "ls")
        image = engine.images.pull(reference)
        assert buoy.run("image", "verify").lines == [f"{reference}: ok"]
        (Path(image.lowers[0]) / "b").write_text("x")
        told = buoy.run("image", "verify", reference, check=False)
        assert told.exit_code == 1
        assert "b is not as it was unpacked" in told.stdout
        blobs = Path(buoy.roots.blobs, "sha256").iterdir()
        largest = max(blobs, key=lambda path: path.stat().st_size)
        largest.chmod(0o600)
        largest.write_bytes(b"x")
        done = buoy.run("image", "verify", "--repair")
        assert done.lines[-1] == f"{reference}: repaired"
        assert f"blob sha256:{largest.name} is not what its digest says" in done.stdout
        assert (Path(image.lowers[0]) / "b").read_text() == "b"


def test_an_archive_may_come_from_a_file_that_is_standard_input(
    buoy: Buoy, busybox_tar: Path
) -> None:
    """As in `docker load < image.tar`."""

    def load(path: str) -> subprocess.CompletedProcess[str]:
        with Path(path).open() as file:
            return subprocess.run(
                [COMMAND, "image", "load", "-q"],
                env=buoy.environment,
                stdin=file,
                capture_output=True,
                text=True,
                check=False,
            )

    assert load(str(busybox_tar)).stdout == "Loaded image: busybox:latest\n"
    assert "standard input is not an archive: empty" in load("/dev/null").stderr
