"""What a case file says of itself: its title, the document that it follows, and where it declares which case.

The file is parsed and never imported, so that what a run records of it, and what a reader is shown, is what stands
there, whatever the code would do.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import decode_source
from inspect import cleandoc
from pathlib import Path
from textwrap import dedent

from suite.errors import SuiteError, told

DECLARED_AS = {"CASE", "CASES"}
"""What a case file calls what it declares, unless each case is named where it is made."""

SOURCE = "Source:"
"""Begins the paragraph of a docstring that names the document."""

MAKER = "Case"


@dataclass(frozen=True, kw_only=True)
class Span:
    """Some lines of a file, from the first to the last; both count from 1."""

    first: int
    last: int


@dataclass(frozen=True, kw_only=True)
class Source:
    """What one case file says of itself."""

    title: str
    """First line of its docstring; empty without one."""
    document: str
    """What its docstring gives as the source, in one line; empty if it gives none."""
    lines: tuple[str, ...]
    """The file's text."""
    named: dict[str, Span]
    """The call that gives each name, by that name."""
    assigned: Span | None
    """The statement that assigns CASE or CASES, if one does."""
    declarations: dict[Span, tuple[Span, ...]]
    """By each statement at the top: the functions of the file that make the cases in it, and itself."""

    def line_of(self, name: str) -> int:
        """Return the line that declares a case: where it is named, else where CASE or CASES is assigned, else 1."""
        place = self._place(name)
        return place.first if place else 1

    def declaration_of(self, name: str) -> str:
        """Return the text that declares a case: the statement, after the functions beside it that make the case."""
        place = self._place(name)
        spans = next((held for top, held in self.declarations.items() if place and _within(place, top)), ())
        return "\n\n\n".join(dedent("\n".join(self.lines[span.first - 1 : span.last])) for span in spans)

    def _place(self, name: str) -> Span | None:
        return self.named.get(name, self.assigned)


UNWRITTEN = Source(title="", document="", lines=(), named={}, assigned=None, declarations={})
"""What is known of a case that was made by no file."""


def read_source(file: Path) -> Source:
    """Parse a case file.

    Raises:
        SuiteError: if it cannot be read, or is no Python.
    """
    text, module = _parsed(file)
    docstring = ast.get_docstring(module, clean=False) or ""
    return Source(
        title=cleandoc(docstring).partition("\n")[0].strip(),
        document=_document(cleandoc(docstring)),
        lines=tuple(text.split("\n")),
        named=dict(sorted(_named(module), key=lambda found: found[1].first, reverse=True)),
        assigned=next((_span(statement) for statement in module.body if _assigned(statement) & DECLARED_AS), None),
        declarations={_span(part): (*_makers(module, part), _span(part)) for part in _parts(module)},
    )


def _parsed(file: Path) -> tuple[str, ast.Module]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # whoever imports the file is warned of what is odd in it
            text = decode_source(file.read_bytes())
            return text, ast.parse(text)
    except OSError as error:
        raise SuiteError(f"{file}: cannot be read: {error.strerror or error}") from error
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise SuiteError(f"{file}: is no Python: {told(error)}") from error


def _document(docstring: str) -> str:
    """Return the paragraph that names the source, without that word."""
    paragraphs = (" ".join(lines.split()) for lines in re.split(r"\n\s*\n", docstring))
    return next((p.removeprefix(SOURCE).strip() for p in paragraphs if p.startswith(SOURCE)), "")


def _named(module: ast.Module) -> Iterator[tuple[str, Span]]:
    """Give each name that a call in the file is given, and the call."""
    for call in (node for node in ast.walk(module) if isinstance(node, ast.Call)):
        for word in call.keywords:
            if word.arg == "name" and isinstance(word.value, ast.Constant) and isinstance(word.value.value, str):
                yield word.value.value, _span(call)


def _assigned(statement: ast.stmt) -> set[str]:
    """Return the names that a statement gives values to."""
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    targets = [statement.target] if isinstance(statement, ast.AnnAssign) else targets
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _parts(module: ast.Module) -> Iterator[ast.stmt | ast.expr]:
    """Give what may declare a case: each item of a list that is assigned, and each statement at the top."""
    for statement in module.body:
        value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
        if isinstance(value, ast.List | ast.Tuple) and len({item.lineno for item in value.elts}) == len(value.elts):
            yield from (item for item in value.elts if item.lineno > statement.lineno)
        yield statement


def _makers(module: ast.Module, part: ast.AST) -> Iterator[Span]:
    """Give the functions at the top of the file that a part of it names and that make a case."""
    meant = {node.id for node in ast.walk(part) if isinstance(node, ast.Name)}
    for function in module.body:
        if isinstance(function, ast.FunctionDef) and function is not part and function.name in meant:
            calls = (node.func for node in ast.walk(function) if isinstance(node, ast.Call))
            if any(isinstance(called, ast.Name) and called.id == MAKER for called in calls):
                yield _span(function)


def _span(node: ast.stmt | ast.expr) -> Span:
    return Span(first=node.lineno, last=node.end_lineno or node.lineno)


def _within(inner: Span, outer: Span) -> bool:
    return outer.first <= inner.first and inner.last <= outer.last
