"""One weight and a ReLU: half of all seeds never learn.

Source: "The No-Questions Asked Guide to PyTorch : Part 1", One Neuron, One Input, No Bias, RelU Activation Function.

Shapes: input (1,), weight (1, 1), output (1,). The weight is drawn from U(-1, 1) and the input is 1, so exactly half of
all seeds start at or below 0: there the ReLU is flat, the gradient is zero, nothing moves and the loss stays at 25.
The others never come back to 0, so they follow the path that they would follow without the ReLU.

Measured over an ensemble of seeds 0-999 (torch 2.13.0, CPU), as float64 / float32 / bfloat16 / float16: 494 seeds are
dead in each; the others end between 5.0114 and 5.0143 / the same / 5.0 and 5.031 / 5.003 and 5.016; at most 3e-15 /
1e-6 / 0.020 / 0.009 from the recurrence; losses at most 6e-16 / 3e-7 / 0.011 / 0.002 of the first from it.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import relu
from torch.optim import SGD

from suite import Case, curve_follows, final_loss, fixed, follows, parameter, path, raises, rate, unchanged, untrained

Array = NDArray[np.float64]

STEPS = 100

NEAR = {"float64": 0.02, "float32": 0.02, "bfloat16": 0.07, "float16": 0.04}
END = {"float64": 1e-13, "float32": 5e-6, "bfloat16": 0.06, "float16": 0.03}
CURVE = {"float64": 1e-14, "float32": 2e-6, "bfloat16": 0.03, "float16": 0.006}


class RectifiedNeuron(nn.Module):
    """One weight, no bias, then a ReLU."""

    def __init__(self) -> None:
        """Draw the weight from U(-1, 1)."""
        super().__init__()
        self.neuron = nn.Linear(1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply, and cut off below zero: ``(1,)`` to ``(1,)``."""
        return relu(self.neuron(x))


def weights(start: Array, updates: int) -> list[Array]:
    """Return the weights before each update and after the last, each shaped like ``start``."""
    path, velocity = [start], np.zeros_like(start)
    for _ in range(updates):
        velocity = 0.9 * velocity + np.where(path[-1] > 0.0, 2.0 * (path[-1] - 5.0), 0.0)
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
    return (np.maximum(np.stack(path, axis=1), 0.0) - 5.0) ** 2


dead = untrained("neuron.weight")

CASE = Case(
    architecture=RectifiedNeuron,
    data=fixed(x=[1.0], target=[5.0]),
    loss=nn.MSELoss(),
    optimizer=partial(SGD, lr=0.1, momentum=0.9),
    steps=STEPS,
    claims=("G2", "G2b", "G9"),
    expect=[
        rate(dead, 0.5).shows("G2"),
        final_loss(near=25.0, atol=0.0).among(dead).shows("G2"),
        parameter("neuron.weight", near=5.0, atol=NEAR).among(~dead).shows("G2"),
        follows("neuron.weight", last_weight, atol=END).shows("G2"),
        curve_follows(losses, atol=CURVE).shows("G2"),
        unchanged("neuron.weight").among(dead).shows("G2b"),
        parameter("neuron.weight", at_start=True, low=-1.0, high=0.0).among(dead).shows("G2b"),
        parameter("neuron.weight", at_start=True, low=0.0, high=1.0).among(~dead).shows("G2b"),
        raises(RuntimeError, at=[1.0, 1.0]).shows("G9"),
    ],
    show=[path("neuron.weight", way)],
)
