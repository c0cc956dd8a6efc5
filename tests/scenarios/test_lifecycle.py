"""The everyday life of a project, through the command."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root
from tests.scenarios.test_following import written_in_turn
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

TWO = """
services:
  db:
    image: busybox
    command: sh -c 'echo ready; exec sleep 1000'
    stop_grace_period: 0s
  web:
    image: busybox
    command: sh -c 'echo serving; exec sleep 1000'
    depends_on: [db]
    stop_grace_period: 0s
"""


def ids(buoy: Buoy, *args: str) -> dict[str, str]:
    """Name -> id of the containers that `ps` shows."""
    rows = map(json.loads, buoy.run("ps", "--format", "json", "--no-trunc", *args).lines)
    return {row["Name"]: row["ID"] for row in rows}


def address_of(buoy: Buoy, service: str) -> str:
    """A container's address as it sees it itself."""
    return buoy.run("exec", "-T", service, "hostname", "-i").stdout.strip()


def test_up_ps_logs_exec_down(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TWO)
    up = buoy.run("up", "-d")
    assert " Network app_default  Created" in up.stderr
    assert " Container web-1  Started" in up.stderr
    rows = buoy.run("ps").lines
    assert rows[0].split() == "NAME IMAGE COMMAND SERVICE CREATED STATUS PORTS".split()  # noqa: SIM905
    assert [row.split()[0] for row in rows[1:]] == ["app-db-1", "app-web-1"]
    assert "Up " in rows[1]
    written = {"db-1   | ready", "web-1  | serving"}
    assert eventually(lambda: set(buoy.run("logs").lines) == written)
    assert buoy.run("exec", "-T", "web", "hostname").stdout.strip() == ids(buoy)["app-web-1"][:12]
    assert buoy.run("exec", "-T", "web", "sh", "-c", "exit 7", check=False).exit_code == 7
    down = buoy.run("down")
    assert " Container db-1  Removed" in down.stderr
    assert " Network app_default  Removed" in down.stderr
    assert buoy.run("ps", "-aq").stdout == ""


def test_up_again_changes_nothing(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TWO)
    buoy.run("up", "-d")
    before = ids(buoy)
    again = buoy.run("up", "-d")
    assert again.stderr == " Container db-1  Running\n Container web-1  Running\n"
    assert ids(buoy) == before
    assert buoy.run("plan").stdout == "nothing to do\n"


def test_a_changed_service_alone_is_recreated_and_keeps_its_address(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TWO)
    buoy.run("up", "-d")
    before, address = ids(buoy), address_of(buoy, "web")
    buoy.write("compose.yaml", TWO.replace("echo serving", "echo changed"))
    plan = buoy.run("plan").lines
    assert plan[0] == "#1 recreate container web-1: configuration changed: command"
    buoy.run("up", "-d")
    after = ids(buoy)
    assert after["app-db-1"] == before["app-db-1"]
    assert after["app-web-1"] != before["app-web-1"]
    assert address_of(buoy, "web") == address
    assert eventually(lambda: buoy.run("logs", "web").lines == ["web-1  | changed"])


def test_force_recreate_and_no_recreate(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TWO)
    buoy.run("up", "-d")
    before = ids(buoy)
    buoy.run("up", "-d", "--force-recreate", "web")
    forced = ids(buoy)
    assert forced["app-db-1"] == before["app-db-1"]
    assert forced["app-web-1"] != before["app-web-1"]
    buoy.write("compose.yaml", TWO.replace("echo serving", "echo changed"))
    buoy.run("up", "-d", "--no-recreate")
    assert ids(buoy) == forced


def test_scaling_up_and_down(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TWO)
    buoy.run("up", "-d", "--scale", "web=3")
    assert set(ids(buoy)) == {"app-db-1", "app-web-1", "app-web-2", "app-web-3"}
    buoy.run("scale", "web=2")
    assert set(ids(buoy)) == {"app-db-1", "app-web-1", "app-web-2"}
    assert buoy.run("exec", "-T", "--index", "2", "web", "true").exit_code == 0
    buoy.run("up", "-d")
    assert set(ids(buoy)) == {"app-db-1", "app-web-1"}


