"""All seeds of a chunk together: the same module, the same autograd, the same optimizer, one more axis.

Each seed is a lane (:mod:`suite.train.lanes`). Lanes never meet, and their number is filled up to a
multiple of :data:`BLOCK`, so that a seed's bits do not depend on its company. An optimizer or a
module for which one more axis is not the same as many runs is found out beforehand, by trying.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from time import perf_counter

import torch
from torch import Tensor, nn
from torch.func import functional_call

from suite.case import Case
from suite.draw import draw, generators_kept, optimizer_for
from suite.errors import told
from suite.observe import Probe, Trajectories
from suite.plan import Cell
from suite.train import eager
from suite.train.clock import collector_paused, synchronise, yardstick_seconds
from suite.train.lanes import Lanes, tape
from suite.train.leave import Left, Times, failed, marks, trajectories, trials
from suite.train.prepare import Bench, prepare
from suite.trial import Trial

BLOCK = 64
"""The number of lanes is a multiple of this: no lane is ever the odd one out of a vector instruction."""
TRIED_SEEDS = (0, 1, 2)
"""Seeds with which a case is tried before it is trained as an ensemble."""
TRIED_STEPS = 3
SAME = 1e-4
"""Relative distance, in float32 after so few steps, up to which both ways are the same but for rounding."""

Wide = dict[str, Tensor]
"""Tensors by parameter, ``(*shape, lanes)``."""
Step = Callable[..., tuple[Tensor, ...]]
"""Maps wide parameters to their wide gradients, and last the losses ``(lanes,)``."""


def train(cell: Cell, seeds: Sequence[int], *, timed: bool = True) -> list[Trial]:
    """Train the given seeds of a cell together, and record each.

    ``timed`` False: other work runs beside this, and the yardstick is left out.
    """
    with generators_kept(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            return _train(cell, seeds, timed=timed)
        except Exception as error:
            return [failed(cell, seed, told(error)) for seed in seeds]


def _train(cell: Cell, seeds: Sequence[int], *, timed: bool) -> list[Trial]:
    bench = prepare(cell)
    with collector_paused():
        left, seconds = follow(bench, seeds)
        beside = yardstick_seconds(seconds) if timed else math.nan
    seen = trajectories(bench, left, {twin.case.name: _twin(twin, seeds) for twin in bench.twins})
    times = [Times(train=seconds, yardstick=beside, together=len(seeds))] * len(seeds)
    return list(trials(cell, bench, left, seen, times))


def _twin(bench: Bench, seeds: Sequence[int]) -> Trajectories:
    left, _ = follow(bench, seeds)
    return trajectories(bench, left, {})


def why_not(case: Case) -> str | None:
    """Return why a case's seeds cannot be trained together, as a sentence's end; None if they can.

    Trains three seeds for three steps, together and apart, in float32 on the CPU.
    """
    short = replace(case, steps=TRIED_STEPS, expect=())
    cell = Cell(case=short, version="", device="cpu", dtype="float32", mode="ensemble", seeds=TRIED_SEEDS)
    with generators_kept(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            bench = prepare(cell)
            apart = [eager.follow(bench, seed) for seed in TRIED_SEEDS]
            together, _ = follow(bench, TRIED_SEEDS)
        except Exception as error:
            return f"they cannot be one more axis of it: {told(error)}"
    for name, found in together.final.items():
        wanted = torch.stack([path.final[name] for path in apart])
        if not torch.allclose(found, wanted, rtol=SAME, atol=SAME, equal_nan=True):
            return f"trained together they end with another {name}, so that each depends on its company"
    return None


@dataclass(kw_only=True)
class Path:
    """The seeds' way, as the loop saw it; everything is wide."""

    gradient: Wide = field(default_factory=dict)
    gradient_after: Wide = field(default_factory=dict)
    updated: Wide = field(default_factory=dict)
    curve: list[Tensor] = field(default_factory=list)


def follow(bench: Bench, seeds: Sequence[int]) -> tuple[Left, float]:
    """Train seeds from start to end; return what they leave, seeds first, and the loop's seconds."""
    drawn = draw_wide(bench.case, seeds)
    initial = {name: value.to(device=bench.device, dtype=bench.dtype) for name, value in drawn.items()}
    network, _ = bench.network(seeds[0])
    parameters = {name: nn.Parameter(value.clone()) for name, value in initial.items()}
    step = record(bench, network, parameters)
    path = Path()
    synchronise(bench.device)
    start = perf_counter()
    _advance(bench, step, parameters, path)
    synchronise(bench.device)
    seconds = perf_counter() - start
    final = _values(parameters)
    network.eval()
    left = Left(
        seeds=seeds,
        drawn=_by_seed(drawn, len(seeds)),
        initial=_by_seed(initial, len(seeds)),
        gradient=_by_seed(path.gradient, len(seeds)),
        gradient_after=_by_seed(path.gradient_after, len(seeds)),
        updated=_by_seed(path.updated, len(seeds)),
        final=_by_seed(final, len(seeds)),
        curve_steps=marks(bench.case.steps),
        curve=torch.stack(path.curve, dim=1)[: len(seeds)],
        final_loss=_loss_in_float64(bench, network, final)[: len(seeds)],
        outputs=_answers(bench, network, initial, final, len(seeds)),
    )
    return left, seconds


