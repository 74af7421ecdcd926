"""The figures of the house, measured on the source itself: short functions, short modules, few exceptions."""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "rosterd"
MODULES = sorted(SRC.rglob("*.py"))

Function = ast.FunctionDef | ast.AsyncFunctionDef

# What a linter may be told to overlook, and how often in the whole source.
EXCEPTIONS = {
    "type: ignore": (r"#\s*type:\s*ignore(\[[\w\-, ]+\])?", 3),
    "noqa": (r"#\s*noqa(:\s*[A-Z]+\d+([, ]+[A-Z]+\d+)*)?", 5),
    "no cover": (r"#\s*pragma:\s*no cover", 3),
}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions() -> Iterator[tuple[str, Function]]:
    for path in MODULES:
        for node in ast.walk(tree(path)):
            if isinstance(node, Function):
                yield f"{short(path)}:{node.lineno} {node.name}", node


def lines(node: Function) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def comments(path: Path) -> Iterator[tuple[int, str]]:
    with tokenize.open(path) as file:
        for token in tokenize.generate_tokens(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


def matching(pattern: str, paths: Iterable[Path]) -> list[str]:
    return [
        f"{short(path)}:{number} {line.strip()}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(pattern, line)
    ]


def none(found: list[str]) -> None:
    assert not found, "\n".join(found)


def test_nine_functions_in_ten_fit_thirty_lines() -> None:
    sizes = [(lines(node), where) for where, node in functions()]
    longer = [f"{where}: {size} lines" for size, where in sorted(sizes, reverse=True) if size > 30]
    assert len(longer) <= len(sizes) * 0.10, "\n".join(longer)


def test_no_function_is_longer_than_sixty_lines() -> None:
    none([f"{where}: {lines(node)} lines" for where, node in functions() if lines(node) > 60])


def test_no_module_is_longer_than_three_hundred_lines() -> None:
    sizes = {short(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    none([f"{name}: {size} lines" for name, size in sizes.items() if size > 300])


@pytest.mark.parametrize("exception", EXCEPTIONS)
def test_exceptions_are_few_and_each_has_its_reason(exception: str) -> None:
    pattern, limit = EXCEPTIONS[exception]
    found = {
        f"{short(path)}:{line} {comment}": re.sub(pattern, "", comment)
        for path in MODULES
        for line, comment in comments(path)
        if re.search(pattern, comment)
    }
    without = [where for where, rest in found.items() if len(re.findall(r"\w", rest)) < 8]
    assert not without, "no reason in the same line:\n" + "\n".join(without)
    assert len(found) <= limit, "\n".join(found)


def test_imports_stand_at_the_top_but_in_the_command_line() -> None:
    inner = [
        f"{where}: import in line {inside.lineno}"
        for where, node in functions()
        if not where.startswith("src/rosterd/cli/")
        for inside in ast.walk(node)
        if isinstance(inside, ast.Import | ast.ImportFrom)
    ]
    none(inner)


def test_nothing_is_left_for_later() -> None:
    none(matching(r"\b(TODO|FIXME|XXX)\b|\braise NotImplementedError\b", MODULES))


@pytest.mark.parametrize("package", ["core", "sources", "orbix", "autodesk", "ledger"])
def test_what_is_public_says_what_it_is(package: str) -> None:
    """Modules, and their public functions and classes, have docstrings."""
    missing = []
    for path in sorted((SRC / package).rglob("*.py")):
        public = [
            node
            for node in tree(path).body
            if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_")
        ]
        missing += [
            f"{short(path)}:{node.lineno} {node.name}" for node in public if not ast.get_docstring(node)
        ]
        if tree(path).body and not ast.get_docstring(tree(path)):
            missing.append(short(path))
    none(missing)


@pytest.mark.parametrize("folder", ["core", "doors"])
def test_no_stand_ins_where_the_rules_are_tested(folder: str) -> None:
    """Mocks and patches would test a picture of the code; a function from request to response will do."""
    stand_in = r"unittest\.mock|from unittest import mock|\bmonkeypatch\b|\bmocker\b|\brespx\b"
    none(matching(stand_in, sorted((ROOT / "tests" / folder).rglob("*.py"))))
