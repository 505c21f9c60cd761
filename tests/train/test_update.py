"""Updates that are played are those that the optimizer would make."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from suite.train.update import Update

UPDATES = 12

KINDS: dict[str, Callable[..., Optimizer]] = {
    "plain": partial(SGD, lr=0.1),
    "momentum": partial(SGD, lr=0.1, momentum=0.9),
    "dampened": partial(SGD, lr=0.1, momentum=0.9, dampening=0.5),
    "nesterov": partial(SGD, lr=0.1, momentum=0.9, nesterov=True),
    "decay": partial(SGD, lr=0.1, weight_decay=0.01),
    "uphill": partial(SGD, lr=0.1, maximize=True),
    "counting": partial(Adam, lr=0.1),
}


class Halving(SGD):
    """Halves its rate at every fifth step."""

    made = 0

    def step(self, closure: Any = None) -> Any:
        """Count, then step."""
        self.made += 1
        if self.made % 5 == 0:
            self.param_groups[0]["lr"] /= 2
        return super().step(closure)


KINDS["halving"] = partial(Halving, lr=0.1)


def gradients(count: int) -> list[list[Tensor]]:
    """Draw gradients for two parameters."""
    generator = torch.Generator().manual_seed(1)
    return [[torch.randn(3, 4, generator=generator), torch.randn(2, generator=generator)] for _ in range(count)]


def parameters() -> list[nn.Parameter]:
    """Return two parameters with room for their gradients."""
    made = [nn.Parameter(torch.ones(3, 4)), nn.Parameter(torch.ones(2))]
    for value in made:
        value.grad = torch.zeros_like(value)
    return made


def updated(step: Callable[[], object], values: list[nn.Parameter]) -> list[list[Tensor]]:
    """Return the parameters after each of many updates."""
    seen = []
    for given in gradients(UPDATES):
        for value, gradient in zip(values, given, strict=True):
            assert value.grad is not None
            value.grad.copy_(gradient)
        step()
        seen.append([value.detach().clone() for value in values])
    return seen


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_updates_are_the_optimizers(kind: str) -> None:
    """After each of many updates, every parameter has the bits that the optimizer alone gives it."""
    ours, theirs = parameters(), parameters()
    found = updated(Update(KINDS[kind](ours), ours), ours)
    wanted = updated(KINDS[kind](theirs).step, theirs)
    assert all(torch.equal(*pair) for f, w in zip(found, wanted, strict=True) for pair in zip(f, w, strict=True))


@pytest.mark.parametrize(
    ("kind", "played"), [("plain", True), ("momentum", True), ("counting", False), ("halving", False)]
)
@torch.no_grad()
def test_only_an_optimizer_without_a_count_is_played(kind: str, *, played: bool) -> None:
    """One that counts its steps, or is not torch's own, is called at every update."""
    values = parameters()
    update = Update(KINDS[kind](values), values)
    updated(update, values)
    assert (update.replay is not None) is played
    assert update.made == (3 if played else UPDATES)


@torch.no_grad()
def test_a_rate_that_changes_while_it_is_watched_is_not_played() -> None:
    """Two updates that come to different operations are no pattern for the third."""
    values = parameters()
    optimizer = SGD(values, lr=0.1)
    update = Update(optimizer, values)
    for rate in (0.1, 0.2, 0.3, 0.4):
        optimizer.param_groups[0]["lr"] = rate
        update()
    assert update.replay is None
