"""Where cells are trained: here one after the other, in worker processes, or on the workers of a cluster.

What is timed runs alone. The rows do not depend on the engine, time columns apart.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache, partial
from pathlib import Path
from typing import Any

from suite.case import Case
from suite.cluster import Cluster
from suite.discover import documented, load
from suite.draw import draw, generators_kept
from suite.errors import SuiteError
from suite.machine import Settings, applied
from suite.plan import COMPILED, EAGER, ENSEMBLE, Cell, Plan
from suite.train import compiled, eager, ensemble
from suite.train.suited import why_not
from suite.trial import Trial
from suite.version import case_version

CHUNK_STEPS = 10_000
"""Steps trained between two writes to the run folder; a kill loses no more than this much work."""
TIMED_SEEDS = 20
"""Seeds of a cell that are timed, alone, before worker processes train the rest."""
TIMED_STEPS = 2_000
"""Unless so many seeds take more steps than this; then fewer, but one."""
CHUNK_SEEDS = 4096
"""Seeds of an ensemble that are recorded together."""

TRAINERS = {EAGER: eager.train, ENSEMBLE: ensemble.train, COMPILED: compiled.train}
"""What trains a cell's seeds, by mode."""


class Engine(StrEnum):
    """Where cells are trained on this machine."""

    INLINE = "inline"
    PROCESSES = "processes"


def parse_engine(text: str) -> Engine | Cluster:
    """Read "inline", "processes" or "dask://HOST:PORT".

    Raises:
        SuiteError: if it is none of them.
    """
    if text in list(Engine):
        return Engine(text)
    cluster = Cluster.read(text)
    if cluster is None:
        raise SuiteError(f'--engine "{text}" is not known; choose inline, processes or dask://HOST:PORT')
    return cluster


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Some seeds of a cell, trained and recorded together."""

    cell: Cell
    seeds: tuple[int, ...]
    timed: bool = True


Done = Callable[[Cell, int], bool]
"""Tells whether a cell's seed was trained already."""


def check_engine(engine: Engine | Cluster, plan: Plan, settings: Settings) -> None:
    """Look, before anything is recorded, whether the engine can train the plan.

    Raises:
        SuiteError: if it is a cluster that cannot be reached, or whose workers would compute something else.
    """
    if isinstance(engine, Cluster):
        engine.check(_devices(plan), settings)


def _devices(plan: Plan) -> list[str]:
    return list(dict.fromkeys(cell.device for cell in plan.cells))


def train_plan(
    plan: Plan, settings: Settings, *, engine: Engine | Cluster, done: Done
) -> Generator[list[Trial], None, None]:
    """Train what is not done yet; give each chunk's trials as it finishes, in any order."""
    chunks = list(chop(plan, done))
    if engine is Engine.INLINE:
        yield from map(_trainer(settings), chunks)
        return
    alone, together = split(chunks)
    _wait_for_workers()
    yield from map(_trainer(settings), alone)
    together.sort(key=_work, reverse=True)
    if isinstance(engine, Cluster):
        errands = [_Errand.of(chunk) for chunk in together]
        yield from engine.each(partial(_train_elsewhere, settings=settings), errands, _devices(plan), settings)
    else:
        yield from _in_processes(together, settings)


def suited(plan: Plan) -> tuple[Plan, tuple[str, ...]]:
    """Return the plan with other modes in place of those that cannot be; and a sentence about each reason."""
    together = {cell.case.name: cell.case for cell in plan.cells if cell.mode != EAGER}
    apart = {name: reason for name, case in together.items() if (reason := why_not(case)) is not None}
    devices = dict.fromkeys(cell.device for cell in plan.cells if cell.mode == COMPILED)
    uncompiled = {device: reason for device in devices if (reason := compiled.no_compiler(device)) is not None}
    notes = (
        *(f"{name}: its seeds are trained one by one, since {reason}" for name, reason in apart.items()),
        *(f"{device}: seeds are trained as an ensemble, since none compiles: {r}" for device, r in uncompiled.items()),
    )
    return replace(
        plan, cells=_merged(replace(cell, mode=_mode(cell, apart, uncompiled)) for cell in plan.cells)
    ), notes


def _mode(cell: Cell, apart: Collection[str], uncompiled: Collection[str]) -> str:
    """Return the mode in which a cell can be trained, given the cases and devices for which not every one is."""
    if cell.case.name in apart:
        return EAGER
    return ENSEMBLE if cell.mode == COMPILED and cell.device in uncompiled else cell.mode


