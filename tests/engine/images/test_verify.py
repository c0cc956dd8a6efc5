"""Looking whether layers are as they were unpacked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.docker_archive import write_archive
from tests.engine.images.odd_layers import odd_images
from tests.marks import needs_program, needs_root

if TYPE_CHECKING:
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
