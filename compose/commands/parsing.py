"""Command lines: the global options, the verb, and the verb's own arguments."""

from __future__ import annotations

import argparse
import importlib
import os
import sys

from compose.commands import VERBS
from engine.errors import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Sequence
    from typing import Any, NoReturn, Protocol

    from compose.commands.context import Context

    class Verb(Protocol):
        """What a module of `compose.commands` defines."""

        HELP: str

        def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

        def run(
            self, args: argparse.Namespace, context: Context
        ) -> int | Coroutine[None, None, int]: ...


PROGRESS = ("auto", "tty", "plain", "json", "quiet", "none")
USAGE = "buoy [OPTIONS] VERB ..."
ALIASES = {"convert": "config", "help": "--help"}
UNPLANNED = frozenset(  # verbs that change something without steps
    (
        *("attach", "build", "builder", "commit", "cp", "exec", "export", "image", "login"),
        *("logout", "network", "oci", "resume", "system", "volume"),
    )
)
ABSENT = {  # verbs of docker compose that are not there yet: what does the most of it
    "bridge": None,
    "publish": "`buoy push` pushes images",
    "volumes": "`buoy volume ls` lists the volumes of all projects",
    "wait": "`buoy up --abort-on-container-exit` ends with the first container",
    "watch": "`buoy up -d --build` builds what has changed, and recreates it",
}
READING = frozenset(("df", "du", "graph", "history", "inspect", "ls"))  # verbs below those


class UsageProblem(Problem):
    """A command line that cannot be understood."""

    code = "usage"


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """As wide as the terminal, 100 at most. Asking here spares the import of shutil: 2 ms."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=min(terminal_width(), 100) - 2)


def terminal_width() -> int:
    """In characters; 80 where it cannot be told."""
    try:
        return int(os.environ.get("COLUMNS", "")) or os.get_terminal_size().columns
    except (ValueError, OSError):
        return 80


class _Verbs(argparse._SubParsersAction):  # type: ignore[type-arg]
    """The verbs below a verb: each is listed with the beginning of its description."""

    def add_parser(self, name: str, **rest: Any) -> Any:
        text = " ".join((rest.get("description") or "").split())
        rest.setdefault("help", text.partition(": ")[0].partition(". ")[0].rstrip("."))
        return super().add_parser(name, **rest)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose complaints are Problems, with a suggestion where one is near."""

    def __init__(self, prog: str, description: str | None = None, **rest: object) -> None:
        super().__init__(
            prog=prog,
            description=description,
            allow_abbrev=False,
            formatter_class=HelpFormatter,
            **rest,  # type: ignore[arg-type]
        )
        self.register("action", "parsers", _Verbs)

    def error(self, message: str) -> NoReturn:
        raise UsageProblem(f"{self.prog}: {message}", hint=f"see `{self.prog} --help`")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """As in an ArgumentParser; help that cannot be written is told while it can be."""
        sys.stdout.flush()
        super().exit(status, message)

    def parse_strictly(self, argv: Sequence[str], into: argparse.Namespace) -> argparse.Namespace:
        """As `parse_args`; an unknown option is answered with the nearest known one."""
        args, unknown = self.parse_known_args(argv, into)
        if unknown:
            parser = self._verb_parser(args)
            known = [name for action in parser._actions for name in action.option_strings]
            flag = unknown[0].partition("=")[0]
            hint = suggestion(flag, known) or f"see `{parser.prog} --help`"
            what = "unknown option" if flag.startswith("-") else "unexpected argument"
            raise UsageProblem(f"{parser.prog}: {what} `{unknown[0]}`", hint=hint)
        return args

    def _verb_parser(self, args: argparse.Namespace) -> argparse.ArgumentParser:
        """That of the verb below the verb, where one was given."""
        for action in self._actions:
            if isinstance(action, _Verbs):
                found: argparse.ArgumentParser = action.choices[getattr(args, action.dest)]
                return found
        return self

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str], namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As in an ArgumentParser; the parsers of verbs below a verb are asked by it, too."""
        return super().parse_known_args(self._with_values(args), namespace)

    def _with_values(self, argv: Sequence[str]) -> list[str]:
        """A switch that may be given as `--name=BOOL` takes no word after it, as in Go's flags."""
        switches = {
            name
            for action in self._actions
            if action.nargs == "?"
            for name in action.option_strings
        }
        end = argv.index("--") if "--" in argv else len(argv)
        options = [f"{word}=true" if word in switches else word for word in argv[:end]]
        return [*options, *argv[end:]]


def parse_globals(argv: Sequence[str]) -> tuple[argparse.Namespace, str | None, list[str]]:
    """The global options, the verb (None where help is asked for) and all that follows it."""
    parser = global_parser()
    parser.add_argument("verb", nargs="?")
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    options = parser.parse_strictly(argv, argparse.Namespace())
    verb, rest = options.verb, options.rest
    del options.verb, options.rest
    if options.version:
        verb = "version"
    if options.help or verb is None or verb == "help":
        verb = None
    del options.help, options.version
    return options, verb, rest


