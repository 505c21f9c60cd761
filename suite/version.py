"""case_version: a hash of what a case computes.

Two declarations have one version if they build the same network, data, loss and optimizer and
train as many steps. Docstrings, comments, claims and expectations do not count; neither does
what torch makes of a name, so that a change inside torch is judged and not taken for another case.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import partial
from pathlib import Path, PurePath
from types import BuiltinFunctionType, CodeType, FunctionType, GenericAlias, MethodType, ModuleType, SimpleNamespace
from typing import Any

from suite.case import Case

VERSION_LENGTH = 12
"""Hexadecimal digits of a version."""

PLAIN = str | bytes | int | float | complex | Enum | None
"""Values that say all about themselves."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
Code = type | FunctionType | BuiltinFunctionType


def case_version(case: Case) -> str:
    """Return the hash of what ``case`` computes: twelve hexadecimal digits."""
    text = _Description(case.file).of((case.architecture, case.data, case.loss, case.optimizer, case.steps))
    return hashlib.sha256(text.encode()).hexdigest()[:VERSION_LENGTH]


class _Description:
    """Describes values as text; code of the case's own file, or beside it, by its source, other code by name."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.met: list[Any] = []
        """Code and objects in the order in which they were met; each is described once."""
        self.read: dict[str, list[tuple[str, Definition]]] = {}
        """What each file defines, last and innermost first: qualified names and syntax."""
        self.asked: dict[str, dict[str, str]] = {}
        """What each file imports from installed packages: the name there, by the name here."""

    def of(self, value: Any) -> str:
        if isinstance(value, PurePath) or type(value) is str:
            return self._path(value)
        if isinstance(value, PLAIN):
            return repr(value)
        if isinstance(value, Mapping):
            items = sorted(value.items(), key=lambda item: repr(item[0]))
            return "{" + ", ".join(f"{key!r}: {self.of(item)}" for key, item in items) + "}"
        if isinstance(value, list | tuple):
            return "(" + ", ".join(map(self.of, value)) + ")"
        if isinstance(value, set | frozenset):
            return "{" + ", ".join(sorted(map(self.of, value))) + "}"
        return self._code(value) if isinstance(value, Code) else self._once(value, self._object)

    def _path(self, value: PurePath | str) -> str:
        """Describe a path as it goes on from the case's folder; of one elsewhere its name, or its text as it is."""
        path, folder = PurePath(value), PurePath(self.file).parent
        if path.is_absolute() and path.is_relative_to(folder):
            return repr(path.relative_to(folder).as_posix())
        if path.is_absolute() and path.name and folder.is_relative_to(path):
            return repr("/".join([".."] * len(folder.relative_to(path).parts)))
        return path.name if isinstance(value, PurePath) else repr(value)  # where a file lies does not count

    def _once(self, value: Any, describe: Callable[[Any], str]) -> str:
        before = next((place for place, met in enumerate(self.met) if met is value), None)
        if before is not None:
            return f"#{before}"
        self.met.append(value)
        return describe(value)

    def _object(self, value: Any) -> str:
        held = self._held(value)
        return f"{_name(type(value))}{_without_address(value)}" if held is None else self.of((type(value), held))

    def _held(self, value: Any) -> Any:
        """Return what an object holds that its class does not say; None if it does not show it."""
        if isinstance(value, GenericAlias):
            return repr(value)  # NDArray[float64] answers for the array that it only names
        if hasattr(value, "dtype") and hasattr(value, "tolist"):
            return str(value.dtype), value.tolist()  # a tensor or an array
        if isinstance(value, partial):
            return value.func, value.args, value.keywords
        if isinstance(value, MethodType):
            return value.__self__, value.__func__
        if hasattr(value, "__wrapped__"):
            return value.__wrapped__
        if is_dataclass(value):
            return {field.name: getattr(value, field.name) for field in fields(value)}
        return self._attributes(value) if hasattr(value, "__dict__") else None

    def _attributes(self, value: Any) -> dict[str, Any]:
        """Return all public attributes of an object of the case's own; of another, those that are plain or tensors."""
        public = {k: v for k, v in vars(value).items() if not k.startswith("_") and k != "training"}
        whole = self._own(type(value)) or isinstance(value, SimpleNamespace)
        return {k: v for k, v in public.items() if whole or isinstance(v, PLAIN)} | _of_module(value)

    def _own(self, code: type | FunctionType) -> bool:
        """Tell whether code stands in the case's file or in a module beside it."""
        file = Path(_home(code)[0])
        beside = Path(self.file).parent / code.__module__.partition(".")[0]
        return str(file) == self.file or file == beside.with_suffix(".py") or beside in file.parents

    def _code(self, code: Code) -> str:
        original = inspect.unwrap(code)
        if isinstance(code, type | FunctionType) and self._own(code):
            return self._once(code, self._source)
        if isinstance(original, FunctionType) and self._own(original):
            return f"wrapped {self._once(original, self._source)}"
        return _name(code)

    def _source(self, code: type | FunctionType) -> str:
        file, scope = _home(code)
        node = self._definition(code, file)
        if node is None:
            return f"{code.__qualname__}{self.of(_made(code))}"
        return "\n".join([ast.unparse(_bare(node)), *self._captured(code), *self._used(node, scope)])

    def _captured(self, code: type | FunctionType) -> Iterator[str]:
        """Describe what a function holds from the place where it was made."""
        if isinstance(code, FunctionType):
            yield from (self.of(cell.cell_contents) for cell in code.__closure__ or ())
            yield self.of((code.__defaults__ or (), code.__kwdefaults__ or {}))

    def _used(self, node: Definition, scope: Mapping[str, Any]) -> Iterator[str]:
        """Describe the globals of the code's file that it names."""
        names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and not n.id.startswith("__")}
        foreign = self._imported(str(scope.get("__file__")))
        for name in sorted(names & scope.keys()):
            if isinstance(scope[name], Code) and name in foreign:
                yield f"{name} = {foreign[name]}"
            elif not isinstance(scope[name], ModuleType):
                yield f"{name} = {self.of(scope[name])}"

    def _imported(self, file: str) -> dict[str, str]:
        """Name what a file imports from installed packages as it asks for it, whatever it then gets."""
        if file not in self.asked:
            tree = ast.parse(Path(file).read_text(encoding="utf-8")) if Path(file).is_file() else ast.Module([], [])
            self.asked[file] = {
                alias.asname or alias.name: f"{package}:{alias.name}"
                for node in ast.walk(tree)
                if isinstance(node, ast.ImportFrom) and node.module and not node.level
                for package in [node.module.partition(".")[0]]
                if not _beside(package, file)
                for alias in node.names
            }
        return self.asked[file]

    def _definition(self, code: type | FunctionType, file: str) -> Definition | None:
        """Find the syntax of a function by its line, that of a class by its name; the last one counts."""
        if file not in self.read:
            self.read[file] = list(_named(ast.parse(Path(file).read_text(encoding="utf-8")), ""))[::-1]
        if not isinstance(code, FunctionType):
            return next((node for name, node in self.read[file] if name == code.__qualname__), None)
        here = [node for _, node in self.read[file] if _first_line(node) == code.__code__.co_firstlineno]
        if code.__code__.co_name != "<lambda>":
            return next((node for node in here if getattr(node, "name", "") == code.__code__.co_name), None)
        return next((node for node in here if isinstance(node, ast.Lambda) and _holds(node.body, code.__code__)), None)


