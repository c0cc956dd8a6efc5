"""E14: what a Dockerfile could do to the host that builds it, or to another build."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from engine import BuildProblem, Problem
from tests.engine.build.conftest import find_in, workshop
from tests.marks import needs_root

if TYPE_CHECKING:
    from pathlib import Path

    from engine import Image
    from tests.engine.build.conftest import Workshop

__all__ = ["workshop"]

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("outside")
    (directory / "secret").write_text("of the host\n")
    (directory / "empty").mkdir()
    return directory


def left(outside: Path) -> list[str]:
    return sorted(path.name for path in outside.iterdir())


@pytest.mark.parametrize(
    "name", ["../../../outside", "/etc", "..", ".", "a/../../b", "x" * 300, "\\0", "*"]
)
def test_a_cache_is_never_a_path(workshop: Workshop, outside: Path, name: str) -> None:
    """CVE-2024-9675."""
    build = (
        f"FROM busybox\nRUN --mount=type=cache,id={name},target=/c ls -A /c > /seen; touch /c/x\n"
    )
    image = workshop.build(build)
    found = find_in(image, "/seen")
    assert found is not None
    assert found.st_size == 0
    assert left(outside) == ["empty", "secret"]


@pytest.mark.parametrize(
    "source", ["/link", "/link/secret", "/deep/link", "../../..{}", "/../..{}"]
)
@pytest.mark.parametrize("origin", ["from=evil,", ""])
def test_a_bind_shows_nothing_of_the_host(
    workshop: Workshop, outside: Path, source: str, origin: str
) -> None:
    """CVE-2024-1753: the source is below a root that is, or has, a link to the host's."""
    (workshop.context / "link").symlink_to(f"/../../../../../../..{outside}")
    (workshop.context / "deep").mkdir()
    (workshop.context / "deep/link").symlink_to(f"../../../../../../../..{outside}")
    text = f"""\
FROM busybox AS evil
RUN ln -s {outside} /link; mkdir /deep; ln -s ../../../../../../..{outside} /deep/link
FROM busybox
RUN --mount=type=bind,{origin}source={source.format(outside)},target=/m cat /m /m/secret 2>&1; true
"""
    with contextlib.suppress(BuildProblem):
        workshop.build(text)
    assert "of the host" not in workshop.output()


def test_a_mount_point_that_is_cleaned_up_is_none_of_the_host(
    workshop: Workshop, outside: Path
) -> None:
    """CVE-2024-23652: the RUN puts a link where the mount's directory was made."""
    target = "/made" + "/empty"
    workshop.build(
        "FROM busybox\n"
        f"RUN --mount=type=cache,target={target} mv /made /moved && ln -s {outside} /made\n"
    )
    assert left(outside) == ["empty", "secret"]


@pytest.mark.parametrize(
    "instruction", ["COPY link/secret /x", "COPY deep/link/ /x/", "ADD link /x"]
)
def test_what_is_copied_is_of_the_context(
    workshop: Workshop, outside: Path, instruction: str
) -> None:
    (workshop.context / "link").symlink_to(f"/../../../../../../..{outside}")
    (workshop.context / "deep").mkdir()
    (workshop.context / "deep/link").symlink_to(f"../../../../../../../..{outside}")
    image: Image | None = None
    try:
        image = workshop.build(f"FROM busybox\n{instruction}\n")
    except Problem:
        return
    found = [find_in(image, path) for path in ("/x", "/x/secret")]
    assert all(each is None or each.st_size != len("of the host\n") for each in found)


@pytest.mark.parametrize("target", ["/link/new", "/link/secret", "/deep/link/secret"])
def test_what_is_copied_goes_into_the_image(workshop: Workshop, outside: Path, target: str) -> None:
    workshop.write({"file": "evil"})
    workshop.build(
        "FROM busybox\n"
        f"RUN ln -s /../../..{outside} /link; mkdir /deep; ln -s ../../../..{outside} /deep/link\n"
        f"COPY file {target}\n"
        f"ADD file {target}\n"
    )
    assert left(outside) == ["empty", "secret"]
    assert (outside / "secret").read_text() == "of the host\n"


@pytest.mark.parametrize("flag", ["--security=insecure", "--device=/dev/kmsg"])
def test_a_dockerfile_grants_itself_nothing(workshop: Workshop, flag: str) -> None:
    """CVE-2024-23653."""
    with pytest.raises(BuildProblem):
        workshop.build(f"FROM busybox\nRUN {flag} true\n")


def test_a_step_may_no_more_than_a_container(workshop: Workshop) -> None:
    script = "grep -E '^(CapEff|Seccomp):' /proc/self/status; mount -t tmpfs x /mnt 2>&1; "
    script += "echo x 2>/dev/null > /proc/sys/kernel/core_pattern || echo refused; env"
    workshop.build(f"FROM busybox\nRUN mkdir /mnt; {script}\n")
    lines = workshop.output()
    assert "CapEff:\t00000000a80425fb" in lines
    assert "Seccomp:\t2" in lines
    assert "refused" in lines
    assert "mount: permission denied (are you root?)" in lines
    names = {line.partition("=")[0] for line in lines if "=" in line}
    assert names <= {"PATH", "HOME", "PWD", "SHLVL", "HOSTNAME"}
