"""A chunk of seeds, trained here or as an errand in another process, perhaps on another machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from suite.case import Case
from suite.discover import documented, load, named_twice, rehearse
from suite.draw import is_drawn
from suite.errors import SuiteError, let_end
from suite.machine import Settings, applied
from suite.paths import real
from suite.plan import COMPILED, EAGER, ENSEMBLE, Cell
from suite.sketch import sketch
from suite.train import compiled, eager, ensemble
from suite.train.leave import failed
from suite.train.suited import why_not
from suite.trial import Trial
from suite.version import case_version

Seen = TypeVar("Seen")

TRAINERS = {EAGER: eager.train, ENSEMBLE: ensemble.train, COMPILED: compiled.train}
"""What trains a cell's seeds, by mode."""


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Some seeds of a cell, trained and recorded together."""

    cell: Cell
    seeds: tuple[int, ...]
    timed: bool = True

    def failed(self, reason: str) -> list[Trial]:
        """Return its seeds as trials that could not be trained."""
        return [failed(self.cell, seed, reason) for seed in self.seeds]


def train_here(chunk: Chunk, settings: Settings) -> list[Trial]:
    """Train a chunk in this process."""
    with applied(settings):
        return _trained(chunk.cell, chunk.seeds, timed=chunk.timed)


def _trained(cell: Cell, seeds: Sequence[int], *, timed: bool) -> list[Trial]:
    """Train seeds; one whose observations cannot be told apart is an error of its cell, and of no other."""
    trials = TRAINERS[cell.mode](cell, seeds, timed=timed)
    return [failed(cell, t.seed, _twice(t)) if _twice(t) else t for t in trials]


def _twice(trial: Trial) -> str:
    """Say which name a trial has two numbers under; nothing, if it has none."""
    names = [name for name, _ in trial.observations]
    if len(set(names)) == len(names):
        return ""
    return named_twice(next(name for name in names if names.count(name) > 1))


@dataclass(frozen=True, kw_only=True)
class Errand:
    """A chunk as it travels to another process: the case by file and name, since code does not travel."""

    file: str
    """Of a documented case, as it lies among them: another machine may have them elsewhere."""
    name: str
    version: str
    device: str
    dtype: str
    mode: str
    seeds: tuple[int, ...]
    short: bool
    followed: bool
    probed: tuple[int, ...]
    pictured: tuple[int, ...]

    @classmethod
    def of(cls, chunk: Chunk) -> Errand:
        """Return what another process must know of a chunk."""
        cell = chunk.cell
        return cls(
            file=_among_documented(Path(cell.case.file)),
            name=cell.case.name,
            version=cell.version,
            device=cell.device,
            dtype=cell.dtype,
            mode=cell.mode,
            seeds=chunk.seeds,
            short=cell.short,
            followed=cell.followed,
            probed=tuple(seed for seed in cell.probed if seed in chunk.seeds),
            pictured=tuple(seed for seed in cell.pictured if seed in chunk.seeds),
        )

    def cell(self) -> Cell:
        """Find the case again in this process.

        Raises:
            SuiteError: if its file is not here, or declares something else.
        """
        return Cell(
            case=_found(documented() / self.file, self.name, self.version),
            version=self.version,
            device=self.device,
            dtype=self.dtype,
            mode=self.mode,
            seeds=self.seeds,
            short=self.short,
            followed=self.followed,
            probed=self.probed,
            pictured=self.pictured,
        )


def _among_documented(file: Path) -> str:
    root = real(documented())
    return str(file.relative_to(root) if file.is_relative_to(root) else file)


def _found(file: Path, name: str, version: str) -> Case:
    """Load a case; once more, if the file was loaded in this process before it became what it is."""
    nothing = None, "none"
    case, found = _cases(file).get(name, nothing)
    if found != version:
        _cases.cache_clear()
        case, found = _cases(file).get(name, nothing)
    if case is None or found != version:
        raise SuiteError(f"{file}: {name} has version {found}, where version {version} is to be trained")
    return case


@cache
def _cases(file: Path) -> dict[str, tuple[Case, str]]:
    """Return a file's cases by name, with the versions that they have as they are loaded now."""
    return {case.name: (case, case_version(case)) for case in load(file)}


def train_elsewhere(errand: Errand, settings: Settings, *, timed: bool = False) -> list[Trial]:
    """Train an errand in the process that it came to; other work runs beside it, unless it is ``timed``."""
    with applied(settings):
        return _trained(errand.cell(), errand.seeds, timed=timed)


def train_alone(errand: Errand, settings: Settings) -> list[Trial]:
    """Train an errand in the process that it came to, beside which nothing else runs."""
    return train_elsewhere(errand, settings, timed=True)


def try_case(file: Path, name: str) -> str:
    """Go through all that is done with a case before it is trained; return what is wrong with it."""
    try:
        case = next(case for case in load(file) if case.name == name)
    except SuiteError as error:
        return "; ".join(error.faults)
    faults = rehearse(case)
    if not faults:
        for look in (is_drawn, sketch, why_not):
            seen(look, case)
    return "; ".join(faults)


def seen(look: Callable[[Case], Seen], case: Case) -> Seen | None:
    """Return what there is to see of a case; None, if its code fails there, as its trials may, which tell why."""
    try:
        return look(case)
    except BaseException as error:  # whatever the case's own code raises
        let_end(error)
        return None
