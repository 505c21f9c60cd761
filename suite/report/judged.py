"""A run with its verdicts, as reports take it; and where its cases are declared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath

from suite.discover import DOCUMENTED, case_files, documented
from suite.judge import Verdict
from suite.trial import DeclaredCase, RunRecord

CHECKOUT_CASES = "cases"
"""Folder of the documented cases in a checkout of the suite."""


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
        """Return each trained case's file and line, by its name."""
        files = dict(_case_files(self.run.manifest.roots))
        return {name: place_of(case, files) for name, case in self.cases.items()}


def place_of(case: DeclaredCase, files: Mapping[tuple[str, ...], str]) -> tuple[str, int]:
    """Return where a case is declared: its file, as it is called from here or in a checkout, and its line."""
    source = PurePath(case.source)
    return files.get(source.parts, f"{CHECKOUT_CASES}/{case.source}"), case.line


def _case_files(roots: Sequence[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Give each file in the folders of cases, by its folder's name and its own; the first folder's come last."""
    for root in reversed(roots):
        folder, shown = (documented(), Path(CHECKOUT_CASES)) if root == DOCUMENTED else (Path(root), Path(root))
        for file in case_files(folder):
            yield file.resolve().parts[-2:], from_here(shown / file.relative_to(folder))


def from_here(file: Path) -> str:
    """Return a file's name as seen from the working folder, where it lies under it; else in full."""
    here, whole = Path.cwd(), Path(file).absolute()
    return whole.relative_to(here).as_posix() if whole.is_relative_to(here) else whole.as_posix()
