"""The program of process 1 (its behaviour: tests/engine/containers/test_init.py)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.kernel.smallinit import program

if TYPE_CHECKING:
    from collections.abc import Sequence

TOOLS = {"x86_64": "", "aarch64": "aarch64-linux-gnu-"}


def run(*argv: str | Path) -> None:
    subprocess.run(argv, check=True)


@pytest.mark.material
@pytest.mark.parametrize(("machine", "prefix"), TOOLS.items())
def test_it_is_what_its_source_comes_to(machine: str, prefix: str, tmp_path: Path) -> None:
    if not shutil.which(f"{prefix}as"):
        pytest.skip(f"no assembler for {machine}")
    source = Path(__file__).with_name(f"init.{machine}.s")
    run(f"{prefix}as", source, "-o", tmp_path / "o")
    run(f"{prefix}objcopy", "-O", "binary", "-j", ".text", tmp_path / "o", tmp_path / "text")
    text = (tmp_path / "text").read_bytes()
    image = program(machine, 0)
    assert image is not None
    assert image.endswith(text)


@pytest.mark.parametrize("machine", TOOLS)
def test_a_reader_of_elf_finds_nothing_to_complain_of(machine: str, tmp_path: Path) -> None:
    if not shutil.which("readelf"):
        pytest.skip("binutils are not installed")
    image = program(machine, 2)
    assert image is not None
    (tmp_path / "init").write_bytes(image)
    done = subprocess.run(
        ["readelf", "-hlW", tmp_path / "init"], check=True, capture_output=True, text=True
    )
    assert "arning" not in done.stdout + done.stderr
    assert segments(done.stdout.splitlines()) == ["LOAD R E", "GNU_STACK RW"]


def segments(lines: Sequence[str]) -> list[str]:
    """`LOAD R E`: kinds and rights, which are the seventh column and perhaps the eighth."""
    rows = [line.split() for line in lines if line.startswith(("  LOAD", "  GNU_STACK"))]
    return [" ".join((row[0], *row[6:-1])) for row in rows]


def test_other_machines_have_none() -> None:
    assert program("s390x", 2) is None
