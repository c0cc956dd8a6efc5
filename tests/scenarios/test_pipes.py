"""What is piped into `exec`, and output that nobody reads to its end."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root
from tests.scenarios.conftest import COMMAND, TIMEOUT_S
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

NOISY = """
services:
  web: {image: busybox, command: "sh -c 'seq 100000; exec sleep 1000'", stop_grace_period: 0s}
"""


@pytest.fixture
def noisy(buoy: Buoy) -> Buoy:
    buoy.write("compose.yaml", NOISY)
    return buoy


def shell(buoy: Buoy, line: str) -> tuple[str, str, list[str]]:
    """Output and errors of a pipeline, and the exit codes of its parts; `buoy` is the command."""
    done = subprocess.run(
        ["bash", "-c", f'buoy() {{ "$0" "$@"; }}; {line}; echo "${{PIPESTATUS[@]}}"', COMMAND],
        cwd=buoy.directory,
        env=buoy.environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    *output, codes = done.stdout.splitlines()
    return "\n".join(output), done.stderr, codes.split()


def test_output_that_is_cut_off_leaves_no_traceback(noisy: Buoy) -> None:
    noisy.run("up", "-d")
    assert eventually(lambda: "100000" in noisy.run("logs", "-n", "1").stdout)  # more than a pipe
    for verb in ("logs", "logs -f", "exec -T web yes"):
        output, errors, codes = shell(noisy, f"buoy {verb} | head -n 1")
        assert (output[-1], errors, codes) == ("y" if "yes" in verb else "1", "", ["141", "0"])


def test_an_up_that_nobody_reads_leaves_its_containers_running(noisy: Buoy) -> None:
    output, errors, codes = shell(noisy, "buoy up | head -n 1")
    assert (output, codes) == ("web-1  | 1", ["141", "0"])
    assert "Traceback" not in errors
    assert noisy.run("ps", "--services").lines == ["web"]


def test_a_follower_in_the_background_of_a_script_is_ended_by_a_signal(noisy: Buoy) -> None:
    noisy.run("up", "-d")
    for signal in ("TERM", "INT"):
        line = '>out; "$0" logs -f >out & until grep -q 100000 out; do sleep 0.05; done'
        assert shell(noisy, f"{line}; kill -{signal} $!; wait $!")[1:] == ("", ["130"])


def test_exec_reads_pipes_and_files(noisy: Buoy) -> None:
    noisy.run("up", "-d")
    noisy.write("input", "x" * 300_000)
    count = "exec -T web wc -c"
    assert shell(noisy, f"cat input | buoy {count}")[0].strip() == "300000"
    assert shell(noisy, f"buoy {count} <input")[0].strip() == "300000"
    assert shell(noisy, f"buoy {count} </dev/null")[0].strip() == "0"
    assert shell(noisy, "buoy exec -T web true <input")[2] == ["0"]


def test_ctrl_c_on_a_terminal_goes_to_what_exec_runs(noisy: Buoy) -> None:
    noisy.run("up", "-d")
    script = "trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.05; done"
    terminal = noisy.on_terminal("exec", "web", "sh", "-c", script)
    terminal.expect(b"ready")
    terminal.send(b"\x03")
    terminal.expect(b"caught")
    assert terminal.end() == 5
