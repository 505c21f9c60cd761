"""Every engine trains every seed once, and leaves the same rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from math import isnan
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim import SGD

from suite import engine
from suite.case import Case, fixed
from suite.cluster import Cluster
from suite.discover import load
from suite.engine import (
    Engine,
    call_workers,
    check_engine,
    chop,
    done_in,
    nothing_done,
    parse_engine,
    split,
    train_plan,
)
from suite.errand import Chunk
from suite.errors import SuiteError
from suite.limits import UNLIMITED
from suite.machine import Settings
from suite.plan import FOLLOWED_STEPS, REFERENCE_SEEDS, REFERENCE_STEPS, Cell, Plan, make_plan
from suite.trial import Trial
from tests.cells import NO_CLOCKS

Write = Callable[[str, str], Path]

Key = tuple[str, str, int]
"""Case, dtype and seed."""


@pytest.fixture
def plan(write: Write, case_text: str) -> Plan:
    """Plan a case of three steps and one of five, in two dtypes."""
    files = write("three.py", case_text), write("five.py", case_text.replace("steps=3", "steps=5"))
    cases = [case for file in files for case in load(file)]
    return make_plan(cases, seeds=range(6), dtypes=("float32", "float16"), modes=("eager",))


def trained(plan: Plan, how: Engine = Engine.INLINE) -> dict[Key, Trial]:
    """Train the whole plan and return what each seed left, the clocks' readings set to nothing."""
    chunks = train_plan(plan, Settings(), engine=how, done=nothing_done)
    return {key_of(trial): replace(trial, **NO_CLOCKS) for trial in chain(*chunks)}


def key_of(trial: Trial) -> Key:
    """Return what names a trial."""
    return trial.case, trial.dtype, trial.seed


