"""A hidden layer of three neurons: the output reaches 10, and a step leaves the gradients alone.

Source: "The No-Questions Asked Guide to PyTorch : Part 1", Multiple Neurons, One Hidden Layer, Multiple Inputs with
Bias, Leaky RelU Activation Function.

Shapes: input (2,), weights (3, 2) and (1, 3), biases (3,) and (1,), output (1,). There is no activation between the
layers, so the output is a product of sums: its path is no formula, but the few lines that train it by hand are.

Measured over an ensemble of seeds 0-999 (torch 2.13.0, CPU), as float64 / float32 / bfloat16 / float16: the output ends
between 9.844 and 10.163 / the same / 9.87 and 10.13 / 9.85 and 10.16, for 97 % of the seeds within 0.1 of 10 in float64
and float32; losses stay within 2e-15 / 6e-7 of the first from those by hand in float64 / float32, and for 97 % of the
seeds within 0.035 / 0.003 in bfloat16 / float16. Of every weight and every bias some entry ends at least
0.031 / 0.031 / 0.039 / 0.024 from where it began.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.optim import SGD

from suite import Case, Trajectories, curve_follows, fixed, gradients_kept, largest, measured, output

Array = NDArray[np.float64]

NEAR_FOR_MOST = {"float64": 0.12, "float32": 0.12, "bfloat16": 0.2, "float16": 0.12}
MOVED = 0.001
CURVE = {"float64": 1e-14, "float32": 3e-6}
CURVE_OF_MOST = {"bfloat16": 0.05, "float16": 0.01}
"""Rounding can bring the output over zero a step early or late, and its losses then differ for a while."""


class HiddenLayer(nn.Module):
    """Two inputs, three hidden neurons, one output; a leaky ReLU at the end only."""

    def __init__(self) -> None:
        """Draw both layers, the hidden one first."""
        super().__init__()
        self.hidden = nn.Linear(2, 3, bias=True)
        self.out = nn.Linear(3, 1, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """Go through both layers, and flatten below zero: ``(2,)`` to ``(1,)``."""
        return leaky_relu(self.out(self.hidden(x)))


def losses(initial: Mapping[str, Array], steps: int) -> Array:
    """Return the loss before each update, ``(seeds, steps)``: both layers trained by hand.

    Both inputs are 1, so a hidden neuron's value moves by the equal steps of its two weights and its bias.
    """
    hidden = initial["hidden.weight"].sum(axis=2) + initial["hidden.bias"]
    weight, bias = initial["out.weight"][:, 0], initial["out.bias"]
    velocity, path = (np.zeros(1), np.zeros(1), np.zeros(1)), []
    for _ in range(steps):
        before = (hidden * weight).sum(axis=1, keepdims=True) + bias
        slope = np.where(before > 0.0, 1.0, 0.01)
        path.append((slope * before - 10.0) ** 2)
        pull = 2.0 * slope * (slope * before - 10.0)
        gradient = (3.0 * pull * weight, pull * hidden, pull)
        velocity = tuple(0.9 * v + g for v, g in zip(velocity, gradient, strict=True))
        hidden, weight, bias = (p - 0.01 * v for p, v in zip((hidden, weight, bias), velocity, strict=True))
    return np.concatenate(path, axis=1)


def moved_least(seen: Trajectories) -> Array:
    """Return how far the parameter went that went least, by that number of it which went farthest: ``(seeds,)``."""
    result: Array = np.min([largest(seen.final[name] - start) for name, start in seen.initial.items()], axis=0)
    return result


CASE = Case(
    architecture=HiddenLayer,
    data=fixed(x=[1.0, 1.0], target=[10.0]),
    loss=nn.MSELoss(),
    optimizer=partial(SGD, lr=0.01, momentum=0.9),
    steps=100,
    claims=("G7", "G7b"),
    expect=[
        output(near=10.0, atol=0.5).shows("G7"),
        output(near=10.0, atol=NEAR_FOR_MOST).share(0.93, 1.0).shows("G7"),
        curve_follows(losses, atol=CURVE).shows("G7"),
        curve_follows(losses, atol=CURVE_OF_MOST).share(0.93, 1.0).shows("G7"),
        gradients_kept().shows("G7b"),
        measured("least move of a parameter", moved_least, low=MOVED).shows("G7b"),
    ],
)
