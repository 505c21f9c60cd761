"""Finding out, by trying, what may be trained together and what can be compiled, and planning the rest otherwise.

An optimizer or a module for which one more axis is not the same as many runs must not be an ensemble.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from suite.case import Case
from suite.errors import let_end, told
from suite.machine import Settings, applied
from suite.plan import COMPILED, EAGER, ENSEMBLE, Cell, Plan
from suite.train import eager, ensemble
from suite.train.compiled import no_compiler
from suite.train.leave import Left, undisturbed
from suite.train.prepare import prepare

TRIED_SEEDS = (0, 1)
"""Seeds with which a case is tried before it is trained as an ensemble."""
TRIED_STEPS = 100
"""Updates for which it is tried: what a module or an optimizer begins to do later is not seen."""
SAME = 1e-6
"""Distance in float64, in units of how far training went, up to which both ways are the same but for rounding."""


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

    Trains two seeds for a hundred steps, together and apart, in float64 on one thread of the CPU.
    """
    short = replace(case, steps=min(case.steps, TRIED_STEPS))
    cell = Cell(case=short, version="", device="cpu", dtype="float64", mode="ensemble", seeds=TRIED_SEEDS)
    with undisturbed(), applied(Settings()):
        try:
            bench = prepare(cell)
            apart = eager.stack(TRIED_SEEDS, [eager.follow(bench, seed) for seed in TRIED_SEEDS], short.steps)
            together, _ = ensemble.follow(bench, TRIED_SEEDS, Narrow)
        except BaseException as error:  # whatever the case's own code raises
            let_end(error)
            return f"they cannot be one more axis of it: {told(error)}"
    other = next(_others(together, apart), None)
    return None if other is None else f"trained together they have another {other} than each has alone"


class Narrow(ensemble.Ensemble):
    """An ensemble of few lanes, and of a number of them that hardly any axis of a network has."""

    block = least = 7


def _others(together: Left, apart: Left) -> Iterator[str]:
    """Name what is otherwise, in the order in which it came about."""
    for what, ours, theirs in _compared(together, apart):
        if not torch.allclose(ours, theirs, rtol=0.0, atol=SAME * _size(theirs), equal_nan=True):
            yield what


def _compared(together: Left, apart: Left) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Give what both ways left of all seeds, parameters by how far they went."""
    yield "loss", together.curve[:, 0], apart.curve[:, 0]
    for name, wanted in apart.gradient.items():
        yield f"first gradient of {name}", together.gradient[name], wanted
    for words, phase in (("first update of {}", "updated"), ("{} in the end", "final")):
        for name, start in apart.initial.items():
            ours, theirs = (getattr(side, phase)[name] - start for side in (together, apart))
            yield words.format(name), ours, theirs
    yield "loss on the way", together.curve, apart.curve
    yield "loss in the end", together.final_loss, apart.final_loss
    for probe, wanted in apart.outputs.items():
        yield "output in the end", together.outputs[probe], wanted


def _size(values: Tensor) -> float:
    """Return the largest finite number among values; zero, if there is none."""
    return float(values.abs().nan_to_num(0.0, 0.0, 0.0).max()) if values.numel() else 0.0
