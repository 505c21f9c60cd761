"""An optimizer of one's own needs nothing but a step, and is asked as the documents ask it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD

from suite.case import by_name
from suite.expect import gradients_kept
from suite.train.eager import train
from suite.trial import Status, marks
from tests.cells import NEURON, MakeCell
from tests.train.by_hand import by_hand, untimed


class _Plain:
    """Gradient descent that knows ``step`` and nothing else."""

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self.parameters = list(parameters)

    @torch.no_grad()
    def step(self) -> None:
        """Move each parameter by a tenth of its gradient."""
        for value in self.parameters:
            assert value.grad is not None
            value.add_(value.grad, alpha=-0.1)


def plain_by_name(named: Iterable[tuple[str, nn.Parameter]]) -> _Plain:
    """Build the same from named parameters."""
    return _Plain([value for name, value in named if name == "weight"])


@pytest.mark.parametrize("optimizer", [_Plain, by_name(plain_by_name)], ids=["parameters", "by name"])
def test_an_optimizer_needs_nothing_but_a_step(cell_of: MakeCell, optimizer: Any) -> None:
    """Gradients are set to zero for one that cannot do so itself: it trains as plain SGD does, bit for bit."""
    found = train(cell_of(replace(NEURON, optimizer=optimizer)), range(3))
    expected = train(cell_of(replace(NEURON, optimizer=partial(SGD, lr=0.1))), range(3))
    assert untimed(found) == untimed(expected)
    assert {trial.status for trial in found} == {Status.OK}


class Hoarding(SGD):
    """Never forgets a gradient."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Keep all gradients, so that they add up."""


def test_an_optimizer_that_has_a_way_to_zero_gradients_is_asked(cell_of: MakeCell) -> None:
    """The loop calls the optimizer's own ``zero_grad``, as the documents do, before every step."""
    case = replace(NEURON, optimizer=partial(Hoarding, lr=0.001))
    for trial in train(cell_of(case), range(2)):
        assert trial.curve == tuple((step, by_hand(case, "float64", trial.seed).losses[step]) for step in marks(100))
        assert trial.final_digest != train(cell_of(NEURON), [trial.seed])[0].final_digest


class Meddling(SGD):
    """Changes the gradients, and may not."""

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update, and double every gradient afterwards."""
        super().step(closure)
        for value in self.param_groups[0]["params"]:
            value.grad.mul_(2.0)


@pytest.mark.parametrize(("optimizer", "kept"), [(SGD, 1.0), (Meddling, 0.0)])
def test_gradients_are_read_again_after_the_step(cell_of: MakeCell, optimizer: Any, kept: float) -> None:
    """An optimizer that changes them is found out, one that does not is not."""
    case = replace(NEURON, optimizer=partial(optimizer, lr=0.1), expect=[gradients_kept()])
    assert [trial.observations for trial in train(cell_of(case), range(2))] == [(("gradients kept by step", kept),)] * 2
