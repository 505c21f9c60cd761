"""The smallest case, and how cells of a case are made and held against each other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn
from torch.optim import SGD

from suite.case import Case, fixed
from suite.plan import Cell
from suite.trial import CLOCKS

NEURON = Case(
    name="neuron",
    architecture=partial(nn.Linear, 1, 1, bias=False),
    data=fixed(x=[1.0], target=[5.0]),
    loss=nn.MSELoss(),
    optimizer=partial(SGD, lr=0.1, momentum=0.9),
    steps=100,
)
"""One neuron without a bias, trained as the guide does: its whole way is a linear recurrence."""

MakeCell = Callable[..., Cell]
"""Makes a cell of a case, as the fixture ``cell_of`` does."""

NO_CLOCKS: dict[str, Any] = dict.fromkeys(CLOCKS, 0.0)
"""In place of what clocks said, in which alone two trials of one seed may differ."""

CLAIMS = """
    [[document]]
    title = "Guide"

    [[document.claim]]
    id = "G2"
    heading = "ReLU"
    says = "Half of the seeds are dead."
"""
"""A file of one claim."""
