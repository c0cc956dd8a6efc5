"""The imports that a file makes, read from its syntax tree."""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One import as it is written.

    checked   for the type checker alone: it costs nothing at run time
    late      inside a function: it costs something when that is called
    """

    module: str
    file: Path
    line: int
    relative: bool
    checked: bool
    late: bool

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line}: imports {self.module}"


@functools.cache
def imports_of(file: Path) -> tuple[Import, ...]:
    """All imports of a file; `from package import module` counts as one of the module."""
    visitor = _Visitor(file)
    visitor.visit(ast.parse(file.read_text(), str(file)))
    return tuple(visitor.found)


@functools.cache
def file_of(module: str) -> Path | None:
    """The file of a module of ours; None for one of others."""
    path = ROOT / module.replace(".", "/")
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


def module_of(file: Path) -> str:
    """The name that a file of ours is imported by."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources(*patterns: str) -> list[Path]:
    """Files of the work tree by glob patterns."""
    return sorted(file for pattern in patterns for file in ROOT.glob(pattern))


class _Visitor(ast.NodeVisitor):
    def __init__(self, file: Path) -> None:
        self.found: list[Import] = []
        self._file, self._checked, self._late = file, False, False

    def visit_Import(self, node: ast.Import) -> None:
        self._add(node.lineno, {alias.name for alias in node.names})

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        package = node.module or ""
        inner = {f"{package}.{alias.name}" for alias in node.names}
        modules = {name if file_of(name) else package for name in inner}
        self._add(node.lineno, modules, relative=node.level > 0)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_function(node)

    def visit_If(self, node: ast.If) -> None:
        before = self._checked
        self._checked = before or ast.unparse(node.test).endswith("TYPE_CHECKING")
        for child in node.body:
            self.visit(child)
        self._checked = before
        for child in node.orelse:
            self.visit(child)

    def _visit_function(self, node: ast.AST) -> None:
        before, self._late = self._late, True
        self.generic_visit(node)
        self._late = before

    def _add(self, line: int, modules: set[str], *, relative: bool = False) -> None:
        self.found.extend(
            Import(
                module=module,
                file=self._file,
                line=line,
                relative=relative,
                checked=self._checked,
                late=self._late,
            )
            for module in sorted(modules)
        )