def draw_wide(case: Case, seeds: Sequence[int]) -> Wide:
    """Draw each seed's parameters, on the CPU in float32, side by side: ``(*shape, lanes)``."""
    draws = [dict(draw(case, seed).named_parameters()) for seed in seeds]
    filled = draws + draws[:1] * (-len(draws) % BLOCK)
    return {name: torch.stack([drawn[name].detach() for drawn in filled], dim=-1) for name in draws[0]}


def record(bench: Bench, network: nn.Module, parameters: Mapping[str, Tensor]) -> Step:
    """Run the network, its loss and its gradient once on lanes, and return what was done as a function."""
    values = [value.detach() for value in parameters.values()]
    with tape(values) as kept:
        leaves = [Lanes(value).requires_grad_() for value in values]
        output = functional_call(network, dict(zip(parameters, leaves, strict=True)), (bench.x,))
        loss = bench.case.loss(output, bench.target)
        gradients = torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
        outputs = [_wide(part, values[0].shape[-1]) for part in (*gradients, loss)]
    return kept.finish(outputs)


def _wide(value: Tensor, lanes: int) -> Tensor:
    """Return a value's lanes; a value that is the same for all seeds is spread over them."""
    value = value.detach()
    return value.wide if isinstance(value, Lanes) else value.unsqueeze(-1).expand(*value.shape, lanes)


@torch.no_grad()
def _advance(bench: Bench, step: Step, parameters: Mapping[str, nn.Parameter], path: Path) -> None:
    """Train, and keep the first gradient and the parameters after it, and the losses at the marks."""
    optimizer = optimizer_for(bench.case, parameters.items())
    values = list(parameters.values())

    def update() -> Tensor:
        *gradients, loss = step(*values)
        for value, gradient in zip(values, gradients, strict=True):
            value.grad = gradient
        optimizer.step()
        return loss

    path.gradient = dict(zip(parameters, (g.clone() for g in step(*values)[:-1]), strict=True))
    path.curve.append(update())
    path.gradient_after = {name: _gradient(value) for name, value in parameters.items()}
    path.updated = _values(parameters)
    for here, there in pairwise(marks(bench.case.steps)):
        for _ in range(there - here):
            loss = update()
        path.curve.append(loss)


def _gradient(value: nn.Parameter) -> Tensor:
    return torch.zeros_like(value) if value.grad is None else value.grad.clone()


def _values(parameters: Mapping[str, nn.Parameter]) -> Wide:
    return {name: value.detach().clone() for name, value in parameters.items()}


def _by_seed(wide: Mapping[str, Tensor], seeds: int) -> Wide:
    """Put the seeds first and leave the filling out: ``(*shape, lanes)`` to ``(seeds, *shape)``."""
    return {name: _seeds_first(value, seeds) for name, value in wide.items()}


def _seeds_first(wide: Tensor, seeds: int) -> Tensor:
    return wide.movedim(-1, 0)[:seeds].clone(memory_format=torch.contiguous_format)


@torch.no_grad()
def _answer(network: nn.Module, parameters: Wide, inputs: Tensor) -> Tensor:
    answer: Tensor = functional_call(network, {name: Lanes(value) for name, value in parameters.items()}, (inputs,))
    return answer


def _answers(bench: Bench, network: nn.Module, initial: Wide, final: Wide, seeds: int) -> dict[Probe, Tensor]:
    """Show all networks the probes: ``(seeds, *shape)`` each."""
    lanes = next(iter(final.values())).shape[-1]
    answers = {
        probe: _wide(_answer(network, initial if probe.at_start else final, inputs), lanes)
        for probe, inputs in bench.probes.items()
    }
    return {probe: _seeds_first(answer, seeds) for probe, answer in answers.items()}


@torch.no_grad()
def _loss_in_float64(bench: Bench, network: nn.Module, final: Wide) -> Tensor:
    target = bench.target.double() if bench.target.is_floating_point() else bench.target
    loss = bench.case.loss(_answer(network, final, bench.x).double(), target)
    return _wide(loss, next(iter(final.values())).shape[-1])