def test_orphans_are_named_and_removed_on_request(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TWO)
    buoy.run("up", "-d")
    buoy.write("compose.yaml", TWO.split("  web:")[0])
    assert "Found orphan containers (web-1)" in buoy.run("up", "-d").stderr
    assert "app-web-1" in ids(buoy)
    assert "app-web-1" not in ids(buoy, "--orphans=false")
    buoy.run("up", "-d", "--remove-orphans")
    assert set(ids(buoy)) == {"app-db-1"}


def test_without_a_file_labels_are_enough(buoy: Buoy) -> None:
    path = buoy.write("compose.yaml", TWO)
    buoy.run("up", "-d")
    path.unlink()
    assert len(buoy.run("-p", "app", "ps", "-q").lines) == 2
    assert eventually(lambda: "ready" in buoy.run("-p", "app", "logs", "db").stdout)
    buoy.run("-p", "app", "stop")
    assert buoy.run("-p", "app", "ps", "-q").lines == []
    buoy.run("-p", "app", "down")
    assert buoy.run("-p", "app", "ps", "-aq").lines == []


def test_stop_start_restart_kill_rm(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TWO)
    buoy.run("up", "-d")
    before = ids(buoy)
    buoy.run("stop", "web")
    assert buoy.run("ps", "--status", "exited", "--services").lines == ["web"]
    buoy.run("start")
    buoy.run("restart", "-t", "0", "web")
    assert ids(buoy) == before
    buoy.run("kill", "web")
    assert eventually(lambda: "Exited (137)" in buoy.run("ps", "-a", "web").stdout)
    assert "No container to kill" in buoy.run("kill", "web").stderr
    buoy.run("rm", "-f", "web")
    assert set(ids(buoy, "-a")) == {"app-db-1"}
    assert "No stopped containers" in buoy.run("rm", "-f").stderr


def test_words_that_mean_nothing_are_refused_before_anything_is_done(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TWO)
    buoy.run("up", "-d")
    for words, said in (
        ("kill -s NOSUCH", "error: unknown-signal\nthere is no signal `NOSUCH`"),
        ("logs --index 2 web", "service `web` has no container #2"),
        ("ls --filter name=[", "`[` is no regular expression"),
    ):
        done = buoy.run(*words.split(), check=False)
        assert (done.exit_code, said in done.stderr) == (1, True), done.stderr
    assert len(buoy.run("ps", "-q").lines) == 2


def test_a_project_that_does_not_exist_is_not_stopped_in_silence(buoy: Buoy) -> None:
    for verb in ("start", "stop", "restart"):
        done = buoy.run("-p", "nosuch", verb, check=False)
        assert (done.exit_code, "error: no-such-project" in done.stderr) == (1, True)


def test_rm_asks_and_takes_silence_for_no(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TWO)
    buoy.run("create")
    assert "Going to remove db-1, web-1" in buoy.run("rm").stderr
    assert len(ids(buoy, "-a")) == 2
    buoy.run("rm", input="y\n")
    assert ids(buoy, "-a") == {}


def test_create_starts_nothing_and_up_starts_it(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TWO)
    buoy.run("create")
    assert set(buoy.run("ps", "--status", "created", "--services").lines) == {"db", "web"}
    created = ids(buoy, "-a")
    buoy.run("up", "-d")
    assert ids(buoy) == created


def test_dry_run_changes_nothing(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TWO)
    done = buoy.run("up", "-d", "--dry-run")
    assert done.lines[0] == "DRY-RUN MODE - #1 create network app_default: missing"
    assert ids(buoy, "-a") == {}


