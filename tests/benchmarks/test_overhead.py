"""What the runner adds to the documents' loop, written by hand without it.

Both are measured in short blocks that alternate, so that a busy machine is as busy for one as for the other. What
noise is left is measured, not guessed: the allowance is the exact sign-test interval of the median ratio, and the
runner is refused only if that interval has no place for 5 %. A runner that adds nothing is never near it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter, process_time

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor, nn
from torch.optim import SGD

from suite.case import Case, fixed
from suite.judge.statistics import median_interval
from suite.plan import Cell
from suite.train import eager
from suite.train.clock import collector_paused
from suite.train.eager import train
from tests.cells import NEURON

OVERHEAD = 0.05
"""The most that the runner may add, as a share of the loop without it."""
FALSE_ALARM = 0.01
"""Probability that a runner which adds exactly so much is refused, however busy the machine is; beyond, it soon is."""


class Square(nn.Module):
    """Ten hidden neurons between one input and one output, as for x²."""

    def __init__(self) -> None:
        """Draw both layers."""
        super().__init__()
        self.hidden = nn.Linear(1, 10)
        self.output = nn.Linear(10, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(points, 1)`` to ``(points, 1)``."""
        answer: Tensor = self.output(torch.relu(self.hidden(x)))
        return answer


POINTS = [[place / 10] for place in range(-10, 11)]

SQUARE = Case(
    name="square",
    architecture=Square,
    data=fixed(x=POINTS, target=[[x * x] for (x,) in POINTS]),
    loss=nn.MSELoss(),
    optimizer=partial(SGD, lr=0.1, momentum=0.9),
    steps=100,
)


def by_hand(case: Case, seed: int) -> float:
    """Train one seed as the document does; return the seconds of its loop."""
    torch.manual_seed(seed)
    network = case.architecture()
    optimizer = SGD(network.parameters(), lr=0.1, momentum=0.9)
    x, target = case.data()
    loss_function = case.loss
    start = perf_counter()
    for _ in range(case.steps):
        optimizer.zero_grad()
        loss = loss_function(network(x), target)
        loss.backward()
        optimizer.step()
    return perf_counter() - start


def loop_of_runner(case: Case, seeds: range) -> float:
    """Train seeds as a run does; return the seconds of their loops, as they are recorded."""
    return sum(trial.train_seconds for trial in train(cell_of(case, seeds), seeds))


def loop_by_hand(case: Case, seeds: range) -> float:
    """Train seeds by hand; return the seconds of their loops."""
    return sum(by_hand(case, seed) for seed in seeds)


def all_of_runner(case: Case, seeds: range) -> float:
    """Train seeds as a run does; return the processor's seconds from the bare case to the finished records."""
    start = process_time()
    train(cell_of(case, seeds), seeds)
    return process_time() - start


def all_by_hand(case: Case, seeds: range) -> float:
    """Train seeds by hand; return the processor's seconds for networks, optimizers and loops."""
    start = process_time()
    loop_by_hand(case, seeds)
    return process_time() - start


def cell_of(case: Case, seeds: range) -> Cell:
    """Return the cell of the case on the CPU in float32."""
    return Cell(case=case, version="0" * 12, device="cpu", dtype="float32", mode="eager", seeds=seeds)


@pytest.mark.parametrize("case", [NEURON, SQUARE], ids=lambda case: case.name)
@pytest.mark.parametrize(
    ("ours", "theirs", "seeds", "pairs"),
    [(loop_of_runner, loop_by_hand, range(1), 40), (all_of_runner, all_by_hand, range(3), 30)],
    ids=["loop", "all"],
)
def test_the_runner_adds_little(
    benchmark: BenchmarkFixture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    case: Case,
    ours: Callable[[Case, range], float],
    theirs: Callable[[Case, range], float],
    seeds: range,
    pairs: int,
) -> None:
    """Trained by the runner, a seed takes at most 5 % more than by hand: in its loop, and in all."""
    monkeypatch.setattr(eager, "WARM_UP_STEPS", 1)  # a run warms up once in ten thousand steps; these blocks are short
    ratios: list[float] = []

    def pair() -> None:
        with collector_paused():
            blocks = [partial(ours, case, seeds), partial(theirs, case, seeds)]
            cost = {block: block() for block in (blocks if len(ratios) % 2 else blocks[::-1])}
        ratios.append(cost[blocks[0]] / cost[blocks[1]])

    pair()  # what is done for the first time
    ratios.clear()
    benchmark.pedantic(pair, rounds=pairs)  # type: ignore[no-untyped-call]
    low, high, _ = median_interval(np.array(ratios), FALSE_ALARM)
    benchmark.extra_info.update(ratio=float(np.median(ratios)), low=low, high=high)
    with capsys.disabled():
        print(f"\n{benchmark.name}: {np.median(ratios):.3f} times the loop by hand ({low:.3f} to {high:.3f})")
    if benchmark.enabled:  # else one pair was measured, which tells nothing
        assert low <= 1.0 + OVERHEAD