def global_parser() -> Parser:
    """The options that come before the verb."""
    parser = Parser("buoy", usage=USAGE, add_help=False)
    add = parser.add_argument
    add(
        "-f",
        "--file",
        dest="files",
        metavar="FILE",
        action="append",
        default=[],
        help="project file; repeatable, later ones override; - is stdin",
    )
    add("-p", "--project-name", metavar="NAME", help="default: from the file or its directory")
    add("--project-directory", metavar="DIR", help="base of relative paths")
    add(
        "--env-file",
        dest="env_files",
        metavar="FILE",
        action="append",
        default=[],
        help="in place of ./.env; repeatable",
    )
    add(
        "--profile",
        dest="profiles",
        metavar="NAME",
        action="append",
        default=[],
        help="activate a profile; repeatable; * is all",
    )
    add("--all-resources", action="store_true", help="with those that no service uses")
    add("--ansi", choices=("auto", "never", "always"), help="colour and cursor control")
    add(
        "--progress",
        choices=PROGRESS,
        help="how progress is shown",
    )
    add("--parallel", type=int, metavar="N", help="at most so many changes at once")
    add("--dry-run", action="store_true", help="print the steps, change nothing")
    add("--root", metavar="DIR", help="where everything is kept (BUOY_ROOT)")
    add("--run-root", metavar="DIR", help="where what runs is kept (BUOY_RUN_ROOT)")
    add("-h", "--help", action="store_true", help="show this")
    add("-v", "--version", action="store_true", help="show the version")
    return parser


def overview() -> str:
    """What `buoy --help` prints."""
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {verb:<{width}}  {text}" for verb, text in VERBS.items())
    options = global_parser().format_help().partition("\n\n")[2]
    return (
        f"Runs Compose projects without a daemon.\n\nusage: {USAGE}\n\n"
        f"verbs:\n{verbs}\n\n{options}\n`buoy VERB --help` tells more about one verb.\n"
    )


def verb_module(verb: str) -> Verb:
    """The module of a verb; a problem with a suggestion where there is none."""
    verb = ALIASES.get(verb, verb)
    if verb in ABSENT:
        raise UsageProblem(f"buoy: `{verb}` is not there yet", hint=ABSENT[verb])
    if verb not in VERBS:
        hint = suggestion(verb, VERBS) or "`buoy --help` lists the verbs"
        raise UsageProblem(f"buoy: there is no verb `{verb}`", hint=hint)
    module: Verb = importlib.import_module(f"compose.commands.{verb}")
    return module


def parse_verb(
    verb: str, module: Verb, rest: Sequence[str], options: argparse.Namespace
) -> argparse.Namespace:
    """The verb's arguments added to the global `options`. Raises UsageProblem."""
    args = _read_verb(verb, module, rest, options)
    action = getattr(args, "action", "")
    acts = verb in UNPLANNED and action not in READING
    if args.dry_run and acts and not getattr(args, "shows_first", False):
        words = f"{verb} {action}".rstrip()
        what = f"buoy {words} has no --dry-run: it acts without a plan that could be shown"
        raise UsageProblem(what)
    return args


def _read_verb(
    verb: str, module: Verb, rest: Sequence[str], options: argparse.Namespace
) -> argparse.Namespace:
    if getattr(module, "READS_ITSELF", False):
        options.words = list(rest)
        return options
    parser = Parser(f"buoy {verb}", module.HELP)
    parser.add_argument(
        "--dry-run", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
    )
    module.add_arguments(parser)
    return parser.parse_strictly(rest, options)


def suggestion(word: str, known: Sequence[str] | dict[str, str]) -> str | None:
    """A hint that names the known word nearest to `word`, if one is near."""
    import difflib

    near = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean `{near[0]}`?" if near else None


def parse_variables(entries: Iterable[str]) -> dict[str, str]:
    """`KEY=VALUE`, or `KEY` with the value it has here (left out when it has none)."""
    variables: dict[str, str] = {}
    for entry in entries:
        key, sign, value = entry.partition("=")
        if sign:
            variables[key] = value
        elif key in os.environ:
            variables[key] = os.environ[key]
    return variables


def add_switch(
    parser: argparse.ArgumentParser, *names: str, default: bool = True, text: str | None = None
) -> None:
    """An option that is `--name` or `--name=BOOL`."""
    parser.add_argument(
        *names, type=switch, nargs="?", const=True, default=default, metavar="BOOL", help=text
    )


def switch(text: str) -> bool:
    """The BOOL of `--name=BOOL`. Raises ArgumentTypeError."""
    from compose.source.values import parse_boolean

    try:
        return parse_boolean(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def flag_from_environment(name: str) -> bool:
    """Whether an environment variable says yes: 1, true, yes, on in any case."""
    return os.environ.get(name, "").lower() in ("1", "true", "yes", "on", "t", "y")
