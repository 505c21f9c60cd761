"""Where cells are trained: here one after the other, in worker processes, or on the workers of a cluster.

What is timed runs alone. The rows do not depend on the engine, time columns apart.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path

from suite.case import Case
from suite.cluster import Cluster
from suite.draw import draw, globals_kept
from suite.errand import Chunk, Errand, seen, train_alone, train_elsewhere, train_here, try_case
from suite.errors import SuiteError
from suite.limits import UNLIMITED, Limits
from suite.machine import Settings
from suite.plan import EAGER, Cell, Plan
from suite.pool import Lost, cores, each
from suite.trial import Trial
from suite.worker import start_server

CHUNK_STEPS = 10_000
"""Steps trained between two writes to the run folder; a kill loses no more than this much work."""
TIMED_SEEDS = 20
"""Seeds of a cell that are timed, alone, before worker processes train the rest."""
TIMED_STEPS = 2_000
"""Unless so many seeds take more steps than this; then fewer, but one."""
CHUNK_SEEDS = 4096
CHUNK_BYTES = 256 * 2**20
"""Seeds of an ensemble that are recorded together: so many, or fewer, whose remains fit this."""
BYTES_A_PARAMETER = 64
"""What a seed leaves of each: drawn, cast, two gradients, after one step, after the last, and what is looked at."""


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


Done = Callable[[Cell, int], bool]
"""Tells whether a cell's seed was trained already."""


def check_engine(engine: Engine | Cluster, plan: Plan, settings: Settings, limits: Limits = UNLIMITED) -> None:
    """Look, before anything is recorded, whether the engine can train the plan.

    Raises:
        SuiteError: if it is a cluster that cannot be reached, or whose workers would compute something else, or one
            that is to hold cells to limits.
    """
    if isinstance(engine, Cluster):
        if limits:
            raise SuiteError("--cell-timeout and --cell-memory hold processes of this machine only; leave --engine out")
        engine.check(_devices(plan), settings)


def _devices(plan: Plan) -> list[str]:
    return list(dict.fromkeys(cell.device for cell in plan.cells))


def train_plan(
    plan: Plan, settings: Settings, *, engine: Engine | Cluster, done: Done, limits: Limits = UNLIMITED
) -> Generator[list[Trial], None, None]:
    """Train what is not done yet; give each chunk's trials as it finishes, in any order."""
    chunks = list(chop(plan, done))
    yield from (chunk.failed(chunk.cell.spoilt) for chunk in chunks if chunk.cell.spoilt)
    sound = [chunk for chunk in chunks if not chunk.cell.spoilt]
    if engine is Engine.INLINE:
        yield from _one_by_one(sound, settings, limits)
        return
    alone, together = split(sound)
    _wait_for_server(engine)
    yield from _one_by_one(alone, settings, limits)
    together.sort(key=_work, reverse=True)
    if isinstance(engine, Cluster):
        errands = [Errand.of(chunk) for chunk in together]
        yield from engine.each(partial(train_elsewhere, settings=settings), errands, _devices(plan), settings)
    else:
        yield from _in_processes(train_elsewhere, together, settings, workers=cores(), limits=limits)


def _one_by_one(chunks: Sequence[Chunk], settings: Settings, limits: Limits) -> Iterator[list[Trial]]:
    """Train chunks in turn, beside nothing else: here, or in another process if there are limits to hold it to."""
    if limits:
        return _in_processes(train_alone, chunks, settings, workers=1, limits=limits)
    return map(partial(train_here, settings=settings), chunks)


def first_steps(cells: Sequence[Cell], settings: Settings, limits: Limits = UNLIMITED) -> Iterator[Trial]:
    """Train the first seed of each cell again, for the reference's few steps, in this process unless there are limits.

    So it starts as in the run, in the same mode; nothing is timed, and nothing recorded.
    """
    short = [replace(cell, seeds=cell.seeds[:1], short=True, probed=(), pictured=()) for cell in cells]
    chunks = [Chunk(cell=cell, seeds=tuple(cell.seeds), timed=False) for cell in short]
    for trials in _one_by_one(chunks, settings, limits):
        yield from trials


def chop(plan: Plan, done: Done) -> Iterator[Chunk]:
    """Cut each cell's seeds, those done left out, into chunks that are trained and recorded together."""
    for cell, seeds in ((part, seeds) for whole in plan.cells for part, seeds in _parts(whole)):
        size = _chunk_size(cell)
        left = [seed for seed in seeds if not done(cell, seed)]
        for start in range(0, len(left), size):
            yield Chunk(cell=cell, seeds=tuple(left[start : start + size]))