def _beside(package: str, file: str) -> bool:
    """Tell whether a module lies beside the file, and is the author's own."""
    place = Path(file).parent / package
    return place.is_dir() or place.with_suffix(".py").is_file()


def _home(code: type | FunctionType) -> tuple[str, Mapping[str, Any]]:
    """Return the file in which code is written, and the globals that it sees; nothing if there is no such file.

    A module beside a case file is not kept by its name, so that a class is asked for its methods first.
    """
    if isinstance(code, FunctionType):
        return code.__code__.co_filename, code.__globals__
    methods = (held for held in vars(code).values() if isinstance(held, FunctionType))
    scopes = (method.__globals__ for method in methods if method.__globals__.get("__name__") == code.__module__)
    scope = next(scopes, None) or vars(sys.modules.get(code.__module__, object))
    return scope.get("__file__") or "", scope


def _name(code: Any) -> str:
    """Name code that is not the case's own; a change inside it is no change of the case."""
    return f"{(code.__module__ or '').partition('.')[0]}:{code.__qualname__}"


def _without_address(value: Any) -> str:
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))


def _of_module(value: Any) -> dict[str, Any]:
    """Return the tensors and modules that an ``nn.Module`` holds; nothing for another object."""
    if not hasattr(value, "named_parameters"):
        return {}
    return {**dict(value.named_parameters()), **dict(value.named_buffers()), **dict(value.named_children())}


def _made(code: type | FunctionType) -> dict[str, Any]:
    """Return what there is to see of code without a definition in the file, as ``type(...)`` makes it."""
    seen = {k: v for k, v in vars(code).items() if isinstance(v, PLAIN | FunctionType) and not k.startswith("__")}
    return {**seen, "bases": getattr(code, "__bases__", ())}


def _named(tree: ast.AST, prefix: str) -> Iterator[tuple[str, Definition]]:
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, Definition):
            yield from _named(node, prefix)
            continue
        name = prefix + getattr(node, "name", "<lambda>")
        yield name, node
        yield from _named(node, f"{name}." if isinstance(node, ast.ClassDef) else f"{name}.<locals>.")


def _first_line(node: Definition) -> int:
    """Return the line on which a definition begins: that of its first decorator, if it has any."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _holds(body: ast.expr, code: CodeType) -> bool:
    """Tell whether all of the code was compiled from inside ``body``, so that lambdas on a line are told apart."""
    first, last = (body.lineno, body.col_offset), (body.end_lineno or 0, body.end_col_offset or 0)
    spans = [(line or 0, column or 0, end or 0, until or 0) for line, end, column, until in code.co_positions()]
    return all(first <= span[:2] and span[2:] <= last for span in spans if span[3])


def _bare(node: Definition) -> ast.stmt:
    """Return the definition without docstrings."""
    copy = ast.parse(ast.unparse(node)).body[0]
    for inner in ast.walk(copy):
        body = getattr(inner, "body", None)
        if isinstance(body, list):
            body[:] = [statement for statement in body if not _is_docstring(statement)] or [ast.Pass()]
    return copy


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
