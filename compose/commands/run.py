"""`buoy run`."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from compose.commands.applying import apply
from compose.commands.docker_config import detach_keys
from compose.commands.parsing import UsageProblem, parse_variables
from compose.commands.target import check_services
from compose.commands.up_options import PULL_POLICIES, remove_orphans
from compose.reconcile.bases import with_bases
from compose.reconcile.built import check_built
from compose.reconcile.decide import find_orphans
from compose.reconcile.lent import lent_mounts
from compose.reconcile.lifecycle import plan_remove
from compose.reconcile.one_off import OneOff, await_dependencies, one_off_spec, plan_one_off
from compose.reconcile.perform import Settings
from compose.reconcile.plan import UpOptions, plan_up
from compose.reconcile.plan_images import plan_images
from engine.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compose.commands.context import Context
    from compose.model import Project, Service
    from engine import Container

ENGINE_FAILED = 125  # as with docker run
_SHELL_CODES = (126, 127)  # the command cannot be executed, or is not there

HELP = """Run a command in a container of its own, made as the service says.

What the service depends on is started first. Ports are published with -P or -p only. Options end
at SERVICE."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy run`."""
    add = parser.add_argument
    add("-d", "--detach", action="store_true", help="in the background; the id is printed")
    add("--rm", action="store_true", help="remove the container when it has ended")
    add("--name", default="", help="of the container")
    _add_changes(parser)
    add("--no-deps", action="store_true", help="do not start what the service depends on")
    add("--build", action="store_true", help="build the image first")
    add("--pull", choices=PULL_POLICIES, help="above the pull policies")
    add("--quiet-pull", action="store_true", help="do not show the layers")
    add("--quiet-build", action="store_true", help="do not show what is built")
    add("-q", "--quiet", action="store_true", help="do not show what is done before")
    add("--remove-orphans", action="store_true", help="remove containers of services that are gone")
    add("-i", "--interactive", action="store_true", default=True, help=argparse.SUPPRESS)
    add("--no-interactive", action="store_true", help="our input is not for it")
    add("-T", "--no-tty", action="store_true", help="no terminal")
    add("-t", "--tty", action="store_true", help="a terminal")
    add("--detach-keys", metavar="KEYS", help="instead of ctrl-p,ctrl-q")
    add("service", metavar="SERVICE")
    add("command", nargs=argparse.REMAINDER, metavar="COMMAND ...")


