"""What config.json asks for is what there is inside; what cannot be had is refused by name."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.kernel import capabilities
from tests import leaks
from tests.engine.oci.runtime import LIMIT_S
from tests.marks import needs_root

if TYPE_CHECKING:
    from tests.engine.oci.runtime import Runtime

pytestmark = needs_root

IDS = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def link(pid: int | str, name: str) -> str:
    return str(Path(f"/proc/{pid}/ns/{name}").readlink())


def namespaces(config: dict[str, Any], **changes: str | None) -> dict[str, Any]:
    """kind="" : a new one; a path: joined; None: left out."""
    found = {entry["type"]: entry for entry in config["linux"]["namespaces"]}
    for kind, path in changes.items():
        found.pop(kind, None)
        if path is not None:
            found[kind] = {"type": kind, "path": path} if path else {"type": kind}
    config["linux"]["namespaces"] = list(found.values())
    return config


def test_namespaces_are_new_shared_or_joined(either: Runtime) -> None:
    other = either.start(either.config("sleep", "1000"))
    pid = either.state(other)["pid"]
    kinds = {"network": "net", "ipc": "ipc", "uts": "uts", "pid": "pid", "cgroup": "cgroup"}
    script = f"for n in {' '.join(kinds.values())} mnt; do readlink /proc/self/ns/$n; done"
    joined = namespaces(
        either.sh(script),
        **{kind: f"/proc/{pid}/ns/{name}" for kind, name in kinds.items()},
    )
    del joined["hostname"]
    theirs = [link(pid, name) for name in (*kinds.values(), "mnt")]
    found = either.run(joined).lines
    assert found[:-1] == theirs[:-1]
    assert found[-1] != theirs[-1]
    shared = namespaces(either.sh(script), **dict.fromkeys(kinds))
    del shared["hostname"]
    own = [link("self", name) for name in kinds.values()]
    assert either.run(shared).lines[:-1] == own
    new = either.run(either.sh(script)).lines
    assert not set(new) & {*own, *theirs}


def test_a_user_namespace_maps_ids(oci: Runtime) -> None:
    script = "id -u; cat /proc/self/uid_map; echo x > /tmp/x && stat -c %u /tmp/x; ls -l /dev/null"
    config = namespaces(oci.sh(script), user="")
    config["linux"] |= {"uidMappings": IDS, "gidMappings": IDS}
    config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
    done = oci.run(config)
    assert (done.code, done.stderr) == (0, "")
    uid, mapped, owner, null = done.lines
    assert (uid, mapped.split(), owner) == ("0", ["0", "100000", "65536"], "0")
    assert null.startswith("crw-rw-rw-")


def test_an_exec_joins_the_user_namespace(oci: Runtime) -> None:
    config = namespaces(oci.config("sleep", "1000"), user="")
    config["linux"] |= {"uidMappings": IDS, "gidMappings": IDS}
    name = oci.start(config)
    assert Path(f"/proc/{oci.state(name)['pid']}").stat().st_uid == 100000
    done = oci.ok(
        "exec", name, "sh", "-c", "id -u; cat /proc/self/uid_map; readlink /proc/self/ns/user"
    )
    pid = oci.state(name)["pid"]
    assert done.lines[0] == "0"
    assert done.lines[1].split() == ["0", "100000", "65536"]
    assert done.lines[2] == link(pid, "user")


def test_a_time_namespace_has_offsets(oci: Runtime) -> None:
    config = namespaces(oci.config("cat", "/proc/uptime"), time="")
    config["linux"]["timeOffsets"] = {"boottime": {"secs": 1_000_000}}
    assert float(oci.run(config).stdout.split()[0]) > 1_000_000


def test_who_it_is_and_what_it_may(either: Runtime) -> None:
    some = ["CAP_CHOWN", "CAP_NET_BIND_SERVICE"]
    config = either.sh(
        "id; umask; ulimit -n; cat /proc/self/status /proc/self/oom_score_adj; pwd; env; hostname"
    )
    config["process"] |= {
        "user": {"uid": 1000, "gid": 50, "additionalGids": [7, 8], "umask": 0o77},
        "capabilities": {
            **dict.fromkeys(("bounding", "effective", "permitted", "inheritable"), some),
            "ambient": some[1:],
        },
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}],
        "oomScoreAdj": 500,
        "cwd": "/tmp",
        "env": ["PATH=/bin", "A=1", "A=2"],
    }
    config |= {"hostname": "named", "domainname": "some.where"}
    if either.command == ("runc",):  # 1.1 does not know it
        del config["domainname"]
    lines = either.run(config).lines
    assert lines[0] == "uid=1000(app) gid=50(staff) groups=7,8"
    assert lines[1:3] == ["0077", "100"]
    assert lines[-1] == "named"
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    masks = [status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")]
    assert [int(mask, 16) for mask in masks] == [0x401, 0x400, 0x400, 0x401, 0x400]
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "0")
    assert {"500", "/tmp", "A=2", "HOME=/home/app"} <= set(lines)


def test_a_capability_that_cannot_be_had_is_a_warning(oci: Runtime) -> None:
    lacking = [n for n in capabilities.NAMES if n not in capabilities.bounding()]
    wanted = [*(f"CAP_{name}" for name in lacking), "CAP_OF_NO_KIND", "CAP_CHOWN"]
    config = oci.config("grep", "CapEff", "/proc/self/status")
    sets = dict.fromkeys(("bounding", "effective", "permitted"), wanted)
    done = oci.run(config | {"process": config["process"] | {"capabilities": sets}})
    assert int(done.stdout.split()[1], 16) == 1
    assert "CAP_OF_NO_KIND cannot be granted here" in done.stderr


def test_how_it_is_scheduled(oci: Runtime) -> None:
    script = "cut -d' ' -f19,41 /proc/self/stat; ionice -p $$; uname -m"
    config = oci.sh(script)
    config["process"] |= {
        "scheduler": {"policy": "SCHED_BATCH", "nice": 5},
        "ioPriority": {"class": "IOPRIO_CLASS_IDLE", "priority": 0},
    }
    config["linux"]["personality"] = {"domain": "LINUX32"}
    nice_and_policy, io_class, machine = oci.run(config).lines
    assert nice_and_policy == "5 3"
    assert io_class.startswith("idle")
    assert machine in ("i686", "armv8l", os.uname().machine)
    assert machine != "x86_64"


def test_settings_of_the_kernel(either: Runtime) -> None:
    config = either.sh("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax")
    config["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1", "kernel.shmmax": "12345"}
    assert either.run(config).lines == ["1", "12345"]


@pytest.mark.parametrize("name", ["net.ipv4.ip_forward", "kernel.shmmax", "vm.swappiness"])
def test_settings_of_the_host_are_not_for_containers(either: Runtime, name: str) -> None:
    config = namespaces(either.config("true"), network=None, ipc=None)
    config["linux"]["sysctl"] = {name: "1"}
    done = either.run(config)
    assert done.code == 1
    assert name in done.stderr


def test_paths_are_masked_and_read_only(either: Runtime) -> None:
    script = "cat /etc/passwd | wc -c; ls /home | wc -l; echo x > /tmp/x; echo x > /var/tmp/x; true"
    config = either.sh(script)
    config["root"]["readonly"] = False
    config["linux"] |= {"maskedPaths": ["/etc/passwd", "/home"], "readonlyPaths": ["/tmp", "/no"]}
    config["mounts"].append({"destination": "/var/tmp", "type": "tmpfs", "source": "tmpfs"})
    done = either.run(config)
    assert done.lines == ["0", "0"]
    assert done.stderr.count("Read-only file system") == 1


def test_mounts_with_their_options(either: Runtime) -> None:
    place = either.root.parent / "given"
    place.mkdir()
    (place / "file").write_text("content")
    config = either.sh("cat /proc/self/mountinfo; ls -l /etc/group /mnt/file /up")
    config["mounts"] += [
        {
            "destination": "/mnt",
            "source": str(place),
            "type": "bind",
            "options": ["rbind", "ro", "nodev", "noexec"],
        },
        {
            "destination": "/a/b",
            "type": "tmpfs",
            "source": "named",
            "options": ["size=64k", "mode=700", "nosuid"],
        },
        {"destination": "/up", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]},
        {"destination": "/shared", "source": str(place), "options": ["bind", "rshared"]},
    ]
    config["root"]["readonly"] = False
    rows = [line.split() for line in either.run(config).lines]
    mounts = {row[4]: row for row in rows if len(row) > 6 and "-" in row[6:9]}
    assert {"ro", "nodev", "noexec"} <= set(mounts["/mnt"][5].split(","))
    tmpfs = mounts["/a/b"]
    assert (tmpfs[tmpfs.index("-") + 2], "nosuid" in tmpfs[5]) == ("named", True)
    assert "size=64k,mode=700" in tmpfs[-1]
    assert mounts["/shared"][6].startswith("shared:")
    assert any(row[-1] == "/mnt/file" for row in rows)


def test_the_propagation_of_the_root(oci: Runtime) -> None:
    for asked, shown in (("private", "-"), ("shared", "shared:"), ("unbindable", "unbindable")):
        config = oci.sh("head -n1 /proc/self/mountinfo")
        config["linux"]["rootfsPropagation"] = asked
        done = oci.run(config)
        assert done.stdout.split()[6].startswith(shown), done


def test_devices_are_made_and_allowed(either: Runtime) -> None:
    config = either.sh(
        "ls -l /dev/there /dev/sub/pipe; head -c 3 /dev/there | wc -c; echo > /dev/full"
    )
    config["linux"]["devices"] = [
        {
            "path": "/dev/there",
            "type": "c",
            "major": 1,
            "minor": 5,
            "fileMode": 0o640,
            "uid": 3,
            "gid": 4,
        },
        {"path": "/dev/sub/pipe", "type": "p", "fileMode": 0o600},
    ]
    config["linux"]["resources"]["devices"] = [{"allow": False, "access": "rwm"}]
    done = either.run(config)
    pipe, there, count = done.lines
    assert there.split()[:6] == ["crw-r-----", "1", "3", "4", "1,", "5"]
    assert pipe.startswith("prw-------")
    assert count == "3"
    assert "No space left" in done.stderr


def test_limits_are_set_and_changed(either: Runtime) -> None:
    config = either.config("sleep", "1000")
    config["linux"]["cgroupsPath"] = path = f"/buoy-test-{either.root.parent.name}/inside"
    config["linux"]["resources"] |= {"memory": {"limit": 1 << 26}, "pids": {"limit": 10}}
    name = either.start(config)
    files = [Path(f"/sys/fs/cgroup/{n}{path}") for n in ("memory", "pids", "cpu")]
    assert str(either.state(name)["pid"]) in (files[1] / "cgroup.procs").read_text().split()
    read = [files[0] / "memory.limit_in_bytes", files[1] / "pids.max", files[2] / "cpu.shares"]
    assert [file.read_text().strip() for file in read[:2]] == [str(1 << 26), "10"]
    either.ok("update", "--pids-limit", "20", "--cpu-share", "512", name)
    assert [file.read_text().strip() for file in read] == [str(1 << 26), "20", "512"]
    either.ok("update", "--resources", "-", name, stdin=json.dumps({"memory": {"limit": 1 << 27}}))
    assert read[0].read_text().strip() == str(1 << 27)
    either.ok("delete", "--force", name)
    assert not any(file.exists() for file in files)
    for parent in leaks.cgroups_at(str(Path(path).parent.relative_to("/"))):
        parent.rmdir()


def test_a_profile_of_seccomp(either: Runtime) -> None:
    config = either.sh("mkdir /tmp/x; hostname other; chmod 700 /; grep Seccomp: /proc/self/status")
    config["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        "syscalls": [
            {
                "names": ["mkdir", "mkdirat", "nosuchcall"],
                "action": "SCMP_ACT_ERRNO",
                "errnoRet": 28,
            },
            {
                "names": ["chmod", "fchmodat"],
                "action": "SCMP_ACT_ERRNO",
                "args": [{"index": 1, "value": 0o700, "op": "SCMP_CMP_EQ"}],
            },
        ],
    }
    done = either.run(config)
    assert "No space left on device" in done.stderr
    assert "chmod: /: Operation not permitted" in done.stderr
    assert done.stdout == "Seccomp:\t2\n"


RECEIVE, ANSWER = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_RECV, _SEND


def answer_one(listener: socket.socket, error: int) -> dict[str, Any]:
    """Be the agent of one process: refuse what it asks for first, and tell who it is."""
    peer, _ = listener.accept()
    with peer:
        message, fds, _, _ = socket.recv_fds(peer, 65536, 1)
    asked = bytearray(80)
    fcntl.ioctl(fds[0], RECEIVE, asked)
    fcntl.ioctl(fds[0], ANSWER, asked[:8] + struct.pack("=qiI", 0, -error, 0))
    os.close(fds[0])
    told: dict[str, Any] = json.loads(message)
    return told


def test_calls_are_left_to_a_listener(oci: Runtime) -> None:
    """Also sendmsg: the filter does not hold for the call that hands its descriptor over."""
    config = oci.sh("mkdir /tmp/x; sleep 1000")
    path = str(oci.root.parent / "agent")
    config["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "listenerPath": path,
        "listenerMetadata": "about",
        "syscalls": [{"names": ["mkdir", "mkdirat", "sendmsg"], "action": "SCMP_ACT_NOTIFY"}],
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen()
        listener.settimeout(LIMIT_S)
        name = oci.start(config)
        pid = oci.state(name)["pid"]
        told = answer_one(listener, 28)
        assert (told["pid"], told["metadata"], told["fds"]) == (pid, "about", ["seccompFd"])
        assert (told["state"]["id"], told["state"]["pid"]) == (name, pid)
        command = [*oci.command, "--root", str(oci.root), "exec", name, "mkdir", "/tmp/y"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
            answered = answer_one(listener, 122)
            assert answered["pid"] not in (pid, running.pid)
            assert running.stderr is not None
            assert "uota exceeded" in running.stderr.read()
        assert running.returncode == 1


@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_a_filter_is_in_nobodys_way_before_the_program(
    oci: Runtime, no_new_privileges: bool
) -> None:
    """All that it lets through is what a static `true` needs, and what drops the last right."""
    needed = "execve exit exit_group brk arch_prctl capset prctl set_tid_address set_robust_list"
    more = (
        "rseq prlimit64 readlinkat readlink getrandom mprotect getuid uname newfstatat getpid ioctl"
    )
    config = oci.config("true", noNewPrivileges=no_new_privileges)
    config["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_KILL_PROCESS",
        "syscalls": [{"names": [*needed.split(), *more.split()], "action": "SCMP_ACT_ALLOW"}],
    }
    assert oci.run(config).code == 0


def all_of(master: int) -> bytes:
    """What was written to a terminal that nobody has open any more: it comes in pieces."""
    pieces = b""
    with contextlib.suppress(OSError):  # EIO, at the end
        while piece := os.read(master, 1000):
            pieces += piece
    return pieces


def test_a_terminal_goes_to_the_console_socket(either: Runtime) -> None:
    path = str(either.root.parent / "console")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen()
        config = either.sh("tty; stty size; test -t 0 && exit 5", terminal=True)
        if either.command != ("runc",):  # it sets the size at start
            config["process"]["consoleSize"] = {"height": 30, "width": 100}
        name = either.create(config, "--console-socket", path)
        peer, _ = listener.accept()
        with peer:
            message, fds, _, _ = socket.recv_fds(peer, 100, 1)
    assert len(message) > 0
    either.ok("start", name)
    either.wait(name)
    said = all_of(fds[0]).decode().split()
    os.close(fds[0])
    assert said[0] == "/dev/pts/0"
    if either.command != ("runc",):
        assert said[1:] == ["30", "100"]


def test_a_terminal_needs_somebody_to_take_it(either: Runtime) -> None:
    bundle = str(either.bundle(either.config("true", terminal=True)))
    done = either("create", "--bundle", bundle, either.new_id())
    assert (done.code, "cannot allocate tty" in done.stderr) == (1, True)


def change(path: str, value: object) -> dict[str, Any]:
    *parents, last = path.split(".")
    found: dict[str, Any] = {last: value}
    for parent in reversed(parents):
        found = {parent: found}
    return found


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            merged(base[key], value)
        else:
            base[key] = value
    return base


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("linux.intelRdt", {"closID": "x"}),
        ("linux.netDevices", {"eth9": {}}),
        ("linux.memoryPolicy", {"mode": "MPOL_BIND"}),
        ("linux.mountLabel", "system_u:object_r:x:s0"),
        ("linux.personality", {"domain": "LINUX", "flags": ["X"]}),
        ("linux.rootfsPropagation", "sideways"),
        ("linux.cgroupsPath", "system.slice:buoy:x"),
        ("linux.seccomp", {"defaultAction": "SCMP_ACT_WHATEVER"}),
        ("linux.seccomp.defaultAction", 3),
        ("linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"]}]}),
        ("linux.resources", {"rdma": {"mlx5_1": {"hcaHandles": 3}}}),
        ("linux.resources.memory", 3),
        ("linux.resources.devices", [{"access": "rwm"}]),
        ("linux.resources.hugepageLimits", [{"pageSize": "2MB"}]),
        ("process.user.additionalGids", ["wheel"]),
        ("process.selinuxLabel", "system_u:system_r:x:s0"),
        ("process.apparmorProfile", "some-profile"),
        ("process.scheduler", {"policy": "SCHED_SOON"}),
        ("vm", {"kernel": {"path": "/x"}}),
        ("ociVersion", "2.0.0"),
        ("root.path", "/no/such/directory"),
        ("process.args", []),
        ("process.args", "sh"),
        ("process.cwd", "relative"),
        ("process.rlimits", [{"type": "RLIMIT_FUN", "soft": 1, "hard": 1}]),
        ("linux.namespaces", [{"type": "pid"}]),
        ("linux.namespaces", [{"type": "mount"}, {"type": "moon"}]),
        ("linux.devices", [{"path": "/dev/x", "type": "q"}]),
        ("hooks", {"prestart": [{"path": "relative"}]}),
    ],
)
def test_what_cannot_be_done_is_named(oci: Runtime, path: str, value: object) -> None:
    config = merged(oci.config("true"), change(path, value))
    done = oci("create", "--bundle", str(oci.bundle(config)), oci.new_id())
    assert done.code == 1
    assert f"config.json: {path}" in done.stderr, done
