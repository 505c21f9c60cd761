"""Where cells are trained: here one after the other, or in worker processes.

What is timed runs alone. The rows do not depend on the engine, time columns apart.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path

from suite.case import Case
from suite.discover import load
from suite.machine import Settings, applied
from suite.plan import Cell, Plan
from suite.train.eager import train
from suite.trial import Trial

CHUNK_STEPS = 10_000
"""Steps trained between two writes to the run folder; a kill loses no more than this much work."""
TIMED_SEEDS = 20
"""Seeds of a cell that are timed, alone, before worker processes train the rest."""
TIMED_STEPS = 2_000
"""Unless so many seeds take more steps than this; then fewer, but one."""


class Engine(StrEnum):
    """Where cells are trained."""

    INLINE = "inline"
    PROCESSES = "processes"


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Some seeds of a cell, trained and recorded together."""

    cell: Cell
    seeds: tuple[int, ...]
    timed: bool = True


Done = Callable[[Cell, int], bool]
"""Tells whether a cell's seed was trained already."""


def train_plan(plan: Plan, settings: Settings, *, engine: Engine, done: Done) -> Iterator[list[Trial]]:
    """Train what is not done yet; give each chunk's trials as it finishes, in any order."""
    chunks = list(chop(plan, done))
    if engine is Engine.INLINE:
        yield from map(_trainer(settings), chunks)
        return
    alone, together = split(chunks)
    yield from map(_trainer(settings), alone)
    yield from _in_processes(together, settings)


def _trainer(settings: Settings) -> Callable[[Chunk], list[Trial]]:
    def train_chunk(chunk: Chunk) -> list[Trial]:
        with applied(settings):
            return train(chunk.cell, chunk.seeds, timed=chunk.timed)

    return train_chunk


def chop(plan: Plan, done: Done) -> Iterator[Chunk]:
    """Cut each cell's seeds, those done left out, into chunks of at most ``CHUNK_STEPS`` steps."""
    for cell in plan.cells:
        size = max(1, CHUNK_STEPS // cell.case.steps)
        left = [seed for seed in cell.seeds if not done(cell, seed)]
        for start in range(0, len(left), size):
            yield Chunk(cell=cell, seeds=tuple(left[start : start + size]))


def split(chunks: Sequence[Chunk]) -> tuple[list[Chunk], list[Chunk]]:
    """Part the first seeds of each cell, which are timed alone, from those trained in company."""
    alone, together = [], []
    for chunk in chunks:
        first = chunk.cell.seeds[0]
        timed = max(1, min(TIMED_SEEDS, TIMED_STEPS // chunk.cell.case.steps))
        early = tuple(seed for seed in chunk.seeds if seed < first + timed)
        late = tuple(seed for seed in chunk.seeds if seed >= first + timed)
        alone += [replace(chunk, seeds=early)] * bool(early)
        together += [replace(chunk, seeds=late, timed=False)] * bool(late)
    return alone, together


def _in_processes(chunks: Sequence[Chunk], settings: Settings) -> Iterator[list[Trial]]:
    """Train chunks in one worker process per core; each gives its trials as it finishes."""
    from joblib import Parallel, delayed

    pool = Parallel(n_jobs=os.cpu_count(), return_as="generator_unordered", batch_size=1)
    yield from pool(delayed(_train_elsewhere)(_Errand.of(chunk), settings) for chunk in chunks)


@dataclass(frozen=True, kw_only=True)
class _Errand:
    """A chunk as it travels to another process: the case by file and name, since code does not travel."""

    file: str
    name: str
    version: str
    device: str
    dtype: str
    mode: str
    seeds: tuple[int, ...]

    @classmethod
    def of(cls, chunk: Chunk) -> _Errand:
        cell = chunk.cell
        return cls(
            file=cell.case.file,
            name=cell.case.name,
            version=cell.version,
            device=cell.device,
            dtype=cell.dtype,
            mode=cell.mode,
            seeds=chunk.seeds,
        )

    def cell(self) -> Cell:
        """Find the case again in this process."""
        return Cell(
            case=_cases(self.file)[self.name],
            version=self.version,
            device=self.device,
            dtype=self.dtype,
            mode=self.mode,
            seeds=self.seeds,
        )


@cache
def _cases(file: str) -> dict[str, Case]:
    return {case.name: case for case in load(Path(file))}


def _train_elsewhere(errand: _Errand, settings: Settings) -> list[Trial]:
    with applied(settings):
        return train(errand.cell(), errand.seeds, timed=False)


def nothing_done(_cell: Cell, _seed: int) -> bool:
    """Say of every trial that it is still to be trained."""
    return False


def done_in(recorded: Collection[tuple[str, str, str, str, int]]) -> Done:
    """Say of the recorded trials that they are done."""
    return lambda cell, seed: (cell.case.name, cell.device, cell.dtype, cell.mode, seed) in recorded
