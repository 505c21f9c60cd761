"""Two inputs and a bias under a leaky ReLU: the sum of three parameters is decided.

Source: "The No-Questions Asked Guide to PyTorch : Part 1", One Neuron, Multiple Inputs with Bias, Leaky RelU
Activation Function.

Shapes: input (2,), weight (1, 2), bias (1,), output (1,). Both inputs are 1, so all three parameters have the same
gradient and their sum moves three times as fast as one weight would, to 5: from any start it ends between
4.957 and 5.053.

Measured over an ensemble of seeds 0-999 (torch 2.13.0, CPU), as float64 / float32 / bfloat16 / float16: the sum ends
between 4.957 and 5.053 / the same / 4.890 and 5.133 / 4.950 and 5.057; losses stay within 2e-15 / 6e-7 of the first
from the recurrence in float64 / float32, and for 99 % of the seeds within 0.033 / 0.004 in bfloat16 / float16.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.optim import SGD

from suite import Case, curve_follows, fixed, output, path, total

Array = NDArray[np.float64]


NEAR = {"float64": 0.07, "float32": 0.07, "bfloat16": 0.2, "float16": 0.09}
CURVE = {"float64": 1e-14, "float32": 2e-6}
CURVE_OF_MOST = {"bfloat16": 0.05, "float16": 0.01}
"""Rounding can bring the sum over zero a step early or late, and its losses then differ for a while."""


class TwoInputNeuron(nn.Module):
    """Two weights and a bias, then a leaky ReLU."""

    def __init__(self) -> None:
        """Draw the weights and the bias from U(-1/√2, 1/√2)."""
        super().__init__()
        self.neuron = nn.Linear(2, 1, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """Weigh, add, and flatten below zero: ``(2,)`` to ``(1,)``."""
        return leaky_relu(self.neuron(x))


def losses(initial: Mapping[str, Array], steps: int) -> Array:
    """Return the loss before each update, ``(seeds, steps)``: the sum moves by three parameters' steps."""
    summed = initial["neuron.weight"].sum(axis=(1, 2)) + initial["neuron.bias"][:, 0]
    velocity, path = np.zeros_like(summed), []
    for _ in range(steps):
        slope = np.where(summed > 0.0, 1.0, 0.01)
        path.append((slope * summed - 5.0) ** 2)
        velocity = 0.9 * velocity + 2.0 * slope * (slope * summed - 5.0)
        summed = summed - 3 * 0.1 * velocity
    return np.stack(path, axis=1)


CASE = Case(
    architecture=TwoInputNeuron,
    data=fixed(x=[1.0, 1.0], target=[5.0]),
    loss=nn.MSELoss(),
    optimizer=partial(SGD, lr=0.1, momentum=0.9),
    steps=100,
    claims=("G5",),
    expect=[
        total("neuron.weight", "neuron.bias", near=5.0, atol=NEAR),
        output(near=5.0, atol=NEAR),
        curve_follows(losses, atol=CURVE),
        curve_follows(losses, atol=CURVE_OF_MOST).share(0.97, 1.0),
    ],
    show=[path("neuron.weight"), path("neuron.bias")],
)
