"""The global options of a command line as what a project is loaded by."""

from __future__ import annotations

import os

from compose.model.options import LoadOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def load_options(args: argparse.Namespace) -> LoadOptions:
    """What -f, -p, --project-directory, --env-file, --profile and SERVICE... ask for."""
    services = getattr(args, "services", None)
    return LoadOptions(
        working_directory=working_directory(),
        environment=dict(os.environ),
        files=tuple(args.files),
        project_name=args.project_name,
        project_directory=args.project_directory,
        env_files=tuple(args.env_files),
        profiles=tuple(args.profiles),
        services=tuple(services) if isinstance(services, list) else (),
        all_resources=args.all_resources,
        consistency=not getattr(args, "no_consistency", False),
        ordered=not getattr(args, "unordered", False),
        read_env_files=not getattr(args, "no_env_resolution", False),
        loopback=getattr(args, "loopback", False),
    )


def working_directory() -> str:
    """The current directory as the shell names it, symbolic links kept: projects are named so."""
    named = os.environ.get("PWD", "")
    actual = os.getcwd()  # noqa: PTH109 - pathlib costs 17 ms
    if not named.startswith("/") or named == actual:
        return actual
    try:
        return named if os.path.samefile(named, actual) else actual  # noqa: PTH121
    except OSError:
        return actual


def cache_directory(root: str) -> str:
    """Where loaded projects are kept: below the engine's root; for others than root, their own."""
    if os.geteuid() == 0:
        return f"{root}/projects"
    home = os.environ.get("HOME", "/")
    return f"{os.environ.get('XDG_CACHE_HOME') or f'{home}/.cache'}/buoy/projects"
