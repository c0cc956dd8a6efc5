"""`buoy login`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from compose.commands.parsing import UsageProblem

if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context

HELP = """Log in to a registry, Docker Hub if none is named.

User and password are tried out, and kept where docker keeps them: in ~/.docker/config.json, or
by the program that it names in `credsStore`."""
NO_TERMINAL = "the password cannot be asked for: standard input is not a terminal"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy login`."""
    add = parser.add_argument
    add("server", nargs="?", default="", metavar="SERVER")
    add("-u", "--username", metavar="NAME", help="asked for where it is not given")
    add("-p", "--password", metavar="PASSWORD", help="others on this machine can see it here")
    add("--password-stdin", action="store_true", help="read the password from standard input")


def run(args: argparse.Namespace, context: Context) -> int:
    """0 when the registry takes them. Raises Problem, and keeps nothing, when it does not."""
    from engine import log_in

    if _is_known(args, context):
        context.console.out("Login Succeeded")
        return 0
    user = _user(args)
    password = _password(args, context)
    place = log_in(args.server, user, password)
    if place.endswith(".json"):
        context.console.warn(f"the login is kept in {place}, which only its owner can read")
    context.console.out("Login Succeeded")
    return 0


def _is_known(args: argparse.Namespace, context: Context) -> bool:
    """Whether nothing is given and what is kept will do."""
    from engine import is_logged_in, registry_domain

    if args.username or args.password or args.password_stdin:
        return False
    if not is_logged_in(args.server):
        return False
    context.console.status(
        f"{registry_domain(args.server)} takes what was kept of an earlier login"
    )
    return True


def _user(args: argparse.Namespace) -> str:
    if args.username:
        return _needed("user name", args.username)
    if args.password_stdin:
        raise UsageProblem("--password-stdin needs --username")
    if not sys.stdin.isatty():
        raise UsageProblem("the user name cannot be asked for", hint="give it with --username")
    sys.stderr.write("Username: ")
    sys.stderr.flush()
    return _needed("user name", sys.stdin.readline().strip())


def _password(args: argparse.Namespace, context: Context) -> str:
    if args.password is not None:
        if args.password_stdin:
            raise UsageProblem("--password and --password-stdin exclude each other")
        context.console.warn("--password is seen by others on this machine: use --password-stdin")
        return _needed("password", args.password)
    if args.password_stdin:
        return _needed("password", _standard_input().rstrip("\r\n"))
    if not sys.stdin.isatty():
        raise UsageProblem(NO_TERMINAL, hint="pass it with --password-stdin")
    import getpass

    return _needed("password", getpass.getpass("Password: ", sys.stderr))


def _standard_input() -> str:
    return sys.stdin.buffer.read().decode(errors="surrogateescape")


def _needed(what: str, text: str) -> str:
    if not text:
        raise UsageProblem(f"there is no login without a {what}")
    if any("\ud800" <= letter <= "\udfff" for letter in text):  # bytes of the command line
        raise UsageProblem(f"the {what} is not UTF-8")
    return text
