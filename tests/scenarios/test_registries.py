"""`buoy push`, `image pull`, `image push`, `login` and `logout`."""

from __future__ import annotations

import base64
import json
import random
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.images.manifest import OCI_MANIFEST
from tests.engine.images.registry import Registry, once
from tests.engine.images.tars import ARCHITECTURE, build, digest, file, tar
from tests.marks import needs_root
from tests.scenarios.conftest import COMMAND
from tests.waiting import LIMIT_S, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.engine.images.registry.server import Handler
    from tests.scenarios.conftest import Buoy

pytestmark = needs_root


@pytest.fixture
def registry(buoy: Buoy) -> Iterator[Registry]:
    """One that wants no password; the user has none."""
    buoy.environment["DOCKER_CONFIG"] = str(buoy.directory.parent / "docker")
    with Registry() as registry:
        yield registry


def written(buoy: Buoy, registry: Registry) -> str:
    """A project with an image to push under two names, and others that are not pushed."""
    name = f"{registry.host}/me/web"
    services = {
        "web": {"image": f"{name}:1", "build": {"context": ".", "tags": [f"{name}:two"]}},
        "nameless": {"build": "."},
        "other": {"image": "busybox"},
    }
    buoy.write("compose.yaml", json.dumps({"services": services}))
    buoy.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /a\n")
    return name


def test_what_is_built_is_pushed_under_all_its_names(buoy: Buoy, registry: Registry) -> None:
    name = written(buoy, registry)
    assert f"#2 push image {name}:two" in buoy.run("push", "--dry-run").stdout
    done = buoy.run("push", check=False)
    assert done.exit_code == 1
    assert "no-such-image" in done.stderr
    buoy.run("build", "web")
    lines = buoy.run("push").stderr.splitlines()
    assert {" nameless  Skipped", " other  Skipped"} < set(lines)
    assert {f" Image {name}:1  Pushed", f" Image {name}:two  Pushed"} < set(lines)
    first, second = (registry.content[f"/v2/me/web/manifests/{tag}"] for tag in ("1", "two"))
    assert first == second
    assert registry.uploads == {}
    assert buoy.run("push", "-q").stderr == ""


def test_a_failed_push_does_not_stop_the_others(buoy: Buoy, registry: Registry) -> None:
    name = written(buoy, registry)
    buoy.run("build", "web")
    denied = b'{"errors":[{"message":"read only"}]}'
    registry.faults.append(lambda h: h.bare_path.endswith("/manifests/1") and h.answer(403, denied))
    done = buoy.run("push", "web", check=False)
    assert done.exit_code == 1
    assert "read only" in done.stderr
    assert f" Image {name}:two  Pushed" in done.stderr.splitlines()
    assert buoy.run("push", "web", "--ignore-push-failures").exit_code == 0


def test_builds_are_pushed_if_they_have_names(buoy: Buoy, registry: Registry) -> None:
    written(buoy, registry)
    done = buoy.run("build", "--push", check=False)
    assert "no-image-name" in done.stderr
    assert "compose.yaml:" in done.stderr
    assert buoy.run("image", "ls", "-q").lines == []  # nothing was built
    buoy.run("build", "--push", "web")
    assert "/v2/me/web/manifests/two" in registry.content


def test_an_image_is_pulled_and_pushed_with_dockers_words(buoy: Buoy, registry: Registry) -> None:
    built = build([tar(file("a", "a"))])
    reference = registry.put("a/b", "1", built)
    pulled = buoy.run("image", "pull", reference)
    layer = json.loads(built.manifest)["layers"][0]["digest"][7:19]
    assert pulled.stderr.splitlines() == [
        "1: Pulling from a/b",
        f"{layer}: Pulling fs layer",
        f"{layer}: Pull complete",
        f"Digest: {built.digest}",
        f"Status: Downloaded newer image for {reference}",
    ]
    assert pulled.lines == [reference]
    again = buoy.run("image", "pull", reference).stderr.splitlines()
    assert again[-1] == f"Status: Image is up to date for {reference}"
    buoy.run("image", "tag", reference, f"{registry.host}/c:2")
    pushed = buoy.run("image", "push", f"{registry.host}/c:2").stderr.splitlines()
    assert pushed == [
        f"The push refers to repository [{registry.host}/c]",
        f"{layer}: Mounted from a/b",
        f"2: digest: {built.digest} size: {len(built.manifest)}",
    ]
    named = registry.put("a/b", "latest", built)
    quiet = buoy.run("image", "pull", "-q", named.removesuffix(":latest"))
    assert (quiet.lines, quiet.stderr) == ([named], "")


