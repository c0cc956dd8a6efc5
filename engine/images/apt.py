"""Package archives: which mirror this host uses, and what apt must be told of it."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass

_DEBIAN_MIRROR = "http://deb.debian.org/debian"
_DEBIAN_SECURITY = "http://deb.debian.org/debian-security"
_UBUNTU_MIRROR = "http://archive.ubuntu.com/ubuntu"
_UBUNTU_PORTS = "http://ports.ubuntu.com/ubuntu-ports"
_DEBIAN_SUITES = ("bullseye", "bookworm", "trixie", "stable", "testing", "sid", "unstable")
_WITHOUT_UPDATES = ("sid", "testing")
_OPTIONS = ("Acquire::Check-Valid-Until", "Acquire::Check-Date")


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Lines of a sources.list, and the keyring that they are verified against."""

    lines: tuple[str, ...]
    keyring: str
    keyring_package: str

    @property
    def needs_certificates(self) -> bool:
        """Whether apt in the image has to verify a mirror's certificate."""
        return any("https://" in line for line in self.lines)


def debian_archive(codename: str) -> Archive:
    """Debian, from the mirrors that this host uses for it, if it is one; else deb.debian.org."""
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    known = host_repositories()
    mirror = _first(known, {*_DEBIAN_SUITES, codename}, "/debian") or _DEBIAN_MIRROR
    suites = {f"{suite}-security" for suite in _DEBIAN_SUITES}
    security = _first(known, suites, "/debian-security") or _DEBIAN_SECURITY
    suffix = f"[signed-by={keyring}]"
    lines = [f"deb {suffix} {mirror} {codename} main"]
    if codename not in _WITHOUT_UPDATES:
        lines.append(f"deb {suffix} {mirror} {codename}-updates main")
        lines.append(f"deb {suffix} {security} {codename}-security main")
    return Archive(lines=tuple(lines), keyring=keyring, keyring_package="debian-archive-keyring")


def ubuntu_archive(codename: str, architecture: str) -> Archive:
    """Ubuntu, from this host's mirror if it is an Ubuntu, else from Ubuntu's own."""
    keyring = "/usr/share/keyrings/ubuntu-archive-keyring.gpg"
    own = _UBUNTU_MIRROR if architecture in ("amd64", "386") else _UBUNTU_PORTS
    mirror = _first(host_repositories(), {codename}, "/ubuntu") or own
    lines = tuple(
        f"deb [signed-by={keyring}] {mirror} {codename}{pocket} main restricted universe"
        for pocket in ("", "-updates", "-security")
    )
    return Archive(lines=lines, keyring=keyring, keyring_package="ubuntu-keyring")


def host_repositories() -> tuple[tuple[str, str], ...]:
    """(URI, release) of each repository that apt uses on this host; none where there is no apt."""
    output = _output("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)")
    pairs = dict.fromkeys(line.partition(" ")[::2] for line in output.splitlines())
    return tuple((uri.rstrip("/"), release) for uri, release in pairs)


def host_options() -> tuple[str, ...]:
    """Checks that this host's apt is told to leave out, because its mirror is a snapshot."""
    found = []
    for option in _OPTIONS:
        output = _output("apt-config", "shell", "value", option)
        if "false" in output:
            found.append(f'{option} "false"')
    return tuple(found)


def _first(known: tuple[tuple[str, str], ...], releases: set[str], ending: str) -> str | None:
    for uri, release in known:
        if release in releases and uri.endswith(ending) and uri.startswith(("http:", "https:")):
            return uri
    return None


def _output(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return ""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
