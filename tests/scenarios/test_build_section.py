"""Keys of `build` through the command (compose-file.md 7)."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root

if TYPE_CHECKING:
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

TEXT = """
services:
  app:
    image: example/app
    build:
      context: .
      tags: [example/app:other, "example/app:third"]
      args: {FROM_FILE: file, FROM_ENVIRONMENT: }
      labels: {one.two: three}
      target: last
      network: none
      extra_hosts: ["somewhere=10.1.2.3"]
      shm_size: 32m
      ulimits: {nofile: {soft: 100, hard: 200}}
      secrets: [file, {source: variable, target: named}]
      entitlements: [security.insecure]
      platforms: [PLATFORM]
      no_cache_filter: [First]
      additional_contexts: {more: ./more, tarred: ./more.tar}
      dockerfile_inline: |
        FROM busybox AS first
        RUN echo of the first
        FROM busybox AS last
        ARG FROM_FILE FROM_ENVIRONMENT
        COPY --from=more a /a
        COPY --from=tarred a /b
        COPY --from=first /etc/group /c
        RUN --mount=type=secret,id=file --mount=type=secret,id=named <<END
          echo args $$FROM_FILE $$FROM_ENVIRONMENT
          echo secrets $$(cat /run/secrets/file) $$(cat /run/secrets/named)
          echo limit $$(ulimit -Sn) $$(ulimit -Hn) $$(df -k /dev/shm | awk 'NR > 1 { print $$2 }')
          echo network $$(ls /sys/class/net) $$(grep somewhere /etc/hosts)
        END
        RUN --security=insecure echo capabilities $$(grep CapEff /proc/self/status)
        FROM first
secrets:
  file: {file: ./secret}
  variable: {environment: SECRET}
"""
PLATFORM = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}[os.uname().machine]


def test_the_build_section_is_carried_out(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TEXT.replace("PLATFORM", PLATFORM))
    buoy.write("secret", "from a file")
    buoy.write("more/a", "a")
    subprocess.run(["tar", "-C", buoy.directory / "more", "-cf", buoy.directory / "more.tar", "a"])
    variables = {"SECRET": "from a variable", "FROM_ENVIRONMENT": "environment"}
    done = buoy.run("build", environment=variables)
    lines = [line.split(" ", 2)[2] for line in done.stderr.splitlines() if line.count(" ") > 2]
    assert "args file environment" in lines
    assert "secrets from a file from a variable" in lines
    assert "limit 100 200 32768" in lines
    assert "network lo 10.1.2.3 somewhere" in lines
    assert buoy.run("image", "ls", "--format", "json").stdout.count('"example/app"') == 3
    again = buoy.run("build", environment=variables).stderr
    assert "run again: --no-cache" in again
    assert again.count("CACHED") == 5


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("PLATFORM", "linux/riscv64", "not-built-yet"),
        ("[security.insecure]", "[everything]", "invalid-value"),
        ("[security.insecure]", "[network.host]", "not-entitled"),
        ("file: ./secret", "file: ./nothing", "file-not-found"),
        ("SECRET}", "UNSET}", "required-variable"),
        ("network: none", "network: nowhere", "no-such-network"),
        ("context: .", "context: ./nowhere", "no-build-context"),
    ],
)
def test_what_cannot_be_had_is_refused(buoy: Buoy, before: str, after: str, code: str) -> None:
    buoy.write("compose.yaml", TEXT.replace(before, after).replace("PLATFORM", PLATFORM))
    buoy.write("secret", "")
    buoy.write("more/a", "a")
    (buoy.directory / "more.tar").write_bytes(b"\0" * 1024)
    done = buoy.run("build", environment={"SECRET": "x"}, check=False)
    assert done.exit_code != 0
    assert f"error: {code}" in done.stderr


CACHES = """\
      target: last
      cache_from: ["type=local,src=/a", example/cache]
      cache_to: [type=inline, "type=local,dest=/b,mode=max,ignore-error=true"]
"""


def test_what_would_be_built_is_looked_at(buoy: Buoy) -> None:
    text = TEXT.replace("      target: last\n", CACHES)
    buoy.write("compose.yaml", text.replace("PLATFORM", PLATFORM))
    buoy.write("secret", "")
    done = buoy.run("build", "--print", "--ssh", "default", environment={"SECRET": "x"})
    target = json.loads(done.stdout)["target"]["app"]
    assert target["secret"] == [
        f"id=file,type=file,src={buoy.directory}/secret",
        "id=named,type=env,env=named",
    ]
    assert (target["ssh"], target["target"], target["networkmode"]) == (["default"], "last", "none")
    assert (target["shm-size"], target["ulimits"]) == ("33554432", ["nofile=100:200"])
    assert target["cache-from"] == ["type=local,src=/a", "type=registry,ref=example/cache"]
    written = "type=local,dest=/b,mode=max,ignore-error=true"
    assert target["cache-to"] == [written, "type=inline"]
    idle = ("--sbom=false", "--provenance=max", "-m", "1g")
    checked = buoy.run("build", "--check", *idle, environment={"SECRET": "x"})
    assert checked.lines == ["Check complete, no warnings found."]
    warned = [line for line in checked.stderr.splitlines() if "has no effect" in line]
    assert [line.split()[1] for line in warned] == ["--memory", "--provenance"]
    buoy.write("Dockerfile", "FROM busybox\nCMD x\n")
    found = buoy.run("image", "build", "--call=check", "--cache-from", "type=gha", ".", check=False)
    assert "--cache-from is not for `type=gha`: it has no effect" in found.stderr
    assert (found.exit_code, found.lines[0]) == (1, "WARNING: JSONArgsRecommended")
    assert found.lines[-1] == "Check complete, 1 warning has been found!"
