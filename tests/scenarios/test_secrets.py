"""Secrets and configs, through the command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root

if TYPE_CHECKING:
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

TEXT = """
services:
  web:
    image: busybox
    command: sleep 1000
    stop_grace_period: 0s
    secrets:
      - from-file
      - {source: from-variable, target: token, uid: "1000", mode: 0400}
    configs:
      - {source: inline, target: /etc/app.conf}
secrets:
  from-file: {file: ./secret.txt}
  from-variable: {environment: TOKEN}
configs:
  inline: {content: "level = $${LEVEL}\\n"}
"""


def inside(buoy: Buoy, script: str) -> list[str]:
    return buoy.run("exec", "-T", "web", "sh", "-c", script).lines


def test_they_are_files_in_the_container(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TEXT)
    buoy.write("secret.txt", "of a file\n")
    buoy.environment["TOKEN"] = "of a variable"
    buoy.run("up", "-d")
    assert inside(buoy, "cat /run/secrets/from-file; cat /run/secrets/token") == [
        "of a file",
        "of a variable",
    ]
    assert inside(buoy, "cat /etc/app.conf; stat -c '%u %a' /run/secrets/token") == [
        "level = ${LEVEL}",
        "1000 400",
    ]
    assert buoy.run("up", "-d").stderr == " Container web-1  Running\n"


def test_a_secret_is_shown_and_kept_nowhere(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TEXT)
    buoy.write("secret.txt", "of a file\n")
    buoy.environment["TOKEN"] = "tok-4711"
    buoy.run("up", "-d")
    for words in (("config",), ("plan",), ("ps", "--format", "json")):
        assert "tok-4711" not in buoy.run(*words).stdout
    roots = buoy.roots
    walked = os.walk(roots.root)  # what is removed meanwhile is left out
    files = [Path(at, name) for at, _, names in walked for name in names]
    kept = [path for path in files if not path.is_relative_to(roots.run_root)]
    assert not [path for path in kept if b"tok-4711" in content(path)]


def content(path: Path) -> bytes:
    """Nothing of what has been removed meanwhile, and of what is no file."""
    try:
        return path.read_bytes() if path.is_file() else b""
    except FileNotFoundError:
        return b""


def test_another_secret_makes_another_container(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TEXT)
    buoy.write("secret.txt", "of a file\n")
    buoy.environment["TOKEN"] = "one"
    buoy.run("up", "-d")
    buoy.environment["TOKEN"] = "two"
    cause = "configuration changed: secrets from-variable"
    assert f"#1 recreate container web-1: {cause}\n" in buoy.run("plan").stdout
    assert f" Container web-1  Recreated ({cause})\n" in buoy.run("up", "-d").stderr
    assert inside(buoy, "cat /run/secrets/token") == ["two"]


def test_what_is_missing_is_named(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TEXT)
    done = buoy.run("up", "-d", check=False)
    assert "error: required-variable" in done.stderr
    buoy.environment["TOKEN"] = "x"
    done = buoy.run("up", "-d", check=False)
    assert "error: file-not-found" in done.stderr
    assert "secret.txt does not exist" in done.stderr
