"""The `buoy` command: global options, then one verb. Imports only what that verb needs."""

from __future__ import annotations

import gc
import os
import signal
import sys

from engine.errors import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

INTERRUPTED = 130  # 128 + SIGINT, also for SIGTERM, as with docker compose
BROKEN_PIPE = 141  # 128 + SIGPIPE
GARBAGE = 50_000  # objects made before the first search for cycles: imports alone make 30,000


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code. None: this process's, which ends then."""
    if argv is not None:
        return _run(argv)
    gc.set_threshold(GARBAGE)
    _open_streams()
    try:
        return _run(sys.argv[1:])
    finally:
        gc.freeze()  # nothing is searched at the end either: it goes with the process


def _open_streams() -> None:
    """One that is closed becomes /dev/null, before a file of ours is given its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
            setattr(sys, name, os.fdopen(number, "w" if number else "r"))


def _run(argv: Sequence[str]) -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells ignore it for what has a `&`
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        code = _dispatch(list(argv))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return _give_up_output()
    except (Problem, ExceptionGroup) as error:
        if isinstance(error, ExceptionGroup) and error.split(BrokenPipeError)[1] is None:
            return _give_up_output()
        return _report(error)
    except OSError as error:
        if not _is_output_lost():
            raise
        _give_up_output()
        what = f"standard output cannot be written: {error.strerror}"
        return _report(Problem(what, code="output"))
    return code


def _is_output_lost() -> bool:
    """Whether what is buffered for standard output cannot be written."""
    try:
        sys.stdout.flush()
    except OSError:
        return True
    return False


def _give_up_output() -> int:
    """Nobody reads it. What is still buffered would fail again at exit, and be complained of."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE


def _dispatch(argv: list[str]) -> int:
    from compose.commands import parsing

    options, verb, rest = parsing.parse_globals(argv)
    if verb is None:
        sys.stdout.write(parsing.overview())
        return 0
    module = parsing.verb_module(verb)
    args = parsing.parse_verb(verb, module, rest, options)

    from compose.commands.context import Context

    context = Context(args)
    try:
        result: int = context.complete(module.run(args, context))
    except (Problem, BrokenPipeError):
        raise
    except Exception as error:
        if not _is_output_lost():
            _raise_disk_problems(error, args)
        raise
    return result


def _raise_disk_problems(error: Exception, args: argparse.Namespace) -> None:
    """A full disk is met anywhere, and is the user's to mend."""
    from engine import Roots, with_disk_problems

    told = with_disk_problems(error, Roots.from_environment(args.root, args.run_root).root)
    if told is not error:
        raise told from None


def _report(error: Problem | ExceptionGroup) -> int:
    """Print the problems in `error`; what is not a problem is our bug and goes on up."""
    from compose.ui.problems import print_problems, split_problems

    problems, bugs = split_problems(error)
    sys.stdout.flush()
    print_problems(problems)
    if bugs is not None:
        raise bugs
    # others are for `exec` and `run`: a container of `up` that cannot start is a failure like any
    code: int = getattr(error, "exit_code", 1)
    return code


if __name__ == "__main__":
    sys.exit(main())
