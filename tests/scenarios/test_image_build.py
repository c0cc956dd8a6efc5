"""`buoy image build`: docker build's command line."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from engine.images.manifest import OCI_MANIFEST
from tests.engine.images.registry import Registry
from tests.engine.images.tars import digest
from tests.marks import needs_root
from tests.scenarios.conftest import COMMAND

if TYPE_CHECKING:
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

NOT_USED = ("--memory", "--builder", "--sbom", "--cpu-shares", "--cpuset-cpus")
DOCKERFILE = """\
FROM busybox AS one
ARG a
RUN --mount=type=secret,id=s --mount=type=secret,id=V,env=V \\
    echo $a $(cat /run/secrets/s) $V; ulimit -Sn; grep there /etc/hosts; ls /sys/class/net
COPY --from=more x /x
FROM scratch
COPY --from=one /x /dir/x
"""


def test_the_options_of_docker_build(buoy: Buoy) -> None:
    buoy.write("context/other", DOCKERFILE)
    buoy.write("more/x", "x")
    buoy.write("secret", "read")
    options = "-t example/one -t example/two:3 -f context/other --build-arg a=given --label l=m"
    options += (
        " --label e="
        " --secret id=s,src=secret --secret id=V --ulimit nofile=99 --add-host there:10.0.0.9"
    )
    options += " --network none --build-context more=more --iidfile id --shm-size 1m"
    done = buoy.run("image", "build", *options.split(), "context", environment={"V": "variable"})
    said = {line.split(" ", 2)[2] for line in done.stderr.splitlines() if line.count(" ") > 1}
    assert said >= {"given read variable", "99", "10.0.0.9\tthere", "lo"}
    image = (buoy.directory / "id").read_text()
    (found,) = json.loads(buoy.run("image", "inspect", "example/one").stdout)
    assert found["Id"] == image
    assert found["Config"]["Labels"] == {"l": "m", "e": ""}
    assert buoy.run("image", "inspect", "example/two:3", "--format", "{{.Id}}").lines == [image]
    again = buoy.run(
        "image", "build", "-q", *options.split(), "context", environment={"V": "another"}
    )
    assert (again.lines, again.stderr) == ([image], "")


def test_what_only_docker_has_is_told_and_progress_may_follow_the_verb(buoy: Buoy) -> None:
    buoy.write("Dockerfile", "FROM busybox\n")
    options = "--progress quiet --rm --load -m 1g --builder x --sbom true --provenance=false"
    options += " -c 5 --cpuset-cpus 0"
    done = buoy.run("image", "build", *options.split(), ".")
    told = [f"warning: {name} is not used: it has no effect" for name in NOT_USED]
    assert done.stderr.splitlines() == told


def test_proxies_are_those_of_dockers_configuration(buoy: Buoy) -> None:
    config = {"proxies": {"default": {"httpProxy": "http://p:1", "noProxy": "local"}}}
    buoy.write("config.json", json.dumps(config))
    buoy.write("Dockerfile", "FROM busybox\nRUN echo $HTTP_PROXY $http_proxy $NO_PROXY $no_proxy\n")
    surroundings = {"DOCKER_CONFIG": str(buoy.directory)}
    done = buoy.run(
        *("image", "build", "--build-arg", "no_proxy=mine", "."), environment=surroundings
    )
    assert "http://p:1 http://p:1 local mine" in done.stderr
    buoy.write("compose.yaml", "services: {app: {build: {context: ., no_cache: true}}}")
    done = buoy.run("build", environment=surroundings)
    assert "http://p:1 http://p:1 local local" in done.stderr
    assert "not consumed" not in done.stderr


def test_where_the_result_goes(buoy: Buoy) -> None:
    buoy.write("Dockerfile", DOCKERFILE)
    buoy.write("more/x", "x")
    build = ("image", "build", "--build-context", "more=more", ".")
    (buoy.directory / "out/dir").mkdir(parents=True)
    (buoy.directory / "out/dir/stays").touch()
    buoy.run(*build, "-o", "out")
    assert sorted(os.listdir(buoy.directory / "out/dir")) == ["stays", "x"]  # noqa: PTH208
    command = [str(COMMAND), *build, "-o", "-"]
    done = subprocess.run(
        command, cwd=buoy.directory, env=buoy.environment, check=True, capture_output=True
    )
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        assert archive.getnames() == ["dir", "dir/x"]
    buoy.run(*build, "-t", "example/a", "-o", "type=oci,dest=a.tar")
    buoy.run(*build, "-o", "type=docker,dest=b.tar,name=example/a")
    for name in ("a.tar", "b.tar"):
        assert buoy.run("image", "load", "-i", name).lines == ["Loaded image: example/a:latest"]


def test_what_is_built_is_pushed_and_told(buoy: Buoy) -> None:
    buoy.environment["DOCKER_CONFIG"] = str(buoy.directory.parent / "docker")
    buoy.write("Dockerfile", "FROM busybox\nCOPY Dockerfile /\n")
    with Registry() as registry:
        names = [f"{registry.host}/me/web:{tag}" for tag in ("1", "2")]
        tags = [part for name in names for part in ("-t", name)]
        annotations = ("--annotation", "a=b=c", "--annotation", "manifest:d=")
        build = ("image", "build", "-q", *annotations, "--metadata-file", "told.json", ".")
        assert "no-image-name" in buoy.run(*build, "--push", check=False).stderr
        assert len(buoy.run("image", "ls", "-q").lines) == 1  # nothing was built
        (image,) = buoy.run(*build, "--push", *tags).lines
        pushed = [registry.content[f"/v2/me/web/manifests/{tag}"][1] for tag in ("1", "2")]
        assert json.loads(pushed[0])["annotations"] == {"a": "b=c", "d": ""}
        assert pushed[0] == pushed[1]
        told = json.loads((buoy.directory / "told.json").read_text())
        assert told == {
            "containerimage.config.digest": image,
            "containerimage.digest": digest(pushed[0]),
            "containerimage.descriptor": {
                "mediaType": OCI_MANIFEST,
                "digest": digest(pushed[0]),
                "size": len(pushed[0]),
            },
            "image.name": ",".join(names),
        }
        output = f"type=image,name={registry.host}/again"
        buoy.run(*build, "-o", f"{output}:a,push=true")
        buoy.run(*build, "-o", f"{output}:b", "--push")
        assert [registry.content[f"/v2/again/manifests/{tag}"][1] for tag in "ab"] == pushed
    buoy.run(*build)
    told = json.loads((buoy.directory / "told.json").read_text())
    assert told == {"containerimage.config.digest": image, "containerimage.digest": image}


def test_what_standard_input_may_be(buoy: Buoy) -> None:
    plain = "FROM busybox\nRUN echo seen\n"
    assert "seen" in buoy.run("image", "build", "-", input=plain).stderr
    buoy.write("f", "content of f")
    text = "FROM busybox\nCOPY f /\nRUN cat f\n"
    assert "content of f" in buoy.run("image", "build", "-f", "-", ".", input=text).stderr
    buoy.write("sub/Dockerfile", text)
    subprocess.run(["tar", "-czf", "c.tgz", "f", "sub"], cwd=buoy.directory, check=True)
    command = [str(COMMAND), "image", "build", "-f", "sub/Dockerfile", "-"]
    with (buoy.directory / "c.tgz").open("rb") as archive:
        done = subprocess.run(
            command,
            env=buoy.environment,
            stdin=archive,
            capture_output=True,
            text=True,
            check=False,
        )
    assert "CACHED" in done.stderr


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ("-f - -", "usage"),
        ("--secret id=x,src=nothing .", "usage"),
        ("--secret src=x .", "usage"),
        ("--ssh other .", "usage"),
        ("--ulimit nofile .", "usage"),
        ("--build-context x .", "usage"),
        ("--shm-size large .", "usage"),
        ("--allow everything .", "usage"),
        ("--output type=odd .", "usage"),
        ("--output type=image,dest=x .", "usage"),
        ("--output type=local,dest=x,push=true .", "usage"),
        ("--push --output out .", "usage"),
        ("--annotation x .", "usage"),
        ("--annotation index:a=b .", "usage"),
        ("you@127.0.0.1:nothing", "git-failed"),
        ("--platform linux/riscv64 .", "not-built-yet"),
        ("nowhere", "no-dockerfile"),
    ],
)
def test_what_is_wrong_is_said(buoy: Buoy, options: str, code: str) -> None:
    done = buoy.run("image", "build", *options.split(), check=False)
    assert done.exit_code != 0
    assert f"error: {code}" in done.stderr
