"""The store: found by name and id, shared, counted, and whole whenever a command is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.errors import ImageProblem
from engine.images.deleting import delete_doomed
from engine.images.removing import remove
from engine.state.db import open_database
from tests.engine.images.tars import directory, file, tar
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from engine.images.image import Image
    from engine.images.images import Images
    from engine.state.paths import Roots

pytestmark = needs_root


def imported(images: Images, tmp_path: Path, name: str, text: str = "x") -> Image:
    path = tmp_path / "rootfs.tar"
    path.write_bytes(tar(directory("etc"), file("etc/name", text)))
    return images.import_tar(str(path), name, {"Cmd": ["sh"]})


def upper(roots: Roots, name: str, text: str) -> str:
    path = Path(roots.root, "uppers", name)  # on the filesystem of the layers
    (path / "etc").mkdir(parents=True)
    (path / "etc/upper").write_text(text)
    return str(path)


def kept(roots: Roots) -> list[str]:
    """All that is in the store beside the database."""
    directories = (roots.layers, roots.temporary, f"{roots.blobs}/sha256")
    return [path.name for directory in directories for path in Path(directory).iterdir()]


def test_an_image_is_found_by_any_spelling_of_its_name_and_by_its_id(
    images: Images, tmp_path: Path
) -> None:
    image = imported(images, tmp_path, "app:1")
    digits = image.id.partition(":")[2]
    for spelling in ("app:1", "docker.io/library/app:1", image.id, digits, digits[:12], digits[:7]):
        assert images.find(spelling) == image
    assert images.find("app") is None
    assert images.find("sha256:" + "0" * 64) is None
    assert images.list() == [image]


def test_a_name_wins_over_the_beginning_of_an_id(images: Images, tmp_path: Path) -> None:
    image = imported(images, tmp_path, "app:1", "one")
    prefix = next(p for n in range(8, 40) if (p := image.id[7 : 7 + n])[-1] != "-")
    other = imported(images, tmp_path, f"{prefix}:latest", "two")
    assert images.get(prefix) == images.get(other.id)


def test_an_ambiguous_id_is_refused(images: Images, tmp_path: Path) -> None:
    made = [imported(images, tmp_path, f"app:{n}", str(n)) for n in range(17)]
    firsts = [image.id[7] for image in made]
    twice = next(digit for digit in firsts if firsts.count(digit) > 1)
    with pytest.raises(ImageProblem) as caught:
        images.find(f"sha256:{twice}")
    assert caught.value.code == "ambiguous-id"


def test_a_missing_image_is_a_problem(images: Images) -> None:
    with pytest.raises(ImageProblem) as caught:
        images.get("nothing")
    assert caught.value.code == "no-such-image"


def test_a_directory_is_an_image_without_being_stored(images: Images, tmp_path: Path) -> None:
    image = images.get(f"rootfs:{tmp_path}")
    assert image.id == f"rootfs:{tmp_path}"
    assert image.lowers == (str(tmp_path),)
    assert images.ensure(f"rootfs:{tmp_path}", "always") == image
    assert images.list() == []
    with pytest.raises(ImageProblem, match="is not a directory"):
        images.get("rootfs:/no/such")


def test_an_upper_directory_becomes_a_layer(images: Images, roots: Roots, tmp_path: Path) -> None:
    base = imported(images, tmp_path, "app:1")
    with images.hold():
        chain = images.add_layer(upper(roots, "u", "mine"), base.chain_ids)
        built = images.create({"config": {"Cmd": ["x"]}}, (*base.chain_ids, chain), ["built"])
    assert built.references == ("docker.io/library/built:latest",)
    assert Path(built.lowers[0], "etc/upper").read_text() == "mine"
    assert built.lowers[1] == base.lowers[0]
    assert Path(built.lowers[0]).stat().st_mode == 0o40755
    assert built.config.cmd == ("x",)


def test_the_same_upper_directory_is_the_same_layer(
    images: Images, roots: Roots, tmp_path: Path
) -> None:
    base = imported(images, tmp_path, "app:1")
    with images.hold():  # without, what lies there is a leftover
        uppers = [upper(roots, "u1", "same"), upper(roots, "u2", "same")]
        for path in uppers:
            for found in (Path(path, "etc/upper"), Path(path, "etc")):
                os.utime(found, (1, 1))
        first, second = (images.add_layer(path, base.chain_ids) for path in uppers)
    assert first == second
    assert not Path(uppers[1]).exists()


def test_an_image_needs_its_layers(images: Images) -> None:
    with pytest.raises(ImageProblem) as caught:
        images.create({}, ("sha256:" + "0" * 64,))
    assert caught.value.code == "no-such-layer"


def test_removing_takes_the_name_and_with_the_last_one_the_image(
    images: Images, roots: Roots, tmp_path: Path
) -> None:
    image = imported(images, tmp_path, "app:1")
    images.tag("app:1", "app:2")
    assert images.remove("app:1") == ["Untagged: app:1"]
    assert images.remove("app:2") == ["Untagged: app:2", f"Deleted: {image.id}"]
    assert images.list() == []
    assert eventually(lambda: kept(roots) == [])


def test_an_id_stands_for_all_names_only_when_forced(images: Images, tmp_path: Path) -> None:
    image = imported(images, tmp_path, "app:1")
    images.tag(image.id, "other")
    with pytest.raises(ImageProblem, match="app:1, other:latest"):
        images.remove(image.id)
    assert images.remove(image.id, force=True)[-1] == f"Deleted: {image.id}"


def test_shared_layers_stay_while_an_image_has_them(
    images: Images, roots: Roots, tmp_path: Path
) -> None:
    base = imported(images, tmp_path, "base")
    with images.hold():
        chain = images.add_layer(upper(roots, "u", "x"), base.chain_ids)
        images.create({}, (*base.chain_ids, chain), ["top"])
    images.remove("base")
    assert Path(base.lowers[0]).is_dir()
    images.remove("top")
    assert not Path(base.lowers[0]).exists()


def test_layers_of_the_build_cache_stay_with_those_below(
    images: Images, roots: Roots, tmp_path: Path
) -> None:
    base = imported(images, tmp_path, "base")
    with images.hold():
        chain = images.add_layer(upper(roots, "u", "x"), base.chain_ids)
        database = open_database(roots)
        database.execute(
            "INSERT INTO build_cache (key, chain_id, record, created, used_at)"
            " VALUES ('k', ?, '{}', '', 0)",
            (chain,),
        )
        database.close()
    images.remove("base")
    assert images.has_layer(chain)
    assert Path(base.lowers[0]).is_dir()


def test_an_image_of_a_container_is_not_removed(
    images: Images, roots: Roots, tmp_path: Path
) -> None:
    image = imported(images, tmp_path, "app:1")
    database = open_database(roots)
    database.execute(
        "INSERT INTO containers (id, name, image_id, labels, spec, created_at)"
        " VALUES ('1', 'web-1', ?, '{}', '{}', 0)",
        (image.id,),
    )
    database.close()
    with pytest.raises(ImageProblem, match="used by web-1") as caught:
        images.remove("app:1")
    assert caught.value.code == "image-in-use"
    assert images.remove("app:1", force=True) == ["Untagged: app:1"]
    assert images.get(image.id).references == ()


def test_what_is_used_or_named_meanwhile_is_not_removed(images: Images, tmp_path: Path) -> None:
    """Another command has done it since this one looked."""
    seen = imported(images, tmp_path, "app:1")
    images.tag(seen.id, "app:2")
    removed = remove(images._store, seen, "app:1", *seen.references, force=False)
    assert removed == ["Untagged: app:1"]
    assert images.get("app:2").references == ("docker.io/library/app:2",)


def test_an_image_that_is_gone_meanwhile_gets_no_name(images: Images, tmp_path: Path) -> None:
    image = imported(images, tmp_path, "app:1")
    images.remove("app:1")
    assert not images._records.add_reference("docker.io/library/app:2", image.id)
    with pytest.raises(ImageProblem, match="not in the store"):
        images.tag("rootfs:/", "app:2")
    with pytest.raises(ImageProblem, match="not in the store"):
        images.remove("rootfs:/")
    assert images.find("app:2") is None


def test_nothing_is_swept_while_somebody_adds(images: Images, roots: Roots, tmp_path: Path) -> None:
    imported(images, tmp_path, "app:1")
    with images.hold():
        chain = images.add_layer(upper(roots, "u", "x"), ())
        images.remove("app:1")
        assert images.has_layer(chain)
    imported(images, tmp_path, "app:2")
    images.remove("app:2")
    assert not images.has_layer(chain)


def test_two_threads_that_want_a_layer_make_it_once(images: Images, tmp_path: Path) -> None:
    path = tmp_path / "rootfs.tar"
    path.write_bytes(tar(*(file(f"f{n}", "x" * 1000) for n in range(500))))
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(images.import_tar(str(path)).lowers[0]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(list(Path(found[0]).iterdir())) == 500


def test_the_store_is_out_of_reach_of_other_users(
    images: Images, roots: Roots, tmp_path: Path
) -> None:
    imported(images, tmp_path, "app:1")
    assert Path(roots.root).stat().st_mode & 0o777 == 0o711
    for path in (roots.layers, roots.blobs, roots.temporary):
        assert Path(path).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("delay_s", [0.02, 0.06, 0.1, 0.15, 0.2, 0.3])
def test_a_killed_import_leaves_a_store_that_works(
    images: Images, roots: Roots, tmp_path: Path, delay_s: float
) -> None:
    path = tmp_path / "rootfs.tar"
    path.write_bytes(tar(*(file(f"f{n}", "x" * 2000) for n in range(2000))))
    program = (
        "import sys; from engine.images.images import Images; from engine.state.paths import Roots;"
        " Images(Roots(*sys.argv[1:3])).import_tar(sys.argv[3], 'app:1')"
    )
    command = [sys.executable, "-c", program, roots.root, roots.run_root, str(path)]
    child = subprocess.Popen(command)
    time.sleep(delay_s)
    child.send_signal(signal.SIGKILL)
    child.wait()
    image = images.import_tar(str(path), "app:1")
    assert len(list(Path(image.lowers[0]).iterdir())) == 2000
    for one in images.list():  # two, where the first import was done and a second has passed
        images.remove(one.id, force=True)
    assert images.list() == []
    assert eventually(lambda: kept(roots) == [])


def test_what_is_doomed_is_deleted_by_several_processes(roots: Roots) -> None:
    for tree in range(2):
        for number in range(100):
            place = Path(roots.temporary, f"gone-{tree}/{number}/a/b")
            place.mkdir(parents=True)
            (place / "file").touch()
    Path(roots.temporary, "gone-file").write_text("x")
    Path(roots.temporary, "gone-link").symlink_to("kept")
    Path(roots.temporary, "kept").mkdir()
    assert delete_doomed(roots.temporary, None)
    assert [path.name for path in Path(roots.temporary).iterdir()] == ["kept"]


def test_what_may_have_been_lost_with_the_power_is_made_again(
    images: Images, roots: Roots, tmp_path: Path
) -> None:
    """Of a layer that no image has yet, the record is good for the boot it was made in."""
    with images.hold():
        chain = images.add_layer(upper(roots, "u", "x"), ())
        assert images.has_layer(chain)
        database = open_database(roots)
        database.execute("UPDATE layers SET unsynced_boot = 'an earlier one'")
        database.close()
        assert not images.has_layer(chain)


@pytest.mark.parametrize("policy", ["sometimes", "every_", "every_5x", "every_h"])
def test_an_unknown_pull_policy_is_refused(images: Images, policy: str) -> None:
    with pytest.raises(ImageProblem) as caught:
        images.ensure("app", policy)
    assert caught.value.code == "invalid-pull-policy"
