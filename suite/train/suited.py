"""Finding out, by trying, what may be trained together and what can be compiled, and planning the rest otherwise.

An optimizer or a module for which one more axis is not the same as many runs must not be an ensemble.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

import torch

from suite.case import Case
from suite.errors import FAULTS, told
from suite.plan import COMPILED, EAGER, ENSEMBLE, Cell, Plan
from suite.train import eager, ensemble
from suite.train.compiled import no_compiler
from suite.train.leave import undisturbed
from suite.train.prepare import prepare

TRIED_SEEDS = (0, 1, 2)
"""Seeds with which a case is tried before it is trained as an ensemble."""
TRIED_STEPS = 5
"""Enough for updates that are played: the first three are the optimizer's own."""
SAME = 1e-4
"""Relative distance, in float32 after so few steps, up to which both ways are the same but for rounding."""


def suited(plan: Plan) -> tuple[Plan, tuple[str, ...]]:
    """Return the plan with other modes in place of those that cannot be; and a sentence about each reason."""
    together = {cell.case.name: cell.case for cell in plan.cells if cell.mode != EAGER and not cell.spoilt}
    apart = {name: reason for name, case in together.items() if (reason := why_not(case)) is not None}
    devices = dict.fromkeys(cell.device for cell in plan.cells if cell.mode == COMPILED)
    uncompiled = {device: reason for device in devices if (reason := no_compiler(device)) is not None}
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


def why_not(case: Case) -> str | None:
    """Return why a case's seeds cannot be trained together, as a sentence's end; None if they can.

    Trains three seeds for five steps, together and apart, in float32 on the CPU.
    """
    short = replace(case, steps=TRIED_STEPS, expect=())
    cell = Cell(case=short, version="", device="cpu", dtype="float32", mode="ensemble", seeds=TRIED_SEEDS)
    with undisturbed():
        try:
            bench = prepare(cell)
            apart = [eager.follow(bench, seed) for seed in TRIED_SEEDS]
            together, _ = ensemble.follow(bench, TRIED_SEEDS, ensemble.Ensemble)
        except FAULTS as error:
            return f"they cannot be one more axis of it: {told(error)}"
    for name, found in together.final.items():
        wanted = torch.stack([path.final[name] for path in apart])
        if not torch.allclose(found, wanted, rtol=SAME, atol=SAME, equal_nan=True):
            return f"trained together they end with another {name}, so that each depends on its company"
    return None
