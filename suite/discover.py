"""Find the declared cases: every fault of every file is gathered before any is reported."""

from __future__ import annotations

import difflib
import importlib.util
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from suite.case import Case
from suite.claims import CLAIMS_FILE, Claim, read_claims
from suite.draw import DATA_SEED, batch, draw, globals_kept, optimizer_for, seed_generators
from suite.errors import SuiteError, let_end, raise_all, told
from suite.expect import Expectation
from suite.observe import Observation, elements
from suite.paths import real, shown

DOCUMENTED = "documented"
"""What a run calls the folder of cases that comes with the suite."""
if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Collection:
    """The cases of one or more folders, and the claims that they may cite."""

    roots: tuple[str, ...]
    cases: tuple[Case, ...]
    claims: tuple[Claim, ...]

    def select(self, patterns: Sequence[str]) -> tuple[Case, ...]:
        """Return the cases that are called so, or match any shell pattern, by name or by folder/name; all for none.

        Raises:
            SuiteError: naming each pattern that matches nothing, with the nearest name.
        """
        meant = {pattern: self._meant(pattern) for pattern in patterns}
        raise_all(self._unmatched(pattern) for pattern, cases in meant.items() if not cases)
        chosen = {case.name for cases in meant.values() for case in cases}
        return tuple(case for case in self.cases if case.name in chosen) if patterns else self.cases

    def only(self, pattern: str) -> Case:
        """Return the one case that is called so, or that matches the shell pattern.

        Raises:
            SuiteError: if none does, or several do; naming them.
        """
        found = self.select([pattern])
        if len(found) > 1:
            names = ", ".join(case.name for case in found)
            raise SuiteError(f'case "{pattern}" stands for several: {names}; name one of them')
        return found[0]

    def _meant(self, pattern: str) -> list[Case]:
        """Return the cases that are called so, whatever a pattern of these characters would match; else its matches."""
        names = [(case, (case.name, f"{folder(case)}/{case.name}")) for case in self.cases]
        called = [case for case in self.cases if case.name == pattern] or [c for c, both in names if pattern in both]
        return called or [case for case, both in names if any(fnmatchcase(name, pattern) for name in both)]

    def _unmatched(self, pattern: str) -> str:
        return f'case "{pattern}" is not known{_nearest(pattern, [c.name for c in self.cases])}; see: suite list'


def folder(case: Case) -> str:
    """Return the name of the folder that holds the case's file: the document, for documented cases."""
    return Path(case.file).parent.name


def documented() -> Path:
    """Return the folder of the documented cases: in the package if installed, else in the checkout."""
    packaged = Path(__file__).parent / "cases"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "cases"


def discover(roots: Sequence[Path], *, rehearsed: bool = True) -> Collection:
    """Import every case file under ``roots`` and check every case in it.

    ``rehearsed`` False: none is tried, since that is done where it can do no harm.

    Raises:
        SuiteError: one line for each fault of each file.
    """
    raise_all(f"{root}: no such folder of cases" for root in roots if not root.exists())
    claims = [claim for root in roots for claim in read_claims(root)]
    cases: list[Case] = []
    faults: list[str] = []
    for root in roots:
        for file in case_files(root):
            try:
                cases.extend(load(file))
            except SuiteError as error:
                faults.extend(error.faults)
    faults.extend(_same_names(cases))
    faults.extend(f for case in cases for f in _unknown_claims(case, {c.id for c in claims}))
    raise_all([*faults, *(f for case in cases if rehearsed for f in rehearse(case))])
    if not cases:
        told = "no case files; one is Python that declares CASE = Case(...), as you see with: suite show relu"
        raise SuiteError(f"{', '.join(map(str, roots))}: {told}")
    return Collection(roots=tuple(map(str, roots)), cases=tuple(cases), claims=tuple(claims))


def case_files(root: Path) -> list[Path]:
    """Return the Python files under ``root`` (or itself, if it is one), in the order of their names."""
    if root.is_file():
        return [root]
    found = (
        p for p in root.rglob("*.py") if not any(part.startswith(("_", ".")) for part in p.parts[len(root.parts) :])
    )
    return sorted(p for p in found if not p.name.startswith(("test_", "conftest")))


def load(file: Path) -> list[Case]:
    """Import one case file and return its cases, named and located.

    Raises:
        SuiteError: if it does not import, declares no case, or declares one that is not whole.
    """
    module = _import(file)
    found = [case for value in vars(module).values() for case in _cases_in(value)]
    unique = list({id(case): case for case in found}.values())
    if not unique:
        raise SuiteError(f"{shown(file)}: declares no Case; name a file that is no case with a leading underscore")
    return [case.located(name=case.name or file.stem, file=str(real(file))) for case in unique]


def _cases_in(value: object) -> Sequence[Case]:
    if isinstance(value, Case):
        return [value]
    return [item for item in value if isinstance(item, Case)] if isinstance(value, list | tuple) else []


