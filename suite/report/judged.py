"""A run with its verdicts, as reports take it; and where its cases are declared."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePath

from suite.discover import DOCUMENTED, case_files, documented
from suite.judge import Verdict
from suite.paths import real
from suite.trial import DeclaredCase, RunRecord

CHECKOUT_CASES = "cases"
"""Folder of the documented cases in a checkout of the suite."""
MOST_FILES = 20_000
"""Files and folders in a folder of cases, beyond which they are not looked through for the places of cases."""


@dataclass(frozen=True, kw_only=True)
class JudgedRun:
    """What a report is made from."""

    run: RunRecord
    verdicts: Sequence[Verdict] = ()
    strict: bool = False
    """Other bits within tolerance fail, too."""

    @cached_property
    def cases(self) -> Mapping[str, DeclaredCase]:
        """Return the cases that were trained, by name."""
        return {case.name: case for case in self.run.manifest.cases}

    @cached_property
    def places(self) -> Mapping[str, tuple[str, int]]:
        """Return the file and line of each trained case whose file is known here, by its name."""
        roots = self.run.manifest.roots
        files = dict(_case_files(roots))
        found = {name: file_of(case, roots, files) for name, case in self.cases.items()}
        return {name: (file, self.cases[name].line) for name, file in found.items() if file is not None}


def file_of(case: DeclaredCase, roots: Sequence[str], files: Mapping[tuple[str, ...], str]) -> str | None:
    """Return where a case is declared: its file, as it is called from here, or in a checkout, if it is documented.

    None where no such file is here, as in another folder than the run was begun in.
    """
    source = PurePath(case.source)
    if source.parts in files:
        return files[source.parts]
    if set(roots) == {DOCUMENTED}:
        return f"{CHECKOUT_CASES}/{case.source}"
    joined = (Path(root, *source.parts[-depth:]) for root in roots for depth in (1, 2) if root != DOCUMENTED)
    return next((from_here(file) for file in joined if _below_here(file)), None)


def _case_files(roots: Sequence[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Give each file in the folders of cases, by its folder's name and its own; the first folder's come last.

    What a run says of its folders may be anything: none is looked through but the documented one and those below the
    working folder, none further than :data:`MOST_FILES`, and no file is opened.
    """
    for root in reversed(_folders(roots)):
        if root == DOCUMENTED:
            yield from _named(case_files(documented()), documented(), Path(CHECKOUT_CASES))
        else:
            yield from _named(_some_case_files(Path(root)), Path(root), Path(root))


def _folders(roots: Sequence[str]) -> list[str]:
    """Return the folders that may be looked through, each by the first of the names that lead to it."""
    named: dict[Path, str] = {}
    for root in dict.fromkeys(roots):
        if root == DOCUMENTED or _below_here(Path(root)):
            named.setdefault(real(documented() if root == DOCUMENTED else Path(root)), root)
    return list(named.values())


def _named(files: Iterable[Path], folder: Path, shown: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    for file in files:
        yield real(file).parts[-2:], from_here(shown / file.relative_to(folder))


def _below_here(folder: Path) -> bool:
    """Tell whether a folder, or a file, is there, and lies in the working folder or is it."""
    try:
        return folder.exists() and real(folder).is_relative_to(real(Path.cwd()))
    except (OSError, ValueError):  # too long a name, or a null in it
        return False


def _some_case_files(folder: Path) -> list[Path]:
    """Return the case files of a folder; none, if it holds very many files of all kinds."""
    if folder.is_file():
        return [folder]
    seen = (name for _, folders, files in os.walk(folder) for name in (*folders, *files))
    return [] if any(True for _ in islice(seen, MOST_FILES, None)) else case_files(folder)


def from_here(file: Path) -> str:
    """Return a file's name as seen from the working folder, where it lies under it; else in full."""
    here, whole = Path.cwd(), Path(file).absolute()
    return whole.relative_to(here).as_posix() if whole.is_relative_to(here) else whole.as_posix()
