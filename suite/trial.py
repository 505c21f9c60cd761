"""Trial: the frozen record of what one seed left behind; and what a run holds besides its trials."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from suite.claims import Claim
from suite.clause import Clause
from suite.machine import Machine
from suite.plan import Skip
from suite.sketch import Sketch

if TYPE_CHECKING:
    import pandas as pd


class Status(StrEnum):
    """How a trial ended."""

    OK = "ok"
    DIVERGED = "diverged"
    """Its final loss is not finite."""
    ERROR = "error"
    """It could not be trained; the reason says why."""


CLOCKS = ("train_seconds", "seeds_together", "compile_seconds", "yardstick_seconds", "waiting_share")
"""What differs between two trainings of the same seed on the same machine; all else is equal to the bit.

How many seeds shared a loop's time goes with it: a run that is resumed trains those together that it lacks.
"""

GRADIENT, UPDATE, LOSS = PARTS = ("gradient", "update", "loss")
"""What a probe measures: the first step's gradient, the parameters after it, and the losses by step."""

DISTURBED = 0.05
"""Share of a loop's time in which its process was kept waiting, from which on the time says nothing."""

Distance = tuple[str, int, float]
"""What was measured, at which step, and how far an ulp moved it, relative to its size.

A loss is measured by its root, relative to the root of the first; the final one stands at the number of updates.
"""


Point = tuple[str, str, float, float]
"""Of a curve that a page draws: its name, how it came about, and where the point lies."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What one seed of a cell left behind.

    Digests are hashes of exact bits; norms are Euclidean, over all entries, in float64; projections are sums over
    all entries, each weighed by a fixed number, so that what keeps the norm but not its direction is seen.
    """

    case: str
    case_version: str
    seed: int
    device: str
    dtype: str
    mode: str
    status: Status
    steps: int
    """Updates made."""
    first_loss: float
    """Loss before the first update, as the loop computed it."""
    final_loss: float
    """Loss after the last update, computed in float64 from the network's outputs."""
    train_seconds: float
    """Wall time of the training loop that the trial was part of."""
    compile_seconds: float
    """Wall time of compiling its step, which the loop's leaves out; 0 where nothing is compiled."""
    seeds_together: int
    """Trials that this loop trained."""
    yardstick_seconds: float
    """Wall time of the yardstick beside it; NaN where other work of the run ran at the same time."""
    waiting_share: float
    """Share of the loop's wall time in which something else had its processor; NaN where that is not known."""
    data_norm: float
    init_norm: float
    """Of the parameters as drawn."""
    start_norm: float
    """Of the parameters as trained: cast and moved."""
    gradient_norm: float
    """Of the first step's gradient."""
    update_norm: float
    """Of the parameters after the first step."""
    final_norm: float
    data_projection: float
    start_projection: float
    gradient_projection: float
    update_projection: float
    reason: str = ""
    """Why it ended in an error."""
    data_digest: str
    init_digest: str
    """Of the parameters as drawn, on the CPU in float32: equal on every device and in every dtype."""
    gradient_digest: str
    update_digest: str
    final_digest: str
    curve: tuple[tuple[int, float], ...] = ()
    """Loss as the loop computed it, at steps 0, 1, 2, 4, 8 … and the last."""
    observations: tuple[tuple[str, float], ...] = ()
    """What the expectations looked at, by name."""
    graphs: tuple[Point, ...] = ()
    """Curves that a page draws; nothing, if no pictures are kept of it."""
    distances: tuple[Distance, ...] = ()
    """How far it was moved by one unit in the last place; nothing, if it was not probed."""


@dataclass(frozen=True, kw_only=True)
class DeclaredCase:
    """What a run keeps of a case's declaration, so that it can be judged without the case file."""

    name: str
    version: str
    folder: str
    source: str
    """The case's file, relative to its folder of cases."""
    steps: int
    drawn: bool
    """Its start is drawn at random, so that two seeds do not start alike."""
    claims: tuple[str, ...]
    clauses: tuple[Clause, ...]
    line: int = 1
    """Of the declaration, in that file."""
    title: str = ""
    document: str = ""
    """What the case file names as its source."""
    sketch: Sketch = field(default_factory=Sketch)


@dataclass(frozen=True, kw_only=True)
class PlannedCell:
    """A cell that a run set out to train."""

    case: str
    device: str
    dtype: str
    mode: str
    first_seed: int
    seeds: int
    short: bool
    """Trained eagerly as the reference, with few seeds and steps; its expectations are another cell's."""


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """Who accepted a run as the baseline, when, why, and what it replaced."""

    who: str
    when: str
    why: str
    replaced: str
    """Run id of the baseline before it; empty for the first."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a run set out to do, as ``run.json`` holds it."""

    run: str
    started: str
    """UTC, ISO 8601."""
    roots: tuple[str, ...]
    """Names of the folders of cases."""
    known_cases: tuple[str, ...]
    """Every case in them, trained in this run or not."""
    cases: tuple[DeclaredCase, ...]
    cells: tuple[PlannedCell, ...]
    modes: tuple[str, ...] = ()
    """What was asked for, whether every case could be trained so or not."""
    claims: tuple[Claim, ...] = ()
    """What the cases' claims say."""
    skipped: tuple[Skip, ...] = ()
    notes: tuple[str, ...] = ()
    """What was done otherwise than asked, and why."""
    complete: bool = False
    accepted: Acceptance | None = None


CellKey = tuple[str, str, str, str]
"""Case, device, dtype and mode."""


def key_of(cell: PlannedCell | Trial) -> CellKey:
    """Return what names a cell, or the cell that a trial is of."""
    return cell.case, cell.device, cell.dtype, cell.mode


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """All that one run left: its manifest, its machine, and its tables."""

    manifest: Manifest
    machine: Machine
    trials: pd.DataFrame
    curves: pd.DataFrame
    observations: pd.DataFrame
    probes: pd.DataFrame
    graphs: pd.DataFrame
    first: pd.DataFrame
    """Trials that were timed when cells were first accepted on this machine; of a baseline, else none."""
    again: pd.DataFrame
    """Trials that were timed once more, since they looked slower or faster than a baseline's."""


def device_type(device: str) -> str:
    """Return "cuda" for "cuda:0"."""
    return device.partition(":")[0]


def marks(steps: int) -> tuple[int, ...]:
    """Return the steps at which the curve is recorded: 0, 1, 2, 4, 8 … and the last."""
    doubling = [0, *(2**power for power in range(steps.bit_length()))]
    return tuple(sorted({mark for mark in doubling if mark < steps} | {steps - 1}))
