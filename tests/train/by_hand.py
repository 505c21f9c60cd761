"""The documents' loop, written out by hand, to hold the suite's own loops against."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam

from suite.case import Case, fixed
from suite.draw import globals_kept
from suite.train.prepare import dtype_of
from suite.trial import Trial
from tests.cells import NEURON, NO_CLOCKS


def hidden_layer() -> nn.Module:
    """Build the guide's deepest network."""
    return nn.Sequential(nn.Linear(2, 3), nn.LeakyReLU(), nn.Linear(3, 1), nn.LeakyReLU())


DEEP = replace(
    NEURON,
    name="deep",
    architecture=hidden_layer,
    data=fixed(x=[[1.0, 1.0], [0.5, -2.0]], target=[[10.0], [3.0]]),
    optimizer=partial(Adam, lr=0.01, eps=1e-4),
    steps=30,
)


@dataclass(kw_only=True)
class ByHand:
    """What a loop written out by hand left behind."""

    losses: list[float] = field(default_factory=list)
    gradient: dict[str, Tensor] = field(default_factory=dict)
    updated: dict[str, Tensor] = field(default_factory=dict)
    final: dict[str, Tensor] = field(default_factory=dict)
    final_loss: float = math.nan


def copies(network: nn.Module, what: Callable[[Tensor], Tensor | None]) -> dict[str, Tensor]:
    """Copy something of every parameter, with the seed as the first axis."""
    return {name: torch.as_tensor(what(value)).detach().clone()[None] for name, value in network.named_parameters()}


def by_hand(case: Case, dtype: str, seed: int) -> ByHand:
    """Train as the documents do: seed, build, and repeat zero_grad, forward, loss, backward, step."""
    way = ByHand()
    with globals_kept():
        torch.manual_seed(seed)
        network = case.architecture().to(dtype_of(dtype))
    optimizer: Any = case.optimizer(network.parameters())  # type: ignore[operator]
    x, target = (part.to(dtype_of(dtype)) for part in case.data())
    for step in range(case.steps):
        optimizer.zero_grad()
        loss = case.loss(network(x), target)
        loss.backward()
        if step == 0:
            way.gradient = copies(network, lambda value: value.grad)
        optimizer.step()
        if step == 0:
            way.updated = copies(network, lambda value: value)
        way.losses.append(loss.item())
    way.final = copies(network, lambda value: value)
    way.final_loss = case.loss(network(x).double(), target.double()).item()
    return way


def untimed(trials: Iterable[Trial]) -> list[str]:
    """Return the trials without their times, which alone may differ, as text: there a NaN equals itself."""
    return [repr(replace(trial, **NO_CLOCKS)) for trial in trials]
