"""All seeds of a chunk together: the same module, the same autograd, the same optimizer, one more axis.

Each seed is a lane (:mod:`suite.train.lanes`). Lanes never meet, and their number is filled up to a
multiple of a block, so that a seed's bits do not depend on its company.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from itertools import pairwise
from time import perf_counter

import torch
from torch import Tensor, nn
from torch.func import functional_call

from suite.draw import optimizer_for
from suite.observe import Probe, Trajectories
from suite.plan import Cell
from suite.train.alike import Alike
from suite.train.clock import collector_paused, synchronise, yardstick_seconds
from suite.train.lanes import Lanes
from suite.train.leave import Left, Times, copies, gradients, guarded, join, some, trajectories, trials, ways
from suite.train.prepare import Bench, prepare
from suite.train.probe import Kicks, distances
from suite.train.replay import Replay
from suite.train.tape import Tape, tape
from suite.train.update import Update
from suite.trial import Trial, marks

LARGEST_ELSEWHERE = 64 * 1024 * 1024
"""Bytes of a step's largest tensor on an accelerator, whose many cores share one large cache."""

Wide = dict[str, Tensor]
"""Tensors by parameter, ``(*shape, lanes)``."""


def train(cell: Cell, seeds: Sequence[int], *, timed: bool = True) -> list[Trial]:
    """Train the given seeds of a cell together, and record each.

    ``timed`` False: other work runs beside this, and the yardstick is left out.
    """
    return guarded(trained(Ensemble), cell, seeds, timed=timed)


def trained(kind: type[Ensemble]) -> Callable[..., list[Trial]]:
    """Return what trains seeds by ensembles of a kind."""

    def train_together(cell: Cell, seeds: Sequence[int], *, timed: bool) -> list[Trial]:
        bench, probed = prepare(cell), [seed for seed in seeds if seed in cell.probed]
        with collector_paused():
            both, times = follow(bench, seeds, kind, probed=probed)
            beside = yardstick_seconds(times.train) if timed else math.nan
        left, again = some(both, slice(len(seeds))), some(both, slice(len(seeds), None))
        seen = trajectories(bench, left, {twin.case.name: _twin(twin, seeds, kind) for twin in bench.twins})
        times_of_each = [replace(times, yardstick=beside)] * len(seeds)
        return list(trials(cell, bench, left, seen, times_of_each, distances(left, again, bench.case.steps)))

    return train_together


def _twin(bench: Bench, seeds: Sequence[int], kind: type[Ensemble]) -> Trajectories:
    left, _ = follow(bench, seeds, kind)
    return trajectories(bench, left, {})


def follow(
    bench: Bench, seeds: Sequence[int], kind: type[Ensemble], *, probed: Sequence[int] = ()
) -> tuple[Left, Times]:
    """Train seeds, and after them probed ones, as many at a time as fit.

    Returns what they leave, one after the other on the first axis, and the loops' time.
    """
    everyone = [*seeds, *probed]
    ensemble = kind.fitting(bench, everyone)
    parts = [slice(start, start + ensemble.lanes) for start in range(0, len(everyone), ensemble.lanes)]
    followed = [ensemble.follow(everyone[part], plain=max(0, len(seeds) - part.start)) for part in parts]
    lefts, seconds = zip(*followed, strict=True)
    return join(lefts), Times(train=sum(seconds), compiling=ensemble.compile_seconds, together=len(seeds))


def draw_wide(alike: Alike, seeds: Sequence[int], lanes: int) -> Wide:
    """Draw each seed's parameters, on the CPU in float32, side by side, filled up: ``(*shape, lanes)``.

    Raises:
        ValueError: if a seed's network differs from the others in more than its parameters' numbers.
    """
    draws = [alike.parameters(seed) for seed in seeds]
    filled = draws + draws[:1] * (lanes - len(draws))
    return {name: torch.stack([drawn[name].detach() for drawn in filled], dim=-1) for name in draws[0]}


