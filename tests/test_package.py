"""What an installation gets: the wheel has all that the code reads at run time."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from tests.imports import ROOT, sources


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    directory = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory"]
    subprocess.run([*build, directory], cwd=ROOT, check=True, capture_output=True)
    (path,) = directory.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_carries_every_module_schema_and_statement(wheel: zipfile.ZipFile) -> None:
    packages = ("compose", "engine", "schemas")
    wanted = [f"{package}/**/*.{kind}" for package in packages for kind in ("py", "json", "sql")]
    files = {str(file.relative_to(ROOT)) for file in sources(*wanted)}
    assert any(name.endswith(".json") for name in files)
    assert not files - set(wheel.namelist())


def test_the_wheel_has_nothing_else_in_it(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    (information,) = {top for top in tops if top.endswith(".dist-info")}
    assert tops == {"compose", "engine", "schemas", information}


def test_the_metadata_names_command_licence_and_python(wheel: zipfile.ZipFile) -> None:
    read = {Path(name).name: name for name in wheel.namelist() if ".dist-info/" in name}
    metadata = Parser().parsestr(wheel.read(read["METADATA"]).decode())
    assert (metadata["Name"], metadata["License-Expression"]) == ("buoy", "Apache-2.0")
    assert metadata["Requires-Python"] == ">=3.11"
    assert "buoy = compose.__main__:main" in wheel.read(read["entry_points.txt"]).decode()
    assert "LICENSE" in read


def test_an_unpacked_wheel_runs(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "compose", "version"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert "buoy" in done.stdout.lower()
