"""The samples run as their READMEs say. Images stay built from one run of the tests to the next."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from engine import Engine
from engine.state.paths import Roots
from tests import leaks
from tests.conftest import empty
from tests.images import cache_directory, locked
from tests.imports import ROOT
from tests.marks import needs_root
from tests.scenarios.conftest import Buoy
from tests.waiting import LIMIT_S, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [needs_root, pytest.mark.timeout(900)]
DATA = ("logs", "mysql")  # what running the sample in place has made there
BAD_GATEWAY = 502
BUILD_S = 600.0  # Debian's packages are fetched and installed, once


@pytest.fixture(scope="module")
def roots() -> Iterator[Roots]:
    """Roots whose images and build cache outlive the tests; one process uses them at a time."""
    kept = cache_directory() / "samples"
    run = tempfile.mkdtemp(prefix="b-", dir="/var/tmp")
    with locked(cache_directory() / "samples.lock"), leaks.watched(Roots(str(kept), run)) as roots:
        yield roots
        asyncio.run(empty(Engine(roots)))  # the network that builds use
    shutil.rmtree(run)


class Sample(Buoy):
    """`buoy` in a copy of a sample, whose `service` is published on a port that is free."""

    def __init__(self, directory: Path, roots: Roots, file: str, service: str, port: str) -> None:
        super().__init__(directory, roots)
        self.service, self.target = service, port.partition(":")[2]
        text = (directory / file).read_text()
        self.write(file, text.replace(f'"{port}"', f'"0:{self.target}"'))

    def page(self) -> str:
        """What is answered to a GET of /, once somebody listens there, and behind a proxy."""
        pages: list[str] = []
        place = self.run("port", self.service, self.target).stdout.strip()
        url = f"http://127.0.0.1:{place.rpartition(':')[2]}/"

        def came() -> bool:
            try:
                with urllib.request.urlopen(url, timeout=LIMIT_S) as page:
                    pages.append(page.read().decode())
            except (urllib.error.URLError, ConnectionResetError) as error:
                if isinstance(error, urllib.error.HTTPError) and error.code != BAD_GATEWAY:
                    raise
            return bool(pages)

        assert eventually(came)  # what has no health check counts as up before it listens
        return pages[0]


@pytest.fixture
def sample(request: pytest.FixtureRequest, roots: Roots, tmp_path: Path) -> Iterator[Sample]:
    """The sample that the test's parameter names: its directory, file, service and port."""
    name, file, service, port = request.param
    directory = tmp_path / name
    source = ROOT / "samples" / name
    shutil.copytree(source, directory, ignore=lambda at, _: DATA if at == str(source) else ())
    sample = Sample(directory, roots, file, service, port)
    yield sample
    sample.run("down", "-v", "-t", "5")


HELLO = ("hello", "compose.yaml", "web", "8000:8000")
TOMCAT = ("tomcat-mysql", "docker-compose.yml", "tomcat", "8080:8080")
TWO_NETWORKS = ("two-networks", "compose.yaml", "proxy", "8081:80")


@pytest.mark.parametrize("sample", [HELLO], indirect=True)
def test_hello_is_served_by_nobody_on_the_machines_own_python(sample: Sample) -> None:
    sample.run("up", "-d")
    assert "Hello from a container" in sample.page()
    assert "(nobody)" in sample.run("exec", "-T", "web", "id").stdout
    assert sample.run("exec", "-T", "web", "touch", "/tmp/file", check=False).exit_code == 1


@pytest.mark.parametrize("sample", [TOMCAT], indirect=True)
def test_a_page_of_tomcat_shows_rows_of_the_database_and_they_outlive_it(sample: Sample) -> None:
    sample.run("up", "-d", "--wait", timeout=BUILD_S)
    page = sample.page()
    assert "<td>4</td><td>Container networking</td>" in page
    assert "Visits so far: 1." in page
    select = ["mariadb", "-ustudent", "-pchange-me", "course", "-Ne"]
    counted = sample.run("exec", "-T", "mysql", *select, "SELECT COUNT(*) FROM lessons")
    assert counted.stdout == "5\n"
    name, link = (
        sample.run("exec", "tomcat", "getent", "hosts", n).stdout for n in ("mysql", "db")
    )
    assert name.split()[0] == link.split()[0]
    assert eventually(lambda: "Server startup in" in sample.run("logs", "tomcat").stdout)
    sample.run("down")
    sample.run("up", "-d", "--wait", timeout=BUILD_S)
    assert "Visits so far: 2." in sample.page()
    sample.run("stop", "mysql")
    with pytest.raises(urllib.error.HTTPError, match="503"):
        sample.page()


@pytest.mark.parametrize("sample", [TWO_NETWORKS], indirect=True)
def test_the_proxy_reaches_the_database_only_through_the_application(sample: Sample) -> None:
    sample.run("up", "-d", timeout=BUILD_S)
    assert sample.page().startswith("request 1, answered by ")

    def names(service: str, *hosts: str) -> list[str]:
        done = sample.run("exec", "-T", service, "getent", "hosts", *hosts, check=False)
        return [line.split()[0] for line in done.lines]

    def pings(service: str, address: str, *, patience_s: int = 60) -> bool:
        ping = ("ping", "-c1", f"-W{patience_s}", address)
        return sample.run("exec", "-T", service, *ping, check=False).exit_code == 0

    database, alias = names("app", "db", "counter")
    assert database == alias
    assert names("proxy", "db") == []
    assert pings("app", database)
    assert not pings("proxy", database, patience_s=1)
    assert not pings("db", "192.0.2.1", patience_s=1)
    (application,) = names("proxy", "app")
    assert pings("proxy", application)