def _parts(cell: Cell) -> Iterator[tuple[Cell, Sequence[int]]]:
    """Part the first seed of a short cell, which is followed, from the others."""
    if cell.short:
        yield replace(cell, followed=True), cell.seeds[:1]
    yield cell, cell.seeds[cell.short :]


def _chunk_size(cell: Cell) -> int:
    """Return how many seeds make a chunk: of so many steps one by one, of so many bytes together."""
    if cell.spoilt:
        return CHUNK_SEEDS
    if cell.mode == EAGER:
        return max(1, CHUNK_STEPS // cell.steps)
    return max(1, min(CHUNK_SEEDS, CHUNK_BYTES // (BYTES_A_PARAMETER * _parameters(cell))))


def _parameters(cell: Cell) -> int:
    """Count the numbers that a seed of the cell trains; one if there is none, or its code fails, as its trials tell."""
    return max(1, seen(_numbers, cell.case) or 0)


def _numbers(case: Case) -> int:
    with globals_kept():
        return sum(value.numel() for value in draw(case, 0).parameters())


def split(chunks: Sequence[Chunk]) -> tuple[list[Chunk], list[Chunk]]:
    """Part the first seeds of each eager cell, which are timed alone, from those trained in company."""
    alone, together = [], []
    for chunk in chunks:
        first = chunk.cell.seeds[0]
        is_timed = chunk.cell.mode == EAGER and not chunk.cell.followed
        timed = max(1, min(TIMED_SEEDS, TIMED_STEPS // chunk.cell.steps)) + chunk.cell.short if is_timed else 0
        early = tuple(seed for seed in chunk.seeds if seed < first + timed)
        late = tuple(seed for seed in chunk.seeds if seed >= first + timed)
        alone += [replace(chunk, seeds=early)] * bool(early)
        together += [replace(chunk, seeds=late, timed=False)] * bool(late)
    return alone, together


def _work(chunk: Chunk) -> int:
    """Estimate a chunk's work, so that the longest is begun first and no worker ends long after the others."""
    return chunk.cell.steps * len(chunk.seeds) * _parameters(chunk.cell)


def call_workers(engine: Engine | Cluster, limits: Limits) -> None:
    """Let what worker processes are forked from come up, if there will be any, while this one still reads its cases."""
    if engine is Engine.PROCESSES or limits:
        with suppress(OSError):  # which whoever asks for a worker is told
            start_server()


def _wait_for_server(engine: Engine | Cluster) -> None:
    """Wait until worker processes can be had, so that their coming disturbs nothing that is timed."""
    if engine is Engine.PROCESSES:
        deque(each([(_nothing, ())], workers=1), maxlen=0)


def _nothing() -> None:
    """Be imported, and all that trains with it."""


def _in_processes(
    train: Callable[[Errand, Settings], list[Trial]],
    chunks: Sequence[Chunk],
    settings: Settings,
    *,
    workers: int,
    limits: Limits,
) -> Iterator[list[Trial]]:
    """Train chunks in worker processes; one whose process dies, or goes too far, fails alone."""
    calls = [(train, (Errand.of(chunk), settings)) for chunk in chunks]
    with closing(each(calls, workers=workers, limits=limits)) as answers:
        for place, answer in answers:
            yield chunks[place].failed(answer.reason) if isinstance(answer, Lost) else answer


def tried(plan: Plan, limits: Limits) -> Plan:
    """Try each case in a process of its own, within limits; spoil the cells of those that fail."""
    cases = list({cell.case.name: cell.case for cell in plan.cells}.values())
    calls = [(try_case, (Path(case.file), case.name)) for case in cases]
    found = {cases[place].name: answer for place, answer in each(calls, workers=cores(), limits=limits)}
    reasons = {name: answer.reason if isinstance(answer, Lost) else answer for name, answer in found.items()}
    return replace(plan, cells=tuple(replace(cell, spoilt=reasons[cell.case.name]) for cell in plan.cells))


def nothing_done(_cell: Cell, _seed: int) -> bool:
    """Say of every trial that it is still to be trained."""
    return False


def done_in(recorded: Collection[tuple[str, str, str, str, int]]) -> Done:
    """Say of the recorded trials that they are done."""
    return lambda cell, seed: (cell.case.name, cell.device, cell.dtype, cell.mode, seed) in recorded
