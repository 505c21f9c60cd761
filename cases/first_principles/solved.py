"""An optimizer that knows the answer: zero error after one epoch, for positive numbers.

Source: "PyTorch From First Principles: Part II", Optimizing The Neural Network.

Shapes: input (4, 1), weight (1, 1), bias (1,), output (4, 1). The task is to triple a positive number; the optimizer
is built from named parameters and writes weight 3 and bias 0, whatever the gradients say. The numbers are exact in
every dtype, so the error is exactly zero from the second loss on, for seeds 0-999 in each (torch 2.13.0, CPU). A
negative number becomes 0 under the ReLU, not 3x.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import relu

from suite import Case, Trajectories, by_name, final_loss, fixed, measured, output, parameter

ANSWER = {"fc1.weight": 3.0, "fc1.bias": 0.0}


class Tripling(nn.Module):
    """One weight and one bias, then a ReLU."""

    def __init__(self) -> None:
        """Draw weight and bias from U(-1, 1)."""
        super().__init__()
        self.fc1 = nn.Linear(1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply, add, and cut off below zero: ``(points, 1)`` to ``(points, 1)``."""
        return relu(self.fc1(x))


class Solved:
    """Writes the answer into the parameters that it knows by name."""

    def __init__(self, named: Iterable[tuple[str, nn.Parameter]]) -> None:
        """Keep the parameters; a generator is read once."""
        self.parameters = dict(named)

    def step(self) -> None:
        """Set weight and bias, without a look at their gradients."""
        for name, value in ANSWER.items():
            self.parameters[name].data.fill_(value)


def loss_after_one_epoch(seen: Trajectories) -> NDArray[np.float64]:
    """Return the largest loss recorded after the first update: ``(seeds,)``."""
    largest: NDArray[np.float64] = seen.curve[:, 1:].max(axis=1)
    return largest


CASE = Case(
    architecture=Tripling,
    data=fixed(x=[[1.0], [2.0], [3.0], [4.0]], target=[[3.0], [6.0], [9.0], [12.0]]),
    loss=nn.MSELoss(),
    optimizer=by_name(Solved),
    steps=10,
    claims=("F4", "F4b"),
    expect=[
        measured("loss after one epoch", loss_after_one_epoch, near=0.0, atol=0.0).shows("F4"),
        final_loss(near=0.0, atol=0.0).shows("F4"),
        parameter("fc1.weight", near=3.0, atol=0.0).shows("F4"),
        parameter("fc1.bias", near=0.0, atol=0.0).shows("F4"),
        output(at=[[-1.0], [-2.0], [-0.5]], near=0.0, atol=0.0).shows("F4b"),
    ],
)
