"""Which Python files declare cases, as their syntax tells: to import a file is to run it, and it may be anyone's.

A file declares cases if it takes ``Case`` from the suite as it is imported, whether by that name, by a star or as
``s.Case(...)``; or if it assigns ``CASE`` or ``CASES`` and imports the suite in any form, itself or by way of modules
beside it. One that only assigns these names to what it calls, or only imports something else of the suite, may declare
cases: that is told by importing it alone, which only whoever names the file asks for.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

SUITE = "suite"
ROOMS = (SUITE, "suite.case")
"""What ``Case`` can be had from."""
CASE = "Case"
NAMES = frozenset({"CASE", "CASES"})
"""What a file calls its cases, if it does not name ``Case``."""
WORD = re.compile(rb"\b(?:suite|CASES?)\b")
"""What every case file has in it."""
BEGUN_AS_ONE = re.compile(rb"^(?:from|import) suite\b", re.MULTILINE)
"""What a file that is no Python has in it, if its faults are to be told as those of a case file."""

Import = ast.Import | ast.ImportFrom


def declares(file: Path) -> bool:
    """Tell whether a file declares cases; False, if it cannot be read."""
    source = _read(file)
    tree = _parsed(source)
    if tree is None:
        return BEGUN_AS_ONE.search(source) is not None
    return _takes_case(tree) or (any(map(_is_made, _named(tree))) and _reaches_suite(file, tree, file.parent, set()))


def may_declare(file: Path) -> bool:
    """Tell whether a file declares cases, or may, and holds no tests of its own."""
    tree = _parsed(_read(file))
    if tree is None or declares(file):
        return declares(file)
    tests = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    if any(isinstance(node, tests) and node.name.lower().startswith("test") for node in tree.body):
        return False
    return _imports_suite(tree) or any(_is_made(node) for node in _named(tree))


def _read(file: Path) -> bytes:
    """Return what a file holds; nothing, if it has no word in it that every case file has, or cannot be read."""
    try:
        source = file.read_bytes()
    except OSError:  # whoever wants the file tells that; it may be no case, and of no matter to any test
        return b""
    return source if WORD.search(source) else b""


def _parsed(source: bytes) -> ast.Module | None:
    """Return the syntax of a file; None, if it has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _run(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Give the statements that are run as a file is imported, whatever branches and loops they stand in."""
    for node in body:
        yield node
        if isinstance(node, ast.If) and _is_for_types(node.test):
            yield from _run(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            parts = [getattr(node, part, []) for part in ("body", "orelse", "finalbody")]
            parts += [handler.body for handler in getattr(node, "handlers", [])]
            yield from (inner for part in parts for inner in _run(part))


def _is_for_types(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in (getattr(test, "id", ""), getattr(test, "attr", ""))


def _takes_case(tree: ast.Module) -> bool:
    """Tell whether ``Case`` itself is imported from the suite, or handed on as a part of it."""
    taken = (n for n in _run(tree.body) if isinstance(n, ast.ImportFrom) and n.module == SUITE and not n.level)
    if any(alias.name in {CASE, "*"} for node in taken for alias in node.names):
        return True
    rooms = {alias.asname or SUITE for node in _imports(tree) for alias in _as_suite(node)}
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call)) if rooms else ()
    return any(_is_part(word, rooms) for call in calls for word in (call.func, *call.args))


def _as_suite(node: Import) -> list[ast.alias]:
    """Return what a statement imports whole as the suite: ``import suite``, ``import suite as s``."""
    return [alias for alias in node.names if alias.name in ROOMS] if isinstance(node, ast.Import) else []


def _is_part(word: ast.expr, rooms: set[str]) -> bool:
    """Tell whether an expression is ``Case`` as a part of one of the rooms: ``suite.Case``."""
    if not isinstance(word, ast.Attribute) or word.attr != CASE:
        return False
    root = word.value
    while isinstance(root, ast.Attribute):
        root = root.value
    return isinstance(root, ast.Name) and root.id in rooms


def _named(tree: ast.Module) -> Iterator[ast.stmt]:
    """Give the statements that assign ``CASE`` or ``CASES``, or import what is called so from elsewhere."""
    for node in _run(tree.body):
        if isinstance(node, ast.ImportFrom):
            bound = set() if _is_of_suite(node) else {alias.asname or alias.name for alias in node.names}
        else:
            targets = [*getattr(node, "targets", []), getattr(node, "target", None)]
            bound = {n.id for target in targets if target for n in ast.walk(target) if isinstance(n, ast.Name)}
        if bound & NAMES:
            yield node


def _is_made(node: ast.stmt) -> bool:
    """Tell whether a statement may bind cases: what it calls may be one, while literals are none."""
    return isinstance(node, ast.ImportFrom) or any(isinstance(inner, ast.Call) for inner in ast.walk(node))


def _imports(tree: ast.Module) -> Iterator[Import]:
    yield from (node for node in ast.walk(tree) if isinstance(node, Import))


def _imports_suite(tree: ast.Module) -> bool:
    """Tell whether anything that a case file may need is imported anywhere."""
    return any(map(_is_of_suite, _imports(tree)))


def _is_of_suite(node: Import) -> bool:
    if isinstance(node, ast.Import):
        return bool(_as_suite(node))
    return not node.level and node.module in ROOMS


def _reaches_suite(file: Path, tree: ast.Module, folder: Path, seen: set[Path]) -> bool:
    """Tell whether a file imports the suite, or a module beside the case file that does."""
    seen.add(file)
    return _imports_suite(tree) or any(
        _reaches_suite(there, _parsed(there.read_bytes()) or ast.Module([], []), folder, seen)
        for node in _imports(tree)
        for there in _beside(file, node, folder)
        if there not in seen and there.is_file()
    )


def _beside(file: Path, node: Import, folder: Path) -> Iterator[Path]:
    """Give the files that an import may mean, if it means one in the case file's folder or below."""
    names = [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        folder = file.parents[min(node.level, len(file.parents)) - 1] if node.level else folder
        module = node.module or ""
        names = [module, *(f"{module}.{name}".strip(".") for name in names)]
    for name in filter(None, names):
        place = folder.joinpath(*name.split("."))
        yield from (place.with_name(f"{place.name}.py"), place / "__init__.py")
