"""An authority of the tests' own, and the certificates it gives: by openssl(1)."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]


@dataclass(frozen=True)
class Certificate:
    """Two files of PEM."""

    cert: Path
    key: Path


@dataclass(frozen=True)
class Authority:
    """One that no system trusts."""

    directory: Path

    @property
    def cert(self) -> Path:
        return self.directory / "ca.pem"

    @classmethod
    def create(cls, directory: Path) -> Authority:
        authority = cls(directory)
        _openssl(
            *("req", "-x509", *KEY, "-subj", "/CN=tests"),
            *("-keyout", authority.directory / "ca.key", "-out", authority.cert),
        )
        return authority

    def issue(self, name: str, alternative: str) -> Certificate:
        """A certificate for `alternative`: `IP:127.0.0.1`, `DNS:registry.lab`."""
        issued = Certificate(self.directory / f"{name}.pem", self.directory / f"{name}-key.pem")
        _openssl(
            *("req", "-x509", *KEY, "-subj", f"/CN={name}"),
            *("-CA", self.cert, "-CAkey", self.directory / "ca.key"),
            *("-addext", f"subjectAltName={alternative}"),
            *("-addext", "basicConstraints=critical,CA:FALSE"),
            *("-keyout", issued.key, "-out", issued.cert),
        )
        return issued

    def server(self, alternative: str = "IP:127.0.0.1") -> ssl.SSLContext:
        """What a server speaks TLS with."""
        issued = self.issue("server", alternative)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.cert, issued.key)
        return context


def _openssl(*words: object) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