def test_a_published_port_is_shown(buoy: Buoy) -> None:
    buoy.write(
        "compose.yaml",
        """
services:
  web:
    image: busybox
    command: sleep 1000
    ports: ["127.0.0.1::80", "127.0.0.1::53/udp", "127.0.0.2::80"]
    expose: ["80", "8000-8001"]
    stop_grace_period: 0s
""",
    )
    buoy.run("up", "-d")
    host, _, port = buoy.run("port", "web", "80").stdout.strip().rpartition(":")
    assert host == "127.0.0.1"
    ps = buoy.run("ps").stdout
    assert f"127.0.0.1:{port}->80/tcp" in ps
    assert ps.endswith(", 8000-8001/tcp\n")
    shown = buoy.run("ps", "--format", "table {{.Name}}\\t{{.ID}}\\t{{.State}}").lines
    assert shown[0].split() == ["NAME", "CONTAINER", "ID", "STATE"]
    assert shown[1].split()[::2] == ["app-web-1", "running"]
    assert buoy.run("ps", "--format", "{{.Service}}").lines == ["web"]
    buoy.run("port", "--protocol", "udp", "web", "53")
    missing = buoy.run("port", "web", "81", check=False)
    assert missing.exit_code == 1
    assert "it publishes 80/tcp, 53/udp\n" in missing.stderr
    buoy.run("stop")
    assert "tcp" not in buoy.run("ps", "-a").stdout


def test_projects_and_volumes_are_listed(buoy: Buoy) -> None:
    path = buoy.write(
        "compose.yaml",
        """
services:
  db:
    image: busybox
    command: sleep 1000
    volumes: ["data:/data"]
    stop_grace_period: 0s
volumes: {data: {}}
""",
    )
    buoy.run("up", "-d")
    listed = json.loads(buoy.run("ls", "--format", "json").stdout)
    assert listed == [{"Name": "app", "Status": "running(1)", "ConfigFiles": str(path)}]
    assert buoy.run("volume", "ls", "-q").lines == ["app_data"]
    assert buoy.run("volume", "rm", "app_data", check=False).exit_code == 1
    buoy.run("down")
    assert buoy.run("volume", "ls", "-q").lines == ["app_data"]
    buoy.run("up", "-d")
    buoy.run("down", "-v")
    assert buoy.run("volume", "ls", "-q").lines == []
    assert json.loads(buoy.run("ls", "--format", "json", "-a").stdout) == []


def test_what_is_in_volumes_survives_a_recreation(buoy: Buoy) -> None:
    text = """
services:
  db:
    image: busybox
    command: sleep 1000
    environment: {VERSION: "1"}
    volumes: ["data:/named", "/anonymous"]
    stop_grace_period: 0s
volumes: {data: {}}
"""
    buoy.write("compose.yaml", text)
    buoy.run("up", "-d")
    before = ids(buoy)
    buoy.run("exec", "-T", "db", "sh", "-c", "echo a >/named/file; echo b >/anonymous/file")
    buoy.write("compose.yaml", text.replace('"1"', '"2"'))
    buoy.run("up", "-d")
    assert ids(buoy) != before
    assert buoy.run("exec", "-T", "db", "cat", "/named/file", "/anonymous/file").stdout == "a\nb\n"
    buoy.run("down", "-v")
    assert buoy.run("volume", "ls", "-q").lines == []


def test_logs_are_merged_by_time_and_cut_by_tail(buoy: Buoy) -> None:
    written_in_turn(buoy).communicate()
    assert [line[-1] for line in buoy.run("logs").lines] == ["1", "2", "3", "4"]
    assert sorted(buoy.run("logs", "-n", "1").lines) == ["a-1  | 3", "b-1  | 4"]
    assert buoy.run("logs", "--no-log-prefix", "--tail", "1", "a").lines == ["3"]
    stamped = buoy.run("logs", "-t", "a").lines[0]
    assert stamped.startswith("a-1  | 20")
    assert stamped.endswith("Z 1")
    assert buoy.run("logs", "--since", "1h").lines == buoy.run("logs").lines
    assert buoy.run("logs", "--until", "1h").lines == []
    assert len(buoy.run("logs", "-f").lines) == 4
