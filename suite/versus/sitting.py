"""A sitting: both environments train the same cells, and then take turns to be timed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from typing import Any, TypeVar

import numpy as np
from pydantic import TypeAdapter, ValidationError

from suite.engine import chop, nothing_done
from suite.errand import Chunk, Errand
from suite.machine import Machine
from suite.plan import EAGER, Cell, Plan
from suite.records import in_memory
from suite.trial import RunRecord, Status, Trial
from suite.versus.side import Environment, Side, Sides, seated
from suite.versus.times import Key, Ratios, Sample, look_again
from suite.workflow import Task, manifest_of

PIECE_SECONDS = 0.015
"""What is timed at once takes about this long: short trainings, of which the median counts."""
MOST_TRAININGS = 99

Kind = TypeVar("Kind")
Answers = tuple[Any, Any]


@dataclass(frozen=True, kw_only=True)
class Sitting:
    """What two environments left: A's first, which is the baseline."""

    records: tuple[RunRecord, RunRecord]
    sample: Sample


def sit(
    environments: tuple[Environment, Environment], task: Task, *, rounds: int, say: Callable[[str], None]
) -> Sitting:
    """Train a task's cells in both environments, then time them in turns, for so many rounds; ``say`` what is done.

    What looks slower or faster is timed once more, by fresh workers and for twice as many rounds; that sample decides.

    Raises:
        SuiteError: naming an environment that cannot be started, or whose worker ended or could not do it.
    """
    with seated(environments) as sides:
        say(f"training {_counted(task.plan.cells)} on both sides")
        task = replace(task, plan=_suited(task, sides))
        records = _trained(task, sides)
        cells = _timed(task.plan, records)
        say(f"timing {_counted(cells)} in turns, {rounds} rounds")
        sample = Sample(first=_take_turns(cells, task, sides, rounds))
    again = look_again(sample.first)
    if again:
        say(f"timing {_counted(again)} once more, by fresh workers, {2 * rounds} rounds")
        with seated(environments) as sides:
            cells = [cell for cell in cells if _key(cell) in again]
            sample = replace(sample, second=_take_turns(cells, task, sides, 2 * rounds))
    return Sitting(records=records, sample=sample)


def _counted(cells: Collection[object]) -> str:
    """Return "1 cell", or "2 cells"."""
    return f"{len(cells)} cell{'s' * (len(cells) != 1)}"


def _ask_both(sides: Sides, task: Task, **request: Any) -> Answers:
    """Ask both sides the same at once, and return both answers."""
    for side in sides:
        side.send(settings=asdict(task.settings), **request)
    ours, theirs = (side.receive() for side in sides)
    return ours, theirs


def _errand_of(cell: Cell, seeds: Sequence[int]) -> dict[str, Any]:
    """Return what a worker must know of a cell; its file where it lies, since both workers are on this machine."""
    return asdict(replace(Errand.of(Chunk(cell=cell, seeds=tuple(seeds))), file=cell.case.file))


def _suited(task: Task, sides: Sides) -> Plan:
    """Return the plan with each case trained eagerly that either side cannot train as an ensemble."""
    cases = {cell.case.name: cell for cell in task.plan.cells}
    apart = {
        name
        for name, cell in cases.items()
        if any(_ask_both(sides, task, do="why_not", errand=_errand_of(cell, cell.seeds[:1])))
    }
    kept = (cell for cell in task.plan.cells if cell.case.name not in apart or not cell.short)
    return replace(
        task.plan, cells=tuple(replace(cell, mode=EAGER) if cell.case.name in apart else cell for cell in kept)
    )


def _trained(task: Task, sides: Sides) -> tuple[RunRecord, RunRecord]:
    """Train all of a task on both sides and return what each left."""
    devices = list(dict.fromkeys(cell.device for cell in task.plan.cells))
    machines = _read(Machine, sides, _ask_both(sides, task, do="describe", devices=devices))
    trained = [
        _read(list[Trial], sides, _ask_both(sides, task, do="train", errand=_errand_of(chunk.cell, chunk.seeds)))
        for chunk in chop(task.plan, nothing_done)
    ]
    manifest = manifest_of(task)
    ours, theirs = (
        in_memory(replace(manifest, run=side.environment.name), machine, list(chain.from_iterable(trials)))
        for side, machine, trials in zip(sides, machines, zip(*trained, strict=True), strict=True)
    )
    return ours, theirs


def _read(kind: type[Kind], sides: Sides, answers: Answers) -> tuple[Kind, Kind]:
    """Return both answers as what they should be.

    Raises:
        SuiteError: naming the environment whose worker answered something else.
    """
    ours, theirs = (_as(kind, side, answer) for side, answer in zip(sides, answers, strict=True))
    return ours, theirs


def _as(kind: type[Kind], side: Side, answer: Any) -> Kind:
    try:
        return TypeAdapter(kind).validate_python(answer)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise side.fault(f"answered what no worker would: {place}: {first['msg']}") from error


def _timed(plan: Plan, records: Iterable[RunRecord]) -> list[Cell]:
    """Return the cells that are timed: each case on each device in each dtype, if both sides can train it eagerly."""
    failed = {
        (row.case, row.device, row.dtype)
        for record in records
        for row in record.trials[record.trials["status"] == str(Status.ERROR)].itertuples()
    }
    return [replace(cell, short=True) for cell in plan.cells if cell.mode == EAGER and _key(cell) not in failed]


def _take_turns(cells: Sequence[Cell], task: Task, sides: Sides, rounds: int) -> Ratios:
    """Time every cell on both sides, one beside the other; return the ratios.

    Only one worker works at a time. Which of the two goes first changes from cell to cell and from round to round, so
    that a drift, or what the first leaves for the second, cancels.
    """
    trainings = [_trainings(cell, task, sides) for cell in cells]
    ratios: dict[Key, list[float]] = {_key(cell): [] for cell in cells}
    for turn in range(rounds):
        for place, cell in enumerate(cells):
            seeds = [cell.seeds[(turn + k) % len(cell.seeds)] for k in range(trainings[place])]
            order = sides if (turn + place) % 2 == 0 else sides[::-1]
            seconds = {side.environment.name: _clocked(side, cell, task, seeds) for side in order}
            ours, theirs = (seconds[side.environment.name] for side in sides)
            ratios[_key(cell)].append(float(np.log(theirs / ours)))
    return {key: np.array(values) for key, values in ratios.items()}


def _key(cell: Cell) -> Key:
    return cell.case.name, cell.device, cell.dtype


def _clocked(side: Side, cell: Cell, task: Task, seeds: Sequence[int]) -> float:
    errand = _errand_of(cell, cell.seeds[:1])
    answer = side.ask(do="clock", settings=asdict(task.settings), errand=errand, seeds=seeds)
    return _as(float, side, answer)


def _trainings(cell: Cell, task: Task, sides: Sides) -> int:
    """Warm both sides up, and return how many short trainings take as long as a piece should: an odd number."""
    seeds = [cell.seeds[0]] * 3
    seconds = min(_clocked(side, cell, task, seeds) for side in sides)
    return min(MOST_TRAININGS, int(PIECE_SECONDS / (seconds * cell.steps)) | 1)
