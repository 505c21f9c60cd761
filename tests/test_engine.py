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
from suite.discover import discover, documented, load
from suite.engine import (
    Chunk,
    Engine,
    check_engine,
    chop,
    done_in,
    nothing_done,
    parse_engine,
    split,
    suited,
    train_plan,
)
from suite.errors import SuiteError
from suite.machine import Settings
from suite.plan import REFERENCE_SEEDS, Cell, Plan, make_plan
from suite.trial import Trial

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
    return {
        key_of(trial): replace(trial, train_seconds=0.0, compile_seconds=0.0, yardstick_seconds=0.0)
        for trial in chain(*chunks)
    }


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


def test_a_cell_is_found_again_in_another_process(plan: Plan) -> None:
    """A chunk that travels by file and name arrives as the cell that it was, with the seeds of the chunk."""
    for cell in plan.cells:
        there = engine._Errand.of(Chunk(cell=cell, seeds=(4, 5))).cell()
        assert replace(there, case=cell.case) == replace(cell, seeds=(4, 5))
        assert (there.case.name, there.case.file, there.case.steps) == (
            cell.case.name,
            cell.case.file,
            cell.case.steps,
        )


def sent(file: Path) -> engine._Errand:
    """Return the errand of training a file's case as it is now."""
    (cell,) = make_plan(load(file), dtypes=("float32",), modes=("eager",)).cells
    return engine._Errand.of(Chunk(cell=cell, seeds=(0,)))


def test_a_case_that_was_edited_is_loaded_again(write: Write, case_text: str) -> None:
    """A process that outlives a case's text trains what the file says by then; what it said before is refused."""
    file = write("mine/edited.py", case_text.replace("nn.Linear, 1, 1, bias=False", "lambda: nn.Linear(1, 1)"))
    before = sent(file)
    assert before.cell().case.architecture().bias is not None
    write("mine/edited.py", case_text.replace("nn.Linear, 1, 1, bias=False", "lambda: nn.Linear(1, 1, bias=False)"))
    after = sent(file)
    assert after.cell().case.architecture().bias is None
    told = f"edited has version {after.version}, where version {before.version} is to be trained"
    with pytest.raises(SuiteError, match=rf"mine/edited\.py: {told}$"):
        before.cell()


def test_a_case_that_is_not_here_is_told(write: Write, case_text: str) -> None:
    """A file that is missing where the chunk arrives is named; so is one that declares no case of that name."""
    file = write("mine/gone.py", case_text)
    errand = sent(file)
    with pytest.raises(SuiteError, match=r"gone\.py: other has version none, where version"):
        replace(errand, name="other").cell()
    engine._cases.cache_clear()
    file.unlink()
    with pytest.raises(SuiteError, match=r"gone\.py: does not import: FileNotFoundError"):
        errand.cell()


def test_a_documented_case_travels_to_wherever_they_lie(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """On another machine the documented cases may lie elsewhere; a case is found again by its place among them."""
    (case,) = discover([documented() / "guide" / "relu.py"]).cases
    errand = engine._Errand.of(
        Chunk(cell=make_plan([case], dtypes=("float32",), modes=("eager",)).cells[0], seeds=(0,))
    )
    moved = write("there/guide/relu.py", Path(case.file).read_text(encoding="utf-8"))
    monkeypatch.setattr(engine, "documented", lambda: moved.parent.parent)
    assert (errand.file, errand.cell().case.file) == ("guide/relu.py", str(moved))


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
        {
            (t.mode, t.seed): replace(t, train_seconds=0.0, compile_seconds=0.0, yardstick_seconds=0.0)
            for t in chain(*chunks)
        }
        for how in Engine
        for chunks in [train_plan(plan, Settings(), engine=how, done=nothing_done)]
    )
    assert here == elsewhere
    assert [mode for mode, _ in here].count("eager") == min(20, REFERENCE_SEEDS)


def test_ensembles_are_cut_by_lanes(neuron: Case) -> None:
    """However many its steps, an ensemble's chunk holds as many seeds as fit together."""
    plan = make_plan([neuron], seeds=range(2 * engine.CHUNK_SEEDS + 1), dtypes=("float32",), modes=("ensemble",))
    assert [len(chunk.seeds) for chunk in chop(plan, nothing_done)] == [engine.CHUNK_SEEDS] * 2 + [1]


def test_what_can_be_an_ensemble_stays_one(neuron: Case) -> None:
    """A plan of elementwise cases is left as it is, with nothing to say."""
    plan = make_plan([neuron], dtypes=("float32",))
    assert suited(plan) == (plan, ())


def test_what_cannot_be_an_ensemble_is_trained_one_by_one(neuron: Case) -> None:
    """Its cells become whole eager ones, in place of their short twins, and a sentence says why."""
    layers = partial(nn.Sequential, nn.Linear(1, 1), nn.Dropout())
    noisy = replace(neuron, name="noisy", architecture=layers, data=fixed(x=[[1.0]], target=[[5.0]]))
    plan, notes = suited(make_plan([noisy, neuron], seeds=range(30), dtypes=("float64", "float32")))
    found = [(cell.case.name, cell.dtype, cell.mode, cell.short, len(cell.seeds)) for cell in plan.cells]
    assert found == [
        ("noisy", "float64", "eager", False, 30),
        ("noisy", "float32", "eager", False, 30),
        ("neuron", "float64", "eager", True, REFERENCE_SEEDS),
        ("neuron", "float64", "ensemble", False, 30),
        ("neuron", "float32", "eager", True, REFERENCE_SEEDS),
        ("neuron", "float32", "ensemble", False, 30),
    ]
    assert len(notes) == 1
    assert notes[0].startswith("noisy: its seeds are trained one by one, since ")
