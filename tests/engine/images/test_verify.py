"""Looking whether layers are as they were unpacked."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.docker_archive import write_archive
from tests.engine.images.odd_layers import odd_images
from tests.engine.images.tars import directory, entry, file, hard_link, symlink, tar
from tests.marks import needs_program, needs_root

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.images.images import Images

pytestmark = [needs_root, needs_program("tar")]


def test_what_is_legal_and_seldom_is_not_taken_for_damage(images: Images, tmp_path: Path) -> None:
    archive = tmp_path / "odd.tar"
    write_archive(archive, {f"odd/{case}:1": layers for case, layers in odd_images().items()})
    for image in images.load(str(archive)):
        assert not images.verify(image), image.references


def test_damage_behind_a_link_of_a_lower_layer_is_told(images: Images, tmp_path: Path) -> None:
    archive = tmp_path / "parents.tar"
    write_archive(archive, {"odd/parents:1": odd_images()["parents"]})
    (image,) = images.load(str(archive))
    Path(image.lowers[0], "usr/lib/a").write_text("other")
    (damage,) = images.verify(image)
    assert "lib/a is not as it was unpacked" in damage.what


LAYER = tar(
    *(directory("d", mode=0o750), file("d/f", "content", uid=5)),
    *(file("d/x", "x", pax_headers={"SCHILY.xattr.user.a": "1"}), hard_link("h", "d/f")),
    *(symlink("s", "d/f"), entry("p", tarfile.FIFOTYPE)),
    *(directory("gone"), file("gone/below", "x"), symlink("gone", "d")),
    *(file("late/below", "x"), file("late", "a file now")),
)


def _replace_link(root: Path) -> None:
    (root / "s").unlink()
    (root / "s").symlink_to("elsewhere")


def _replace_by_directory(root: Path) -> None:
    (root / "p").unlink()
    (root / "p").mkdir()


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (lambda root: (root / "d/f").write_text("CONTENT"), "d/f is not as it was unpacked (con"),
        (lambda root: (root / "d/f").chmod(0o4755), "d/f is not as it was unpacked (mode)"),
        (lambda root: os.chown(root / "d", 7, 0), "d is not as it was unpacked (owner)"),
        (lambda root: os.setxattr(root / "d/f", "user.b", b"2"), "(extended attributes)"),
        (lambda root: os.removexattr(root / "d/x", "user.a"), "(extended attributes)"),
        (_replace_link, "s is not as it was unpacked (target)"),
        (_replace_by_directory, "p is not as it was unpacked (type)"),
        (lambda root: (root / "h").unlink(), "h is not as it was unpacked (missing)"),
    ],
)
def test_what_is_not_as_it_was_unpacked_is_told(
    images: Images, tmp_path: Path, break_it: Callable[[Path], None], told: str
) -> None:
    write_archive(tmp_path / "a.tar", {"a:1": [LAYER]})
    (image,) = images.load(str(tmp_path / "a.tar"))
    assert not images.verify(image)
    break_it(Path(image.lowers[0]))
    (damage,) = images.verify(image)
    assert told in damage.what
    images.repair(image, [damage])
    assert not images.verify(image)