def _import(file: Path) -> ModuleType:
    path = real(file)
    name = f"suite_case_{path.stem}_{sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SuiteError(f"{shown(file)}: is no Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        with named(module), globals_kept(), neighbours(path.parent):
            seed_generators(DATA_SEED)
            spec.loader.exec_module(module)
    except SuiteError as error:
        raise SuiteError(*(f"{shown(file)}: {fault}" for fault in error.faults)) from error
    except BaseException as error:  # whatever the file's own code raises
        let_end(error)
        raise SuiteError(f"{shown(file)}{_line(error, path)}: does not import: {told(error)}") from error
    return module


@contextmanager
def named(module: ModuleType) -> Iterator[None]:
    """Let a module be found by its name while it is imported, and from then on if all of it was."""
    sys.modules[module.__name__] = module
    try:
        yield
    except BaseException:
        sys.modules.pop(module.__name__, None)
        raise


@contextmanager
def neighbours(folder: Path) -> Iterator[None]:
    """Let a case file import the modules beside it; what is installed goes first, and each folder has its own."""
    if str(folder) in sys.path:
        yield
        return
    before = set(sys.modules)
    sys.path.append(str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            top = folder / name.partition(".")[0]
            file = Path(getattr(sys.modules[name], "__file__", None) or "")
            if file == top.with_suffix(".py") or top in file.parents:
                del sys.modules[name]


def _line(error: BaseException, path: Path) -> str:
    """Return ":12" for the last line of the file that the error passed through, if any."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f":{error.lineno}"
    return f":{lines[-1]}" if lines else ""


def _same_names(cases: Sequence[Case]) -> Iterator[str]:
    first: dict[str, Case] = {}
    for case in cases:
        if case.name in first:
            there = shown(first[case.name].file)
            twice = f'a case named "{case.name}" is declared in {there} already; give one a name of its own'
            yield f"{shown(case.file)}: {twice}"
        first.setdefault(case.name, case)


def _unknown_claims(case: Case, known: set[str]) -> Iterator[str]:
    for claim in case.claims:
        if claim not in known:
            hint = _nearest(claim, sorted(known)) or f"; declare it in {CLAIMS_FILE} beside the cases"
            yield f'{shown(case.file)}: claim "{claim}" is not known{hint}'


def _nearest(name: str, known: Sequence[str]) -> str:
    match = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f'; did you mean "{match[0]}"?' if match else ""


def rehearse(case: Case) -> list[str]:
    """Go through one step of the case, untimed and unrecorded, and return what is wrong with it."""
    place = f"{shown(case.file)}: {case.name}"
    try:
        with globals_kept(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network = draw(case, 0)
            if not any(True for _ in network.parameters()):
                return [f"{place}: the architecture holds no parameters; there is nothing to train"]
            if any(value.is_complex() for value in (*network.parameters(), *network.buffers())):
                return [f"{place}: holds complex numbers, which a run's dtype would cut to real ones"]
            x, target = batch(case)
            if not all(map(same, (x, target), batch(case))):
                return [f"{place}: gives other data at its second call; let it draw from a seed of its own"]
            loss = deepcopy(case.loss)(network(x), target)
            if loss.ndim:
                return [f"{place}: the loss has shape {tuple(loss.shape)}; a scalar was expected"]
            loss.backward()
            optimizer_for(case, network.named_parameters()).step()
            shapes = {name: tuple(value.shape) for name, value in network.named_parameters()}
    except BaseException as error:  # whatever the case's own code raises
        let_end(error)
        return [f"{place}: does not train: {told(error)}"]
    observed = [o for e in case.expect if isinstance(e, Expectation) for o in e.observations]
    return [
        f"{place}: {fault}" for fault in (*_unknown_parameters(observed, list(shapes)), *_ambiguous(observed, shapes))
    ]


def same(ours: Tensor, theirs: Tensor) -> bool:
    """Tell whether two tensors hold the same numbers in the same shape; NaN is the same as itself."""
    return ours.shape == theirs.shape and bool(((ours == theirs) | (ours.isnan() & theirs.isnan())).all())


def _ambiguous(observed: Sequence[Observation], shapes: Mapping[str, tuple[int, ...]]) -> Iterator[str]:
    """Say which names stand for two things: of observations, or of a parameter's elements, given all shapes."""
    first: dict[str, Observation] = {}
    others = [o.name for o in observed if not o.looks_as(first.setdefault(o.name, o))]
    columns = Counter(column for o in first.values() for column in elements(o.name, o.shape(shapes)))
    others += [column for column, count in columns.items() if count > 1]
    for name in dict.fromkeys(others):
        yield named_twice(name)


def named_twice(name: str) -> str:
    """Say that a name stands for two things that are observed."""
    return f'expectations that look at different things call them all "{name}"; give each a name of its own'


def _unknown_parameters(observed: Sequence[Observation], names: Sequence[str]) -> Iterator[str]:
    for name in dict.fromkeys(name for observation in observed for name in observation.parameters):
        if name not in names:
            hint = _nearest(name, names) or f"; it has {', '.join(names)}"
            yield f'an expectation looks at parameter "{name}", which the architecture lacks{hint}'
