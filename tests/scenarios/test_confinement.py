"""What a service may, and who it is, through the command."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root

if TYPE_CHECKING:
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

TEXT = """
services:
  app:
    image: busybox
    command: sleep 1000
    stop_grace_period: 0s
    hostname: web
    domainname: example.org
    user: "1234:56"
    group_add: [staff, "789"]
    working_dir: /made/for/it
    oom_score_adj: 321
    ulimits: {nofile: {soft: 100, hard: 200}, core: 0}
    sysctls: {net.core.somaxconn: 77, kernel.msgmax: 4096}
    cap_drop: [ALL]
    cap_add: [NET_ADMIN]
    security_opt: ["no-new-privileges:true", "seccomp=./profile.json", systempaths=unconfined]
"""
PROFILE = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"name": "mkdir", "action": "SCMP_ACT_ERRNO", "errnoRet": 28}],
}


def test_a_service_is_confined_as_the_file_says(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TEXT)
    buoy.write("profile.json", json.dumps(PROFILE))
    buoy.run("up", "-d")

    def sh(script: str) -> list[str]:
        return buoy.run("exec", "-T", "app", "sh", "-c", f"{script}; true").lines

    names = "hostname; cat /proc/sys/kernel/domainname; grep -c 'web.example.org web' /etc/hosts"
    assert sh(names) == ["web", "example.org", "1"]
    assert sh("id -u; id -g; id -G; pwd; ulimit -n; ulimit -Hn; ulimit -c") == [
        *("1234", "56", "56 50 789", "/made/for/it", "100", "200", "0"),
    ]
    assert sh("cat /proc/1/oom_score_adj /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax") == [
        *("321", "77", "4096"),
    ]
    status = dict(line.split(":\t", 1) for line in sh("cat /proc/1/status") if ":\t" in line)
    assert status["CapBnd"] == "0000000000001000"
    assert (status["CapEff"], status["NoNewPrivs"]) == ("0000000000000000", "1")
    assert status["Seccomp"] == "2"
    assert sh("mkdir /tmp/x 2>&1 | grep -c 'No space left'") == ["1"]
    assert sh("ls /proc/acpi /sys/firmware | wc -l") != ["0"]
    assert sh("stat -c %u:%a /made/for/it") == ["0:755"]
    assert buoy.run("plan").stdout == "nothing to do\n"
    buoy.write("profile.json", json.dumps(PROFILE | {"syscalls": []}))
    assert "configuration changed: security_opt" in buoy.run("plan").stdout


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ("security_opt: ['seccomp=nowhere.json']", "No such file"),
        ("security_opt: ['seccomp=compose.yaml']", "not JSON"),
        ("security_opt: [apparmor=mine]", "without AppArmor"),
        ("security_opt: [whatever]", "no security option"),
        ("sysctls: {kernel.panic: 1}", "not the container's own"),
        ("sysctls: {kernel.hostname: x}", "not the container's own"),
        ("sysctls: {net.core.nowhere: 1}", "No such file"),
        ("ulimits: {files: 1}", "no ulimit"),
        ("cap_add: [EVERYTHING]", "unknown capability"),
        ("user: nobody-knows", "no matching entries in passwd"),
        ("group_add: [nobody-knows]", "no matching entries in group"),
        ("tmpfs: '/x:sise=1m'", "no option of the tmpfs"),
        ("working_dir: /etc/passwd", "working directory"),
        ("userns_mode: private", "no namespace"),
        ("cgroup: theirs", "theirs"),
    ],
)
def test_what_cannot_be_is_told_with_its_place(buoy: Buoy, keys: str, what: str) -> None:
    said = buoy.refused(keys)
    assert what in said
    assert "compose.yaml:4:" in said


def test_ids_of_their_own_are_for_all_but_who_stays_out(buoy: Buoy) -> None:
    text = """
    services:
      own: {image: busybox, command: sleep 1000, stop_grace_period: 0s, volumes: ["v:/home/app"]}
      out:
        image: busybox
        command: sleep 1000
        stop_grace_period: 0s
        userns_mode: host
        volumes: ["v:/home/app"]
    volumes: {v: }
    """
    buoy.write("compose.yaml", text)
    remapped = {"BUOY_USERNS_REMAP": "300000:65536"}
    buoy.run("up", "-d", environment=remapped)
    for service, first in (("own", "300000"), ("out", "0")):
        script = "cat /proc/self/uid_map; stat -c %u /home/app"
        words = buoy.run("exec", "-T", service, "sh", "-c", script).stdout.split()
        assert (words[1], words[3]) == (first, "1000")
    assert buoy.run("up", "-d").stderr.count("Running") == 2
    buoy.write("compose.yaml", text.replace("own: {", "own: {privileged: true, "))
    done = buoy.run("up", "-d", check=False, environment=remapped)
    assert "userns-remap" in done.stderr
    assert "compose.yaml:3:7" in done.stderr
