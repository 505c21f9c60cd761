"""One weight: the smallest thing that can be trained, and its whole path is known.

Source: "The No-Questions Asked Guide to PyTorch : Part 1", One Neuron, One Input, No Bias, No Activation Function.

Shapes: input (1,), weight (1, 1), output (1,). The weight wanted is target / input = 5. With momentum its distance
from 5 obeys a linear recurrence, so the weight and every loss on the way are known for each start. A start between
-1 and 1 ends between 5.011 and 5.018; seed 0 starts at -0.007486820 and ends at 5.0142784.

Measured over an ensemble of seeds 0-999 (torch 2.13.0, CPU), as float64 / float32 / bfloat16 / float16: the weight
ends between 5.0114 and 5.0171 / the same / 5.0 and 5.031 / 5.004 and 5.020; at most 3e-15 / 1.2e-6 / 0.020 / 0.009 from
the recurrence; losses at most 7e-16 / 3e-7 / 0.011 / 0.002 of the first from it.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import SGD

from suite import Case, Specimen, curve_follows, fact, fixed, follows, parameter, path

Array = NDArray[np.float64]

STEPS = 100

NEAR = {"float64": 0.02, "float32": 0.02, "bfloat16": 0.07, "float16": 0.04}
END = {"float64": 1e-13, "float32": 5e-6, "bfloat16": 0.06, "float16": 0.03}
CURVE = {"float64": 1e-14, "float32": 2e-6, "bfloat16": 0.03, "float16": 0.006}


class SingleNeuron(nn.Module):
    """One weight, no bias, no activation."""

    def __init__(self) -> None:
        """Draw the weight from U(-1, 1)."""
        super().__init__()
        self.neuron = nn.Linear(1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply: ``(1,)`` to ``(1,)``."""
        output: Tensor = self.neuron(x)
        return output


def weights(start: Array, updates: int) -> list[Array]:
    """Return the weights before each update and after the last, each shaped like ``start``."""
    path, velocity = [start], np.zeros_like(start)
    for _ in range(updates):
        velocity = 0.9 * velocity + 2.0 * (path[-1] - 5.0)
        path.append(path[-1] - 0.1 * velocity)
    return path


def last_weight(initial: Mapping[str, Array]) -> Array:
    """Return the weight after the last update: ``(seeds, 1, 1)``."""
    return weights(initial["neuron.weight"], STEPS)[-1]


def way(initial: Mapping[str, Array], updates: int) -> Array:
    """Return the weight before each update and after the last: ``(seeds, updates + 1, 1, 1)``."""
    return np.stack(weights(initial["neuron.weight"], updates), axis=1)


def losses(initial: Mapping[str, Array], steps: int) -> Array:
    """Return the loss before each update: ``(seeds, steps)``."""
    path = weights(initial["neuron.weight"].reshape(-1), steps - 1)
    return (np.stack(path, axis=1) - 5.0) ** 2


def row_form_equals_column_form(specimen: Specimen) -> float:
    """Compare x'w with w'x, for three numbers and for the network's own input."""
    x, w = specimen.tensor([[1.0], [2.0], [3.0]]), specimen.tensor([[5.0], [-7.0], [11.0]])
    column_form = specimen.network.get_parameter("neuron.weight").T @ specimen.x
    return float(torch.equal(x.T @ w, (w.T @ x).T) and torch.equal(specimen.network(specimen.x), column_form))


CASE = Case(
    architecture=SingleNeuron,
    data=fixed(x=[1.0], target=[5.0]),
    loss=nn.MSELoss(),
    optimizer=partial(SGD, lr=0.1, momentum=0.9),
    steps=STEPS,
    claims=("G1", "G1b"),
    expect=[
        parameter("neuron.weight", near=5.0, atol=NEAR).shows("G1"),
        follows("neuron.weight", last_weight, atol=END).shows("G1"),
        curve_follows(losses, atol=CURVE).shows("G1"),
        fact(row_form_equals_column_form).shows("G1b"),
    ],
    show=[path("neuron.weight", way)],
)