def test_worker_processes_leave_the_same_rows(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is trained in worker processes is, clocks apart, what is trained here."""
    monkeypatch.setattr(engine, "TIMED_SEEDS", 2)
    assert trained(plan, Engine.PROCESSES) == trained(plan)


def test_what_has_company_is_not_timed(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """With worker processes, a cell's first seeds are timed alone, and only they have a yardstick."""
    monkeypatch.setattr(engine, "TIMED_SEEDS", 2)
    chunks = train_plan(plan, Settings(), engine=Engine.PROCESSES, done=nothing_done)
    timed = {trial.seed: not isnan(trial.yardstick_seconds) for trial in chain(*chunks) if trial.case == "five"}
    assert timed == {0: True, 1: True, 2: False, 3: False, 4: False, 5: False}


def test_rows_depend_neither_on_order_nor_on_company(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial is the same whatever else is trained, before it or at all, and however the seeds are cut."""
    whole = trained(plan)
    backwards = Plan(cells=tuple(reversed(plan.cells)))
    monkeypatch.setattr(engine, "CHUNK_STEPS", 7)
    assert trained(backwards) == whole
    few = Plan(cells=tuple(replace(cell, seeds=range(3, 5)) for cell in plan.cells[1:]))
    part = trained(few)
    assert part == {key: whole[key] for key in part}
    assert len(part) == 2 * len(few.cells)


def test_what_is_done_is_not_trained_again(plan: Plan) -> None:
    """Only what a run still lacks is trained: by case, device, dtype, mode and seed."""
    three, five = plan.cells[0], plan.cells[-1]
    recorded = [("three", "cpu", "float32", "eager", seed) for seed in (0, 2, 5)] + [("five", "cpu", "x", "eager", 1)]
    chunks = train_plan(plan, Settings(), engine=Engine.INLINE, done=done_in(set(recorded)))
    found = [key_of(trial) for trial in chain(*chunks)]
    assert [seed for case, dtype, seed in found if (case, dtype) == ("three", three.dtype)] == [1, 3, 4]
    assert [seed for case, dtype, seed in found if (case, dtype) == ("five", five.dtype)] == list(range(6))


SIZES = st.lists(st.tuples(st.integers(1, 30_000), st.integers(1, 60)), max_size=3)
DONE = st.sets(st.integers(0, 70))


@given(sizes=SIZES, done=DONE)
def test_chunks_hold_every_seed_once(sizes: list[tuple[int, int]], done: set[int]) -> None:
    """Cut into chunks, every seed that is not done is there once, in order, and no chunk of two is over the limit."""
    plan = Plan(cells=tuple(a_cell(steps, n) for steps, n in sizes))
    chunks = list(chop(plan, lambda _, seed: seed in done))
    for cell in plan.cells:
        of_cell = [chunk for chunk in chunks if chunk.cell is cell]
        assert list(chain(*(c.seeds for c in of_cell))) == [seed for seed in cell.seeds if seed not in done]
        assert all(len(c.seeds) == 1 or len(c.seeds) * cell.case.steps <= engine.CHUNK_STEPS for c in of_cell)
    assert all(chunk.seeds and chunk.timed for chunk in chunks)


@given(sizes=SIZES, done=DONE)
def test_parting_loses_no_seed(sizes: list[tuple[int, int]], done: set[int]) -> None:
    """Parted, each chunk's seeds are all there, and a cell's first seed is timed alone unless it is done."""
    plan = Plan(cells=tuple(a_cell(steps, n) for steps, n in sizes))
    chunks = list(chop(plan, lambda _, seed: seed in done))
    alone, together = split(chunks)
    assert sorted(seeds_in(alone) + seeds_in(together)) == sorted(seeds_in(chunks))
    assert all(chunk.timed for chunk in alone)
    assert not any(chunk.timed for chunk in together)
    assert not any(chunk.cell.seeds[0] in chunk.seeds for chunk in together)
    budget = engine.TIMED_STEPS
    assert all(len(c.seeds) == 1 or len(c.seeds) * c.cell.case.steps <= budget for c in alone)


def test_the_first_seed_of_a_short_cell_is_followed(neuron: Case) -> None:
    """By itself, for more steps and not timed; the others are timed, as many as a cell's are."""
    plan = make_plan([replace(neuron, steps=5_000)], dtypes=("float32",))
    alone, together = split(list(chop(plan, nothing_done)))
    assert [(chunk.cell.followed, chunk.cell.steps, chunk.seeds) for chunk in alone] == [
        (False, REFERENCE_STEPS, tuple(range(1, REFERENCE_SEEDS)))
    ]
    followed, ensemble = together
    assert (followed.cell.followed, followed.cell.steps, followed.seeds) == (True, FOLLOWED_STEPS, (0,))
    assert (ensemble.cell.mode, ensemble.seeds) == ("ensemble", tuple(range(100)))
    left = list(chop(plan, lambda cell, seed: cell.mode == "eager" and seed < 3))
    assert [chunk.seeds for chunk in left if chunk.cell.mode == "eager"] == [tuple(range(3, REFERENCE_SEEDS))]


def a_cell(steps: int, seeds: int) -> Cell:
    """Make a cell of so many steps and seeds; they begin at seven."""
    case = Case(
        architecture=partial(nn.Linear, 1, 1),
        data=fixed(x=[1.0], target=[5.0]),
        loss=nn.MSELoss(),
        optimizer=partial(SGD, lr=0.1),
        steps=steps,
    )
    return Cell(case=case, version="0", device="cpu", dtype="float32", mode="eager", seeds=range(7, 7 + seeds))


def seeds_in(chunks: Sequence[Chunk]) -> list[tuple[int, int]]:
    """Return the seeds of all chunks, each with its cell."""
    return list(pairs(chunks))


def pairs(chunks: Sequence[Chunk]) -> Iterator[tuple[int, int]]:
    """Give each chunk's seeds beside the cell that they are of."""
    for chunk in chunks:
        yield from ((id(chunk.cell), seed) for seed in chunk.seeds)


@pytest.mark.parametrize("name", Engine)
def test_an_engine_is_chosen_by_its_name(name: str) -> None:
    """Each engine of this machine is written as it is called, and is there whatever the plan."""
    assert parse_engine(name) is Engine(name)
    check_engine(Engine(name), Plan(cells=()), Settings())


def test_a_cluster_is_chosen_by_its_address() -> None:
    """A scheduler is written as its address; anything else is refused with what there is to choose from."""
    assert parse_engine("dask://a-host:8786") == Cluster("a-host:8786")
    for text in ("Inline", "dask://a-host", ""):
        with pytest.raises(
            SuiteError, match=f'--engine "{text}" is not known; choose inline, processes or dask://HOST:PORT'
        ):
            parse_engine(text)


def test_settings_hold_while_training_and_no_longer(neuron: Case) -> None:
    """A run's settings hold while a chunk is trained; between chunks torch is as it was found."""
    seen = []

    def build() -> nn.Module:
        seen.append((torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()))
        return nn.Linear(1, 1)

    case = replace(neuron, architecture=build)
    plan = make_plan([case], seeds=range(2), dtypes=("float32", "float64"), modes=("eager",))
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    for _ in train_plan(plan, Settings(threads=2), engine=Engine.INLINE, done=nothing_done):
        assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before
    assert set(seen) == {(2, True)}
    assert before[0] == 1


def test_an_ensemble_leaves_the_same_rows_in_worker_processes(write: Write, case_text: str) -> None:
    """Both modes of a default plan are trained by either engine to the same rows, clocks apart."""
    plan = make_plan(load(write("three.py", case_text)), seeds=range(20), dtypes=("float32",))
    here, elsewhere = (
        {(t.mode, t.seed): replace(t, **NO_CLOCKS) for t in chain(*chunks)}
        for how in Engine
        for chunks in [train_plan(plan, Settings(), engine=how, done=nothing_done)]
    )
    assert here == elsewhere
    assert [mode for mode, _ in here].count("eager") == min(20, REFERENCE_SEEDS)


def test_ensembles_are_cut_by_lanes(neuron: Case) -> None:
    """However many its steps, an ensemble's chunk holds as many seeds as fit together."""
    plan = make_plan([neuron], seeds=range(2 * engine.CHUNK_SEEDS + 1), dtypes=("float32",), modes=("ensemble",))
    assert [len(chunk.seeds) for chunk in chop(plan, nothing_done)] == [engine.CHUNK_SEEDS] * 2 + [1]


def test_what_a_chunk_leaves_fits_its_memory(neuron: Case) -> None:
    """Seeds of a network of many parameters make smaller chunks, and every one of at least one seed."""
    many = replace(neuron, architecture=partial(nn.Linear, 1, 4096), data=fixed(x=[[1.0]], target=[[5.0]]))
    plan = make_plan([many], seeds=range(1000), dtypes=("float32",), modes=("ensemble",))
    sizes = [len(chunk.seeds) for chunk in chop(plan, nothing_done)]
    assert sum(sizes) == 1000
    assert sizes[0] == engine.CHUNK_BYTES // (8192 * engine.BYTES_A_PARAMETER)


def test_a_server_of_workers_that_is_refused_is_told_by_whoever_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calling it early saves time, and no more."""

    def refuse() -> None:
        refused.append("no more of them")
        raise OSError(refused[0])

    refused: list[str] = []
    monkeypatch.setattr(engine, "start_server", refuse)
    call_workers(Engine.PROCESSES, UNLIMITED)
    assert refused
