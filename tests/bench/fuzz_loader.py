"""Throw broken and hostile projects at the loader, `.env` files and interpolation.

    python -m tests.bench.fuzz_loader [SECONDS] [SEED]

Each input is loaded in a child process that may take 2 s of a processor and 500 MB: it must come to
a project or to problems. Known attacks come first (aliases that multiply, deep nesting, huge
scalars, NUL bytes, bad UTF-8, links in a circle), then public files and our cases with bytes and
lines changed, and documents made up from the schema. Prints what broke; the inputs are kept in a
directory for that.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from compose.graph.load import load_ordered
from compose.model.options import LoadOptions
from compose.model.plain import escaped, plain_project
from compose.source.write import to_yaml
from engine.errors import Problem
from tests.bench.config_cases import CASES
from tests.schemas.agreement import corpus, ours
from tests.schemas.documents import Documents

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_VARIABLES = {  # nothing is fetched, whatever a file has come to say
    "HOME": "/root",
    "COMPOSE_EXPERIMENTAL_GIT_REMOTE": "0",
    "COMPOSE_EXPERIMENTAL_OCI_REMOTE": "0",
}
LIMIT_S, LIMIT_BYTES = 2, 500 * 1024 * 1024
_TOKENS = r"""${ } $ $$ :- :? &a *a !reset !override !!str - ? { [ ] ' " \ # 0x 1e999 -.inf .nan 0o9
    1_0 ~ = services: extends: include: x-a '' "" <<: ${A ${A:-b} 22:22 2020-01-01 ./x:/y 80:80"""
WORDS = (
    *(word.encode() for word in _TOKENS.split()),
    *(
        word.encode()
        for word in ("\0", "\ufeff", "\r\n", "\u2028", "\x7f", ": ", "|\n", "---\n", "\t")
    ),
    *(b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", b"include: [0.yaml]", b"%TAG ! x\n"),
)
PRINTED = 50_000  # characters of a project that is printed as YAML, too

Files = dict[str, bytes]


def main(argv: Sequence[str]) -> int:
    """Load for some seconds, and print what broke."""
    span_s, seed = float(argv[0]) if argv else 10.0, int(argv[1]) if len(argv) > 1 else 1
    chance, kept = random.Random(seed), Path(tempfile.mkdtemp(prefix="fuzz-"))
    began_s, count, broken, slowest_s = time.monotonic(), 0, 0, 0.0
    for files in _inputs(chance):
        if time.monotonic() - began_s > span_s and count >= len(list(_attacks())):
            break
        count += 1
        what, took_s = _loaded(files)
        slowest_s = max(slowest_s, took_s)
        if what:
            broken += 1
            place = kept / str(count)
            _write(place, files)
            print(f"{place}: {what}")
    if not broken:
        kept.rmdir()
    print(f"{count} inputs, seed {seed}: {broken} broke; the slowest took {slowest_s:.2f} s")
    return 1 if broken else 0


def _inputs(chance: random.Random) -> Iterator[Files]:
    yield from _attacks()
    seeds = [_of_case(number) for number in range(len(CASES))]
    seeds += [{"0.yaml": path.read_bytes()} for path, _ in corpus()]
    documents = Documents(ours(), chance)
    while True:
        if chance.random() < 0.2:
            text = json.dumps(documents.changed(documents.made()))
            yield {"0.yaml": text.encode()}
            continue
        files = dict(chance.choice(seeds))
        name = chance.choice(sorted(files))
        files[name] = _mutated(files[name], chance)
        yield files


def _of_case(number: int) -> Files:
    case = CASES[number]
    files = {f"{index}.yaml": text.encode() for index, text in enumerate(case.files)}
    return files | {name: text.encode() for name, text in case.others.items()}


def _mutated(text: bytes, chance: random.Random) -> bytes:
    """A text with one to four places changed."""
    for _ in range(chance.randint(1, 4)):
        start = chance.randint(0, len(text))
        end = min(len(text), start + chance.choice((0, 1, 1, 3, 10, 50)))
        piece = chance.choice(
            (
                b"",
                chance.choice(WORDS),
                chance.choice(WORDS) * chance.choice((2, 100, 5000)),
                bytes(chance.randrange(256) for _ in range(chance.randint(1, 5))),
                text[start:end] * chance.choice((2, 300)),
                text[chance.randint(0, len(text)) :][: chance.randint(1, 60)],
            )
        )
        text = text[:start] + piece + text[end:]
    return text


def _attacks() -> Iterator[Files]:
    """What is known to hurt loaders."""
    service = b"services:\n  web:\n    image: x\n    "
    levels = [f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    laughs = "\n".join(["x-0: &a0 [lol]", *levels, "services: {}"])
    maps = [f"x-{n}: &a{n} {{a: *a{n - 1}, b: *a{n - 1}}}" for n in range(1, 40)]
    for text in (
        laughs.encode(),
        "\n".join(["x-0: &a0 {a: 1}", *maps, "services: {}"]).encode(),
        b"x-a: &a [*a]\n",
        b"x-a: " + b"[" * 20_000,
        b"x-a: " + b"[" * 2_000 + b"]" * 2_000,
        b"x-a: " + b"{a: " * 5_000,
        b"\n".join(b" " * n + b"a:" for n in range(3_000)),
        b"- " * 20_000,
        b"x-a: " + b"a" * 20_000_000,
        service + b"command: '" + b"$A" * 500_000 + b"'",
        service + b"command: '" + b"${A:-" * 20_000 + b"'",
        service + b"command: '" + b"${A:-" * 5_000 + b"}" * 5_000 + b"'",
        service + b"command: " + b"x " * 500_000,
        service + b'command: "' + b"\\'" * 200_000 + b'"',
        service + b"ports: ['1-65535:1-65535']",
        service + b"ports: [" + b"".join(b"'%d-65535'," % n for n in range(1, 200)) + b"]",
        service + b"mem_limit: " + b"9" * 100_000,
        service + b"mem_limit: 1e999999999",
        service + b"scale: 1000000000",
        service + b"deploy: {replicas: 10000000}",
        service + b"stop_grace_period: " + b"9" * 5_000 + b"h",
        service + b"cpus: 1e400",
        service + b"environment: {" + b"".join(b"A%d: 1," % n for n in range(10_000)) + b"}",
        service + b"image: x\n" * 2,
        service + b'labels: {a: "\\0", "b\\0": c}',
        service + b"restart: on-failure:" + b"9" * 5_000,
        service + b"volumes: ['" + b"../" * 50_000 + b":/x']",
        service + b"expose: ['" + b"9" * 5_000 + b"']",
        b"\0" * 1000,
        b"\xff\xfe\x00",
        "services: {w: {image: \ud800}}".encode("utf-8", "surrogatepass"),
        b"services: {w: {image: x, environment: {A: 0x" + b"f" * 100_000 + b"}}}",
        b"services: {w: {image: x, environment: {A: " + b"9" * 10_000 + b"}}}",
        b"services: {w: {image: x, environment: {A: 1e" + b"9" * 5_000 + b"}}}",
        b"? [a, b]\n: c\n",
        b"<<: [a]\n",
        b"%YAML 9.9\n---\nservices: {}\n",
        b"include: [0.yaml]\n",
        b"include: [" + b"0.yaml," * 1000 + b"]\n",
        b"services: {a: {extends: b}, b: {extends: a}}",
        b"services: {"
        + b"".join(b"s%d: {extends: s%d}," % (n, n + 1) for n in range(3_000))
        + b"s3000: {image: x}}",
        b"services: {"
        + b"".join(b"s%d: {image: x, depends_on: [s%d]}," % (n, n + 1) for n in range(1_000))
        + b"s1000: {image: x}}",
    ):
        yield {"0.yaml": text}
    for text in (
        b"A=" + b"x" * 10_000_000,
        b"A=" + b"${A:-" * 20_000,
        b"".join(b"A%d=$A%d$A%d\n" % (n, n - 1, n - 1) for n in range(1, 40)) + b"A0=x\n",
        b"A0=xx\n" + b"".join(b"A%d=$A%d$A%d\n" % (n, n - 1, n - 1) for n in range(1, 40)),
        b"A='" + b"\\" * 1_000_001,
        b"A=1\n" * 200_000,
        b"\n" * 1_000_000,
        b"# " + b"x\n# " * 500_000,
        b"A" * 1_000_000,
        b"\0=\0\n",
        b"\xff\xfe=\xff",
    ):
        yield {"0.yaml": service + b"env_file: .env", ".env": text}


def _loaded(files: Files) -> tuple[str, float]:
    """Load a project in a child process: what broke, empty for nothing, and the seconds it took."""
    with tempfile.TemporaryDirectory() as directory:
        _write(Path(directory), files)
        (Path(directory) / "loop").symlink_to("loop")
        reader, writer = os.pipe()
        began_s = time.monotonic()
        child = os.fork()
        if child == 0:
            os.close(reader)
            os._exit(_child(directory, sorted(files), writer))
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            said = pipe.read().decode(errors="replace")
        _, status = os.waitpid(child, 0)
        took_s = time.monotonic() - began_s
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return f"{signal.Signals(number).name} after {took_s:.1f} s", took_s
    return said, took_s


def _child(directory: str, names: Sequence[str], report: int) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S * 10)  # where it waits, or others work here
    try:
        _load(directory, tuple(name for name in names if name in ("0.yaml", "1.yaml")))
    except (Problem, ExceptionGroup) as error:
        if isinstance(error, ExceptionGroup) and error.split(Problem)[1] is not None:
            os.write(report, traceback.format_exc()[-2_000:].encode(errors="replace"))
    except BaseException:  # noqa: BLE001 - whatever it is, it is what is looked for
        os.write(report, traceback.format_exc()[-2_000:].encode(errors="replace"))
    return 0


def _load(directory: str, names: tuple[str, ...]) -> None:
    options = LoadOptions(
        working_directory=directory, environment=_VARIABLES, files=names, project_name="p"
    )
    plain = escaped(plain_project(load_ordered(options)))
    if len(json.dumps(plain)) < PRINTED:
        to_yaml(plain)


def _write(directory: Path, files: Mapping[str, bytes]) -> None:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
