"""Compare `config --format json` with docker compose 2.40's, over the corpus and corner cases.

    python -m tests.bench.config_peer [WORD...]

With words, only the cases whose names have one of them. Needs no Docker engine: `config` asks
none. Prints, for each case, whether both accept it, and every value that differs; what differs on
purpose is in _EXPECTED and counted apart.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compose.__main__ import main as buoy
from tests.bench.config_cases import CASES, Case
from tests.bench.docker_peer import unpacked
from tests.schemas.agreement import corpus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Answer = tuple[Any, str]  # the project, or None and what was said
_VARIABLES = {"HOME": "/root", "PATH": os.environ["PATH"]}

# What we refuse and 2.40 loads: its engine refuses it as soon as the container is made, without a
# place in the file, unless another reason is given.
_REFUSED = (
    (r"ours alone refuses.*is not an absolute path", "so does the engine"),
    (r"ours alone refuses.*is not an IP address", "so does the engine"),
    (r"ours alone refuses.*of the form `NAME=ADDRESS`", "so does the engine"),
    (r"ours alone refuses.*bind.propagation", "so does the engine"),
    (r"ours alone refuses.*a bind mount needs a `source`", "so does the engine"),
    (r"ours alone refuses.*(neither a port nor a range|is not a port)", "so does the engine"),
    (r"ours alone refuses.*`odd` is not one of tcp", "so does the engine"),
    (r"ours alone refuses.*restart", "so does the engine"),
    (r"ours alone refuses.*mem_swappiness", "so does the engine"),
    (r"ours alone refuses.*ulimits", "so does the engine"),
    (r"ours alone refuses.*devices\[0\]: `` is not", "so does the engine"),
    (r"ours alone refuses.*(is not a size|unknown log opt)", "so does the engine"),
    (r"ours alone refuses.*has a blank or a control character in it", "so does the engine"),
    (r"ours alone refuses.*entitlements: there is no", "so does BuildKit"),
    (r"ours alone refuses.*is no namespace to be in", "so does the engine"),
    (r"ours alone refuses.*(less than 1ms|is no link-local address)", "so does the engine"),
    (r"ours alone refuses.*no permissions of a device", "so does the engine"),
    (r"ours alone refuses.*of the form `TYPE MAJOR:MINOR RWM`", "so does the engine"),
    (r"ours alone refuses.*(is not a subnet|needs a `subnet`|is not in 10)", "so does the engine"),
    (r"ours alone refuses.*`start_interval` needs", "so does 2.40 in `up`"),
    (r"ours alone refuses.*environment: the name .* ends in a blank", "2.40 does so in a list"),
    (r"ours alone refuses.*`` cannot be a name", "a variable or label without a name"),
    (r"ours alone refuses.*uid: `x` is not a number", "names are known in the container only"),
    (r"ours alone refuses.*format: `odd`", "2.40 does so as soon as the file is there"),
    (r"ours alone refuses.*circle: web -> web", "2.40 does so in `build`"),
    (r"ours alone refuses.*priority: 1.5", "2.40 cuts it off"),
    (r"ours alone refuses.*unknown tag", "mostly a mistake in `!reset` or `!override`"),
)
# What 2.40 refuses, and we load: later ones do, or the meaning is plain.
_LOADED = (
    (r"theirs alone refuses.*conflicts with imported", "later ones merge what is included"),
    (r"theirs alone refuses.*cannot extend service .a.", "later ones extend what is included"),
    (r"theirs alone refuses.*no_cache_filter", "it came later"),
    (r"theirs alone refuses.*tmpfs.mode", "octal, as everywhere else"),
    (r"theirs alone refuses.*invalid command line string", "a backslash at the end is one"),
    (r"theirs alone refuses.*missing a mount target", "the same path"),
    (r"theirs alone refuses.*MarshalJSON for type types.SSHKey", "2.40 cannot print it as JSON"),
    (r"theirs alone refuses.*items at 0 and 1 are equal", "a network named twice is one"),
    (r"--- ⏎ ---.*: theirs alone refuses", "an empty document says nothing"),
)

# What differs on purpose: a pattern for `<case>: <difference>`, and why.
_EXPECTED = (
    (r": only theirs ({}|{\"resources\": {}, \"placement\": {}})$", "empty ones say nothing"),
    (
        r"(networks|volumes)\.[^.]+\.driver: only theirs \"(bridge|local)\"$",
        "the default is left out",
    ),
    (r"\.restart: only theirs \"no\"$", "the default is left out"),
    (r"\.bind(\.create_host_path)?: only ours", "2.40 leaves it out when false: reads as true"),
    (r"16 one that is not required: .*depends_on", "without what is disabled it reads back"),
    (r"\.volume: only ours {}$", "the same for a mount without a source"),
    (r"\.blkio_config\..*: only", "2.40 prints names of Go fields, which no loader reads"),
    (r"\.exec: only theirs {\"command\": null}$", "the loader refuses to read it"),
    (r"\.pids_limit: only theirs -1$", "no limit is left out"),
    (r"(mem_limit|pids_limit|cpus): only theirs", "said once, below `deploy`"),
    (r"(shm_size|cpus|max_replicas_per_node): only ours \"?0\"?$", "2.40 leaves out a zero"),
    (r"\.published: only theirs \"0\"$", "any free port is none that is published"),
    (r"networks\.c\.name: only ours", "an empty name is none"),
    (r"build.context: only ours", "the project's directory, written out"),
    (r"build.(provenance|sbom): ", "a boolean stays one"),
    (r"provider.options", "one value is no list"),
    (r"models: only ours", "2.40 loses them in JSON"),
    (r"content: only ours \"\"$", "2.40 cannot read what it prints of an empty text"),
    (r"mem_limit: 1e3: ", "2.40 leaves out a limit that is written so"),
    (r"extra_hosts: \[.a=\[::1.\]: ", "the bracket is no part of the address"),
    (r"device: theirs \"./x\"", "2.40 misses `bind` beside other options"),
    (r"post_start.*environment.A: ", "a variable without value is taken from the project's"),
    (r"configs\[0\].target: theirs", "written out: below /"),
    (r"x-.*: only ours", "2.40 loses extensions of services in JSON"),
    (r"services\.web\.x-\w+: only ours", "2.40 loses extensions of services in JSON"),
    (r"11 key: ", "keys are not interpolated: a doubled dollar would stay doubled"),
    (r"healthcheck\.(disable|test): only", "`test: [NONE]` is `disable: true`"),
    (r"secrets\[\d\]\.target: theirs", "written out: below /run/secrets"),
    (r"configs\[\d\]\.target: only ours", "written out: below /"),
    (r"4 volumes: \[\"v:/w\"\]: ", "2.40 takes one letter for a drive of Windows"),
    (r"4 volumes: \[\"a:b:c:d\"\]: ", "2.40 makes it one target"),
    (r"4 privileged: \"1\": theirs alone", "1 and 0 are booleans to us"),
    (r"12 \.env '=1", "2.40 sets a variable without a name"),
    (r"12 \.env .*061", "neither is octal: ours stays as it is written"),
    (r"13 ports: .*services.web.ports: theirs", "2.40 publishes a port twice: 80 is not '80'"),
    (r"13 !reset below a list: ", "2.40 resets no entry of a list"),
    (r"3 date: theirs alone refuses", "a date is a string to us"),
    (r"theirs alone refuses.*time\.Time", "a date is a string to us"),
    *_REFUSED,
    *_LOADED,
)


def main(argv: Sequence[str]) -> int:
    """Compare, and print the differences."""
    program = unpacked() / "docker-compose-2"
    counts = {"same": 0, "expected": 0, "different": 0}
    for name, theirs, ours in _answers(program, argv):
        differences = list(_differences(theirs, ours))
        left = [one for one in differences if not _is_expected(f"{name}: {one}")]
        counts["different" if left else "expected" if differences else "same"] += 1
        for one in left:
            print(f"{name}\n    {one}")
    print(", ".join(f"{count} {word}" for word, count in counts.items()))
    return 1 if counts["different"] else 0


def _is_expected(difference: str) -> bool:
    return any(re.search(pattern, difference) for pattern, _ in _EXPECTED)


def _answers(program: Path, words: Sequence[str]) -> Iterator[tuple[str, Answer, Answer]]:
    """Every case with what the two say of it."""
    for case in CASES:
        if not words or any(word in case.name for word in words):
            with tempfile.TemporaryDirectory() as directory:
                names = _write(Path(directory, "shop"), case)
                yield case.name, *_both(program, Path(directory, "shop"), names, case.environment)
    if not words:
        for path, _ in corpus():
            yield path.parent.name, *_both(program, path.parent, [path.name], {})


def _write(directory: Path, case: Case) -> list[str]:
    names = [f"{number}.yaml" for number in range(len(case.files))]
    for name, text in {**dict(zip(names, case.files, strict=True)), **case.others}.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return names


def _both(
    program: Path, directory: Path, names: Sequence[str], environment: Any
) -> tuple[Answer, Answer]:
    args = [word for name in names for word in ("-f", name)]
    args += ["config", "--format", "json"]
    variables = {**_VARIABLES, **environment}
    done = subprocess.run(
        [program, *args], cwd=directory, env=variables, capture_output=True, text=True, check=False
    )
    theirs = json.loads(done.stdout) if done.returncode == 0 else None
    return (theirs, done.stderr.strip()), _ours(directory, args, variables)


def _ours(directory: Path, args: Sequence[str], variables: dict[str, str]) -> Answer:
    """In this process: hundreds of interpreters would take minutes to start."""
    before, out, err = dict(os.environ), io.StringIO(), io.StringIO()
    os.environ.clear()
    os.environ.update(variables, BUOY_ROOT=f"{tempfile.gettempdir()}/buoy-config-peer")
    try:
        with (
            contextlib.chdir(directory),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = buoy(args)
    finally:
        os.environ.clear()
        os.environ.update(before)
    return (json.loads(out.getvalue()) if code == 0 else None), err.getvalue().strip()


def _differences(theirs: Answer, ours: Answer) -> Iterator[str]:
    if theirs[0] is None and ours[0] is None:
        return
    if theirs[0] is None:
        yield f"theirs alone refuses: {theirs[1].splitlines()[-1]}"
    elif ours[0] is None:
        yield f"ours alone refuses: {' '.join(ours[1].splitlines())}"
    else:
        yield from _compared(theirs[0], ours[0], "")


def _compared(theirs: Any, ours: Any, path: str) -> Iterator[str]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in sorted({*theirs, *ours}):
            inner = f"{path}.{key}".removeprefix(".")
            if key not in ours:
                yield f"{inner}: only theirs {json.dumps(theirs[key])}"
            elif key not in theirs:
                yield f"{inner}: only ours {json.dumps(ours[key])}"
            else:
                yield from _compared(theirs[key], ours[key], inner)
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for index, (one, other) in enumerate(zip(theirs, ours, strict=True)):
            yield from _compared(one, other, f"{path}[{index}]")
    elif theirs != ours or type(theirs) is not type(ours):
        yield f"{path}: theirs {json.dumps(theirs)}, ours {json.dumps(ours)}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
