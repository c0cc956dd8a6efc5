"""`buoy image`, `images` and `pull`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.engine.images.registry import Registry
from tests.engine.images.tars import build, file, tar
from tests.images import busybox_rootfs
from tests.marks import needs_root

if TYPE_CHECKING:
    from pathlib import Path

    from engine.images.image import Image
    from tests.scenarios.conftest import Buoy

pytestmark = needs_root

SLEEPER = "services: {web: {image: busybox, command: sleep 60, init: true}}"


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
