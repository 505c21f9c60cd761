"""A chunk of seeds, trained here or as an errand in another process, perhaps on another machine."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import RLock

from torch import hub

from suite.case import Case
from suite.discover import documented, load
from suite.errors import SuiteError
from suite.machine import Settings, applied
from suite.plan import COMPILED, EAGER, ENSEMBLE, Cell
from suite.train import compiled, eager, ensemble
from suite.trial import Trial
from suite.version import case_version

TRAINERS = {EAGER: eager.train, ENSEMBLE: ensemble.train, COMPILED: compiled.train}
"""What trains a cell's seeds, by mode."""


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Some seeds of a cell, trained and recorded together."""

    cell: Cell
    seeds: tuple[int, ...]
    timed: bool = True


def train_here(chunk: Chunk, settings: Settings) -> list[Trial]:
    """Train a chunk in this process."""
    with applied(settings):
        return TRAINERS[chunk.cell.mode](chunk.cell, chunk.seeds, timed=chunk.timed)


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
    root = documented().resolve()
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


def train_elsewhere(errand: Errand, settings: Settings) -> list[Trial]:
    """Train an errand in the process that it came to; other work runs beside it."""
    _lock_alone()
    with applied(settings):
        return TRAINERS[errand.mode](errand.cell(), errand.seeds, timed=False)


@cache
def _lock_alone() -> None:
    """Give tqdm, which torch.fx calls, a lock of this process alone.

    Its own is shared by processes: a worker that is ended leaves it behind, and Python complains of that on stderr.
    """
    set_lock = getattr(vars(hub).get("tqdm"), "set_lock", None)
    if set_lock is not None:
        set_lock(RLock())
