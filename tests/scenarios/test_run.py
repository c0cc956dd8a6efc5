"""`buoy run`: one-off containers of a service."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from compose.reconcile import names
from tests.marks import needs_root
from tests.scenarios.test_foreground import read_until
from tests.waiting import LIMIT_S

if TYPE_CHECKING:
    from engine import Engine
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

PROJECT = """
services:
  web:
    image: busybox
    command: echo the command
    environment: {A: "1", B: "2"}
    depends_on:
      db: {condition: service_healthy}
    ports: ["0:80"]
    volumes: ["data:/data"]
    restart: always
    container_name: fixed
    logging: {driver: none}
  db:
    image: busybox
    command: sh -c 'sleep 0.3; touch /up; exec sleep 1000'
    healthcheck:
      {test: "test -e /up", interval: 0.1s, start_period: 100s, start_interval: 0.1s}
    stop_grace_period: 0s
volumes: {data: }
"""
ALONE = """
services:
  a:
    image: busybox
    stop_grace_period: 0s
    stdin_open: false
"""


def test_it_runs_beside_the_service_with_what_it_needs(buoy: Buoy, engine: Engine) -> None:
    buoy.write("compose.yaml", PROJECT)
    done = buoy.run("run", "web")
    assert done.stdout == "the command\n"
    assert "db-1  Healthy" in done.stderr or "db-1  Started" in done.stderr
    (container,) = engine.containers.list({names.ONE_OFF: "True"})
    assert container.name == f"app-web-run-{container.labels[names.SLUG]}"
    assert (container.status, container.restart_count) == ("exited", 0)
    assert "fixed" not in buoy.run("ps", "-a", "--services").stdout
    assert buoy.run("ps", "--services").lines == ["db"]
    buoy.run("down", "-t", "0", "--remove-orphans")
    assert engine.containers.list() == []


def test_what_is_asked_for_counts_above_the_service(buoy: Buoy, engine: Engine) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.write("more.env", "B=file\nC=file\n")
    script = 'echo $A $B $C "$(id -u)" "$(pwd)"; ls /data /more; cat; exit 7'
    buoy.write("dir/found", "")
    changes = ("-e", "A=0", "--env-from-file", "more.env", "-u", "app", "-w", "/tmp")
    mounts = ("-v", f"{buoy.directory}/dir:/data:ro", "-v", "/more", "--name", "mine")
    labels = ("-l", "x=y", "--no-deps", "--entrypoint", "sh -c")
    done = buoy.run("run", *changes, *mounts, *labels, "web", script, input="in", check=False)
    assert done.exit_code == 7
    assert done.stdout == "0 file file 1000 /tmp\n/data:\nfound\n\n/more:\nin"
    mine = engine.containers.get("mine")
    assert (mine.labels["x"], mine.ports) == ("y", ())
    assert buoy.run("ps", "--services").lines == []


def test_with_rm_nothing_is_left(buoy: Buoy, engine: Engine) -> None:
    buoy.write("compose.yaml", ALONE)
    assert buoy.run("run", "--rm", "-v", "/x", "a", "true").exit_code == 0
    assert buoy.run("run", "--rm", "a", "no-such", check=False).exit_code == 127
    assert buoy.run("run", "--rm", "a", "/etc", check=False).exit_code == 126
    assert engine.containers.list() == []
    assert engine.volumes.list() == []
    assert buoy.run("run", "-p", "80", "-P", "a", check=False).exit_code == 1
    for keys in (("-w", "/etc/passwd"), ("-u", "nobody-knows"), ("--name", "-")):
        assert buoy.run("run", "--rm", *keys, "a", "true", check=False).exit_code == 125, keys


def test_what_it_cannot_have_is_said(buoy: Buoy, engine: Engine) -> None:
    buoy.write("compose.yaml", ALONE)
    for asked, said in (
        (("-p", "80/sctp"), "no SCTP"),
        (("-v", "/etc:/x:sometimes"), "there is no option `sometimes` of a mount"),
    ):
        done = buoy.run("run", *asked, "a", "true", check=False)
        assert (done.exit_code, said in done.stderr) == (125, True), done.stderr
    assert engine.containers.list() == []


def test_addresses_of_the_service_are_not_its_own(buoy: Buoy) -> None:
    text = "networks: {six: {enable_ipv6: true, ipam: {config: [{subnet: 'fd00:76::/64'}]}}}\n"
    place = "    networks: {six: {ipv6_address: 'fd00:76::7', link_local_ips: [169.254.7.7]}}\n"
    buoy.write("compose.yaml", ALONE + "    command: sleep 1000\n" + place + text)
    buoy.run("up", "-d")
    shown = buoy.run("run", "--rm", "a", "ip", "addr").stdout
    assert "fd00:76::" in shown
    assert "fd00:76::7/" not in shown
    assert "169.254.7.7" not in shown


def test_a_dry_run_starts_nothing(buoy: Buoy, engine: Engine) -> None:
    buoy.write("compose.yaml", PROJECT)
    done = buoy.run("--dry-run", "run", "web")
    assert all(line.startswith("DRY-RUN MODE - ") for line in done.lines)
    assert done.lines[-1] == "DRY-RUN MODE - run a container of web"
    assert any("start container db-1" in line for line in done.lines)
    assert engine.containers.list() == []


def test_orphans_are_removed_where_nothing_else_is_needed(buoy: Buoy) -> None:
    buoy.write("compose.yaml", ALONE + "    command: sleep 1000\n")
    buoy.run("up", "-d")
    buoy.write("compose.yaml", ALONE.replace(" a:", " b:"))
    buoy.run("run", "--rm", "b", "true")
    assert buoy.run("ps", "--services").lines == ["a"]
    buoy.run("run", "--rm", "--remove-orphans", "b", "true")
    assert buoy.run("ps", "--services").lines == []


def test_quietly_it_shows_what_the_command_writes(buoy: Buoy) -> None:
    recipe = "FROM busybox\\nRUN echo much"
    buoy.write("compose.yaml", f'services: {{a: {{build: {{dockerfile_inline: "{recipe}"}}}}}}')
    assert "much" in buoy.run("run", "--rm", "a", "true").stderr
    less = buoy.run("run", "--rm", "--build", "--quiet-build", "a", "true").stderr
    assert less == " Image app-a  Building\n Image app-a  Built\n"
    done = buoy.run("run", "--rm", "-q", "--build", "a", "echo", "this")
    assert (done.stdout, done.stderr) == ("this\n", "")


def test_an_image_that_cannot_be_had_is_a_failure_of_the_engine(buoy: Buoy) -> None:
    buoy.write("compose.yaml", "services: {a: {image: 'localhost:1/none', pull_policy: never}}\n")
    assert buoy.run("run", "a", check=False).exit_code == 125


def test_in_the_background_its_id_is_printed(buoy: Buoy, engine: Engine) -> None:
    buoy.write("compose.yaml", ALONE)
    done = buoy.run("run", "-d", "-p", "0:80", "a", "sleep", "1000")
    container = engine.containers.get(done.stdout.strip())
    assert container.status == "running"
    assert {port.target for port in container.ports} == {80}


def test_all_of_a_large_output_comes_however_slow_we_are(buoy: Buoy) -> None:
    """Its program waits for us: `run db dump > file` is to be whole."""
    buoy.write("compose.yaml", ALONE)
    process = buoy.start("run", "--rm", "a", "seq", "500000", stderr=subprocess.PIPE)
    read_until(process, "100")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)  # it cannot have ended: nobody has taken the rest
    assert process.stdout is not None
    rest = process.stdout.read()
    assert rest.splitlines() == [str(number) for number in range(101, 500_001)]
    process.communicate()
    assert process.returncode == 0


def test_signals_go_to_the_container(buoy: Buoy) -> None:
    buoy.write("compose.yaml", ALONE)
    script = "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.05; done"
    process = buoy.start("run", "--rm", "a", "sh", "-c", script)
    read_until(process, "ready")
    process.send_signal(signal.SIGINT)
    assert read_until(process, "caught")
    assert process.wait(LIMIT_S) == 9
    process.communicate()


def test_on_a_terminal_it_is_interactive(buoy: Buoy, engine: Engine) -> None:
    buoy.write("compose.yaml", ALONE)
    terminal = buoy.on_terminal(
        "run", "--rm", "a", "sh", "-c", "until stty size | grep 111; do :; done; exec sh"
    )
    terminal.expect(b"33 111\r\n")
    terminal.send(b"tty\r")
    terminal.expect(b"/dev/pts/0\r\n")
    terminal.send(b"exit 6\r")
    assert terminal.end() == 6
    assert engine.containers.list() == []


def test_left_by_keys_it_runs_on(buoy: Buoy, engine: Engine) -> None:
    buoy.write("compose.yaml", ALONE)
    terminal = buoy.on_terminal("run", "--name", "kept", "a", "sh")
    terminal.expect(b"# ")
    terminal.send(b"\x10\x11")
    assert terminal.end() == 0
    assert engine.containers.get("kept").status == "running"


def test_without_a_terminal_input_ends_with_ours(buoy: Buoy) -> None:
    buoy.write("compose.yaml", ALONE)
    data = "".join(f"{number}\n" for number in range(100_000))
    assert buoy.run("run", "--rm", "-T", "a", "cat", input=data).stdout == data
    assert buoy.run("run", "--rm", "--no-interactive", "a", "cat", input="x").stdout == ""
