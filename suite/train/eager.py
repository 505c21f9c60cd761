"""The documents' loop, one seed at a time: the reference for all other modes, and what is timed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from suite.case import Stepper
from suite.draw import globals_kept, torch_as_new
from suite.errors import let_end, told
from suite.observe import Probe, Trajectories
from suite.plan import Cell
from suite.train.clock import Stopwatch, collector_paused, synchronise, yardstick_seconds
from suite.train.leave import Left, Times, assemble, copies, failed, gradients, guarded, trajectories, trials, ways
from suite.train.prepare import Bench, prepare
from suite.train.probe import Kicks, distances
from suite.trial import DISTURBED, Distance, Trial, marks

REPEATS = 3
"""How often at most a seed is trained again, because something disturbed its time."""
WARM_UP_STEPS = 20
"""Steps of a throw-away network before anything is timed."""

Parameters = dict[str, Tensor]


@dataclass(kw_only=True)
class Path:
    """One seed's way, as the loop saw it."""

    drawn: Parameters
    initial: Parameters
    gradient: Parameters = field(default_factory=dict)
    gradient_after: Parameters = field(default_factory=dict)
    updated: Parameters = field(default_factory=dict)
    final: Parameters = field(default_factory=dict)
    ways: dict[str, Tensor] = field(default_factory=dict)
    curve: list[Tensor] = field(default_factory=list)
    outputs: dict[Probe, Tensor] = field(default_factory=dict)
    final_loss: Tensor = field(default_factory=lambda: torch.tensor(math.nan))
    seconds: float = math.nan
    waiting: float = math.nan
    yardstick: float = math.nan


def train(cell: Cell, seeds: Sequence[int], *, timed: bool = True) -> list[Trial]:
    """Train the given seeds of a cell, one after the other, and record each.

    ``timed`` False: other work runs beside this, and the yardstick is left out.
    A seed that cannot be trained is recorded as an error with its reason; the others go on.
    """
    return guarded(_train, cell, seeds, timed=timed)


def _train(cell: Cell, seeds: Sequence[int], *, timed: bool) -> list[Trial]:
    bench = prepare(cell)
    with collector_paused():
        _warm_up(bench.afresh(), seeds[0])
        ways = {seed: _attempt(bench, seed, timed=timed) for seed in seeds}
    paths = {seed: way for seed, way in ways.items() if isinstance(way, Path)}
    errors = [failed(cell, seed, way) for seed, way in ways.items() if not isinstance(way, Path)]
    recorded = {trial.seed: trial for trial in (*_record(cell, bench, paths), *errors)}
    return [recorded[seed] for seed in seeds]


def _record(cell: Cell, bench: Bench, paths: dict[int, Path]) -> list[Trial]:
    """Record the seeds together, or else one by one, so that what fails for one is no error of the others."""
    try:
        return _record_together(cell, bench, paths) if paths else []
    except BaseException as error:  # whatever the case's own code raises
        let_end(error)
        if len(paths) == 1:
            return [failed(cell, seed, told(error)) for seed in paths]
    return [trial for seed, path in paths.items() for trial in _record(cell, bench, {seed: path})]


def _record_together(cell: Cell, bench: Bench, paths: dict[int, Path]) -> list[Trial]:
    left = stack(list(paths), list(paths.values()), bench.case.steps)
    seen = trajectories(bench, left, {twin.case.name: _twin(twin, list(paths)) for twin in bench.twins})
    times = [Times(train=path.seconds, yardstick=path.yardstick, waiting=path.waiting) for path in paths.values()]
    return list(trials(cell, bench, left, seen, times, _probes(cell, bench, left)))


def _probes(cell: Cell, bench: Bench, left: Left) -> dict[int, tuple[Distance, ...]]:
    """Train the cell's probed seeds once more, moved by an ulp; return how far that carries them."""
    seeds = [seed for seed in left.seeds if seed in cell.probed]
    if not seeds:
        return {}
    again = stack(seeds, [follow(bench, seed, Kicks([seed])) for seed in seeds], bench.case.steps)
    return distances(left, again, bench.case.steps)


def _attempt(bench: Bench, seed: int, *, timed: bool) -> Path | str:
    """Train one seed, with the yardstick beside it; return why instead, if it cannot be trained.

    What is timed is trained again, a few times at most, if something else had the processor meanwhile.
    """
    try:
        path = follow(bench, seed)
        for _ in range(REPEATS if timed else 0):
            if not path.waiting > DISTURBED:
                break
            path = follow(bench, seed)
    except BaseException as error:  # whatever the case's own code raises
        let_end(error)
        return told(error)
    if timed:
        path.yardstick = yardstick_seconds(path.seconds)
    return path