def _merged(cells: Iterable[Cell]) -> tuple[Cell, ...]:
    """Keep one cell for each case, device, dtype and mode, where it first stood: the whole one, not its short twin."""
    kept: dict[tuple[str, str, str, str], Cell] = {}
    for cell in cells:
        key = cell.case.name, cell.device, cell.dtype, cell.mode
        if key not in kept or kept[key].short:
            kept[key] = cell
    return tuple(kept.values())


def _trainer(settings: Settings) -> Callable[[Chunk], list[Trial]]:
    def train_chunk(chunk: Chunk) -> list[Trial]:
        with applied(settings):
            return TRAINERS[chunk.cell.mode](chunk.cell, chunk.seeds, timed=chunk.timed)

    return train_chunk


def chop(plan: Plan, done: Done) -> Iterator[Chunk]:
    """Cut each cell's seeds, those done left out, into chunks: of so many lanes, or of ``CHUNK_STEPS`` steps."""
    for cell in plan.cells:
        size = max(1, CHUNK_STEPS // cell.steps) if cell.mode == EAGER else CHUNK_SEEDS
        left = [seed for seed in cell.seeds if not done(cell, seed)]
        for start in range(0, len(left), size):
            yield Chunk(cell=cell, seeds=tuple(left[start : start + size]))


def split(chunks: Sequence[Chunk]) -> tuple[list[Chunk], list[Chunk]]:
    """Part the first seeds of each eager cell, which are timed alone, from those trained in company."""
    alone, together = [], []
    for chunk in chunks:
        first = chunk.cell.seeds[0]
        timed = max(1, min(TIMED_SEEDS, TIMED_STEPS // chunk.cell.steps)) if chunk.cell.mode == EAGER else 0
        early = tuple(seed for seed in chunk.seeds if seed < first + timed)
        late = tuple(seed for seed in chunk.seeds if seed >= first + timed)
        alone += [replace(chunk, seeds=early)] * bool(early)
        together += [replace(chunk, seeds=late, timed=False)] * bool(late)
    return alone, together


def _work(chunk: Chunk) -> int:
    """Estimate a chunk's work, so that the longest is begun first and no worker ends long after the others."""
    with generators_kept():
        parameters = sum(value.numel() for value in draw(chunk.cell.case, 0).parameters())
    return chunk.cell.steps * len(chunk.seeds) * parameters


_coming: list[Iterator[None]] = []
"""Answers of worker processes that come up."""


def call_workers(engine: Engine | Cluster) -> None:
    """Let worker processes come up, if the engine has any, while this one still reads its cases."""
    if engine is Engine.PROCESSES:
        _coming.append(_in_pool((_nothing, ()) for _ in range(os.cpu_count() or 1)))


def _wait_for_workers() -> None:
    """Wait until those that were called have come up, so that they disturb nothing that is timed."""
    while _coming:
        deque(_coming.pop(), maxlen=0)


def _nothing() -> None:
    """Be imported, and all that trains with it."""


def _in_processes(chunks: Sequence[Chunk], settings: Settings) -> Iterator[list[Trial]]:
    """Train chunks in one worker process per core; each gives its trials as it finishes."""
    return _in_pool((_train_elsewhere, (_Errand.of(chunk), settings)) for chunk in chunks)


def _in_pool(calls: Iterable[tuple[Callable[..., Any], tuple[Any, ...]]]) -> Iterator[Any]:
    from joblib import Parallel, delayed

    pool = Parallel(n_jobs=os.cpu_count(), return_as="generator_unordered", batch_size=1)
    answers: Iterator[Any] = pool(delayed(function)(*arguments) for function, arguments in calls)
    return answers


@dataclass(frozen=True, kw_only=True)
class _Errand:
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

    @classmethod
    def of(cls, chunk: Chunk) -> _Errand:
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


def _train_elsewhere(errand: _Errand, settings: Settings) -> list[Trial]:
    with applied(settings):
        return TRAINERS[errand.mode](errand.cell(), errand.seeds, timed=False)


def nothing_done(_cell: Cell, _seed: int) -> bool:
    """Say of every trial that it is still to be trained."""
    return False


def done_in(recorded: Collection[tuple[str, str, str, str, int]]) -> Done:
    """Say of the recorded trials that they are done."""
    return lambda cell, seed: (cell.case.name, cell.device, cell.dtype, cell.mode, seed) in recorded
