"""Two hidden layers of ten against one of forty-six, with as many parameters: the shallow one is faster at first.

Source: "Minimalist PyTorch Example: My First Neural Network", It's play time!

Shapes: input (20, 1), weights (10, 1), (10, 10) and (1, 10), biases (10,), (10,) and (1,): 141 parameters, against 139.
The document asks which learns faster and leaves it open; this was found.

Measured over an ensemble of seeds 0-999 (torch 2.13.0, CPU), as float32 / bfloat16 / float16; float64 is as float32:

- the loss of the deep network ends between 0.003 and 0.25 / 1.20 and 6.97 / 0.07 and 2.6, with a median of
  0.017 / 2.95 / 0.18 and 99 % of the seeds below 0.053 / 6.1 / 0.52;
- at step 256 the shallow network of the same seed is ahead for 99.2 % / 100 % / 99.0 % of the seeds; at the end the
  deep one is, for 71.5 % / 0 % / 24.3 %: in the short types both stop before it comes to that.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import SGD

from suite import Case, Observation, Trajectories, expect, final_loss, graph

Array = NDArray[np.float64]

LEARNT = {"float64": 0.1, "float32": 0.1, "bfloat16": 6.5, "float16": 0.7}
DEEP_AHEAD = {"float64": [np.inf, 1.0], "float32": [np.inf, 1.0]}
SHALLOW_AHEAD = {"bfloat16": [0.0, 1.0], "float16": [0.0, 1.0]}
"""At the end; at step 256 anything goes."""


def deep() -> nn.Sequential:
    """Build one input, two hidden layers of ten neurons under a ReLU each, one output."""
    return nn.Sequential(nn.Linear(1, 10), nn.ReLU(), nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 1))


def shallow() -> nn.Sequential:
    """Build one input, one hidden layer of forty-six neurons under a ReLU, one output."""
    return nn.Sequential(nn.Linear(1, 46), nn.ReLU(), nn.Linear(46, 1))


def parabola() -> tuple[Tensor, Tensor]:
    """Return 20 points drawn from U(-3, 3) and their squares: ``(20, 1)`` each."""
    x = np.random.RandomState(2).uniform(-3.0, 3.0, size=(20, 1)).astype(np.float32)
    return torch.from_numpy(x), torch.from_numpy(x**2)


def trained(architecture: Callable[[], nn.Module], *, name: str) -> Case:
    """Declare the training of either network."""
    return Case(
        name=name,
        architecture=architecture,
        data=parabola,
        loss=nn.MSELoss(),
        optimizer=partial(SGD, lr=0.001),
        steps=10_000,
    )


def race(opponent: Case) -> Observation:
    """Look at the loss as a multiple of the opponent's from the same seed, at step 256 and at the end."""

    def look(seen: Trajectories) -> Array:
        places = [list(seen.curve_steps).index(256), -1]
        return seen.curve[:, places] / seen.twins[opponent.name].curve[:, places]

    return Observation(name=f"loss at step 256 and last over that of {opponent.name}", look=look, twin=opponent)


against_shallow = race(trained(shallow, name="one hidden layer of 46"))

CASE = replace(
    trained(deep, name="deep"),
    claims=("M6e",),
    expect=[
        final_loss(high=LEARNT).share(0.97, 1.0),
        expect(against_shallow, low=[1.0, 0.0]).share(0.95, 1.0),
        expect(against_shallow, high=DEEP_AHEAD).share(0.6, 0.82),
        expect(against_shallow, low=SHALLOW_AHEAD).share(0.65, 1.0),
    ],
    show=[graph(low=-6.0, high=6.0)],
)
