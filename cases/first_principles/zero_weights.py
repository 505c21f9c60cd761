"""Weight and bias start at zero: under a ReLU nothing ever moves, under a leaky ReLU it learns.

Source: "PyTorch From First Principles: Part II", Conclusion (the shortcut taken with the initialisation).

Shapes: input (4, 1), weight (1, 1), bias (1,), output (4, 1). The task is the article's, to triple a positive number.
Nothing is drawn, so all seeds are one. At 0 torch takes the slope of a ReLU to be 0 and that of a leaky ReLU to be
0.01, as below zero: the first network is stuck for ever, the second leaves zero with its first step. Its whole path
is computed here by hand, to a weight of 3.0147 and a bias of 0.0046.

Measured over an ensemble (torch 2.13.0, CPU), as float64 / float32 / bfloat16 / float16: the leaky network's parameters
end at most 5e-16 / 1e-7 / 0.006 / 0.0011 from those by hand, its losses stay within 4e-16 / 4e-7 / 0.014 / 0.0014 of
the first.
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, relu
from torch.optim import SGD

from suite import Case, curve_follows, final_loss, fixed, follows, parameter, path, rate, unchanged, untrained

Array = NDArray[np.float64]

X = (1.0, 2.0, 3.0, 4.0)
STEPS = 100

END = {"float64": 1e-14, "float32": 2e-6, "bfloat16": 0.06, "float16": 0.01}
CURVE = {"float64": 1e-14, "float32": 2e-6, "bfloat16": 0.03, "float16": 0.004}


class FromZero(nn.Module):
    """One weight and one bias, both zero, then an activation."""

    def __init__(self, activation: Callable[[Tensor], Tensor]) -> None:
        """Set both to zero."""
        super().__init__()
        self.fc1 = nn.Linear(1, 1)
        self.activation = activation
        nn.init.zeros_(self.fc1.weight)
        nn.init.zeros_(self.fc1.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply, add, and activate: ``(points, 1)`` to ``(points, 1)``."""
        return self.activation(self.fc1(x))


def by_hand(steps: int) -> tuple[Array, Array]:
    """Train the leaky network by hand; return weight and bias at the end, ``(2,)``, and the losses, ``(steps,)``."""
    inputs = np.stack([X, np.ones(4)])
    parameters, velocity, losses = np.zeros(2), np.zeros(2), []
    for _ in range(steps):
        before = parameters @ inputs
        slope = np.where(before > 0.0, 1.0, 0.01)
        error = slope * before - 3.0 * inputs[0]
        losses.append(np.mean(error**2))
        velocity = 0.9 * velocity + inputs @ (2.0 * slope * error / 4)
        parameters = parameters - 0.05 * velocity
    return parameters, np.array(losses)


def last_weight(initial: Mapping[str, Array]) -> Array:
    """Return the weight after the last update: ``(seeds, 1, 1)``."""
    return np.full_like(initial["fc1.weight"], by_hand(STEPS)[0][0])


def last_bias(initial: Mapping[str, Array]) -> Array:
    """Return the bias after the last update: ``(seeds, 1)``."""
    return np.full_like(initial["fc1.bias"], by_hand(STEPS)[0][1])


def losses(initial: Mapping[str, Array], steps: int) -> Array:
    """Return the loss before each update: ``(seeds, steps)``."""
    return np.tile(by_hand(steps)[1], (len(initial["fc1.bias"]), 1))


stuck = Case(
    name="zero_weights_relu",
    architecture=partial(FromZero, relu),
    data=fixed(x=[[x] for x in X], target=[[3.0 * x] for x in X]),
    loss=nn.MSELoss(),
    optimizer=partial(SGD, lr=0.05, momentum=0.9),
    steps=STEPS,
    claims=("F3",),
    expect=[
        rate(untrained("fc1.weight"), 1.0),
        unchanged("fc1.weight"),
        unchanged("fc1.bias"),
        final_loss(near=67.5, atol=0.0),
    ],
)

learning = Case(
    name="zero_weights_leaky",
    architecture=partial(FromZero, leaky_relu),
    data=fixed(x=[[x] for x in X], target=[[3.0 * x] for x in X]),
    loss=nn.MSELoss(),
    optimizer=partial(SGD, lr=0.05, momentum=0.9),
    steps=STEPS,
    claims=("F3",),
    expect=[
        rate(untrained("fc1.weight", called="stuck"), 0.0),
        parameter("fc1.weight", near=3.0, atol=0.1),
        parameter("fc1.bias", near=0.0, atol=0.1),
        follows("fc1.weight", last_weight, atol=END),
        follows("fc1.bias", last_bias, atol=END),
        curve_follows(losses, atol=CURVE),
    ],
    show=[path("fc1.weight"), path("fc1.bias")],
)