class Ensemble:
    """A network, its loss and its gradient, recorded once on so many lanes, to train group after group of seeds."""

    block, least, most = 64, 32, 4096
    """The number of lanes is a multiple of ``block``: no lane is ever the odd one out of a vector instruction.
    Or, for a network too large for a block to fit, it is ``least``."""
    largest_tensor = 512 * 1024
    """Bytes of a step's largest tensor: a core keeps a few of these near, and what is far takes twice the time."""
    plays_updates = True

    @classmethod
    def fitting(cls, bench: Bench, seeds: Sequence[int]) -> Ensemble:
        """Return an ensemble of as many lanes as these seeds need and the processor's cache holds."""
        wanted = min(cls.most, -(-len(seeds) // cls.block) * cls.block)
        ensemble = cls(bench, seeds, wanted)
        largest = cls.largest_tensor if bench.device.type == "cpu" else LARGEST_ELSEWHERE
        fit = largest * wanted // ensemble.largest
        return ensemble if fit >= wanted else cls(bench, seeds, max(cls.least, fit // cls.block * cls.block))

    def __init__(self, bench: Bench, seeds: Sequence[int], lanes: int) -> None:
        """Record one step from the first of ``seeds``."""
        self.bench, self.lanes, self.alike = bench, lanes, Alike(bench.case, seeds[0])
        self.network, _ = bench.network(seeds[0])
        self.parameters = {
            name: nn.Parameter(value.detach().unsqueeze(-1).repeat(*(1,) * value.ndim, lanes))
            for name, value in self.network.named_parameters()
        }
        self.values = [value.detach() for value in self.parameters.values()]
        self.compile_seconds = 0.0
        self.update: Update
        self.borrows = False
        """Whether the optimizer is one of torch's own, which keep no gradient that is not theirs to keep."""
        kept, outputs = record(bench, self.network, self.parameters)
        self.largest, self.recorded = kept.largest, kept.finish(outputs)

    @cached_property
    def replay(self) -> Replay:
        """Return the recorded step, with every tensor in its place."""
        return Replay(self.recorded, self.values)

    def drawn(self, seeds: Sequence[int]) -> Wide:
        """Draw the lanes of seeds, and fill up."""
        return draw_wide(self.alike, seeds, self.lanes)

    @torch.no_grad()
    def follow(self, seeds: Sequence[int], *, plain: int | None = None) -> tuple[Left, float]:
        """Train at most as many seeds as there are lanes, those after the first ``plain`` ones as probes.

        Returns what they leave, and the loop's seconds.
        """
        drawn = self.drawn(seeds)
        for name, value in self.parameters.items():
            value.copy_(drawn[name])
        optimizer = optimizer_for(self.bench.case, self.parameters.items())
        self.borrows = type(optimizer).__module__.startswith("torch.optim.")
        self.update = Update(optimizer, list(self.parameters.values()), plays=self.plays_updates)
        self.network.train()
        kick = self._kicks(seeds, len(seeds) if plain is None else plain)
        kick()
        initial = copies(self.parameters.items())
        synchronise(self.bench.device)
        start = perf_counter() - self.compile_seconds
        first, curve = self._first_step()
        points = [initial]
        for here, there in pairwise(marks(self.bench.case.steps)):
            kick()
            points.append(copies(self.bench.followed(self.parameters.items())))
            curve.append(self.advance(there - here).clone())
        synchronise(self.bench.device)
        seconds = perf_counter() - start - self.compile_seconds
        phases = {"drawn": drawn, "initial": initial, **first}
        return self._left(seeds, phases, points, torch.stack(curve, dim=1)), seconds

    def _kicks(self, seeds: Sequence[int], plain: int) -> Callable[[], None]:
        """Return what moves the lanes of the seeds after the first ``plain`` ones by an ulp."""
        kicks = Kicks(seeds[plain:])
        probed = [value[..., plain : len(seeds)] for value in self.values]
        return partial(kicks, probed if seeds[plain:] else ())

    def _first_step(self) -> tuple[dict[str, Wide], list[Tensor]]:
        """Make the first update; return the gradient before and after it and the parameters then, and the loss."""
        *found, loss = self.replay()
        self._give(found)
        gradient = gradients(self.parameters.items())
        self.update()
        after = {"gradient_after": gradients(self.parameters.items()), "updated": copies(self.parameters.items())}
        return {"gradient": gradient, **after}, [loss.clone()]

    def advance(self, updates: int) -> Tensor:
        """Make so many updates; return the losses before the last of them, ``(lanes,)``."""
        for _ in range(updates - 1):
            self._give(self.replay.all_but_last())
            self.update()
        *found, loss = self.replay()
        self._give(found)
        self.update()
        return loss

    def _give(self, found: Sequence[Tensor]) -> None:
        """Give each parameter its gradient."""
        for value, gradient in zip(self.parameters.values(), found, strict=True):
            value.grad = gradient if self.borrows else gradient.clone()

    def _left(self, seeds: Sequence[int], phases: Mapping[str, Wide], points: Sequence[Wide], curve: Tensor) -> Left:
        final, count = copies(self.parameters.items()), len(seeds)
        self.network.eval()
        return Left(
            seeds=seeds,
            **{phase: _by_seed(wide, count) for phase, wide in phases.items()},
            final=_by_seed(final, count),
            ways=_by_seed(ways([*points, final], self.bench), count),
            curve_steps=marks(self.bench.case.steps),
            curve=curve[:count],
            final_loss=_loss_in_float64(self.bench, self.network, final)[:count].clone(),
            outputs=_answers(self.bench, self.network, phases["initial"], final, count),
        )


@torch.enable_grad()
def record(bench: Bench, network: nn.Module, parameters: Mapping[str, Tensor]) -> tuple[Tape, list[Tensor]]:
    """Run the network, its loss and its gradient once on lanes; return what was done, and gradients and losses."""
    values = [value.detach() for value in parameters.values()]
    with tape(values) as kept:
        leaves = [Lanes(value).requires_grad_() for value in values]
        output = functional_call(network, dict(zip(parameters, leaves, strict=True)), (bench.x,))
        loss = bench.case.loss(output, bench.target)
        found = torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
        return kept, [_wide(part, values[0].shape[-1]) for part in (*found, loss)]


def _wide(value: Tensor, lanes: int) -> Tensor:
    """Return a value's lanes; a value that is the same for all seeds is spread over them."""
    value = value.detach()
    return value.wide if isinstance(value, Lanes) else value.unsqueeze(-1).expand(*value.shape, lanes)


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
    loss = bench.loss_in_float64(_answer(network, final, bench.x))
    return _wide(loss, next(iter(final.values())).shape[-1])
