"""`buoy oci`: the engine as an OCI runtime, as podman, buildah and containerd start one."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context

HELP = "Run OCI bundles. The same as `buoy-oci`, which has a help of its own."
READS_ITSELF = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The engine reads them."""


def run(args: argparse.Namespace, context: Context) -> int:
    """Whatever the runtime's verb comes to; the engine reports its own errors."""
    del context
    from engine import run_oci

    return run_oci(args.words)
