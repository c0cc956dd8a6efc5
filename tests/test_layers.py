"""Directories are layers: which may import which, and what the small processes may import."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.imports import ROOT, file_of, imports_of, module_of, sources

RANKS = {
    "compose": {"source": 0, "model": 1, "graph": 2, "reconcile": 3, "ui": 4, "commands": 5},
    "engine": {
        "kernel": 0,
        "state": 1,
        "cgroups": 2,
        "images": 2,
        "network": 2,
        "rootfs": 2,
        "containers": 3,
        "oci": 4,  # the same containers, without a monitor and by another command line
        "engine": 4,  # engine/engine.py: the five below, in one object
        "build": 5,
    },
}
TOP = 9  # the root of a tree: compose/__main__.py, engine/__init__.py
# Data alone: every layer may speak of it.
DATA = {"engine.containers.spec", "engine.containers.observed"}
FREE = {
    "compose": {"compose", "compose.errors", "engine.errors"},
    "engine": {"engine.errors", *DATA},
}

# Imported by the stage and by each monitor: they pay for it in every start and in every container.
SMALL = (
    "engine/kernel/*.py",
    "engine/cgroups/*.py",
    "engine/containers/stage.py",
    "engine/containers/monitor.py",
    "engine/oci/*.py",
    "engine/network/sandbox.py",
)
HEAVY = {
    "argparse",
    "asyncio",
    "concurrent",
    "dataclasses",
    "email",
    "http",
    "importlib.metadata",
    "importlib.resources",
    "inspect",
    "ipaddress",
    "logging",
    "multiprocessing",
    "pathlib",
    "random",
    "shutil",
    "sqlite3",
    "subprocess",
    "tempfile",
    "typing",
    "urllib",
    "uuid",
}
LIBRARIES = {"jsonschema", "networkx", "pyroute2", "rich", "ruamel", "urllib3", "zstandard"}


OURS = sources("compose/**/*.py", "engine/**/*.py")


def objection(importer: str, module: str) -> str | None:
    """Why `importer` may not import `module`; None when it may."""
    tree, other = importer.split(".")[0], module.split(".")[0]
    if other not in RANKS or module in FREE[tree]:
        return None
    if other != tree:
        if tree == "engine":
            return "the engine knows nothing of Compose"
        return None if module == "engine" else "compose knows only what `engine` exports"
    (layer, rank), (below, other_rank) = place(importer), place(module)
    if other_rank > rank:
        return f"{below} lies above {layer}"
    if other_rank == rank and below != layer and rank != TOP:
        return f"{below} lies beside {layer}"
    return None


def place(module: str) -> tuple[str, int]:
    """The layer that a module is in, and its height."""
    tree, *rest = module.split(".")
    layer = rest[0] if rest else ""
    return layer or tree, RANKS[tree].get(layer, TOP)


@pytest.mark.parametrize(
    ("importer", "module", "allowed"),
    [
        ("compose.commands.up", "compose.model.project", True),
        ("compose.model.project", "compose.commands.up", False),
        ("compose.model.project", "engine", True),
        ("compose.model.project", "engine.kernel.libc", False),
        ("compose.source.yaml", "compose.errors", True),
        ("engine.network.ipam", "engine.state.db", True),
        ("engine.network.ipam", "engine.images.store", False),
        ("engine.kernel.libc", "engine.state.paths", False),
        ("engine.containers.monitor", "engine", False),
        ("engine.build.job", "engine.engine", True),
        ("engine.containers.monitor", "engine.engine", False),
        ("engine.errors", "compose.errors", False),
    ],
)
def test_the_rule_is_the_one_of_the_tree(importer: str, module: str, allowed: bool) -> None:
    assert (objection(importer, module) is None) == allowed


def test_imports_go_down_the_layers() -> None:
    wrong = [
        f"{found}: {reason}"
        for file in OURS
        for found in imports_of(file)
        if file.name != "__init__.py" or file.parent != ROOT / "engine"  # lists all, lazily
        if (reason := objection(module_of(file), found.module))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("module", sorted(DATA))
def test_data_stands_on_the_kernel_layer_alone(module: str) -> None:
    file = file_of(module)
    assert file is not None
    ours = {each.module for each in imports_of(file) if file_of(each.module)} - DATA
    assert not {each for each in ours if not each.startswith("engine.kernel.")}


def test_imports_are_absolute() -> None:
    files = [*OURS, *sources("tests/**/*.py")]
    assert not [str(found) for file in files for found in imports_of(file) if found.relative]


def test_the_kernel_layer_needs_the_standard_library_alone() -> None:
    known = {*sys.stdlib_module_names, "engine"}
    files = sources("engine/kernel/*.py")
    found = [found for file in files for found in imports_of(file)]
    assert not [str(each) for each in found if each.module.split(".")[0] not in known]


def test_the_small_processes_import_nothing_heavy() -> None:
    wrong: list[str] = []
    queue = [(file, "") for file in sources(*SMALL)]
    seen = {file for file, _ in queue}
    while queue:
        file, way = queue.pop()
        for found in imports_of(file):
            if found.checked:
                continue
            if is_heavy(found.module) and not found.late:
                wrong.append(f"{found}{way}")
            elif (next_file := file_of(found.module)) and next_file not in seen:
                seen.add(next_file)
                queue.append((next_file, f"\n    for {module_of(file)}{way}"))
    assert not wrong, "\n".join(wrong)


def is_heavy(module: str) -> bool:
    """Not of the standard library or ours, or on the list above."""
    top = module.split(".")[0]
    return module in HEAVY or top in HEAVY or top not in {*sys.stdlib_module_names, "engine"}


@pytest.mark.parametrize(
    "statement",
    ["import engine", "import engine.containers.monitor", "import engine.network.sandbox"],
)
def test_what_is_really_loaded_is_light_too(statement: str) -> None:
    assert not loaded_by(statement, "-SI") & (HEAVY | LIBRARIES)


def test_a_verb_loads_no_library_that_it_does_not_need() -> None:
    loaded = loaded_by("from compose.__main__ import main; main(['version'])")
    assert not loaded & (LIBRARIES | {"asyncio"})


def loaded_by(statement: str, *options: str) -> set[str]:
    """Modules in a fresh interpreter after `statement`."""
    program = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
{statement}
import json
print("\\n" + json.dumps(sorted(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, *options, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))