def _twin(bench: Bench, seeds: Sequence[int]) -> Trajectories:
    paths = [follow(bench, seed) for seed in seeds]
    return trajectories(bench, stack(seeds, paths, bench.case.steps), {})


@torch_as_new()
def _warm_up(bench: Bench, seed: int) -> None:
    """Train a throw-away network, so that nothing is done for the first time when it counts.

    What fails here fails again in the seed's own trial, which keeps the reason.
    """
    try:
        network, _ = bench.network(seed)
        advance(network, bench.optimizer(network), bench, min(WARM_UP_STEPS, bench.case.steps))
        synchronise(bench.device)
    except BaseException as error:  # whatever the case's own code raises
        let_end(error)


def advance(network: nn.Module, optimizer: Stepper, bench: Bench, updates: int) -> Tensor:
    """Train for so many updates, as the documents do; return the last loss computed on the way."""
    x, target, loss_function = bench.x, bench.target, bench.case.loss
    zero_grad = getattr(optimizer, "zero_grad", network.zero_grad)
    for _ in range(updates):
        zero_grad()
        loss = loss_function(network(x), target)
        loss.backward()
        optimizer.step()
    return loss.detach()


@torch_as_new()
def follow(bench: Bench, seed: int, kicks: Kicks | None = None) -> Path:
    """Train one seed from start to end and keep what it leaves on the way; ``kicks`` make it a probe."""
    bench = bench.afresh()
    network, drawn = bench.network(seed)
    kick = partial(kicks or Kicks([]), [value.detach().unsqueeze(-1) for value in network.parameters() if kicks])
    kick()
    path = Path(drawn=drawn, initial=copies(network.named_parameters()))
    optimizer = bench.optimizer(network)
    stopwatch = Stopwatch(bench.device)
    _first_step(bench, network, optimizer, path)
    points = [path.initial]
    for here, there in pairwise(marks(bench.case.steps)):
        kick()
        points.append(copies(bench.followed(network.named_parameters())))
        path.curve.append(advance(network, optimizer, bench, there - here))
    path.seconds, path.waiting = stopwatch.stop()
    path.final = copies(network.named_parameters())
    path.ways = ways([*points, path.final], bench)
    network.eval()
    _show(bench, network, path, at_start=False)
    path.final_loss = _loss_in_float64(bench, network)
    if any(probe.at_start for probe in bench.probes):  # another network, so that looking changes nothing
        _show(bench, bench.network(seed)[0].eval(), path, at_start=True)
    return path


def _first_step(bench: Bench, network: nn.Module, optimizer: Stepper, path: Path) -> None:
    """Make the first update, and keep the gradient before and after it and the parameters then."""
    getattr(optimizer, "zero_grad", network.zero_grad)()
    loss = bench.case.loss(network(bench.x), bench.target)
    loss.backward()
    path.gradient = gradients(network.named_parameters())
    optimizer.step()
    path.gradient_after = gradients(network.named_parameters())
    path.updated = copies(network.named_parameters())
    path.curve.append(loss.detach())


@torch.no_grad()
def _show(bench: Bench, network: nn.Module, path: Path, *, at_start: bool) -> None:
    """Show the network the probes that are meant for this moment."""
    for probe, inputs in bench.probes.items():
        if probe.at_start == at_start:
            path.outputs[probe] = network(inputs.clone())


@torch.no_grad()
def _loss_in_float64(bench: Bench, network: nn.Module) -> Tensor:
    return bench.loss_in_float64(network(bench.x))


def stack(seeds: Sequence[int], paths: Sequence[Path], steps: int) -> Left:
    """Put the ways of several seeds side by side: the seed becomes the first axis."""
    curve = torch.stack([torch.stack(path.curve) for path in paths])
    return assemble(paths, torch.stack, seeds=seeds, curve_steps=marks(steps), curve=curve)


def one_step(cell: Cell) -> Callable[[], Tensor]:
    """Return a function that makes one more update of the cell's first seed, for a benchmark to time."""
    with globals_kept():
        bench = prepare(cell)
        network, _ = bench.network(cell.seeds[0])
    optimizer = bench.optimizer(network)

    def step() -> Tensor:
        loss = advance(network, optimizer, bench, 1)
        synchronise(bench.device)
        return loss

    return step