def test_what_a_killed_command_had_is_used_by_the_one_that_waits(
    buoy: Buoy, registry: Registry
) -> None:
    noise = random.Random(1).randbytes(3_000_000)
    built = build([tar(file("noise", noise))])
    reference = registry.put("a", "1", built)
    large = max(built.blobs.values(), key=len)
    killed = threading.Event()

    def stall(handler: Handler) -> bool:
        handler.answer_short(large, 2_000_000)
        return killed.wait(LIMIT_S)

    registry.faults.append(once(digest(large), stall))
    first = buoy.start("image", "pull", reference)
    here = Path(buoy.roots.blobs, "ingest", digest(large)[7:])
    assert eventually(lambda: here.exists() and here.stat().st_size >= 1_000_000)
    second = buoy.start("image", "pull", reference)
    assert second.stdout is not None
    assert any("Waiting for another command" in line for line in second.stdout)
    first.kill()
    first.communicate()
    assert second.communicate()[0].endswith(f"{reference}\n")
    killed.set()
    (resumed,) = (sent["Range"] for _, _, sent in registry.requests if "Range" in sent)
    assert int(resumed[6:-1]) >= 1_000_000


def test_all_tags_are_pulled_and_pushed(buoy: Buoy, registry: Registry) -> None:
    for tag in ("1", "2"):
        registry.put("a", tag, build([tar(file("a", tag))]))
    registry.content["/v2/a/tags/list"] = ("application/json", b'{"tags": ["1", "2"]}')
    name = f"{registry.host}/a"
    assert buoy.run("image", "pull", "-a", name).lines == [f"{name}:1", f"{name}:2"]
    assert buoy.run("image", "push", "-a", "-q", name).lines == [f"{name}:1", f"{name}:2"]
    assert "usage" in buoy.run("image", "pull", "-a", f"{name}:1", check=False).stderr


def test_a_service_gets_the_image_for_its_platform(buoy: Buoy, registry: Registry) -> None:
    entries = []
    for architecture in ("s390x", ARCHITECTURE):
        built = build([tar(file("a", architecture))], architecture=architecture)
        registry.put("a", architecture, built)
        platform = {"os": "linux", "architecture": architecture}
        described = {"mediaType": OCI_MANIFEST, "digest": built.digest, "platform": platform}
        entries.append({**described, "size": len(built.manifest)})
    index = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
    name = registry.put_document("a", "1", index)

    def is_here() -> str:
        (found,) = json.loads(buoy.run("image", "inspect", name).stdout)
        return str(found["Architecture"])

    buoy.run("image", "pull", "--platform", "s390x", name)
    assert is_here() == "s390x"
    service = {"image": name, "platform": f"linux/{ARCHITECTURE}", "command": "sh"}
    buoy.write("compose.yaml", json.dumps({"services": {"one": service}}))
    buoy.run("create")
    assert is_here() == ARCHITECTURE
    registry.requests.clear()
    buoy.run("create", "--force-recreate")
    assert registry.requests == []


def test_a_login_opens_a_registry_and_a_logout_closes_it(buoy: Buoy, registry: Registry) -> None:
    registry.basic = f"Basic {base64.b64encode(b'me:secret').decode()}"
    registry.content["/v2/"] = ("application/json", b"{}")
    reference = registry.put("a", "1", build([tar(file("a", "a"))]))
    refused = buoy.run("image", "pull", reference, check=False)
    assert f"`buoy login {registry.host}`" in refused.stderr
    wrong = ("login", registry.host, "-u", "me", "--password-stdin")
    assert "unauthorized" in buoy.run(*wrong, input="wrong\n", check=False).stderr
    assert buoy.run(*wrong, input="secret\n").lines == ["Login Succeeded"]
    assert buoy.run("login", registry.host).lines == ["Login Succeeded"]
    assert buoy.run("image", "pull", reference).lines == [reference]
    assert buoy.run("logout", registry.host).lines == [
        f"Removing login credentials for {registry.host}"
    ]
    assert buoy.run("logout", registry.host).lines == [f"Not logged in to {registry.host}"]
    assert "terminal" in buoy.run("login", registry.host, "-u", "me", check=False).stderr


def test_user_and_password_are_asked_for_on_a_terminal(buoy: Buoy, registry: Registry) -> None:
    registry.basic = f"Basic {base64.b64encode(b'me:secret').decode()}"
    registry.content["/v2/"] = ("application/json", b"{}")
    terminal = buoy.on_terminal("login", registry.host)
    terminal.expect(b"Username:")
    terminal.send(b"me\n")
    terminal.expect(b"Password:")
    terminal.send(b"secret\n")
    terminal.expect(b"Login Succeeded")
    assert terminal.end() == 0
    assert b"secret" not in terminal.seen


@pytest.mark.parametrize(
    ("words", "given", "says"),
    [
        (("--password-stdin",), b"\xff\xfe", "the password is not UTF-8"),
        (("--password-stdin",), b"\n", "no login without a password"),
        (("-p", ""), b"", "no login without a password"),
    ],
)
def test_what_can_be_no_password_is_not_sent(
    buoy: Buoy, words: tuple[str, ...], given: bytes, says: str
) -> None:
    done = subprocess.run(
        [COMMAND, "login", "-u", "me", *words, "localhost:1"],
        env=buoy.environment,
        input=given,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert says in done.stderr.decode()
