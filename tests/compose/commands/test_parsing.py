"""Command lines, as the real command answers them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from compose.commands import VERBS, parsing
from compose.commands.parsing import UsageProblem

COMMAND = Path(sys.executable).with_name("buoy")


def buoy(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, *args], capture_output=True, text=True, check=False)


def test_help_lists_every_verb_and_succeeds() -> None:
    done = buoy("--help")
    assert done.returncode == 0
    assert all(f"\n  {verb} " in done.stdout for verb in VERBS)


def test_no_verb_at_all_is_answered_with_help() -> None:
    assert buoy().stdout == buoy("--help").stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_module_with_help(verb: str) -> None:
    module = parsing.verb_module(verb)
    parser = parsing.Parser(f"buoy {verb}", module.HELP)
    module.add_arguments(parser)
    assert module.HELP
    assert parser.format_help()


@pytest.mark.parametrize("verb", ["builder", "image", "network", "system", "volume"])
def test_the_verbs_below_a_verb_are_listed_with_what_they_do(verb: str) -> None:
    text = buoy(verb, "--help").stdout
    metavar = text.partition("positional arguments:\n")[2].splitlines()[0]
    listed = [line.split(maxsplit=1) for line in text.splitlines() if line.startswith("    ")]
    told = {words[0] for words in listed if len(words) == 2}
    assert told.issuperset(metavar.strip().split(" | "))


def test_help_and_version_import_nothing_heavy() -> None:
    code = (
        "import sys; from compose.__main__ import main; main([{!r}]); "
        "heavy = {{'asyncio', 'rich', 'ruamel', 'dataclasses', 'jsonschema', 'engine.engine', "
        "'typing', 'logging'}} & set(sys.modules); sys.exit(str(heavy) if heavy else 0)"
    )
    for verb in ("--help", "version"):
        done = subprocess.run(
            [sys.executable, "-c", code.format(verb)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_an_unknown_verb_is_answered_with_the_nearest() -> None:
    done = buoy("pss")
    assert done.returncode == 1
    assert done.stderr == "error: usage\nbuoy: there is no verb `pss`\nhint: did you mean `ps`?\n"


def test_a_verb_that_is_not_there_yet_is_not_taken_for_another() -> None:
    done = buoy("watch")
    assert done.returncode == 1
    assert "buoy: `watch` is not there yet\nhint: `buoy up -d --build`" in done.stderr


def test_an_unknown_option_of_a_verb_below_a_verb_is_told_by_both() -> None:
    done = buoy("image", "ls", "--digest")
    assert done.stderr == (
        "error: usage\nbuoy image ls: unknown option `--digest`\nhint: did you mean `--digests`?\n"
    )


def test_an_unknown_option_is_answered_with_the_nearest() -> None:
    done = buoy("version", "--shrt")
    assert done.returncode == 1
    assert "hint: did you mean `--short`?" in done.stderr


@pytest.mark.parametrize("word", ["version", "-v", "--version"])
def test_the_version(word: str) -> None:
    assert buoy(word).stdout.startswith("Buoy version ")


def test_version_for_programs() -> None:
    number = buoy("version", "--short").stdout.strip()
    assert buoy("version", "--format", "json").stdout == f'{{"version":"{number}"}}\n'


def test_global_options_come_before_the_verb_and_the_rest_is_the_verbs() -> None:
    options, verb, rest = parsing.parse_globals(
        ["-f", "a.yaml", "-f", "b.yaml", "-p", "shop", "logs", "-f", "web"]
    )
    assert (options.files, options.project_name) == (["a.yaml", "b.yaml"], "shop")
    assert (verb, rest) == ("logs", ["-f", "web"])


def test_dry_run_is_accepted_after_the_verb_too() -> None:
    for argv in (["--dry-run", "up"], ["up", "--dry-run"]):
        options, verb, rest = parsing.parse_globals(argv)
        assert verb == "up"
        args = parsing.parse_verb(verb, parsing.verb_module(verb), rest, options)
        assert args.dry_run


def test_what_acts_without_a_plan_has_no_dry_run() -> None:
    for words in ("oci", "resume", "volume rm data", "image prune -f"):
        options, verb, rest = parsing.parse_globals(["--dry-run", *words.split()])
        assert verb is not None
        named = " ".join(words.split()[:2])
        with pytest.raises(UsageProblem, match=f"buoy {named} has no --dry-run"):
            parsing.parse_verb(verb, parsing.verb_module(verb), rest, options)


def test_what_only_looks_may_be_a_dry_run() -> None:
    for words in ("volume ls", "image inspect alpine", "network graph", "builder du", "ps"):
        options, verb, rest = parsing.parse_globals(["--dry-run", *words.split()])
        assert verb is not None
        assert parsing.parse_verb(verb, parsing.verb_module(verb), rest, options).dry_run


def test_options_of_exec_end_at_the_service() -> None:
    options, _, rest = parsing.parse_globals(["exec", "-T", "-e", "A=1", "web", "ls", "-l", "-e"])
    args = parsing.parse_verb("exec", parsing.verb_module("exec"), rest, options)
    assert (args.no_tty, args.env, args.service) == (True, ["A=1"], "web")
    assert args.command == ["ls", "-l", "-e"]


@pytest.mark.parametrize(
    "argv",
    [
        ["up", "-d", "--abort-on-container-exit"],
        ["up", "--wait", "--attach", "web"],
        ["up", "-d", "--exit-code-from", "web"],
        ["up", "--abort-on-container-exit", "--abort-on-container-failure"],
    ],
)
def test_options_of_up_that_exclude_each_other(argv: list[str]) -> None:
    from compose.commands.context import Context

    options, verb, rest = parsing.parse_globals(argv)
    assert verb is not None
    module = parsing.verb_module(verb)
    args = parsing.parse_verb(verb, module, rest, options)
    with pytest.raises(UsageProblem, match="exclude each other"):
        module.run(args, Context(args))


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{COMMAND} --help | head -n 1 >/dev/null; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("0", "141")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("web",), True),
        (("--sig-proxy", "web"), True),
        (("--sig-proxy=false", "web"), False),
        (("web", "--sig-proxy"), True),
    ],
)
def test_a_switch_takes_no_word_after_it(words: tuple[str, ...], expected: bool) -> None:
    options = parsing.parse_globals(["attach"])[0]
    args = parsing.parse_verb("attach", parsing.verb_module("attach"), words, options)
    assert (args.service, args.sig_proxy) == ("web", expected)
