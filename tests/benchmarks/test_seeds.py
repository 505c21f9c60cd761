"""What a step costs a seed: the documents' loop, an ensemble, a compiled one, and JAX, on the same work.

Ten hidden neurons learn x² in float32, on one core; the four take turns, and ratios are of medians over the turns.
Compiling is left out of all, and told apart. Only when asked for: ``pytest -m perf``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD

from suite.case import Case, fixed
from suite.plan import Cell
from suite.train import eager, ensemble
from suite.train.alike import Alike
from suite.train.compiled import Compiled
from suite.train.prepare import Bench, prepare

RATE = 0.001
TURNS = 3
POINTS = [[place / 10] for place in range(-10, 10)]


def ten_hidden() -> nn.Sequential:
    """Build one input, ten neurons under a ReLU, one output."""
    return nn.Sequential(nn.Linear(1, 10), nn.ReLU(), nn.Linear(10, 1))


SQUARE = Case(
    name="square",
    architecture=ten_hidden,
    data=fixed(x=POINTS, target=[[x * x] for (x,) in POINTS]),
    loss=nn.MSELoss(),
    optimizer=partial(SGD, lr=RATE),
    steps=100,
)

Timed = Callable[[], float]
"""Trains, and returns the microseconds that a step cost a seed."""


@pytest.fixture
def one_core() -> Iterator[None]:
    """Keep everything, JAX's own threads too, on one core."""
    before = os.sched_getaffinity(0)
    threads = torch.get_num_threads()
    os.sched_setaffinity(0, {min(before)})
    torch.set_num_threads(1)
    yield
    os.sched_setaffinity(0, before)
    torch.set_num_threads(threads)


def bench_of(steps: int) -> Bench:
    """Make the case ready for so many steps."""
    return prepare(
        Cell(case=replace(SQUARE, steps=steps), version="", device="cpu", dtype="float32", mode="", seeds=range(1))
    )


def by_eager(steps: int) -> Timed:
    """Train one seed by the documents' loop: others would cost the same again."""
    return lambda: 1e6 * eager.follow(bench_of(steps), 0).seconds / steps


def by_ensemble(seeds: int, steps: int, kind: type[ensemble.Ensemble]) -> Timed:
    """Train seeds together, in as many groups as they need."""
    made = kind.fitting(bench_of(steps), range(seeds))
    groups = [range(start, min(seeds, start + made.lanes)) for start in range(0, seeds, made.lanes)]
    return lambda: 1e6 * sum(made.follow(group)[1] for group in groups) / steps / seeds


def by_jax(seeds: int, steps: int) -> tuple[Timed, Callable[[], Any], float]:
    """Train seeds by ``jit(vmap(scan))`` from the same start; also return their last losses, and the compile time."""
    jax = pytest.importorskip("jax")
    drawn = ensemble.draw_wide(Alike(SQUARE, 0), range(seeds), seeds)
    start = tuple(jax.numpy.asarray(value.movedim(-1, 0).numpy()) for value in drawn.values())
    x, target = (jax.numpy.asarray(part.numpy()) for part in SQUARE.data())

    def loss(values: tuple[Any, ...]) -> Any:
        inner, shift, outer, bias = values
        return ((jax.nn.relu(x @ inner.T + shift) @ outer.T + bias - target) ** 2).mean()

    def step(values: tuple[Any, ...], _: None) -> tuple[Any, Any]:
        found, gradients = jax.value_and_grad(loss)(values)
        return tuple(value - RATE * gradient for value, gradient in zip(values, gradients, strict=True)), found

    run = jax.jit(jax.vmap(lambda values: jax.lax.scan(step, values, None, length=steps)[1][-1]))
    began = perf_counter()
    losses = jax.block_until_ready(run(start))
    compiling = perf_counter() - began

    def timed() -> float:
        began = perf_counter()
        jax.block_until_ready(run(start))
        return 1e6 * (perf_counter() - began) / steps / seeds

    return timed, lambda: np.asarray(losses), compiling


@pytest.mark.perf
@pytest.mark.parametrize(("seeds", "steps"), [(1, 2000), (100, 5000), (1000, 5000), (10_000, 5000)])
@pytest.mark.usefixtures("one_core")
def test_seeds_are_nearly_free(seeds: int, steps: int, tell: Callable[..., None]) -> None:
    """The same losses by four ways; many seeds at a hundredth, then a thousandth, of what each costs alone."""
    compiled = Compiled.fitting(bench_of(steps), range(seeds))
    jax, jax_losses, jax_compiling = by_jax(seeds, steps)
    ways: dict[str, Timed] = {
        "eager": by_eager(300),
        "ensemble": by_ensemble(seeds, steps, ensemble.Ensemble),
        "compiled": by_ensemble(seeds, steps, Compiled),
        "JAX": jax,
    }
    for way in ways.values():
        way()  # what is done for the first time
    turns: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(TURNS):
        for name in list(ways)[:: 1 if turn % 2 else -1]:
            turns[name].append(ways[name]())
    cost = {name: median(costs) for name, costs in turns.items()}
    left, _ = compiled.follow(range(min(seeds, compiled.lanes)))
    np.testing.assert_allclose(left.curve[:, -1], jax_losses()[: len(left.curve)], rtol=1e-3)
    row = {"seeds": seeds, **cost, "eager/ensemble": cost["eager"] / cost["ensemble"]}
    row |= {"eager/compiled": cost["eager"] / cost["compiled"], "compiled/JAX": cost["compiled"] / cost["JAX"]}
    row |= {"compiling, s": compiled.compile_seconds, "JAX compiling, s": jax_compiling}
    tell("Microseconds a step and seed: ten neurons learn x², float32, one core", row)
    assert seeds == 1 or cost["eager"] > cost["ensemble"]
