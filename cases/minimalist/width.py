"""x² learnt by one, two, five and a hundred hidden neurons: one and two sometimes end badly, a hundred never.

Source: "Minimalist PyTorch Example: My First Neural Network", It's play time!

Shapes: input (20, 1), n hidden neurons under a ReLU, output (20, 1). By least squares over all places of the bends, no
one ReLU comes below a loss of 1.678 on these points, nor below 4.746 if it opens to the right, and no two come below
0.0487. A neuron that is off at all points leaves the variance of the targets, 5.537.

Measured over an ensemble of seeds 0-999 (torch 2.13.0, CPU), as float32 / bfloat16 / float16; float64 is as float32:

- n=1 ends above 4.7 for 65 % / 64 % / 65 % of the seeds, and in float32 within 0.051 of 1.685, 4.746, 4.957 or 5.537;
  the short types stop on the way there;
- n=2 ends above 2.5 (bfloat16: 4.7) for 28 % / 38 % / 37 % of the seeds, and below 1 (bfloat16: 3.7) for
  43 % / 33 % / 31 %;
- n=5 ends above 1 (bfloat16: 4.7) for 3.4 % / 5.1 % / 8.7 % of the seeds;
- n=100 ends between 0.011 and 0.033 / 0.26 and 0.94 / 0.046 and 0.20.
"""

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import SGD

from suite import Case, Expectation, Trajectories, final_loss, graph, measured

LEVELS = np.array([1.685, 4.746, 4.957, 5.537])

ON_A_LEVEL = {"float64": 0.06, "float32": 0.06}
TWO_ARE_NOT_ENOUGH = {"float64": 2.5, "float32": 2.5, "bfloat16": 4.7, "float16": 2.5}
TWO_ARE_ENOUGH = {"float64": 1.0, "float32": 1.0, "bfloat16": 3.7, "float16": 1.0}
FIVE_ARE_NOT_ENOUGH = {"float64": 1.0, "float32": 1.0, "bfloat16": 4.7, "float16": 1.0}
A_HUNDRED_ARE = {"float64": 0.06, "float32": 0.06, "bfloat16": 1.4, "float16": 0.3}


def make_network(hidden: int) -> nn.Sequential:
    """Build one input, ``hidden`` neurons under a ReLU, one output."""
    return nn.Sequential(nn.Linear(1, hidden), nn.ReLU(), nn.Linear(hidden, 1))


def parabola() -> tuple[Tensor, Tensor]:
    """Return 20 points drawn from U(-3, 3) and their squares: ``(20, 1)`` each."""
    x = np.random.RandomState(2).uniform(-3.0, 3.0, size=(20, 1)).astype(np.float32)
    return torch.from_numpy(x), torch.from_numpy(x**2)


def from_nearest_level(seen: Trajectories) -> NDArray[np.float64]:
    """Return how far the final loss is from the nearest level: ``(seeds,)``."""
    nearest: NDArray[np.float64] = np.abs(seen.final_loss[:, None] - LEVELS).min(axis=1)
    return nearest


def square(hidden: int, *expected: Expectation) -> Case:
    """Declare the training of so many hidden neurons."""
    return Case(
        name=f"square_n{hidden}",
        architecture=partial(make_network, hidden),
        data=parabola,
        loss=nn.MSELoss(),
        optimizer=partial(SGD, lr=0.001),
        steps=10_000,
        claims=("M6a",),
        expect=expected,
        show=[graph(low=-6.0, high=6.0)],
    )


CASES = [
    square(
        1,
        final_loss(low=1.67),
        final_loss(low=4.7).share(0.58, 0.71),
        measured("distance from nearest level", from_nearest_level, high=ON_A_LEVEL).share(0.98, 1.0),
    ),
    square(
        2,
        final_loss(low=0.048),
        final_loss(low=TWO_ARE_NOT_ENOUGH).share(0.22, 0.45),
        final_loss(high=TWO_ARE_ENOUGH).share(0.25, 0.5),
    ),
    square(5, final_loss(low=FIVE_ARE_NOT_ENOUGH).share(0.015, 0.12)),
    square(100, final_loss(low=0.005, high=A_HUNDRED_ARE)),
]
