"""What the audit trains, and how: as a run does, with a change planted for as long as it takes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from suite.audit.controls import CONTROLS, UNCHANGED
from suite.audit.fault import Control, Fault
from suite.audit.faults import FAULTS
from suite.case import Case
from suite.discover import Collection
from suite.engine import Engine, chop, nothing_done, split
from suite.errand import Chunk, Errand, train_here
from suite.machine import Machine, Settings, fingerprint
from suite.plan import EAGER, Cell, Plan, make_plan
from suite.records import in_memory
from suite.train import lanes
from suite.trial import RunRecord, Trial
from suite.workflow import Task, manifest_of

CASES = (
    "relu",
    "leaky_relu",
    "several_neurons",
    "hidden_layer",
    "layer_from_scratch",
    "zero_weights_relu",
    "square_n10",
)
"""Few, cheap, and different: each fault changes what at least one of them computes."""
DTYPES = ("float32", "bfloat16")
IN_DOUBLE = ("hidden_layer",)
"""Cases that are trained in float64, too."""
SEEDS = range(30)
LONGEST = 100
"""Steps of a case that is trained in every dtype; of a longer one, as an ensemble, in one only."""
DEVICE = "cpu"

PLANTED = {planted.name: planted for planted in (UNCHANGED, *FAULTS, *CONTROLS)}
"""All that the audit does, by name: what travels to another process."""
Remains = tuple[list[Trial], Machine]
"""What a training left, and where."""


def audit_plan(collection: Collection, seeds: range = SEEDS) -> Plan:
    """Return the cells in which faults are looked for: some of those that a run trains unless told otherwise."""
    plan = make_plan(_cases(collection, CASES), seeds=seeds, devices=(DEVICE,), dtypes=("float64", *DTYPES))
    return Plan(cells=tuple(cell for cell in plan.cells if _worth_while(cell)))


def timed_plan(collection: Collection) -> Plan:
    """Return the cells whose times are judged: all that a run times, since a little shows only in many."""
    plan = make_plan(collection.cases, devices=(DEVICE,))
    return Plan(cells=tuple(cell for cell in plan.cells if cell.short))


def timed_errands(plan: Plan) -> list[Errand]:
    """Return what is timed of a plan, in order."""
    alone, _ = split(list(chop(plan, nothing_done)))
    return [Errand.of(chunk) for chunk in alone]


def _cases(collection: Collection, names: Sequence[str]) -> list[Case]:
    """Return the named cases that the collection holds."""
    return [case for case in collection.cases if case.name in names]


def _worth_while(cell: Cell) -> bool:
    """Leave out what takes long and shows no fault that others do not."""
    if cell.dtype == "float64":
        return cell.case.name in IN_DOUBLE
    return cell.case.steps <= LONGEST or cell.dtype == "float32" or cell.mode == EAGER


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One training of a plan with something planted."""

    planted: Fault | Control
    order: int = 0
    """Cells are trained in the plan's order, or in another for each number above zero."""
    probing: bool = False
    """Probes are trained, too, as of a baseline."""

    def errands(self, plan: Plan) -> list[Errand]:
        """Return what another process must train, in order."""
        chunks = list(chop(plan, nothing_done))
        if self.order:
            Random(self.order).shuffle(chunks)
        return [Errand.of(part) for chunk in chunks for part in self._parts(chunk)]

    def _parts(self, chunk: Chunk) -> list[Chunk]:
        half = len(chunk.seeds) // 2 if isinstance(self.planted, Control) and self.planted.in_two_groups else 0
        chunk = chunk if self.probing else replace(chunk, cell=replace(chunk.cell, probed=()))
        return [replace(chunk, seeds=group) for group in (chunk.seeds[half:], chunk.seeds[:half]) if group]


def train_with(name: str, errands: Sequence[Errand], *, timed: bool = False) -> Remains:
    """Train errands in this process with what goes by ``name`` planted; ``timed`` if nothing else runs."""
    planted = PLANTED[name]
    settings = planted.settings if isinstance(planted, Control) else Settings()
    # Cases are read before anything is planted: what they declare is no part of torch.
    chunks = [Chunk(cell=errand.cell(), seeds=errand.seeds, timed=timed) for errand in errands]
    with nothing_remembered(), planted.plant():
        trials = [trial for chunk in chunks for trial in train_here(chunk, settings)]
    return trials, fingerprint({DEVICE: None}, settings)


@contextmanager
def nothing_remembered() -> Iterator[None]:
    """Let nothing that was found out about torch with something planted outlast it, or come in from before."""
    lanes._alike.cache_clear()
    try:
        yield
    finally:
        lanes._alike.cache_clear()


def train_elsewhere(attempts: Iterable[Attempt], plan: Plan) -> Iterator[tuple[Attempt, Remains]]:
    """Make attempts in one worker process per core, in the environment that each asks for; give each as it ends."""
    with ExitStack() as stack:
        pools: dict[tuple[tuple[str, str], ...], Any] = {}
        ends: dict[Future[Remains], Attempt] = {}
        for attempt in attempts:
            variables = tuple(attempt.planted.variables.items()) if isinstance(attempt.planted, Control) else ()
            if variables not in pools:
                pools[variables] = stack.enter_context(_pool(variables))
            ends[pools[variables].submit(train_with, attempt.planted.name, attempt.errands(plan))] = attempt
        for end in as_completed(ends):
            yield ends[end], end.result()


@contextmanager
def _pool(variables: tuple[tuple[str, str], ...]) -> Iterator[Any]:
    """Give worker processes: one a core, or a single one in an environment of its own; an interruption ends them."""
    from joblib.externals.loky import ProcessPoolExecutor

    pool = ProcessPoolExecutor(max_workers=1 if variables else os.cpu_count(), env=dict(variables))
    try:
        yield pool
    except BaseException:
        pool.shutdown(kill_workers=True)
        raise
    pool.shutdown()


def record(collection: Collection, plan: Plan, left: Remains) -> RunRecord:
    """Return what a training left as a run."""
    trials, machine = left
    task = Task(
        collection=collection, plan=plan, settings=machine.settings, engine=Engine.PROCESSES, folder=Path("audit")
    )
    return in_memory(manifest_of(task), machine, trials)
