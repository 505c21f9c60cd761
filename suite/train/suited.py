"""Finding out, by trying, what may be trained together and what can be compiled, and planning the rest otherwise.

An optimizer or a module for which one more axis is not the same as many runs must not be an ensemble.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from suite.case import Case
from suite.errors import let_end, told
from suite.machine import Settings, applied
from suite.plan import COMPILED, DTYPES, EAGER, ENSEMBLE, Cell, Plan
from suite.train import eager, ensemble
from suite.train.alike import Alike
from suite.train.compiled import no_compiler
from suite.train.leave import Left, undisturbed
from suite.train.prepare import Bench, prepare

TRIED_SEEDS = (0, 1)
"""Seeds with which a case is tried before it is trained as an ensemble."""
TRIED_STEPS = 100
"""Updates for which it is tried: what a module or an optimizer begins to do later is not seen."""
TRIED_STEPS_A_DTYPE = 4
"""Updates for which it is tried in each dtype: enough for an optimizer to use what it has kept of the first."""
DRAWN_SEEDS = range(8)
"""Seeds whose networks are held against each other."""
COMPANY = (1e3, math.nan)
"""Where the other lanes are: so far off that what lanes have in common shows, and beyond all numbers."""
HOOKS = ("_backward_hooks", "_post_accumulate_grad_hooks")
"""Where a parameter keeps what is called with its gradient."""
SAME = 1e-6
"""Distance in float64, in units of how far training went, up to which both ways are the same but for rounding."""
ROUGHLY = 0.25
"""The same in any dtype over the first few updates; in the documented cases rounding makes 0.03 of it at most."""

Compared = tuple[str, Tensor, Tensor]
"""What is compared, and what it is together and apart, seeds first."""


def suited(plan: Plan) -> tuple[Plan, tuple[str, ...]]:
    """Return the plan with other modes in place of those that cannot be; and a sentence about each reason."""
    together = [cell for cell in plan.cells if cell.mode != EAGER and not cell.spoilt]
    apart = {}
    for case in {cell.case.name: cell.case for cell in together}.values():
        dtypes = dict.fromkeys(cell.dtype for cell in together if cell.case.name == case.name)
        if (reason := why_not(case, dtypes)) is not None:
            apart[case.name] = reason
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


def why_not(case: Case, dtypes: Iterable[str] = DTYPES) -> str | None:
    """Return why a case's seeds cannot be trained together, as a sentence's end; None if they can.

    Trains two seeds for a hundred steps, together and apart, in float64 on one thread of the CPU, in company that must
    be nothing to them; then for a few steps in the others of ``dtypes``. So with each case that it is compared with.
    """
    with undisturbed(), applied(Settings()):
        try:
            reasons = (_why_not(bench, dtypes) for bench in _benches(case))
            return next(filter(None, reasons), None)
        except BaseException as error:  # whatever the case's own code raises
            let_end(error)
            return f"they cannot be one more axis of it: {told(error)}"


def _benches(case: Case) -> Iterator[Bench]:
    """Make a case ready, and those that it is compared with."""
    bench = _bench(case, "float64", TRIED_STEPS)
    yield bench
    yield from (_bench(twin.case, "float64", TRIED_STEPS) for twin in bench.twins)


def _bench(case: Case, dtype: str, steps: int) -> Bench:
    short = replace(case, steps=min(case.steps, steps))
    return prepare(Cell(case=short, version="", device="cpu", dtype=dtype, mode=ENSEMBLE, seeds=TRIED_SEEDS))


def _why_not(bench: Bench, dtypes: Iterable[str]) -> str | None:
    """Return why the seeds of one case cannot be trained together."""
    hooked = next(_hooked(bench), None)
    if hooked is not None:
        return f"a hook on the gradient of {hooked} would not be called"
    alike = Alike(bench.case, 0)
    for seed in DRAWN_SEEDS:
        alike.parameters(seed)
    apart, tried = _apart(bench), Tried(bench, TRIED_SEEDS, Tried.least)
    for company in COMPANY:
        tried.company = company
        together, _ = tried.follow(TRIED_SEEDS)
        for what in _others(_compared(together, apart), SAME):
            return f"trained together they have another {what} than each has alone"
    return next(filter(None, (_why_not_in(dtype, bench.case) for dtype in dtypes if dtype != "float64")), None)


def _why_not_in(dtype: str, case: Case) -> str | None:
    """Return why they cannot be in a dtype, in which rounding alone sets both ways apart."""
    bench = _bench(case, dtype, TRIED_STEPS_A_DTYPE)
    together, _ = ensemble.follow(bench, TRIED_SEEDS, ensemble.Ensemble)
    for what in _others(_moved(together, _apart(bench)), ROUGHLY):
        return f"trained together in {dtype} they have another {what} than each has alone"
    return None


def _hooked(bench: Bench) -> Iterator[str]:
    """Name the parameters with hooks of their own, which lanes would not have."""
    for name, value in bench.network(TRIED_SEEDS[0])[0].named_parameters():
        if any(getattr(value, hooks, None) for hooks in HOOKS):
            yield name


def _apart(bench: Bench) -> Left:
    """Train the seeds that are tried one by one."""
    return eager.stack(TRIED_SEEDS, [eager.follow(bench, seed) for seed in TRIED_SEEDS], bench.case.steps)


class Tried(ensemble.Ensemble):
    """An ensemble of more lanes than a vector holds, and of a number of them that hardly any axis of a network has."""

    block = least = 71
    company = 0.0
    """How far from any start that the case draws the lanes begin that no seed has."""

    def drawn(self, seeds: Sequence[int]) -> ensemble.Wide:
        """Draw the lanes of seeds, and put what fills up in another place."""
        wide = super().drawn(seeds)
        for value in wide.values():
            value[..., len(seeds) :] += self.company
        return wide


def _others(compared: Iterable[Compared], near: float) -> Iterator[str]:
    """Name what is otherwise by more than so many times its size, in the order in which it came about."""
    for what, ours, theirs in compared:
        if not torch.allclose(ours, theirs, rtol=0.0, atol=near * _size(theirs), equal_nan=True):
            yield what


def _compared(together: Left, apart: Left) -> Iterator[Compared]:
    """Give what both ways left of all seeds, parameters by how far they went."""
    yield "loss", together.curve[:, 0], apart.curve[:, 0]
    for name, wanted in apart.gradient.items():
        yield f"first gradient of {name}", together.gradient[name], wanted
    yield from _moved(together, apart)
    yield "loss on the way", together.curve, apart.curve
    yield "loss in the end", together.final_loss, apart.final_loss
    for probe, wanted in apart.outputs.items():
        yield "output in the end", together.outputs[probe], wanted


def _moved(together: Left, apart: Left) -> Iterator[Compared]:
    """Give how far both ways took all parameters."""
    for words, phase in (("first update of {}", "updated"), ("{} in the end", "final")):
        for name, start in apart.initial.items():
            ours, theirs = (getattr(side, phase)[name] - start for side in (together, apart))
            yield words.format(name), ours, theirs


def _size(values: Tensor) -> float:
    """Return the largest finite number among values; zero, if there is none."""
    return float(values.abs().nan_to_num(0.0, 0.0, 0.0).max()) if values.numel() else 0.0