def _add_changes(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("-e", "--env", action="append", default=[], metavar="KEY[=VALUE]", help="repeatable")
    add("--env-from-file", action="append", default=[], metavar="FILE", help="repeatable")
    add("-l", "--label", action="append", default=[], metavar="KEY=VALUE", help="repeatable")
    add("-u", "--user", help="name or uid, with :group or :gid")
    add("-w", "--workdir", metavar="DIR", help="directory inside")
    add("--entrypoint", metavar="WORDS", help="drops the service's command, too")
    add("--cap-add", action="append", default=[], metavar="CAP", help="repeatable")
    add("--cap-drop", action="append", default=[], metavar="CAP", help="repeatable")
    add("-v", "--volume", "--volumes", action="append", default=[], metavar="MOUNT")
    add("-p", "--publish", action="append", default=[], metavar="PORT", help="as in 8080:80")
    add("--loopback", action="store_true", help="publish for this host alone")
    add("-P", "--service-ports", action="store_true", help="publish the service's ports")
    add("--use-aliases", action="store_true", help="be found by the service's names")


async def run(args: argparse.Namespace, context: Context) -> int:
    """The container's exit code; with -d, or left by the keys that detach, 0; 125 where it could
    not be made or started."""
    _check(args)
    args.services = [args.service]
    project = context.load_project(args)
    check_services([args.service], project.services)
    with _failures_of_the_engine():
        return await _run(args, context, project, project.services[args.service])


class EngineFailed(ExceptionGroup[Exception]):
    """What went wrong before the container could run."""

    exit_code = ENGINE_FAILED


@contextlib.contextmanager
def _failures_of_the_engine() -> Iterator[None]:
    """They end `run` with a code that no program in the container is likely to."""
    try:
        yield
    except ExceptionGroup as group:
        raise EngineFailed(group.message, group.exceptions) from None
    except Problem as problem:
        if problem.exit_code not in _SHELL_CODES:
            problem.exit_code = ENGINE_FAILED
        raise


async def _run(
    args: argparse.Namespace, context: Context, project: Project, service: Service
) -> int:
    await _prepare(args, context, project, service)
    if context.options.dry_run:
        context.console.out(f"DRY-RUN MODE - run a container of {service.name}")
        return 0
    container = _create(args, context, project, service)
    containers = context.engine.containers
    try:
        if args.detach:
            await containers.start(container.id)
            context.console.out(container.id)
            return 0
        return await _attached(args, context, container)
    finally:
        left = containers.find(container.id) if args.rm else None
        if left is not None and left.status in ("created", "exited", "dead"):
            containers.remove(left.id, volumes=True)


async def _attached(args: argparse.Namespace, context: Context, container: Container) -> int:
    from engine import AttachSpec

    spec = AttachSpec(
        stdin=not args.no_interactive, keys=args.detach_keys or detach_keys(), lossless=True
    )
    code = await context.engine.containers.run(container.id, spec, context.console.warn)
    if code is None:
        context.console.status("read escape sequence")
        return 0
    await context.engine.containers.wait(container.id, lambda one: one.status == "exited")
    return code


def _check(args: argparse.Namespace) -> None:
    if args.service_ports and args.publish:
        raise UsageProblem("-p and -P exclude each other")
    if args.tty and args.no_tty:
        raise UsageProblem("-t and -T exclude each other")
    if args.detach and args.rm:
        raise UsageProblem(
            "-d and --rm exclude each other: nobody would be there to remove it",
            hint="`buoy rm` and `buoy down` remove what has ended",
        )


async def _prepare(
    args: argparse.Namespace, context: Context, project: Project, service: Service
) -> None:
    """Images, networks, volumes, and what the service depends on."""
    if args.quiet:
        context.console.progress = "quiet"
    settings = Settings(pull=args.pull, quiet_pull=args.quiet_pull, quiet_build=args.quiet_build)
    check_built(project, [service])
    if remove_orphans(args):
        observed = context.observe(project)
        orphans = find_orphans(project, observed)
        steps = plan_remove(observed, orphans, "orphan")
        await apply(context, steps, settings, project, title="run")
    await apply(
        context,
        plan_images(with_bases(project, [service]), build=args.build, pull=args.pull),
        settings,
        project,
        title="run",
    )
    if service.depends_on and not args.no_deps:
        options = UpOptions(
            services=tuple(service.depends_on),
            recreate="never",
            recreate_dependencies="never",
        )
        steps = plan_up(project, context.observe(project), options)
        await apply(context, steps, settings, project, title="run")
        if not context.options.dry_run:
            observed, warn = context.observe(project), context.console.warn
            await await_dependencies(context.engine, service, observed, project, warn)
    steps = plan_one_off(project, context.observe(project), service)
    await apply(context, steps, settings, project, title="run")


def _create(
    args: argparse.Namespace, context: Context, project: Project, service: Service
) -> Container:
    engine = context.engine
    lent = tuple(lent_mounts(engine, project, service)) if service.volumes_from else ()
    image = engine.images.get(service.image_name)
    try:
        spec = one_off_spec(project, service, image, _wanted(args), lent)
    except ValueError as error:
        raise UsageProblem(f"buoy run: {error}") from None
    return engine.containers.create(spec)


def _wanted(args: argparse.Namespace) -> OneOff:
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    return OneOff(
        name=args.name,
        command=tuple(command) or None,
        entrypoint=_words(args.entrypoint),
        environment={**_from_files(args.env_from_file), **parse_variables(args.env)},
        labels=dict(entry.partition("=")[::2] for entry in args.label),
        user=args.user,
        working_dir=args.workdir,
        cap_add=tuple(args.cap_add),
        cap_drop=tuple(args.cap_drop),
        volumes=tuple(args.volume),
        ports=tuple(args.publish),
        service_ports=args.service_ports,
        use_aliases=args.use_aliases,
        tty=args.tty or (terminal and not args.no_tty and not args.detach),
        interactive=not args.no_interactive and not args.detach,
    )


def _words(entrypoint: str | None) -> tuple[str, ...] | None:
    from compose.source.words import split_words

    return None if entrypoint is None else tuple(split_words(entrypoint)[0])


def _from_files(paths: list[str]) -> dict[str, str]:
    from compose.source.dotenv import parse_dotenv

    found: dict[str, str] = {}
    for path in paths:
        try:
            text = Path(path).read_text()
        except OSError as error:
            raise UsageProblem(f"buoy run: --env-from-file {path}: {error.strerror}") from None
        found |= parse_dotenv(text, path, os.environ.get, lambda name: None)
    return found
